/** One fit: passes over the data, their records, and where it stands. */
import type { Batches } from '../data/batch.js';
import { countingMask, extentOf, within } from '../data/lengths.js';
import { describeLayers } from '../formats/model-description.js';
import { type Loss, lossWeight } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import { BestWeights } from './best-weights.js';
import { plain } from './checkpoint-agreement.js';
import type { CheckpointSettings } from './checkpoint-options.js';
import { Checkpoints } from './checkpoints.js';
import type { Chunk, Truncation } from './chunks.js';
import { evaluate } from './evaluate.js';
import { FitState } from './fit-state.js';
import {
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
  readonly truncation: Truncation | undefined;
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
  readonly #state: FitState;
  #stopped: History['stopped'] = 'epochs';

  constructor(training: Training, batches: Batches, settings: FitSettings) {
    const { network, stepper, options, vocabulary } = training;
    const { clock, checkpoints, validation, keepBest } = settings;
    this.#training = training;
    this.#batches = batches;
    this.#settings = settings;
    this.#queue = new Queue(settings.inFlight);
    this.#best = new BestWeights(network);
    this.#watch = new Stopwatch(clock);
    this.#state = new FitState(this.#watch);
    const size = (data: Batches | undefined) => data && { batches: data.length, targets: data.tokens };
    const agreement = () =>
      plain({
        model: { layers: describeLayers(network), input: network.inputSignal, seed: network.seed },
        trainer: options,
        data: size(batches),
        validation: size(validation),
        keepBest,
      });
    const subject = { network, stepper, best: this.#best, vocabulary, clock };
    this.#checkpoints = checkpoints && new Checkpoints({ ...subject, agreement: agreement() }, checkpoints);
  }

  /** @returns what it goes on from, where it does not begin */
  async begin(): Promise<ResumeRecord | undefined> {
    const { stepper } = this.#training;
    stepper.acknowledge();
    stepper.forgetStates();
    const checkpoint = await this.#checkpoints?.open();
    this.#watch.restart({ trained: 0, elapsed: 0 });
    if (!checkpoint) {
      this.#checkpoints?.capture(0, this.#state.place);
      this.#reached(0);
      return undefined;
    }
    const { path, description } = checkpoint;
    const { progress, finished } = description;
    this.#state.takeUp(progress);
    const { step, epoch, batch, chunk } = progress;
    return { checkpoint: path, step, epoch: finished && batch + chunk === 0 ? epoch : epoch + 1, finished };
  }

  async all(): Promise<History> {
    const { epochs } = this.#settings;
    const state = this.#state;
    while (epochs === undefined || state.place.epoch < epochs) {
      const finished = await this.#epoch(state.place.epoch);
      if (!finished) break;
    }
    await this.#checkpoints?.last(state.progress(state.place), { finished: this.#stopped !== 'aborted' });
    await this.#tellCheckpoints();
    const { records, best, steps } = state;
    if (this.#stopped !== 'aborted' && best && best !== records.at(-1)) await this.#best.restore();
    return { epochs: records, stopped: this.#stopped, steps, best };
  }

  async end(): Promise<void> {
    await this.#queue.settle();
    await this.#checkpoints?.close();
    this.#best.dispose();
  }

  /** A pass over the data, or what is left of it. @returns whether it was finished and another may follow */
  async #epoch(epoch: number): Promise<boolean> {
    const { network, truncation } = this.#training;
    const state = this.#state;
    const queued = { steps: state.steps, tokens: state.tokens };
    const from = state.place;
    const begun = this.#watch.elapsed;
    let skipping = from.batch > 0 || from.chunk > 0;
    if (!skipping) state.beginPass();
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
      // Beyond 2^53 it stands still, so that what a checkpoint says of it can be read.
      queued.tokens = Math.min(queued.tokens + targetCount(network, piece), Number.MAX_SAFE_INTEGER);
      const step = this.#step(piece, epoch, fraction, { ...queued });
      state.place = { epoch, ...next };
      if (this.#checkpoints?.due(queued.steps)) this.#checkpoints.capture(queued.steps, state.place);
      await this.#take(await this.#queue.add(step));
    }
    await this.#take(await this.#queue.drain());
    if (state.stepsOfPass > 0) await this.#record(epoch, complete);
    if (complete) state.place = { epoch: epoch + 1, batch: 0, chunk: 0 };
    return complete;
  }

  async #take(steps: readonly Step[]): Promise<void> {
    for (const { weight, ...step } of steps) {
      this.#state.add({ ...step, weight });
      this.#reached(step.step);
      const record = { ...step, seconds: this.#watch.elapsed / 1000 };
      await this.#watch.pause(() => notify(this.#settings.listeners, 'onStep', record));
      await this.#tellCheckpoints();
    }
  }

  async #step(
    batch: Chunk,
    epoch: number,
    fraction: number,
    { steps, tokens }: { readonly steps: number; readonly tokens: number },
  ): Promise<Step> {
    const { network, stepper, loss } = this.#training;
    const result = await stepper.submit(batch, { epoch, fraction, losses: this.#state.losses });
    const mask = countingMask(batch, network.outputSignal);
    return {
      ...result,
      step: steps,
      epoch: epoch + 1,
      tokens,
      fraction,
      weight: lossWeight(loss, { targets: batch.targets, mask }),
    };
  }

  async #record(epoch: number, complete: boolean): Promise<void> {
    const { validation, keepBest, inFlight, listeners } = this.#settings;
    const { network, loss } = this.#training;
    const { record, isBest } = await this.#state.record({ epoch, complete }, async () =>
      validation && this.#stopped !== 'aborted' ? await evaluate(network, validation, { loss, inFlight }) : undefined,
    );
    if (isBest && keepBest) await this.#best.keep();
    await this.#watch.pause(() => notify(listeners, 'onEpoch', record));
  }

  #reached(step: number): void {
    this.#checkpoints?.reached(step, (place) => this.#state.progress(place));
  }

  #tellCheckpoints(): Promise<void> {
    const outcomes = this.#checkpoints?.outcomes() ?? [];
    return this.#watch.pause(() => tellCheckpoints(this.#settings.listeners, outcomes));
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

/** The targets that a piece brings; of overlapping ones, those that were not there before. */
function targetCount(network: NetworkContract, { inputs, lengths, history = 0 }: Chunk): number {
  const [rows, time] = inputs.shape as [number, number];
  if (!network.outputSignal.sequence) return rows;
  return lengths ? extentOf(lengths).total - extentOf(within(lengths, 0, history)).total : rows * (time - history);
}
