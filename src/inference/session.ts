/** A session: a network and the state it has come to, for reading step by step and for writing text. */
import * as v from 'valibot';
import { type Tensor, tensor } from '../compute/tensor.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { MnemeError } from '../errors.js';
import type { NetworkContract } from '../network/contract.js';
import { parseOptions, wholeNumber } from '../options.js';
import { type GenerateOptions, generateText, generationPlan } from './generation.js';
import { createRecurrentState, type RecurrentState, type States } from './recurrent-state.js';
import { cutSteps, readSteps, type StepInput, type Steps } from './step-input.js';
import { stepProgram } from './step-program.js';

const sessionSchema = v.strictObject({
  /** Rows that are read side by side, each with a state of its own. Default 1. */
  batch: v.optional(wholeNumber(1), 1),
});
export type SessionOptions = v.InferInput<typeof sessionSchema>;

/**
 * Opens a session that starts from zero states. Sessions of one network share its parameters and run on its stream, in
 * order with its training; what they carry is their own.
 *
 * @param vocabulary for `generate`
 * @throws {MnemeError} `invalid-option`, `invalid-argument` when the network reads no sequences or a layer
 *   needs whole ones, `out-of-memory`, `disposed`
 */
export function createSession(network: NetworkContract, options?: SessionOptions, vocabulary?: Vocabulary): Session {
  const { batch } = parseOptions(sessionSchema, options, 'session');
  if (network.disposed) throw new MnemeError('disposed', 'session: this model was disposed: make or open it anew.');
  if (!network.inputSignal.sequence) {
    throw new MnemeError(
      'invalid-argument',
      'session: this model reads no sequences, so there is no state to keep: use predict.',
    );
  }
  const looking = network.layers.findIndex((layer) => layer.wholeSequences);
  if (looking >= 0) {
    throw new MnemeError(
      'invalid-argument',
      `session: layer ${network.layerNames[looking]} reads sequences from their ends, so it cannot go step by step: use predict on whole sequences.`,
    );
  }
  return new Session(network, batch, vocabulary);
}

export class Session {
  readonly batch: number;
  readonly #network: NetworkContract;
  readonly #vocabulary: Vocabulary | undefined;
  readonly #state: RecurrentState;
  #last: Promise<unknown> = Promise.resolve();
  #generating = false;
  #disposed = false;

  constructor(network: NetworkContract, batch: number, vocabulary: Vocabulary | undefined) {
    this.batch = batch;
    this.#network = network;
    this.#vocabulary = vocabulary;
    this.#state = createRecurrentState(network, batch);
  }

  /**
   * Reads one step or several and moves the state on. Many steps at once give what one after another give.
   *
   * @param input one step: `[batch]` ids (i32) or `[batch, features]`, or their plain numbers; several: `[batch, time]`
   *   ids or `[batch, time, features]`
   * @returns what the last layer gives, `[batch, features]` for one step, `[batch, time, features]` for several (only
   *   that of the last step where the model ends in `lastStep`). Logits, unless the model ends in a softmax.
   * @throws {MnemeError} `invalid-shape`, `out-of-range` (which id, where), `busy` while text is generated, `disposed`
   * @example
   * const scores = await session.step(text.vocabulary.encode('C'));
   */
  async step(input: StepInput): Promise<Tensor> {
    this.#requireIdle('step');
    const steps = readSteps(input, this.#network.inputSignal, { batch: this.batch, singleSteps: true, where: 'step' });
    return this.#inTurn(() => this.#run(steps));
  }

  /**
   * Writes on after `prime`, one character after another. What is given out is not kept: any length takes the same memory.
   *
   * However it ends, the state is then as if the prime and every symbol generated had been given to `step`.
   *
   * @param prime what is read first, at least one character; not part of what is given out
   * @returns the characters, as an async iterable
   * @throws {MnemeError} `invalid-option`; `invalid-text` for characters that the vocabulary has not;
   *   `invalid-argument` for an empty prime, a batch above 1, or a model that has no vocabulary; `busy`; `disposed`.
   *   The iterable fails with `aborted`.
   * @example
   * for await (const character of session.generate('Call me ', { length: 300, temperature: 0.8, seed: 1 })) {
   *   process.stdout.write(character);
   * }
   */
  generate(prime: string, options: GenerateOptions = {}): AsyncGenerator<string, void, undefined> {
    this.#requireIdle('generate');
    if (this.batch !== 1) {
      throw new MnemeError('invalid-argument', `generate: needs a session of batch 1, and this one has ${this.batch}.`);
    }
    const plan = generationPlan(this.#network, this.#vocabulary, prime, options);
    return this.#generate(plan);
  }

  /** Back to zero states. */
  async reset(): Promise<void> {
    this.#requireIdle('reset');
    await this.#inTurn(() => this.#state.reset());
  }

  /**
   * The states as they are now, for `setState` of this or another session of the same model.
   *
   * @returns by name, such as `lstm_1/hidden`: `[batch, units]`
   */
  async state(): Promise<States> {
    this.#requireIdle('state');
    return this.#inTurn(() => this.#state.tensors());
  }

  /**
   * Puts all states in place.
   *
   * @throws {MnemeError} `invalid-argument` for a name missing or unknown, `invalid-shape`, `not-finite`
   */
  async setState(states: States): Promise<void> {
    this.#requireIdle('setState');
    await this.#inTurn(() => this.#state.setTensors(states));
  }

  /** Frees the states, once what was begun has ended. What is called afterwards fails with `disposed`. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    const free = () => this.#state.memory.dispose();
    this.#last.then(free, free);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  async *#generate(plan: ReturnType<typeof generationPlan>): AsyncGenerator<string, void, undefined> {
    this.#requireIdle('generate');
    this.#generating = true;
    let ended = (): void => {};
    const running = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const before = this.#last;
    this.#last = before.then(() => running);
    try {
      await before;
      yield* generateText(this.#network, this.#state, plan, (ids) => this.#run(idSteps(ids)));
    } finally {
      this.#generating = false;
      ended();
    }
  }

  /** Pieces of a few sizes, so that sequences of any length need only as many programs. */
  async #run(steps: Steps): Promise<Tensor> {
    const pieces: Tensor[] = [];
    for (let from = 0; from < steps.time; ) {
      const time = pieceSizes.find((size) => size <= steps.time - from)!;
      const { output } = await this.#network.stream.submit({
        program: stepProgram(this.#network, { batch: this.batch, time }, 'carried'),
        memories: { parameters: this.#network.memory, state: this.#state.memory },
        inputs: { input: cutSteps(steps, from, from + time) },
      });
      if (this.#network.outputSignal.sequence) pieces.push(output!);
      else pieces[0] = output!;
      from += time;
    }
    if (!this.#network.outputSignal.sequence) return pieces[0]!;
    return steps.single ? withoutTime(pieces[0]!) : joined(pieces);
  }

  async #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const result = this.#last.then(action);
    this.#last = result.catch(() => {});
    return result;
  }

  #requireIdle(what: string): void {
    if (this.#disposed) throw new MnemeError('disposed', `${what}: this session was disposed: open another.`);
    if (this.#network.disposed) throw new MnemeError('disposed', `${what}: the model of this session was disposed.`);
    if (this.#generating) {
      throw new MnemeError('busy', `${what}: this session is generating text: let that end, or open another session.`);
    }
  }
}

/** Steps of one submission. A larger one gains little; each size is a program to compile. */
const pieceSizes = [64, 8, 1];

const idSteps = (ids: Int32Array): Steps => ({ data: ids, batch: 1, time: ids.length, single: false, width: 1 });

const withoutTime = ({ data, shape }: Tensor): Tensor => tensor(data, [shape[0]!, ...shape.slice(2)]);

/** `[batch, time, features]` pieces one after another in time. */
function joined(pieces: readonly Tensor[]): Tensor {
  const [first] = pieces as [Tensor];
  if (pieces.length === 1) return first;
  const [batch, , features] = first.shape as [number, number, number];
  const time = pieces.reduce((sum, { shape }) => sum + shape[1]!, 0);
  const data =
    first.data instanceof Float64Array
      ? new Float64Array(batch * time * features)
      : new Float32Array(batch * time * features);
  for (let row = 0; row < batch; row++) {
    let offset = row * time * features;
    for (const piece of pieces) {
      const length = piece.shape[1]! * features;
      data.set(piece.data.subarray(row * length, (row + 1) * length), offset);
      offset += length;
    }
  }
  return tensor(data, [batch, time, features]);
}
