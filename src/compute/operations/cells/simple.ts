/** h' = activation(x·W + b + h·U) (Elman 1990). */
import { matrix, multiply } from '../product.js';
import { type Cell, forEachUnit } from './cell.js';

export const simple: Cell = {
  gates: 1,
  kept: 1,
  forward: (step) => {
    const { batch, units, hidden, recurrentKernel, kept, nextHidden } = step;
    kept.set(step.input);
    multiply(matrix(hidden, units), matrix(recurrentKernel, units), matrix(kept, units), {
      m: batch,
      k: units,
      n: units,
    });
    forEachUnit(step, (place) => {
      nextHidden[place] = step.activation.value(kept[place]!);
    });
  },
  backward: (step) => {
    const { batch, units, hidden, recurrentKernel, kept, dNextHidden, dInput, dHidden, dRecurrentKernel } = step;
    forEachUnit(step, (place) => {
      dInput[place] = dNextHidden[place]! * step.activation.derivative(kept[place]!);
    });
    const sums = matrix(dInput, units);
    multiply(sums, matrix(recurrentKernel, units, { transpose: true }), matrix(dHidden, units), {
      m: batch,
      k: units,
      n: units,
    });
    multiply(matrix(hidden, units, { transpose: true }), sums, matrix(dRecurrentKernel, units), {
      m: units,
      k: batch,
      n: units,
    });
  },
};
