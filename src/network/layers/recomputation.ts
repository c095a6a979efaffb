/**
 * Full backpropagation through time in little memory (Chen et al. 2016, "Training deep nets with sublinear memory cost"): of a
 * sequence of T steps only the states at every √T-th are kept. Backward computes each piece between two of them again, as it
 * comes to it, and only one piece's intermediate results are there at a time.
 */
import type { Value } from '../../compute/graph.js';
import {
  concatenate,
  type RecurrentOptions,
  type RecurrentResult,
  recomputed,
  recurrent,
  slice,
} from '../../compute/operations/index.js';
import { rearranged } from './living-rows.js';

/**
 * The same as `recurrent`, and while training with less memory and one more pass forward.
 *
 * Outputs have the same bits. Gradients of the weights are added up piece by piece, which rounds otherwise.
 */
export function recurrentInPieces(options: RecurrentOptions): RecurrentResult {
  const time = options.input.shape[0]!;
  if (!options.training) return recurrent(options);
  const length = Math.ceil(Math.sqrt(time));
  const outputs: Value[] = [];
  let result: RecurrentResult | undefined;
  for (let start = 0; start < time; start += length) {
    const steps = Math.min(length, time - start);
    const part = (value: Value) => slice(value, { axis: 0, start, length: steps });
    const partOf = (keep: Value | undefined) => (keep && keep.shape.length > 1 ? part(keep) : keep);
    const { node } = recurrent({
      ...options,
      training: false,
      input: rearranged(options.input, part),
      hiddenKeep: partOf(options.hiddenKeep),
      cellKeep: partOf(options.cellKeep),
      initialHidden: result?.finalHidden ?? options.initialHidden,
      initialCell: result?.finalCell ?? options.initialCell,
    }).output;
    const [output, finalHidden, finalCell] = recomputed(node).outputs;
    result = { output: output!, finalHidden: finalHidden!, ...(finalCell ? { finalCell } : {}) };
    outputs.push(output!);
  }
  return { ...result!, output: concatenate(outputs, 0) };
}
