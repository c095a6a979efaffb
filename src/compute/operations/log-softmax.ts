/** `logSoftmax`: x - log Σ exp(x) over the last axis. */
import { reshape, type Value } from '../graph.js';
import { map } from './map.js';
import { leadingOf } from './operand.js';
import { reduceMaximum, reduceSum } from './reduce.js';

/**
 * Logarithms of probabilities over the last axis, of the shape of `x`: finite where the probability itself would be 0.
 *
 * All numbers of a row are moved by a whole number near the largest one. Any number would do as long as nothing
 * overflows, so the floor of the largest is taken: no gradient flows through it.
 *
 * @example
 * const logProbabilities = logSoftmax(logits);
 */
export function logSoftmax(x: Value): Value {
  const perRow = (value: Value) => reshape(value, x.shape.length === 1 ? [1] : [...leadingOf(x), 1]);
  const largest = perRow(reduceMaximum(x, { axis: 'columns' }));
  const sum = perRow(reduceSum([x, largest], { axis: 'columns', expression: (a, most) => a.sub(most.floor()).exp() }));
  return map((a, most, total) => a.sub(most.floor()).sub(total.log()), x, largest, sum);
}
