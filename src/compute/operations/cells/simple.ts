/** h' = activation(x·W + b + h·U) (Elman 1990). */
import { matrix, multiply } from '../product.js';
import { type Cell, forEachUnit } from './cell.js';

export const simple: Cell = {
  states: 1,
  gates: 1,
  kept: 1,
  own: [0],
  forward: (step) => {
    const { batch, units, fed, recurrentKernel, kept, nextHidden } = step;
    kept.set(step.input);
    multiply(matrix(fed, units), matrix(recurrentKernel, units), matrix(kept, units), {
      m: batch,
      k: units,
      n: units,
    });
    forEachUnit(step, (place) => {
      nextHidden[place] = step.candidate.value(kept[place]!);
    });
  },
  backward: (step) => {
    const { batch, units, fed, recurrentKernel, kept, dNextHidden, dInput, dFed, dRecurrentKernel } = step;
    forEachUnit(step, (place) => {
      dInput[place] = dNextHidden[place]! * step.candidate.derivative(kept[place]!);
    });
    const sums = matrix(dInput, units);
    multiply(sums, matrix(recurrentKernel, units, { transpose: true }), matrix(dFed, units), {
      m: batch,
      k: units,
      n: units,
    });
    multiply(matrix(fed, units, { transpose: true }), sums, matrix(dRecurrentKernel, units), {
      m: units,
      k: batch,
      n: units,
    });
  },
};
