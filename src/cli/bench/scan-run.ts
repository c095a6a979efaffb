/** An LSTM written with `scan`, forward and backward with all gradients: how far a cell of the user's own is behind the fused one. */
import { filled } from '../../compute/operations/index.js';
import { scan } from '../../compute/scan.js';
import { CellValue, sigmoid, split, tanh } from '../../network/cell-value.js';
import type { LayerCase } from './cases.js';
import { lstmRun } from './lstm-run.js';
import type { TimedRun } from './timed-run.js';

export function scanRun(what: LayerCase, threads: number): TimedRun {
  const zeros = filled(0, [what.batch, what.units]);
  return lstmRun(what, threads, {
    name: 'lstm by scan',
    output: ({ x, kernel, recurrentKernel, bias }) => {
      const [w, u, b] = [kernel, recurrentKernel, bias].map((value) => new CellValue(value)) as [
        CellValue,
        CellValue,
        CellValue,
      ];
      const { outputs } = scan({
        sequences: [x],
        initial: [zeros, zeros],
        step: (parts, states) => {
          const [part, hidden, cell] = [...parts, ...states].map((value) => new CellValue(value)) as [
            CellValue,
            CellValue,
            CellValue,
          ];
          const [i, f, g, o] = split(part.matmul(w).add(hidden.matmul(u)).add(b), 4);
          const nextCell = sigmoid(f)
            .mul(cell)
            .add(sigmoid(i).mul(tanh(g)));
          const nextHidden = sigmoid(o).mul(tanh(nextCell)).value;
          return { outputs: [nextHidden], states: [nextHidden, nextCell.value] };
        },
      });
      return outputs[0]!;
    },
  });
}
