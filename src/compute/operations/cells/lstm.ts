/**
 * Gates i, f, g, o of x·W + b + h·U; c' = f·c + i·g; h' = o·output(c') (Hochreiter and Schmidhuber 1997, Gers,
 * Schmidhuber and Cummins 2000). i, f and o take the gate activation, g the candidate activation.
 *
 * Peepholes: the sums of i and f also have p·c, that of o p·c' (Gers, Schraudolph and Schmidhuber 2002). Coupled: f is
 * 1 - i, and the gates are i, g, o (Greff et al. 2017). `cellClip`: c' stays within ± that bound; 0 for none.
 */
import { matrix, multiply } from '../product.js';
import { type Cell, forEachUnit } from './cell.js';

export const lstm = ({ coupled, cellClip }: { readonly coupled: boolean; readonly cellClip: number }): Cell => {
  // Also the peephole weights of o come after those of the gates before g.
  const candidateGate = coupled ? 1 : 2;
  const outputGate = candidateGate + 1;
  const gates = outputGate + 1;
  const clipped = (c: number) => (cellClip === 0 ? c : Math.max(-cellClip, Math.min(cellClip, c)));
  return {
    states: 2,
    gates,
    kept: gates,
    own: Array.from({ length: gates }, (_, index) => index),
    forward: (step) => {
      const { batch, units, hiddenSize, fed, cell, recurrentKernel, peephole, kept, nextHidden, nextCell } = step;
      const { gate, candidate, output } = step;
      const width = gates * units;
      kept.set(step.input);
      multiply(matrix(fed, hiddenSize), matrix(recurrentKernel, width), matrix(kept, width), {
        m: batch,
        k: hiddenSize,
        n: width,
      });
      forEachUnit(step, (place, row, unit) => {
        const at = (index: number) => row * width + index * units + unit;
        const before = cell[place]!;
        for (let index = 0; index < candidateGate && peephole; index++) {
          kept[at(index)]! += peephole[index * units + unit]! * before;
        }
        const i = gate.value(kept[at(0)]!);
        const f = coupled ? 1 - i : gate.value(kept[at(1)]!);
        const next = clipped(f * before + i * candidate.value(kept[at(candidateGate)]!));
        if (peephole) kept[at(outputGate)]! += peephole[candidateGate * units + unit]! * next;
        nextCell[place] = next;
        nextHidden[place] = gate.value(kept[at(outputGate)]!) * output.value(next);
      });
    },
    backward: (step) => {
      const { batch, units, hiddenSize, fed, cell, nextCell, recurrentKernel, peephole, kept } = step;
      const { gate, candidate, output } = step;
      const { dNextHidden, dNextCell, dInput, dFed, dCell, dRecurrentKernel, dPeephole } = step;
      const width = gates * units;
      forEachUnit(step, (place, row, unit) => {
        const at = (index: number) => row * width + index * units + unit;
        const sum = (index: number) => kept[at(index)]!;
        const weight = (index: number) => peephole?.[index * units + unit] ?? 0;
        const [before, next] = [cell[place]!, nextCell[place]!];
        const [i, g, o] = [gate.value(sum(0)), candidate.value(sum(candidateGate)), gate.value(sum(outputGate))];
        const dh = dNextHidden[place]!;
        const dOutput = dh * output.value(next) * gate.derivative(sum(outputGate));
        let dc = dNextCell[place]! + dh * o * output.derivative(next) + dOutput * weight(candidateGate);
        if (cellClip !== 0 && !(Math.abs(next) < cellClip)) dc = 0;
        dInput[at(0)] = dc * (coupled ? g - before : g) * gate.derivative(sum(0));
        if (!coupled) dInput[at(1)] = dc * before * gate.derivative(sum(1));
        dInput[at(candidateGate)] = dc * i * candidate.derivative(sum(candidateGate));
        dInput[at(outputGate)] = dOutput;
        dCell[place] = dc * (coupled ? 1 - i : gate.value(sum(1)));
        for (let index = 0; index < candidateGate && peephole; index++) {
          dCell[place]! += dInput[at(index)]! * weight(index);
          if (dPeephole) dPeephole[index * units + unit]! += dInput[at(index)]! * before;
        }
        if (dPeephole) dPeephole[candidateGate * units + unit]! += dOutput * next;
      });
      const sums = matrix(dInput, width);
      multiply(sums, matrix(recurrentKernel, width, { transpose: true }), matrix(dFed, hiddenSize), {
        m: batch,
        k: width,
        n: hiddenSize,
      });
      multiply(matrix(fed, hiddenSize, { transpose: true }), sums, matrix(dRecurrentKernel, width), {
        m: hiddenSize,
        k: batch,
        n: width,
      });
    },
  };
};
