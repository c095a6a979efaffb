/** The training loop. */
import * as v from 'valibot';
import type { Batch, Batches } from '../data/batch.js';
import { MnemeError } from '../errors.js';
import { type Loss, lossWeight } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import { finiteNumber, parseOptions, wholeNumber } from '../options.js';
import { BestWeights } from './best-weights.js';
import { chunkCount, chunksOf } from './chunks.js';
import { evaluate } from './evaluate.js';
import { type EpochRecord, type History, type Listener, notify, type StepRecord } from './listener.js';
import { Queue } from './queue.js';
import type { Stepper } from './stepper.js';
import { checkBatch, checkBatches } from './trainable.js';

const object = <Thing>(what: string) => v.custom<Thing>((value) => typeof value === 'object' && value !== null, what);
const schema = v.strictObject({
  epochs: v.optional(wholeNumber(1)),
  seconds: v.optional(finiteNumber({ above: 0 })),
  validation: v.optional(object<Batches>('batches')),
  keepBest: v.optional(v.boolean(), true),
  signal: v.optional(v.instance(AbortSignal)),
  listeners: v.optional(v.array(object<Listener>('a listener')), []),
  inFlight: v.optional(wholeNumber(1), 3),
  clock: v.optional(v.custom<() => number>((value) => typeof value === 'function', 'a function')),
});
export type FitOptions = v.InferInput<typeof schema>;

interface Training {
  readonly network: NetworkContract;
  readonly loss: Loss;
  readonly stepper: Stepper;
  readonly truncation: number | undefined;
}

/** Runs epochs until one of the options ends them. */
export async function runFit(training: Training, batches: Batches, options: FitOptions): Promise<History> {
  const settings = parseOptions(schema, options, 'fit');
  const { seconds, listeners } = settings;
  const epochs = settings.epochs ?? (seconds === undefined ? 1 : undefined);
  if (settings.validation) checkBatches(settings.validation, 'fit: validation');
  const run = new Run(training, batches, { ...settings, epochs });
  try {
    await notify(listeners, 'onStart', {
      parameters: training.network.parameterCount,
      tokens: batches.tokens,
      epochs,
      seconds,
    });
    const history = await run.all();
    await notify(listeners, 'onEnd', history);
    return history;
  } finally {
    await run.end();
  }
}

type Settings = Omit<v.InferOutput<typeof schema>, 'epochs'> & { readonly epochs: number | undefined };
type Step = Omit<StepRecord, 'seconds'> & { readonly weight: number };

class Run {
  readonly #training: Training;
  readonly #batches: Batches;
  readonly #settings: Settings;
  readonly #clock: () => number;
  readonly #queue: Queue<Step>;
  readonly #best: BestWeights;
  readonly #start: number;
  /** Milliseconds in which validation or a listener ran. */
  #paused = 0;
  #steps = 0;
  #tokens = 0;
  #stopped: History['stopped'] = 'epochs';
  readonly #records: EpochRecord[] = [];
  #bestRecord: EpochRecord | undefined;

  constructor(training: Training, batches: Batches, settings: Settings) {
    this.#training = training;
    this.#batches = batches;
    this.#settings = settings;
    this.#clock = settings.clock ?? (() => performance.now());
    this.#queue = new Queue(settings.inFlight);
    this.#best = new BestWeights(training.network);
    this.#start = this.#clock();
  }

  async all(): Promise<History> {
    const { epochs } = this.#settings;
    this.#training.stepper.acknowledge();
    this.#training.stepper.forgetStates();
    for (let epoch = 0; epochs === undefined || epoch < epochs; epoch++) {
      const finished = await this.#pass(epoch);
      if (!finished) break;
    }
    if (this.#stopped !== 'aborted' && this.#bestRecord && this.#bestRecord !== this.#records.at(-1)) {
      await this.#best.restore();
    }
    return { epochs: this.#records, stopped: this.#stopped, steps: this.#steps, best: this.#bestRecord };
  }

  async end(): Promise<void> {
    await this.#queue.settle();
    this.#best.dispose();
  }

  /** One pass over the data. @returns whether it was finished and another may follow */
  async #pass(epoch: number): Promise<boolean> {
    const sums = { loss: 0, weight: 0, tokens: this.#tokens, time: this.#trained(), steps: this.#steps };
    const take = async (steps: readonly Step[]) => {
      for (const { weight, ...step } of steps) {
        sums.loss += step.loss * weight;
        sums.weight += weight;
        this.#steps = step.step;
        this.#tokens = step.tokens;
        await this.#tell(() => notify(this.#settings.listeners, 'onStep', { ...step, seconds: this.#seconds() }));
      }
    };
    const queued = { steps: this.#steps, tokens: this.#tokens };
    let position = 0;
    let complete = true;
    for (const batch of this.#batches.epoch(epoch)) {
      checkBatch(batch);
      const { truncation } = this.#training;
      const chunks = chunkCount(batch, truncation);
      let chunk = 0;
      for (const piece of chunksOf(batch, truncation)) {
        const fraction = this.#fraction(epoch, (position + chunk++ / chunks) / this.#batches.length);
        if (this.#mustStop()) {
          complete = false;
          break;
        }
        queued.steps += 1;
        queued.tokens += targetCount(this.#training.network, piece);
        await take(await this.#queue.add(this.#step(piece, epoch, fraction, { ...queued })));
      }
      if (!complete) break;
      position += 1;
    }
    await take(await this.#queue.drain());
    if (complete && position === 0) throw nothingToLearn();
    if (this.#steps > sums.steps) await this.#record(epoch, complete, sums);
    return complete;
  }

  async #step(
    batch: Batch,
    epoch: number,
    fraction: number,
    { steps, tokens }: { readonly steps: number; readonly tokens: number },
  ): Promise<Step> {
    const { stepper, loss, network } = this.#training;
    const result = await stepper.submit(batch, { epoch, fraction, losses: this.#losses() });
    const rows = batch.inputs.shape[0]!;
    const weight = lossWeight(loss.options.reduction, rows, targetCount(network, batch) / rows);
    return { ...result, step: steps, epoch: epoch + 1, tokens, fraction, weight };
  }

  async #record(
    epoch: number,
    complete: boolean,
    sums: { readonly loss: number; readonly weight: number; readonly tokens: number; readonly time: number },
  ): Promise<void> {
    const { validation, keepBest, inFlight, listeners } = this.#settings;
    const { network, loss } = this.#training;
    const seconds = (this.#trained() - sums.time) / 1000;
    const validate = validation !== undefined && this.#stopped !== 'aborted';
    const validationLoss = await this.#tell(async () =>
      validate ? await evaluate(network, validation, { loss, inFlight }) : undefined,
    );
    const record: EpochRecord = {
      epoch: epoch + 1,
      complete,
      step: this.#steps,
      trainLoss: sums.loss / sums.weight,
      validationLoss,
      tokensPerSecond: (this.#tokens - sums.tokens) / seconds,
      seconds: this.#seconds(),
    };
    this.#records.push(record);
    if (
      validationLoss !== undefined &&
      validationLoss < (this.#bestRecord?.validationLoss ?? Number.POSITIVE_INFINITY)
    ) {
      this.#bestRecord = record;
      if (keepBest) await this.#best.keep();
    }
    await this.#tell(() => notify(listeners, 'onEpoch', record));
  }

  /** Of the passes so far. */
  #losses(): number[] {
    return this.#records.map(({ validationLoss, trainLoss }) => validationLoss ?? trainLoss);
  }

  #mustStop(): boolean {
    const { signal, seconds } = this.#settings;
    if (signal?.aborted) this.#stopped = 'aborted';
    else if (seconds !== undefined && this.#trained() >= seconds * 1000) this.#stopped = 'seconds';
    else return false;
    return true;
  }

  #fraction(epoch: number, passed: number): number {
    const { epochs, seconds } = this.#settings;
    const ofEpochs = epochs === undefined ? 0 : (epoch + passed) / epochs;
    const ofSeconds = seconds === undefined ? 0 : this.#trained() / (seconds * 1000);
    return Math.min(1, Math.max(ofEpochs, ofSeconds));
  }

  /** Milliseconds of training so far. */
  #trained(): number {
    return this.#clock() - this.#start - this.#paused;
  }

  #seconds(): number {
    return (this.#clock() - this.#start) / 1000;
  }

  /** Does what does not count as training. */
  async #tell<Result>(action: () => Promise<Result>): Promise<Result> {
    const before = this.#clock();
    const result = await action();
    this.#paused += this.#clock() - before;
    return result;
  }
}

function targetCount(network: NetworkContract, { inputs }: Batch): number {
  return network.outputSignal.sequence ? inputs.shape[0]! * inputs.shape[1]! : inputs.shape[0]!;
}

const nothingToLearn = () =>
  new MnemeError('insufficient-data', 'fit: the data gives no batch. Is it shorter than one batch of rows and steps?');
