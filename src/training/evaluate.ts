/** The loss of a network on data that it does not learn from. */
import * as v from 'valibot';
import type { Batches } from '../data/batch.js';
import { withoutPadding } from '../data/lengths.js';
import { MnemeError } from '../errors.js';
import { type Loss, lossWeight } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import { parseOptions, wholeNumber } from '../options.js';
import { batchShape } from './batch-shape.js';
import { strangeData } from './diagnosis.js';
import { inputsFor, portsOf } from './engine-numbers.js';
import { evaluationStep } from './evaluation-step.js';
import { Queue } from './queue.js';
import { CarriedStates } from './states.js';
import { checkBatch, checkBatches, networkOf, type Trainable } from './trainable.js';

const schema = v.strictObject({
  loss: v.custom<Loss>((value) => typeof value === 'object' && value !== null && 'apply' in value, 'a loss'),
  signal: v.optional(v.instance(AbortSignal)),
  inFlight: v.optional(wholeNumber(1), 3),
});
export type EvaluateOptions = v.InferInput<typeof schema>;

/**
 * The mean loss over all batches, each weighted by its targets as far as its mask lets them count (by its rows for the
 * reduction 'sumOverTime', and all alike for 'sum'). Dropout is off; recurrent states are carried where batches continue.
 * The network is not changed.
 *
 * @param options `loss`; `signal`: an AbortSignal; `inFlight`: steps queued at once, default 3
 * @throws {MnemeError} `insufficient-data`, `invalid-shape`, `out-of-range`, `not-finite` (which batch, and where in
 *   its data if it is there), `aborted`
 * @example
 * const nats = await evaluate(model, text.batches({ batch: 8, steps: 100 }), { loss: losses.softmaxCrossEntropy() });
 * console.log(`${nats / Math.LN2} bits a character`);
 */
export async function evaluate(
  subject: NetworkContract | Trainable,
  batches: Batches,
  options: EvaluateOptions,
): Promise<number> {
  const { loss, signal, inFlight } = parseOptions(schema, options, 'evaluate');
  const network = networkOf(subject, 'evaluate');
  checkBatches(batches, 'evaluate');
  // Losses that only share their name are different things: another formula, other options.
  const name = `evaluation/${network.nameOf(loss.origin ?? loss)}/${JSON.stringify(loss.options)}`;
  const states = new CarriedStates(network);
  const queue = new Queue<{ readonly loss: number; readonly weight: number }>(inFlight);
  const sum = { loss: 0, weight: 0 };
  const take = (results: readonly { readonly loss: number; readonly weight: number }[]) => {
    for (const result of results) {
      sum.loss += result.loss * result.weight;
      sum.weight += result.weight;
    }
  };
  let number = 0;
  try {
    for (const batch of batches.epoch(0)) {
      if (signal?.aborted) throw new MnemeError('aborted', 'evaluate: stopped by its signal.');
      checkBatch(batch);
      const position = ++number;
      const given = batchShape(network, loss, batch);
      const counted = withoutPadding(batch, given.targets);
      const { memory: state, initialStates } = states.prepare(given.batch, batch);
      const shape = { ...given, initialStates };
      const program = network.program(`${name}/${JSON.stringify(shape)}`, () => evaluationStep(network, loss, shape));
      const run = async () => {
        const outputs = await network.stream.submit({
          program,
          memories: { parameters: network.memory, state },
          inputs: inputsFor(network.engine, program, portsOf(counted, loss)),
        });
        const value = outputs.loss!.data[0]!;
        if (!Number.isFinite(value)) {
          const cause =
            strangeData(counted) ?? 'the data is finite, but the network does not give finite numbers for it';
          throw new MnemeError('not-finite', `evaluate: the loss of batch ${position} is ${value}: ${cause}.`);
        }
        return { loss: value, weight: lossWeight(loss, counted) };
      };
      take(await queue.add(run()));
    }
    take(await queue.drain());
  } finally {
    await queue.settle();
    states.dispose();
  }
  if (sum.weight > 0) return sum.loss / sum.weight;
  const missing = number === 0 ? 'there is no batch to evaluate on' : 'no target counts: the masks hold nothing but 0';
  throw new MnemeError('insufficient-data', `evaluate: ${missing}.`);
}
