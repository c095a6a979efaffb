/** An LSTM however it is made, forward and backward with all gradients, as a program whose operands are given with each run. */
import { compile } from '../../compute/compiler.js';
import { defaultEngine } from '../../compute/engine/select.js';
import { pullback, sumOf } from '../../compute/gradients.js';
import { input, type Value } from '../../compute/graph.js';
import { elementCount, type NumericArray, type Shape } from '../../compute/tensor.js';
import type { LayerCase } from './cases.js';
import type { TimedRun } from './timed-run.js';

/** What an LSTM reads: `[time, batch, features]`, and its weights with gates in the order i, f, g, o. */
export interface LstmValues {
  readonly x: Value;
  readonly kernel: Value;
  readonly recurrentKernel: Value;
  readonly bias: Value;
}

export interface LstmRun {
  /** Of the program. */
  readonly name: string;
  /** From what it reads to `[time, batch, units]`. */
  readonly output: (values: LstmValues) => Value;
  /** What `output` reads from ports of its own. */
  readonly given?: Readonly<Record<string, NumericArray>>;
}

export function lstmRun(
  { time, batch, input: inputs, units }: LayerCase,
  threads: number,
  { name, output: outputOf, given = {} }: LstmRun,
): TimedRun {
  const shapes: Readonly<Record<string, Shape>> = {
    x: [time, batch, inputs],
    kernel: [inputs, 4 * units],
    recurrentKernel: [units, 4 * units],
    bias: [4 * units],
    dy: [time, batch, units],
  };
  const [x, kernel, recurrentKernel, bias, dy] = Object.entries(shapes).map(([port, shape]) =>
    input(port, shape, 'f32'),
  ) as [Value, Value, Value, Value, Value];
  const output = outputOf({ x, kernel, recurrentKernel, bias });
  const gradients = pullback([output], [dy], [x, kernel, recurrentKernel, bias]).map((terms) => sumOf(terms)!);
  const [dx, dKernel, dRecurrentKernel, dBias] = gradients as [Value, Value, Value, Value];
  const engine = defaultEngine();
  const program = engine.load(compile({ name, outputs: { output, dx, dKernel, dRecurrentKernel, dBias } }));
  const stream = engine.createStream({ threads });
  const numbers = Object.entries(shapes).map(([port, shape]) => [
    port,
    Float32Array.from({ length: elementCount(shape) }, (_, index) => (((index * 7919) % 1009) / 1009 - 0.5) / 4),
  ]);
  const operands = { ...Object.fromEntries(numbers), ...given };
  return {
    async time(runs) {
      const start = performance.now();
      for (let run = 0; run < runs; run++) await stream.submit({ program, memories: {}, inputs: operands });
      return (performance.now() - start) / runs;
    },
    dispose: () => {
      void stream.close();
      program.dispose();
    },
  };
}
