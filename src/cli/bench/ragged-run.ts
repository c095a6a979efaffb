/** An LSTM over rows of unequal lengths, forward and backward with all gradients. */
import { compile } from '../../compute/compiler.js';
import { defaultEngine } from '../../compute/engine/select.js';
import { pullback, sumOf } from '../../compute/gradients.js';
import { input, type Value } from '../../compute/graph.js';
import { type CellActivation, recurrent } from '../../compute/operations/index.js';
import { elementCount, type Shape } from '../../compute/tensor.js';
import type { LayerCase } from './cases.js';
import type { TimedRun } from './timed-run.js';

const sigmoid: CellActivation = { kind: 1, expression: (x) => x.sigmoid() };
const tanh: CellActivation = { kind: 2, expression: (x) => x.tanh() };

export function raggedRun({ time, batch, input: inputs, units, lengths }: LayerCase, threads: number): TimedRun {
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
  const { output } = recurrent({
    ...{ cell: 'lstm', input: x, kernel, recurrentKernel, bias, training: true },
    ...{ gateActivation: sigmoid, activation: tanh, lengths: input('lengths', [batch], 'i32') },
  });
  const gradients = pullback([output], [dy], [x, kernel, recurrentKernel, bias]).map((terms) => sumOf(terms)!);
  const [dx, dKernel, dRecurrentKernel, dBias] = gradients as [Value, Value, Value, Value];
  const engine = defaultEngine();
  const results = { output, dx, dKernel, dRecurrentKernel, dBias };
  const program = engine.load(compile({ name: 'rows of unequal lengths', outputs: results }));
  const stream = engine.createStream({ threads });
  const numbers = Object.entries(shapes).map(([name, shape]) => [
    name,
    Float32Array.from({ length: elementCount(shape) }, (_, index) => (((index * 7919) % 1009) / 1009 - 0.5) / 4),
  ]);
  const given = { ...Object.fromEntries(numbers), lengths: Int32Array.from(lengths!) };
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
