/** Runs a graph once, every value of it given as a port. */
import { compile } from '../../src/compute/compiler.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import { gradients } from '../../src/compute/gradients.js';
import { input, type Value } from '../../src/compute/graph.js';
import { map, reduceSum } from '../../src/compute/operations/index.js';
import { dtypeOf, type Tensor } from '../../src/compute/tensor.js';

export type Tensors = Readonly<Record<string, Tensor>>;
export type Values = Readonly<Record<string, Value>>;

/** Builds a graph on ports for `given` and computes what `build` returns. */
export async function evaluateGraph(
  engine: Engine,
  given: Tensors,
  build: (values: Values) => Values,
): Promise<Tensors> {
  const ports = Object.fromEntries(
    Object.entries(given).map(([name, { shape, data }]) => {
      return [name, input(name, shape, dtypeOf(data) === 'i32' ? 'i32' : 'f32')];
    }),
  );
  const program = engine.load(compile({ name: 'test', outputs: build(ports), assignments: [] }));
  const stream = engine.createStream({ threads: 1 });
  try {
    const inputs = Object.fromEntries(
      Object.entries(given).map(([name, { data }]) => {
        return [name, engine.precision === 'f32' && data instanceof Float64Array ? Float32Array.from(data) : data];
      }),
    );
    return await stream.submit({ program, memories: {}, inputs });
  } finally {
    await stream.close();
    program.dispose();
  }
}

/** Σ value·incoming over all pairs, and its gradients: what a given incoming gradient of each value leads to. */
export function incomingGradients(
  pairs: readonly (readonly [value: Value, incoming: Value])[],
  of: Values,
): Record<string, Value> {
  const sums = pairs.map(([value, incoming]) =>
    reduceSum([value, incoming], { axis: 'all', expression: (a, b) => a.mul(b) }),
  );
  const loss = sums.reduce((sum, next) => map((a, b) => a.add(b), sum, next));
  const names = Object.keys(of);
  const values = gradients(loss, Object.values(of));
  return Object.fromEntries(names.map((name, index) => [`gradient of ${name}`, values[index]!]));
}
