/** Text written by a network, symbol by symbol, streamed while the next ones are computed. */
import { randomInt } from 'node:crypto';
import * as v from 'valibot';
import type { NumericArray } from '../compute/tensor.js';
import type { Vocabulary } from '../data/vocabulary.js';
import { MnemeError } from '../errors.js';
import type { NetworkContract } from '../network/contract.js';
import { finiteNumber, parseOptions, wholeNumber } from '../options.js';
import { generationProgram } from './generation-program.js';
import type { RecurrentState } from './recurrent-state.js';
import { type Stop, watchFor } from './stop.js';

const generateSchema = v.strictObject({
  /** Symbols to write at most: characters, or bytes for a vocabulary of bytes. Default 1000. */
  length: v.optional(wholeNumber(0), 1000),
  /** Scores are divided by it: below 1 more cautious, above 1 bolder, 0 always the most likely. Default 1. */
  temperature: v.optional(finiteNumber({ minimum: 0 }), 1),
  /** Only the so many most likely symbols are drawn from; 0: all. Default 0. */
  topK: v.optional(wholeNumber(0), 0),
  /** Only the most likely symbols that together reach this probability are drawn from, in (0, 1]. Default 1: all. */
  topP: v.optional(finiteNumber({ above: 0, maximum: 1 }), 1),
  /** The same seed after the same state writes the same text. Default: another each time. */
  seed: v.optional(wholeNumber(0)),
  /** A text before which to end, or a question asked after each character of all that was generated. */
  stop: v.optional(
    v.pipe(
      v.custom<Stop>(() => true),
      v.check(
        (stop) => typeof stop === 'function' || (typeof stop === 'string' && stop !== ''),
        'a text or a function',
      ),
    ),
  ),
  /** Ends it with the error `aborted`. */
  signal: v.optional(v.instance(AbortSignal)),
});
export type GenerateOptions = v.InferInput<typeof generateSchema>;

/** What to generate, checked. */
export interface GenerationPlan extends v.InferOutput<typeof generateSchema> {
  readonly prime: Int32Array;
  readonly vocabulary: Vocabulary;
}

/** @throws {MnemeError} as `Session.generate` says */
export function generationPlan(
  network: NetworkContract,
  vocabulary: Vocabulary | undefined,
  prime: string,
  options: GenerateOptions,
): GenerationPlan {
  const parsed = parseOptions(generateSchema, options, 'generate');
  if (!vocabulary) {
    throw new MnemeError(
      'invalid-argument',
      'generate: this model has no vocabulary. Train it on a text, or give sequential one: { vocabulary: text.vocabulary }.',
    );
  }
  requireTextModel(network, vocabulary);
  if (typeof prime !== 'string' || prime === '') {
    throw new MnemeError('invalid-argument', 'generate: needs a text to begin with, of at least one character.');
  }
  return { ...parsed, prime: vocabulary.encode(prime), vocabulary };
}

/**
 * @param feed runs the network over ids, moving the state on
 * @throws {MnemeError} `aborted`
 */
export async function* generateText(
  network: NetworkContract,
  state: RecurrentState,
  plan: GenerationPlan,
  feed: (ids: Int32Array) => Promise<unknown>,
): AsyncGenerator<string, void, undefined> {
  const { prime, vocabulary, signal } = plan;
  const decoder = vocabulary.decoder();
  const watch = watchFor(plan.stop);
  requireRunning(signal);
  if (prime.length > 1) await feed(prime.subarray(0, -1));
  await network.stream.write(state.memory, state.idOffset, prime.subarray(-1));
  await network.stream.write(state.memory, state.counterOffset, Int32Array.of(0));

  const submit = chunkSubmitter(network, state, plan);
  // While one chunk is given out, the next is computed.
  let chunk = submit();
  let carried = prime.at(-1)!;
  let taken = 0;
  let next: Chunk | undefined;
  try {
    for (;;) {
      next = submit();
      const ids = await chunk.ids;
      for (const id of ids) {
        requireRunning(signal);
        taken += 1;
        for (const character of decoder.push(id)) {
          const { give, stopped } = watch.push(character);
          yield* give;
          if (stopped) return;
        }
      }
      if (next.length === 0) break;
      carried = ids.at(-1)!;
      taken = 0;
      chunk = next;
    }
    yield* watch.rest();
  } finally {
    await next?.ids.catch(() => {});
    if (!network.disposed) {
      // The state ran ahead of what was taken: back to the beginning of this chunk, and on to where it was taken.
      const ids = await chunk.ids;
      await state.write(await chunk.before);
      await feed(Int32Array.of(carried, ...ids.subarray(0, taken)));
    }
  }
}

/** Symbols of one call to the engine: many enough that the calls cost little, few enough that text flows. */
const chunkLength = 32;

interface Chunk {
  readonly length: number;
  /** The states this chunk starts from. */
  readonly before: Promise<NumericArray>;
  readonly ids: Promise<Int32Array>;
}

/** Each call begins the computation of the next chunk; past the length of the text, of an empty one. */
function chunkSubmitter(network: NetworkContract, state: RecurrentState, plan: GenerationPlan): () => Chunk {
  const settings = Float32Array.of(plan.temperature, plan.topP, plan.topK);
  const seed = plan.seed ?? randomInt(2 ** 47);
  const words = Int32Array.of(seed | 0, Math.floor(seed / 2 ** 32) | 0);
  let remaining = plan.length;
  return () => {
    const length = Math.min(remaining, chunkLength);
    remaining -= length;
    const before = state.read();
    const ids = length === 0 ? Promise.resolve(new Int32Array(0)) : run(length);
    // Whoever awaits them first hears of a failure; the other must not end the process.
    before.catch(() => {});
    ids.catch(() => {});
    return { length, before, ids };
  };

  async function run(repeat: number): Promise<Int32Array> {
    const { id } = await network.stream.submit({
      program: generationProgram(network, state),
      memories: { parameters: network.memory, state: state.memory },
      inputs: { settings, seed: words },
      repeat,
    });
    return Int32Array.from(id!.data);
  }
}

function requireTextModel(network: NetworkContract, vocabulary: Vocabulary): void {
  const { inputSignal, outputSignal } = network;
  const reads = inputSignal.kind === 'ids' ? inputSignal.vocabulary : undefined;
  const writes = outputSignal.kind === 'vectors' ? outputSignal.features : undefined;
  if (reads === vocabulary.size && writes === vocabulary.size) return;
  throw new MnemeError(
    'invalid-argument',
    `generate: a model of a vocabulary of ${vocabulary.size} symbols must read ids below ${vocabulary.size} and give as ` +
      `many scores; this one reads ${reads === undefined ? 'no ids' : `ids below ${reads}`} and gives ${writes ?? 'no'} scores.`,
  );
}

function requireRunning(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new MnemeError('aborted', 'generate: stopped by the signal.');
}
