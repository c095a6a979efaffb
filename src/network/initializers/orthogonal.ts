/** Matrices with orthonormal rows or columns. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { orthogonalMatrix } from '../orthogonal.js';
import { gates, matrix, rule } from './initializer.js';

export const orthogonal = rule(
  'orthogonal',
  { gain: v.optional(finiteNumber({ above: 0 }), 1), gates },
  ({ gain }) =>
    (shape, random, multiply) => {
      const [rows, columns] = matrix(shape);
      const unscaled = orthogonalMatrix(rows, columns, random.normal, multiply);
      return gain === 1 ? unscaled : unscaled.map((x) => gain * x);
    },
);
