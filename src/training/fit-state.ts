/** Where a fit stands and what it has been through: what a history is made of, and what a checkpoint holds of it. */
import type { FitProgress } from '../formats/checkpoint-description.js';
import type { EpochRecord } from './listener.js';
import type { Place } from './pieces.js';
import type { Stopwatch } from './stopwatch.js';

/** A place in the data: passes from 0. */
export type FitPlace = Place & { readonly epoch: number };

export class FitState {
  /** Of the steps that have ended. */
  steps = 0;
  tokens = 0;
  /** Behind the step that was queued last. */
  place: FitPlace = { epoch: 0, batch: 0, chunk: 0 };
  readonly records: EpochRecord[] = [];
  best: EpochRecord | undefined;
  readonly #watch: Stopwatch;
  /** Sums over the pass under way, and where the fit was when it began. */
  #pass = { loss: 0, weight: 0, tokens: 0, trained: 0, step: 0 };

  constructor(watch: Stopwatch) {
    this.#watch = watch;
  }

  /** Steps of the pass under way. */
  get stepsOfPass(): number {
    return this.steps - this.#pass.step;
  }

  /** Of the passes so far, for schedules. */
  get losses(): number[] {
    return this.records.map(({ validationLoss, trainLoss }) => validationLoss ?? trainLoss);
  }

  beginPass(): void {
    this.#pass = { loss: 0, weight: 0, tokens: this.tokens, trained: this.#watch.trained, step: this.steps };
  }

  /** A step has ended. */
  add({ step, tokens, loss, weight }: { step: number; tokens: number; loss: number; weight: number }): void {
    this.steps = step;
    this.tokens = tokens;
    this.#pass.loss += loss * weight;
    this.#pass.weight += weight;
  }

  /** The record of the pass under way, measured by `validate`. @returns whether it is the best so far */
  async record(
    { epoch, complete }: { readonly epoch: number; readonly complete: boolean },
    validate: () => Promise<number | undefined>,
  ): Promise<{ readonly record: EpochRecord; readonly isBest: boolean }> {
    const { loss, weight, tokens, trained } = this.#pass;
    const seconds = (this.#watch.trained - trained) / 1000;
    const validationLoss = await this.#watch.pause(validate);
    const record: EpochRecord = {
      epoch: epoch + 1,
      complete,
      step: this.steps,
      // A pass whose targets are all masked has the loss of its steps, 0.
      trainLoss: weight === 0 ? 0 : loss / weight,
      validationLoss,
      tokensPerSecond: (this.tokens - tokens) / seconds,
      seconds: this.#watch.elapsed / 1000,
    };
    this.records.push(record);
    const isBest = (validationLoss ?? Number.NaN) < (this.best?.validationLoss ?? Number.POSITIVE_INFINITY);
    if (isBest) this.best = record;
    return { record, isBest };
  }

  /** For a checkpoint behind the step that ended last. */
  progress(place: FitPlace): FitProgress {
    return {
      step: this.steps,
      tokens: this.tokens,
      ...place,
      trained: this.#watch.trained,
      elapsed: this.#watch.elapsed,
      pass: { ...this.#pass },
      // A pass that was cut short is not over: it goes on, and is recorded then.
      epochs: this.records.filter(({ complete }) => complete),
      best: this.best,
    };
  }

  takeUp({ step, tokens, epoch, batch, chunk, trained, elapsed, pass, epochs, best }: FitProgress): void {
    this.steps = step;
    this.tokens = tokens;
    this.place = { epoch, batch, chunk };
    this.#pass = { ...pass };
    this.#watch.restart({ trained, elapsed });
    this.records.push(...epochs);
    this.best = best && (epochs.find((record) => record.epoch === best.epoch) ?? best);
  }
}
