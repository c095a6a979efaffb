/** Initializers that draw nothing. */
import * as v from 'valibot';
import { elementCount } from '../../compute/tensor.js';
import { finiteNumber } from '../../options.js';
import { matrix, rule } from './initializer.js';

export const zeros = rule('zeros', {}, () => (shape) => new Float64Array(elementCount(shape)));

export const ones = rule('ones', {}, () => (shape) => new Float64Array(elementCount(shape)).fill(1));

export const constant = rule(
  'constant',
  { value: finiteNumber() },
  ({ value }) =>
    (shape) =>
      new Float64Array(elementCount(shape)).fill(value),
);

export const identity = rule('identity', { gain: v.optional(finiteNumber(), 1) }, ({ gain }) => (shape) => {
  const [rows, columns] = matrix(shape);
  const result = new Float64Array(rows * columns);
  for (let index = 0; index < Math.min(rows, columns); index++) result[index * columns + index] = gain;
  return result;
});
