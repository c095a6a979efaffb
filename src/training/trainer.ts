/** Training: a network, a loss and an updater, brought together. */
import * as v from 'valibot';
import type { NumericArray } from '../compute/tensor.js';
import type { Batch, Batches } from '../data/batch.js';
import { MnemeError } from '../errors.js';
import type { NetworkContract } from '../network/network.js';
import type { Progress, Schedule } from '../network/schedules.js';
import { parseOptions } from '../options.js';
import { readAll, withTrained, writeAll } from './averages.js';
import { type Truncation, truncationOption } from './chunks.js';
import { type FitOptions, runFit } from './fit.js';
import type { History } from './listener.js';
import { ruleEntries, type TrainingRule, trainingRule } from './rule.js';
import { Stepper, type StepResult } from './stepper.js';
import { checkBatch, checkBatches, networkOf, type Trainable } from './trainable.js';

const schema = v.strictObject({
  ...ruleEntries,
  schedule: v.optional(v.custom<Schedule>((value) => typeof value === 'function', 'a schedule')),
  truncation: v.optional(truncationOption),
});
export type TrainerOptions = v.InferInput<typeof schema>;

/**
 * Makes a trainer. It keeps the updater's states from one `fit` to the next.
 *
 * @param subject a model or network
 * @param options
 * - `loss`, `updater`
 * - `clip`: what keeps the gradient small, such as `{ globalNorm: 5 }`: see `ClipOptions`. Default nothing
 * - `regularization`: `{ l1, l2, decay }`, each a number for all weights but biases, or by weight group: see
 *   `RegularizationOptions`. Losses that are told do not contain the penalties. Default none
 * - `constraints`: what weights must satisfy after every update: one of `constraints` for all weights but biases, or by
 *   weight group: `{ recurrent: constraints.maxNorm({ maximum: 3 }) }`. Default none
 * - `layers`: by layer name, what is different for a layer: see `LayerTrainingOptions`. A frozen layer costs neither its
 *   gradient nor updater states, and drops and draws as it does while training
 * - `gradientNoise`: see `GradientNoiseOptions`. Default none
 * - `accumulate`: batches whose gradients are averaged for one update, at least 1, default 1. Each counts alike, whatever
 *   its size. Schedules and the updater count updates; a group that the end of a fit interrupts goes on in the next one
 * - `average`: averages of the weights, for `adoptAverage` and `withAverage`: see `AveragingOptions`. Default none
 * - `schedule`: factor of the learning rate over time, default `schedules.constant()`
 * - `truncation`: the gradient flows back over that many steps at most (truncated backpropagation through time,
 *   Williams and Peng 1990): longer sequences are cut, with one update a piece, the state carried over and not
 *   differentiated through. `{ forward, backward }`: an update every `forward` steps, with the gradient flowing back over
 *   `backward` of them (DL4J's tBPTTForwardLength and tBPTTBackwardLength). Where that is more, steps before are computed
 *   again; where it is less, recurrent layers learn from the last `backward` steps of each piece only, and what comes after
 *   them from all. Default: whole sequences
 * @throws {MnemeError} `invalid-option`, also for a layer that there is not; `invalid-argument` if it is neither a model nor a network
 * @example
 * const trainer = createTrainer(model, {
 *   loss: losses.softmaxCrossEntropy(),
 *   updater: updaters.adam({ learningRate: 2e-3 }),
 *   clip: { globalNorm: 5 },
 * });
 * const history = await trainer.fit(text.batches({ batch: 32, steps: 100 }), { epochs: 10 });
 */
export function createTrainer(subject: NetworkContract | Trainable, options: TrainerOptions): Trainer {
  return new Trainer(subject, options);
}

export class Trainer {
  readonly network: NetworkContract;
  readonly #subject: NetworkContract | Trainable;
  readonly #rule: TrainingRule;
  readonly #truncation: Truncation | undefined;
  readonly #options: TrainerOptions;
  readonly #stepper: Stepper;
  #single = 0;
  #release: () => void = () => undefined;

  /** Use `createTrainer`. */
  constructor(subject: NetworkContract | Trainable, options: TrainerOptions) {
    const { schedule = () => 1, truncation, ...rule } = parseOptions(schema, options, 'createTrainer');
    this.network = networkOf(subject, 'createTrainer');
    if (truncation !== undefined && !this.network.outputSignal.sequence) {
      throw new MnemeError(
        'invalid-option',
        `createTrainer: option 'truncation' needs a target at every step, but layer ${this.network.layerNames.at(-1)} gives one output a sequence: leave it out.`,
      );
    }
    const looking = this.network.layers.findIndex((layer) => layer.wholeSequences);
    if (truncation && truncation.forward !== truncation.backward && looking >= 0) {
      throw new MnemeError(
        'invalid-option',
        `createTrainer: option 'truncation' has other steps forward than backward, but layer ${this.network.layerNames[looking]} reads sequences from their ends: give one number for both.`,
      );
    }
    this.#options = options;
    this.#subject = subject;
    this.#truncation = truncation;
    this.#rule = trainingRule(this.network, rule);
    this.#stepper = new Stepper(this.network, this.#rule, schedule);
  }

  /** Updates that took effect since this trainer was made: steps, where gradients are not accumulated. */
  get iteration(): number {
    return this.#stepper.updates;
  }

  /**
   * Trains.
   *
   * A step that would write NaN or Infinity is refused, the fit rejects with `not-finite` and says what was first not
   * finite, and the model is as it was after the step before.
   *
   * @param batches what to learn from; with `continues` in its batches, recurrent states are carried
   * @param options
   * - `epochs`: passes over the data; default 1 where `seconds` is not given
   * - `seconds`: of training, validation and listeners not counted; a step under way is finished
   * - `validation`: batches whose loss is measured after each pass and at the end, with states carried through them
   * - `keepBest`: whether the network ends with the weights of the pass of lowest validation loss; default true
   * - `checkpoints`: where and when to save what training needs to go on, and whether to go on with what is there: see
   *   `CheckpointOptions`. A fit that goes on ends with the same bits as one that was never interrupted, for the same
   *   model, trainer and data; on another number of threads and another instruction set, too. `epochs` and `seconds` may
   *   be others, schedules and data that are functions are taken on trust
   * - `signal`: an AbortSignal. It takes effect between steps; the fit then resolves with `stopped: 'aborted'`, and the
   *   network is as it was after its last step
   * - `listeners`: see `Listener`
   * - `inFlight`: steps queued at once, default 3
   * - `clock`: milliseconds, default `performance.now`
   * @throws {MnemeError} `busy` while another fit of the same network runs; `insufficient-data`; `invalid-shape`,
   *   `invalid-argument` (which layer or loss, expected and got); `out-of-range` (which id, where); `not-finite`; with
   *   `checkpoints` also `file-write`, `file-invalid` (what is damaged, and what to do), `invalid-option` (what differs)
   * @example
   * // Started again, it goes on where it was.
   * await trainer.fit(batches, { epochs: 10, checkpoints: { directory: 'run', minutes: 5, resume: 'latest' } });
   */
  async fit(batches: Batches, options: FitOptions = {}): Promise<History> {
    checkBatches(batches, 'fit');
    const release = this.network.occupy('fit');
    try {
      if ('network' in this.#subject && batches.vocabulary) this.#subject.vocabulary ??= batches.vocabulary;
      const { network } = this;
      return await runFit(
        {
          network,
          loss: this.#rule.loss,
          stepper: this.#stepper,
          truncation: this.#truncation,
          options: this.#options,
          vocabulary: () => ('network' in this.#subject ? this.#subject.vocabulary?.toJSON() : undefined),
        },
        batches,
        options,
      );
    } finally {
      release();
    }
  }

  /**
   * One step on one batch, for loops of one's own. Steps may be queued without waiting; they run in order. Where the
   * batch says `continues`, it starts from the states the step before ended with. When one fails, those queued behind it
   * fail too, with `aborted`, and are without effect.
   *
   * @param position where training stands, for schedules; default `{ epoch: 0, fraction: 0, losses: [] }`
   */
  async step(batch: Batch, position: Partial<Omit<Progress, 'iteration'>> = {}): Promise<StepResult> {
    checkBatch(batch);
    if (this.#single === 0) {
      this.#release = this.network.occupy('step');
      this.#stepper.acknowledge();
    }
    this.#single += 1;
    try {
      return await this.#stepper.submit(batch, { epoch: 0, fraction: 0, losses: [], ...position });
    } finally {
      this.#single -= 1;
      if (this.#single === 0) this.#release();
    }
  }

  /**
   * All parameters, one flat copy in the order of the network's layout, with their averages in place of those that are
   * trained. Whole after the steps queued so far.
   *
   * @throws {MnemeError} `invalid-argument` without the option `average`, `insufficient-data` before the first update
   *   that is averaged
   */
  async averagedParameters(): Promise<Float32Array> {
    return Float32Array.from(await this.#averages());
  }

  /**
   * The network goes on with the averaged weights: to be called when training has ended, before the model is saved.
   *
   * @throws {MnemeError} as `averagedParameters`; `busy` while a fit runs
   * @example
   * await trainer.fit(batches, { epochs: 10 });
   * await trainer.adoptAverage();
   * await model.save('book.mneme');
   */
  async adoptAverage(): Promise<void> {
    const release = this.network.occupy('adoptAverage');
    try {
      await writeAll(this.network, await this.#averages());
    } finally {
      release();
    }
  }

  /**
   * Does something while the network has the averaged weights, and puts back those that are trained; no step may run
   * meanwhile. Listeners may call it.
   *
   * @returns what the action gives
   * @throws {MnemeError} as `averagedParameters`; `busy` within another one. What the action throws goes through
   * @example
   * const loss = await trainer.withAverage(() => evaluate(model, validation, { loss: losses.softmaxCrossEntropy() }));
   */
  async withAverage<Result>(action: () => Result | Promise<Result>): Promise<Result> {
    const resume = this.#stepper.suspend('withAverage');
    try {
      const [trained, averages] = await Promise.all([readAll(this.network), this.#averages()]);
      await writeAll(this.network, averages);
      try {
        return await action();
      } finally {
        await writeAll(this.network, trained);
      }
    } finally {
      resume();
    }
  }

  async #averages(): Promise<NumericArray> {
    return withTrained(this.network, this.#rule.trained, this.#stepper.readAverage());
  }

  /** Frees the updater's states. The network stays. */
  dispose(): void {
    this.#stepper.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
