/** One fit: passes over the data, their records, and where it stands. */
import type { Batch, Batches } from '../data/batch.js';
import type { Checkpoint } from '../formats/checkpoint.js';
import type { FitProgress } from '../formats/checkpoint-description.js';
import { type Loss, lossWeight } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import { BestWeights } from './best-weights.js';
import { plain } from './checkpoint-agreement.js';
import type { CheckpointSettings } from './checkpoint-options.js';
import { Checkpoints, type FitPlace } from './checkpoints.js';
import { evaluate } from './evaluate.js';
import {
  type EpochRecord,
  type History,
  type Listener,
  notify,
  type ResumeRecord,
  type StepRecord,
  tellCheckpoints,
} from './listener.js';
import { piecesOf } from './pieces.js';
import { Queue } from './queue.js';
import type { Stepper } from './stepper.js';
import { Stopwatch } from './stopwatch.js';

export interface Training {
  readonly network: NetworkContract;
  readonly loss: Loss;
  readonly stepper: Stepper;
  readonly truncation: number | undefined;
  /** The trainer's options: what is plain data in them must be the same when training goes on from a checkpoint. */
  readonly options: object;
  /** What the model is saved with. */
  readonly vocabulary: () => unknown;
}

export interface FitSettings {
  readonly epochs: number | undefined;
  readonly seconds?: number | undefined;
  readonly validation?: Batches | undefined;
  readonly keepBest: boolean;
  readonly checkpoints?: CheckpointSettings | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly listeners: readonly Listener[];
  readonly inFlight: number;
  readonly clock: () => number;
}

type Step = Omit<StepRecord, 'seconds'> & { readonly weight: number };

export class Run {
  readonly #training: Training;
  readonly #batches: Batches;
  readonly #settings: FitSettings;
  readonly #queue: Queue<Step>;
  readonly #best: BestWeights;
  readonly #checkpoints: Checkpoints | undefined;
  readonly #watch: Stopwatch;
  #steps = 0;
  #tokens = 0;
  /** Behind the step that was queued last. */
  #place: FitPlace = { epoch: 0, batch: 0, chunk: 0 };
  /** Of the pass under way. */
  #pass = { loss: 0, weight: 0, tokens: 0, trained: 0, step: 0 };
  #stopped: History['stopped'] = 'epochs';
  readonly #records: EpochRecord[] = [];
  #bestRecord: EpochRecord | undefined;

  constructor(training: Training, batches: Batches, settings: FitSettings) {
    const { network, stepper, options, vocabulary } = training;
    const { clock, checkpoints, validation, keepBest } = settings;
    this.#training = training;
    this.#batches = batches;
    this.#settings = settings;
    this.#queue = new Queue(settings.inFlight);
    this.#best = new BestWeights(network);
    this.#watch = new Stopwatch(clock);
    const size = (data: Batches | undefined) => data && { batches: data.length, targets: data.tokens };
    const agreement = {
      model: modelOf(network),
      trainer: options,
      data: size(batches),
      validation: size(validation),
      keepBest,
    };
    const subject = { network, stepper, best: this.#best, vocabulary, clock };
    this.#checkpoints = checkpoints && new Checkpoints({ ...subject, agreement: plain(agreement) }, checkpoints);
  }

  /** @returns what it goes on from, where it does not begin */
  async begin(): Promise<ResumeRecord | undefined> {
    const { stepper } = this.#training;
    stepper.acknowledge();
    stepper.forgetStates();
    const checkpoint = await this.#checkpoints?.open();
    this.#watch.restart({ trained: 0, elapsed: 0 });
    if (checkpoint) return this.#takeUp(checkpoint);
    this.#capture(0);
    this.#reached(0);
    return undefined;
  }

  async all(): Promise<History> {
    const { epochs } = this.#settings;
    while (epochs === undefined || this.#place.epoch < epochs) {
      const finished = await this.#epoch(this.#place.epoch);
      if (!finished) break;
    }
    await this.#checkpoints?.last(this.#progress(this.#place), { finished: this.#stopped !== 'aborted' });
    await this.#tellCheckpoints();
    if (this.#stopped !== 'aborted' && this.#bestRecord && this.#bestRecord !== this.#records.at(-1)) {
      await this.#best.restore();
    }
    return { epochs: this.#records, stopped: this.#stopped, steps: this.#steps, best: this.#bestRecord };
  }

  async end(): Promise<void> {
    await this.#queue.settle();
    await this.#checkpoints?.close();
    this.#best.dispose();
  }

  /** A pass over the data, or what is left of it. @returns whether it was finished and another may follow */
  async #epoch(epoch: number): Promise<boolean> {
    const { network, truncation } = this.#training;
    const queued = { steps: this.#steps, tokens: this.#tokens };
    const from = this.#place;
    const begun = this.#watch.elapsed;
    let skipping = from.batch > 0 || from.chunk > 0;
    if (!skipping) this.#beginPass();
    let complete = true;
    for (const { piece, next, passed } of piecesOf(this.#batches, epoch, truncation, from)) {
      // Coming to the place at which training goes on is no training.
      if (skipping) this.#watch.discount(begun);
      skipping = false;
      const fraction = this.#fraction(epoch, passed / this.#batches.length);
      if (this.#mustStop()) {
        complete = false;
        break;
      }
      queued.steps += 1;
      queued.tokens += targetCount(network, piece);
      const step = this.#step(piece, epoch, fraction, { ...queued });
      this.#place = { epoch, ...next };
      if (this.#checkpoints?.due(queued.steps)) this.#capture(queued.steps);
      await this.#take(await this.#queue.add(step));
    }
    await this.#take(await this.#queue.drain());
    if (this.#steps > this.#pass.step) await this.#record(epoch, complete);
    if (complete) this.#place = { epoch: epoch + 1, batch: 0, chunk: 0 };
    return complete;
  }

  #beginPass(): void {
    this.#pass = { loss: 0, weight: 0, tokens: this.#tokens, trained: this.#watch.trained, step: this.#steps };
  }

  async #take(steps: readonly Step[]): Promise<void> {
    for (const { weight, ...step } of steps) {
      this.#pass.loss += step.loss * weight;
      this.#pass.weight += weight;
      this.#steps = step.step;
      this.#tokens = step.tokens;
      this.#reached(step.step);
      await this.#watch.pause(() =>
        notify(this.#settings.listeners, 'onStep', { ...step, seconds: this.#watch.elapsed / 1000 }),
      );
      await this.#tellCheckpoints();
    }
  }

  async #step(
    batch: Batch,
    epoch: number,
    fraction: number,
    { steps, tokens }: { readonly steps: number; readonly tokens: number },
  ): Promise<Step> {
    const { stepper, loss } = this.#training;
    const result = await stepper.submit(batch, { epoch, fraction, losses: this.#losses() });
    return { ...result, step: steps, epoch: epoch + 1, tokens, fraction, weight: lossWeight(loss, batch) };
  }

  async #record(epoch: number, complete: boolean): Promise<void> {
    const { validation, keepBest, inFlight, listeners } = this.#settings;
    const { network, loss } = this.#training;
    const seconds = (this.#watch.trained - this.#pass.trained) / 1000;
    const validate = validation !== undefined && this.#stopped !== 'aborted';
    const validationLoss = await this.#watch.pause(async () =>
      validate ? await evaluate(network, validation, { loss, inFlight }) : undefined,
    );
    const record: EpochRecord = {
      epoch: epoch + 1,
      complete,
      step: this.#steps,
      // A pass whose targets are all masked has the loss of its steps, 0.
      trainLoss: this.#pass.weight === 0 ? 0 : this.#pass.loss / this.#pass.weight,
      validationLoss,
      tokensPerSecond: (this.#tokens - this.#pass.tokens) / seconds,
      seconds: this.#watch.elapsed / 1000,
    };
    this.#records.push(record);
    if (
      validationLoss !== undefined &&
      validationLoss < (this.#bestRecord?.validationLoss ?? Number.POSITIVE_INFINITY)
    ) {
      this.#bestRecord = record;
      if (keepBest) await this.#best.keep();
    }
    await this.#watch.pause(() => notify(listeners, 'onEpoch', record));
  }

  /** Of the passes so far. */
  #losses(): number[] {
    return this.#records.map(({ validationLoss, trainLoss }) => validationLoss ?? trainLoss);
  }

  #capture(step: number): void {
    this.#checkpoints?.capture(step, this.#place);
  }

  #reached(step: number): void {
    this.#checkpoints?.reached(step, (place) => this.#progress(place));
  }

  #tellCheckpoints(): Promise<void> {
    const outcomes = this.#checkpoints?.outcomes() ?? [];
    return this.#watch.pause(() => tellCheckpoints(this.#settings.listeners, outcomes));
  }

  #progress(place: FitPlace): FitProgress {
    return {
      step: this.#steps,
      tokens: this.#tokens,
      ...place,
      trained: this.#watch.trained,
      elapsed: this.#watch.elapsed,
      pass: { ...this.#pass },
      // A pass that was cut short is not over: it goes on, and is recorded then.
      epochs: this.#records.filter(({ complete }) => complete),
      best: this.#bestRecord,
    };
  }

  #takeUp({ path, description: { progress, finished } }: Checkpoint): ResumeRecord {
    const { step, tokens, epoch, batch, chunk, trained, elapsed, epochs, best } = progress;
    this.#steps = step;
    this.#tokens = tokens;
    this.#place = { epoch, batch, chunk };
    this.#pass = { ...progress.pass };
    this.#watch.restart({ trained, elapsed });
    this.#records.push(...epochs);
    this.#bestRecord = best && (epochs.find((record) => record.epoch === best.epoch) ?? best);
    const pass = batch === 0 && chunk === 0 && finished ? epoch : epoch + 1;
    return { checkpoint: path, step, epoch: pass, finished };
  }

  #mustStop(): boolean {
    const { signal, seconds } = this.#settings;
    if (signal?.aborted) this.#stopped = 'aborted';
    else if (seconds !== undefined && this.#watch.trained >= seconds * 1000) this.#stopped = 'seconds';
    else return false;
    return true;
  }

  #fraction(epoch: number, passed: number): number {
    const { epochs, seconds } = this.#settings;
    const ofEpochs = epochs === undefined ? 0 : (epoch + passed) / epochs;
    const ofSeconds = seconds === undefined ? 0 : this.#watch.trained / (seconds * 1000);
    return Math.min(1, Math.max(ofEpochs, ofSeconds));
  }
}

function targetCount(network: NetworkContract, { inputs }: Batch): number {
  return network.outputSignal.sequence ? inputs.shape[0]! * inputs.shape[1]! : inputs.shape[0]!;
}

/** What of a model must be the same when training goes on: what it is, not its numbers. */
const modelOf = ({ layers, inputSignal, seed }: NetworkContract) => ({
  layers: layers.map(({ kind, options }) => ({ kind, options })),
  input: inputSignal,
  seed,
});
