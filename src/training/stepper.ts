/** Runs training steps of one network, in order, and keeps what goes from step to step. */
import type { Memory } from '../compute/engine/engine.js';
import type { NumericArray } from '../compute/tensor.js';
import { withoutPadding } from '../data/lengths.js';
import { MnemeError } from '../errors.js';
import type { NetworkContract } from '../network/network.js';
import { rateAt } from '../network/rates.js';
import type { Progress, Schedule } from '../network/schedules.js';
import { timesAveraged } from '../network/weight-averaging.js';
import { batchShape } from './batch-shape.js';
import type { Chunk } from './chunks.js';
import { diagnose, type Suspect } from './diagnosis.js';
import { inputsFor, portsOf, reals } from './engine-numbers.js';
import { trustedPort } from './proof.js';
import type { TrainingRule } from './rule.js';
import { positionOf, ruleScalars } from './rule-scalars.js';
import { CarriedStates } from './states.js';
import { trainStep } from './train-step.js';
import { initialContents, sequenceModulus, updaterLayout } from './updater-arena.js';

export interface StepResult {
  /** Of this batch, before its update. */
  readonly loss: number;
  /**
   * Euclidean norm of the whole gradient, before clipping: of the one that the parameters were updated with, or of this
   * batch's own where it was accumulated.
   */
  readonly gradientNorm: number;
  readonly learningRate: number;
  /** Whether the parameters were updated: with `accumulate` above 1 every so many batches only. */
  readonly updated: boolean;
}

/** Where training stands. */
type Position = Omit<Progress, 'iteration'>;

type Reads = ReadonlyMap<string, Promise<NumericArray>>;

export class Stepper {
  readonly #network: NetworkContract;
  readonly #rule: TrainingRule;
  readonly #schedule: Schedule;
  readonly #name: string;
  readonly #states: CarriedStates;
  #updater: Memory | undefined;
  /** Steps that took effect, and those in the queue on top of them. */
  #completed = 0;
  #queued = 0;
  /** A step failed and nobody has acknowledged it yet: whatever comes behind it must not run. */
  #failed = false;
  /** The network's revision as of the last step queued here, as long as nothing else has changed what steps keep. */
  #revision: number | undefined;
  #suspended: string | undefined;
  #disposed = false;

  constructor(network: NetworkContract, rule: TrainingRule, schedule: Schedule) {
    this.#network = network;
    this.#rule = rule;
    this.#schedule = schedule;
    this.#name = network.claimName('trainer');
    this.#states = new CarriedStates(network);
  }

  /** Steps that took effect so far. */
  get completed(): number {
    return this.#completed;
  }

  /** Updates of the parameters so far. */
  get updates(): number {
    return positionOf(this.#rule, this.#completed).update - 1;
  }

  /**
   * Queues a step. When one fails, those behind it are without effect and fail too, until `acknowledge` is called.
   *
   * @param position where training stands, for the schedule
   * @throws (rejects) `not-finite` with the cause, `invalid-shape`, `invalid-argument`, `out-of-range`; the model is
   *   then as it was after the last step that succeeded. `aborted`: a step before this one failed
   */
  async submit(batch: Chunk, position: Position): Promise<StepResult> {
    if (this.#failed) throw behindFailure();
    this.#checkWorking();
    try {
      return await this.#run(batch, position);
    } catch (error) {
      this.#failed = true;
      this.#revision = undefined;
      this.#states.forget();
      throw error;
    }
  }

  /** Lets steps run again after one failed. */
  acknowledge(): void {
    this.#failed = false;
  }

  /** The next batch starts from zero states, whatever it says. */
  forgetStates(): void {
    this.#states.forget();
  }

  /** Queues reads of what the next step starts from, apart from the parameters, behind the steps queued so far. */
  capture(): { readonly iteration: number; readonly rows: number | undefined; readonly reads: Reads } {
    const { stream } = this.#network;
    const memory = this.#updaterMemory();
    const { length, draws } = updaterLayout(this.#rule);
    const states = this.#states.capture();
    const reads = new Map([
      ['updater', stream.read(memory, 0, length, 'f32')],
      ['draws', stream.read(memory, draws, 1, 'i32')],
      ...(states ? [['states', states.read] as const] : []),
    ]);
    return { iteration: this.#completed + this.#queued, rows: states?.rows, reads };
  }

  /** Puts back what was captured; `array` gives it by name. */
  async restore({
    iteration,
    rows,
    array,
  }: {
    readonly iteration: number;
    readonly rows: number | undefined;
    readonly array: (name: string, length: number) => NumericArray;
  }): Promise<void> {
    const { stream } = this.#network;
    const memory = this.#updaterMemory();
    const { length, draws } = updaterLayout(this.#rule);
    this.#revision = undefined;
    await stream.write(memory, 0, array('updater', length));
    await stream.write(memory, draws, array('draws', 1));
    if (rows !== undefined) await this.#states.restore(rows, (elements) => array('states', elements));
    this.#completed = iteration;
  }

  /**
   * Reads the averages of the trained parameters behind the steps queued so far.
   * @throws {MnemeError} `invalid-argument` if nothing is averaged, `insufficient-data` if nothing was yet
   */
  readAverage(): Promise<NumericArray> {
    const { average, count } = this.#rule;
    const offset = updaterLayout(this.#rule).average;
    if (!average || offset === undefined) {
      throw new MnemeError(
        'invalid-argument',
        "This trainer averages no weights: give createTrainer the option average: { kind: 'exponential' }.",
      );
    }
    const { update } = positionOf(this.#rule, this.#completed + this.#queued);
    if (timesAveraged(average, update - 1) === 0) {
      throw new MnemeError(
        'insufficient-data',
        `No weights were averaged in ${update - 1} updates: the first are those after update ${average.from + average.every}.`,
      );
    }
    return this.#network.stream.read(this.#updaterMemory(), offset, count, 'f32');
  }

  /**
   * Refuses steps until the returned function is called: the parameters are not those to be trained.
   * @throws {MnemeError} `busy` if they are refused already
   */
  suspend(what: string): () => void {
    this.#checkWorking();
    this.#suspended = what;
    return () => {
      this.#suspended = undefined;
    };
  }

  dispose(): void {
    this.#disposed = true;
    this.#updater?.dispose();
    this.#updater = undefined;
    this.#states.dispose();
  }

  async #run(batch: Chunk, position: Position): Promise<StepResult> {
    const { engine, stream, memory: parameters } = this.#network;
    const { updater } = this.#rule;
    const sequence = this.#completed + this.#queued;
    if (sequence >= Number.MAX_SAFE_INTEGER) throw countedOut();
    const { update, kind } = positionOf(this.#rule, sequence);
    const progress = { ...position, iteration: update };
    const factor = this.#schedule(progress);
    const given = batchShape(this.#network, this.#rule.loss, batch);
    const counted = withoutPadding(batch, given.targets);
    const { memory: state, initialStates } = this.#states.prepare(given.batch, batch);
    const shape = { ...given, initialStates };
    const program = this.#network.program(`${this.#name}/${kind}/${JSON.stringify(shape)}`, () =>
      trainStep(this.#network, this.#rule, shape, kind),
    );
    const memories = { parameters, updater: this.#updaterMemory(), state };
    const ports = {
      ...portsOf(counted, this.#rule.loss),
      sequence: reals(engine, [sequence % sequenceModulus]),
      ...this.#numbers(ruleScalars(this.#rule, sequence, progress, factor)),
      ...this.#numbers(ratesAt(this.#network.scheduledRates, progress)),
      [trustedPort]: reals(engine, [this.#revision === this.#network.revision ? 1 : 0]),
    };
    const inputs = inputsFor(engine, program, ports);
    this.#queued += 1;
    // An accumulation measures nothing, and leaves what was measured as it is.
    if (kind !== 'accumulation') {
      this.#network.touch();
      this.#revision = this.#network.revision;
    }
    try {
      const outputs = await stream.submit({ program, memories, inputs });
      if (outputs.finite!.data[0] === 0) {
        if (this.#failed) throw behindFailure();
        this.#failed = true;
        const suspect: Suspect = { batch: counted, shape, step: sequence + 1, memories, ports };
        throw await diagnose(this.#network, this.#rule, suspect, this.#name);
      }
      this.#completed += 1;
      return {
        loss: outputs.loss!.data[0]!,
        gradientNorm: outputs.gradientNorm!.data[0]!,
        learningRate: rateAt(updater.options.learningRate, progress) * factor,
        updated: kind !== 'accumulation',
      };
    } finally {
      this.#queued -= 1;
    }
  }

  #checkWorking(): void {
    if (this.#suspended === undefined) return;
    throw new MnemeError('busy', `${this.#suspended} is still running on this trainer: wait until it has ended.`);
  }

  #numbers(values: Readonly<Record<string, number>>): Record<string, NumericArray> {
    return Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, reals(this.#network.engine, [value])]),
    );
  }

  #updaterMemory(): Memory {
    if (this.#disposed) throw new MnemeError('disposed', 'This trainer was disposed: make a new one.');
    if (this.#updater) return this.#updater;
    const { engine, stream } = this.#network;
    const memory = engine.allocate(updaterLayout(this.#rule).size);
    for (const { offset, values } of initialContents(this.#rule)) {
      // In stream order, before the first step; it can only fail by disposal.
      stream.write(memory, offset, reals(engine, values)).catch(() => undefined);
    }
    this.#updater = memory;
    return memory;
  }
}

const ratesAt = (rates: NetworkContract['scheduledRates'], progress: Progress): Record<string, number> =>
  Object.fromEntries(Object.entries(rates).map(([port, rate]) => [port, rateAt(rate, progress)]));

const countedOut = () =>
  new MnemeError(
    'out-of-range',
    'step: this trainer has run 2^53 - 1 steps and can count no further: make another one.',
  );
const behindFailure = () => new MnemeError('aborted', 'This step was not run: one before it failed.');
