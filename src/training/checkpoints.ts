/**
 * Checkpoints of a fit. What they hold is read in stream order behind a step and written while training goes on; at
 * most one is on its way at a time, so neither the disk holds training up nor memory grows. A checkpoint that cannot be
 * written is told, and the next one tried.
 */
import { mkdir } from 'node:fs/promises';
import { type NumericArray, type Tensor, tensor } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import { writeFailure } from '../formats/atomic.js';
import {
  bestOf,
  type Checkpoint,
  checkpointName,
  checkpointsIn,
  removeRun,
  sweepCheckpoints,
  sweepUnfinished,
  writeCheckpoint,
} from '../formats/checkpoint.js';
import type { FitProgress } from '../formats/checkpoint-description.js';
import { writeModelDirectory } from '../formats/model-directory.js';
import { modelFiles } from '../formats/model-file.js';
import { requireAgreement } from './checkpoint-agreement.js';
import { chooseCheckpoint } from './checkpoint-choice.js';
import type { CheckpointSettings } from './checkpoint-options.js';
import { type CapturedState, captureState, restoreState, type TrainingSubject } from './checkpoint-state.js';
import type { FitPlace } from './fit-state.js';
import type { CheckpointRecord } from './listener.js';

export interface CheckpointedTraining extends TrainingSubject {
  /** Plain data that must be the same when training goes on. */
  readonly agreement: Readonly<Record<string, unknown>>;
  /** What the model is saved with. */
  readonly vocabulary: () => unknown;
  /** Milliseconds. */
  readonly clock: () => number;
}

interface Captured {
  readonly step: number;
  readonly place: FitPlace;
  readonly state: CapturedState;
}

export class Checkpoints {
  readonly #training: CheckpointedTraining;
  readonly #settings: CheckpointSettings;
  /** Milliseconds. */
  readonly #interval: number;
  #nextStep = 0;
  #nextTime = 0;
  /** Its step is still under way. */
  #captured: Captured | undefined;
  #writing: Promise<void> | undefined;
  #outcomes: CheckpointRecord[] = [];
  /** The name of the newest whole one. */
  #written: string | undefined;
  /** The step at which the weights in `best` were. */
  #bestStep: number | undefined;
  #failing = false;

  constructor(training: CheckpointedTraining, settings: CheckpointSettings) {
    this.#training = training;
    this.#settings = settings;
    const { steps, minutes = steps === undefined ? 5 : Number.POSITIVE_INFINITY } = settings;
    this.#interval = minutes * 60_000;
  }

  /**
   * Takes up the run that is in the directory, or makes room for a new one.
   *
   * @returns the checkpoint that training goes on from
   * @throws {MnemeError} `file-write` when the directory cannot be made, or holds a run that was not finished and that
   *   nobody asked to go on with; `file-invalid` for a damaged checkpoint, `invalid-option` for one of another training
   */
  async open(): Promise<Checkpoint | undefined> {
    const { directory, resume, overwrite } = this.#settings;
    const checkpoint = resume && (await chooseCheckpoint(directory, resume, "resume: 'previous'"));
    if (checkpoint) {
      await this.#restore(checkpoint);
    } else {
      const newest = (await checkpointsIn(directory)).at(-1);
      if (newest && newest.step > 0 && !newest.finished && !overwrite) throw unfinished(directory, newest.step);
      await makeDirectory(directory);
      await removeRun(directory);
    }
    await sweepUnfinished(directory);
    this.#scheduleAfter(checkpoint?.description.progress.step ?? 0);
    return checkpoint;
  }

  /** Whether one is to be captured behind this step. */
  due(step: number): boolean {
    if (this.#captured || this.#writing) return false;
    return step >= this.#nextStep || this.#training.clock() >= this.#nextTime;
  }

  /** Queues the reads behind the step that was queued last. */
  capture(step: number, place: FitPlace): void {
    this.#captured = { step, place, state: captureState(this.#training) };
    this.#scheduleAfter(step);
  }

  /** A step has ended well: if it is the one that was captured, its checkpoint is written from now on. */
  reached(step: number, progress: (place: FitPlace) => FitProgress): void {
    if (this.#captured?.step !== step) return;
    const { state, place } = this.#captured;
    this.#captured = undefined;
    this.#begin(state, progress(place), { finished: false });
  }

  /** Writes the last one, behind everything, and waits for it. */
  async last(progress: FitProgress, { finished }: { readonly finished: boolean }): Promise<void> {
    await this.#writing;
    if (checkpointName(progress.step, { finished }) === this.#written) return;
    this.#begin(captureState(this.#training), progress, { finished });
    await this.#writing;
  }

  /** What became of those that were begun, since the last call. */
  outcomes(): readonly CheckpointRecord[] {
    return this.#outcomes.splice(0);
  }

  /** Waits for the one that is being written. */
  async close(): Promise<void> {
    this.#captured = undefined;
    await this.#writing;
  }

  #scheduleAfter(step: number): void {
    const { steps } = this.#settings;
    this.#nextStep = steps === undefined ? Number.POSITIVE_INFINITY : (Math.floor(step / steps) + 1) * steps;
    this.#nextTime = this.#training.clock() + this.#interval;
  }

  async #restore(checkpoint: Checkpoint): Promise<void> {
    const { path, description } = checkpoint;
    const { agreement, network } = this.#training;
    requireAgreement(path, description.agreement, agreement);
    requireAgreement(path, { precision: description.precision }, { precision: network.engine.precision });
    await restoreState(this.#training, checkpoint);
    this.#written = checkpointName(description.progress.step, description);
    this.#bestStep = description.progress.best?.step;
  }

  #begin(state: CapturedState, progress: FitProgress, end: { readonly finished: boolean }): void {
    const { step } = progress;
    const done = (path: string | undefined, error: Error | undefined) => {
      this.#failing = error !== undefined;
      this.#outcomes.push({ step, path, error });
      this.#writing = undefined;
    };
    this.#writing = this.#write(state, progress, end).then(
      (path) => done(path, undefined),
      (error) => done(undefined, error),
    );
  }

  async #write(state: CapturedState, progress: FitProgress, { finished }: { finished: boolean }): Promise<string> {
    const { network, agreement, vocabulary } = this.#training;
    const { directory, extras, keep } = this.#settings;
    const arrays = await state.arrays;
    // A directory that vanished is told first, and made anew only then: it may have been a disk.
    if (this.#failing) await makeDirectory(directory);
    const { iteration, rows } = state;
    const { precision } = network.engine;
    const path = await writeCheckpoint(directory, {
      description: { finished, progress, iteration, rows, precision, agreement, extras },
      model: await modelFiles(network, single(arrays.get('parameters')!), vocabulary()),
      tensors: tensorsOf(arrays, precision),
    });
    const name = checkpointName(progress.step, { finished });
    this.#written = name;
    await this.#writeBest(arrays.get('best'), progress);
    const places = await checkpointsIn(directory);
    const own = places.findIndex((place) => place.name === name);
    // Newer ones are of a future that was not to be: the run was taken up before them.
    const kept = new Set(places.slice(Math.max(0, own + 1 - keep), own + 1).map((place) => place.name));
    await sweepCheckpoints(directory, (place) => kept.has(place.name));
    return path;
  }

  async #writeBest(weights: NumericArray | undefined, { best }: FitProgress): Promise<void> {
    if (!weights || !best || best.step === this.#bestStep) return;
    const { network, vocabulary } = this.#training;
    const { description, parameters } = await modelFiles(network, single(weights), vocabulary());
    await writeModelDirectory(bestOf(this.#settings.directory), description, parameters);
    this.#bestStep = best.step;
  }
}

/** The parameters of a network of single precision are in the model's own file. */
function tensorsOf(arrays: ReadonlyMap<string, NumericArray>, precision: 'f32' | 'f64'): Map<string, Tensor> {
  const own = [...arrays].filter(([name]) => precision === 'f64' || name !== 'parameters');
  return new Map(own.map(([name, values]) => [name, tensor(values, [values.length])]));
}

const single = (values: NumericArray): Float32Array =>
  values instanceof Float32Array ? values : Float32Array.from(values);

async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw writeFailure(error, directory);
  }
}

const unfinished = (directory: string, step: number): MnemeError =>
  new MnemeError(
    'file-write',
    `fit: ${directory} holds a run that was not finished, up to step ${step}. resume: 'latest' goes on with it; ` +
      'overwrite: true removes it and begins anew.',
  );
