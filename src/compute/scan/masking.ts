/** Rows of a batch that do not live in every step. */

import { MnemeError } from '../../errors.js';
import { reshape, type Value } from '../graph.js';
import { map } from '../operations/index.js';
import { printShape, sameShape } from '../tensor.js';
import type { ScanOptions } from './options.js';

/**
 * The same scan, in which states stay where the mask is 0. Sequences are made 0 there first: what is not finite in them would
 * not reach a result, but the gradient of what was multiplied by it.
 *
 * @throws {MnemeError} `invalid-shape`
 */
export function masked({ sequences, initial, step }: Omit<ScanOptions, 'mask'>, mask: Value): ScanOptions {
  const [time, batch] = mask.shape as [number, number];
  const first = sequences[0];
  if (mask.shape.length !== 2 || (first && !sameShape(mask.shape, first.shape.slice(0, 2)))) {
    throw new MnemeError(
      'invalid-shape',
      `scan: expected a mask [time, batch] for the sequence ${first ? printShape(first.shape) : ''}, got ${printShape(mask.shape)}.`,
    );
  }
  const rows = reshape(mask, [time, batch, 1]);
  const clean = (sequence: Value) =>
    sequence.dtype === 'f32' ? map((lives, x) => lives.select(x, 0), rows, sequence) : sequence;
  return {
    sequences: [...sequences.map(clean), rows],
    initial,
    step: (parts, before) => {
      const lives = parts.at(-1)!;
      const made = step(parts.slice(0, -1), before);
      const states = made.states.map((next, index) =>
        next === before[index] ? next : map((alive, x, old) => alive.select(x, old), lives, next, before[index]!),
      );
      const outputs = made.outputs.map((output) => {
        const state = made.states.indexOf(output);
        return state < 0 ? map((alive, x) => alive.select(x, 0), lives, output) : states[state]!;
      });
      return { outputs, states };
    },
  };
}
