/**
 * Gates i, f, g, o of x·W + b + h·U; c' = f·c + i·g; h' = o·activation(c') (Hochreiter and Schmidhuber 1997, Gers,
 * Schmidhuber and Cummins 2000). i, f and o take the gate activation, g the activation.
 */
import { matrix, multiply } from '../product.js';
import { type Cell, forEachUnit } from './cell.js';

export const lstm: Cell = {
  gates: 4,
  kept: 4,
  forward: (step) => {
    const { batch, units, hidden, cell, recurrentKernel, kept, nextHidden, nextCell, gate, activation } = step;
    const width = 4 * units;
    kept.set(step.input);
    multiply(matrix(hidden, units), matrix(recurrentKernel, width), matrix(kept, width), {
      m: batch,
      k: units,
      n: width,
    });
    forEachUnit(step, (place, row, unit) => {
      const sum = (index: number) => kept[row * width + index * units + unit]!;
      const [i, f, g, o] = [gate.value(sum(0)), gate.value(sum(1)), activation.value(sum(2)), gate.value(sum(3))];
      const next = f * cell[place]! + i * g;
      nextCell[place] = next;
      nextHidden[place] = o * activation.value(next);
    });
  },
  backward: (step) => {
    const { batch, units, hidden, cell, nextCell, recurrentKernel, kept, gate, activation } = step;
    const { dNextHidden, dNextCell, dInput, dHidden, dCell, dRecurrentKernel } = step;
    const width = 4 * units;
    forEachUnit(step, (place, row, unit) => {
      const at = (index: number) => row * width + index * units + unit;
      const sum = (index: number) => kept[at(index)]!;
      const [i, f, g, o] = [gate.value(sum(0)), gate.value(sum(1)), activation.value(sum(2)), gate.value(sum(3))];
      const dh = dNextHidden[place]!;
      const dc = dNextCell[place]! + dh * o * activation.derivative(nextCell[place]!);
      dInput[at(0)] = dc * g * gate.derivative(sum(0));
      dInput[at(1)] = dc * cell[place]! * gate.derivative(sum(1));
      dInput[at(2)] = dc * i * activation.derivative(sum(2));
      dInput[at(3)] = dh * activation.value(nextCell[place]!) * gate.derivative(sum(3));
      dCell[place] = dc * f;
    });
    const sums = matrix(dInput, width);
    multiply(sums, matrix(recurrentKernel, width, { transpose: true }), matrix(dHidden, units), {
      m: batch,
      k: width,
      n: units,
    });
    multiply(matrix(hidden, units, { transpose: true }), sums, matrix(dRecurrentKernel, width), {
      m: units,
      k: batch,
      n: width,
    });
  },
};
