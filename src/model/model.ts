/** What users hold: a network with what belongs to it, to be trained, asked, saved and loaded. */
import * as v from 'valibot';
import { type Tensor, tensor } from '../compute/tensor.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { saveNetwork } from '../formats/model-file.js';
import { type PredictOptions, predict } from '../inference/predict.js';
import { createSession, type Session, type SessionOptions } from '../inference/session.js';
import type { Network } from '../network/network.js';
import { type Summary, summarize } from '../network/summary.js';
import { parseOptions, wholeNumber } from '../options.js';

const summarySchema = v.strictObject({
  /** Rows of a training step. */
  batch: wholeNumber(1),
  /** Steps of a row; 1 where it is no sequence. Default 1. */
  steps: v.optional(wholeNumber(1), 1),
  /** Targets in the training data: `Batches.tokens`. */
  tokens: v.optional(wholeNumber(0)),
});
export type ModelSummaryOptions = v.InferInput<typeof summarySchema>;

/** Made by `sequential` and `loadModel`. */
export class Model {
  /** The layers with their parameters: what trainers, files and sessions work on. */
  readonly network: Network;
  /** Of the text the model reads and writes. A fit on a text sets it where it is missing; it is saved with the model. */
  vocabulary: Vocabulary | undefined;

  /** Use `sequential` or `loadModel`. */
  constructor(network: Network, vocabulary?: Vocabulary) {
    this.network = network;
    this.vocabulary = vocabulary;
  }

  get parameterCount(): number {
    return this.network.parameterCount;
  }

  /**
   * A copy of every parameter, as they are when all that was queued before has run.
   *
   * @returns by name, such as `lstm_1/kernel`, in layer order
   */
  async parameters(): Promise<ReadonlyMap<string, Tensor>> {
    const values = await this.network.readParameters();
    return new Map(
      this.network.parameterLayout.map(({ name, offset, length, shape }) => [
        name,
        tensor(values.slice(offset, offset + length), shape),
      ]),
    );
  }

  /**
   * What the model consists of and what a training step of it costs, before anything is run: layers, shapes,
   * parameters, memory, and parameters against training tokens.
   *
   * @throws {MnemeError} `invalid-option`, `out-of-memory` for shapes that no machine holds
   * @example
   * console.log(model.summary({ batch: 32, steps: 100, tokens: text.training.length }).text);
   */
  summary(options: ModelSummaryOptions): Summary {
    const { batch, steps, tokens } = parseOptions(summarySchema, options, 'summary');
    return summarize(this.network, { batch, time: steps, ...(tokens === undefined ? {} : { tokens }) });
  }

  /**
   * Runs the network over whole sequences, each from zero states.
   *
   * @param inputs ids `[batch, time]` (i32) or vectors `[batch, time, features]`; without the axis of time for a model
   *   that reads no sequences
   * @param options
   * - `batch`: rows computed at once, default 256; the result does not depend on it
   * - `lengths`: steps of each row that are there, `[batch]`, 0 to time; what lies behind them in the inputs may be anything,
   *   and is 0 in the result. Default: all
   * @returns `[batch, time, features]`, or `[batch, features]` where the model ends in `lastStep` or reads no sequences:
   *   what the last layer gives, which are logits unless that is a softmax
   * @throws {MnemeError} `invalid-shape`, `out-of-range` (which id or length, where), `invalid-argument`, `disposed`
   * @example
   * const scores = await model.predict(tensor(new Float32Array(60), [1, 60, 1]));
   */
  async predict(inputs: Tensor, options: PredictOptions = {}): Promise<Tensor> {
    return predict(this.network, inputs, options);
  }

  /**
   * A session, which keeps recurrent states from call to call: for input that comes bit by bit, and for writing text.
   *
   * @param options `batch`: rows side by side, default 1
   * @throws {MnemeError} `invalid-option`, `invalid-argument` when the model reads no sequences, `disposed`
   * @example
   * const session = model.session();
   * for await (const character of session.generate('Call me ')) process.stdout.write(character);
   */
  session(options: SessionOptions = {}): Session {
    return createSession(this.network, options, this.vocabulary);
  }

  /**
   * Saves the model as a directory of two files: `model.json` (layers, seed, vocabulary) and its parameters as
   * safetensors. A model that is there already is replaced as a whole; whatever interrupts this, the directory holds
   * the old model or the new one.
   *
   * @throws {MnemeError} `file-write`; `not-finite`: which parameter is NaN or infinite, and nothing was written;
   *   `disposed`
   * @example
   * await model.save('moby.mneme');
   */
  async save(directory: string): Promise<void> {
    await saveNetwork(this.network, directory, { vocabulary: this.vocabulary?.toJSON() });
  }

  /** Frees the memory of parameters and programs. What is called afterwards fails with `disposed`. */
  dispose(): void {
    this.network.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
