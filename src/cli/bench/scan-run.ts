/** An LSTM written with `scan`, forward and backward with all gradients: how far a cell of the user's own is behind the fused one. */
import { compile } from '../../compute/compiler.js';
import { defaultEngine } from '../../compute/engine/select.js';
import { pullback, sumOf } from '../../compute/gradients.js';
import { input, type Value } from '../../compute/graph.js';
import { filled } from '../../compute/operations/index.js';
import { scan } from '../../compute/scan.js';
import { elementCount, type Shape } from '../../compute/tensor.js';
import { CellValue, sigmoid, split, tanh } from '../../network/cell-value.js';
import type { LayerCase } from './cases.js';
import type { TimedRun } from './timed-run.js';

export function scanRun({ time, batch, input: inputs, units }: LayerCase, threads: number): TimedRun {
  const shapes: Readonly<Record<string, Shape>> = {
    x: [time, batch, inputs],
    kernel: [inputs, 4 * units],
    recurrentKernel: [units, 4 * units],
    bias: [4 * units],
    dy: [time, batch, units],
  };
  const [x, kernel, recurrentKernel, bias, dy] = Object.entries(shapes).map(([name, shape]) =>
    input(name, shape, 'f32'),
  ) as [Value, Value, Value, Value, Value];
  const [w, u, b] = [kernel, recurrentKernel, bias].map((value) => new CellValue(value)) as [
    CellValue,
    CellValue,
    CellValue,
  ];
  const zeros = filled(0, [batch, units]);
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
  const y = outputs[0]!;
  const gradients = pullback([y], [dy], [x, kernel, recurrentKernel, bias]).map((terms) => sumOf(terms)!);
  const [dx, dKernel, dRecurrentKernel, dBias] = gradients as [Value, Value, Value, Value];
  const engine = defaultEngine();
  const program = engine.load(compile({ name: 'lstm by scan', outputs: { y, dx, dKernel, dRecurrentKernel, dBias } }));
  const stream = engine.createStream({ threads });
  const given = Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      Float32Array.from({ length: elementCount(shape) }, (_, index) => (((index * 7919) % 1009) / 1009 - 0.5) / 4),
    ]),
  );
  return {
    async time(runs) {
      const start = performance.now();
      for (let run = 0; run < runs; run++) await stream.submit({ program, memories: {}, inputs: given });
      return (performance.now() - start) / runs;
    },
    dispose: () => {
      void stream.close();
      program.dispose();
    },
  };
}
