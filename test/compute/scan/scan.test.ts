/** `scan`: what it computes, and its gradients in double precision. */
import { expect, test } from 'vitest';
import { compile, printProgram } from '../../../src/compute/compiler.js';
import { createReferenceEngine } from '../../../src/compute/engine/reference.js';
import { gradients } from '../../../src/compute/gradients.js';
import { input, type Value } from '../../../src/compute/graph.js';
import { map, matmul, reduceSum } from '../../../src/compute/operations/index.js';
import { scan } from '../../../src/compute/scan.js';
import { tensor } from '../../../src/compute/tensor.js';
import { expectGradients, noise } from '../../gradients/finite-differences.js';

const engine = createReferenceEngine({ precision: 'f64' });

async function run(outputs: Record<string, Value>, inputs: Record<string, ReturnType<typeof tensor>>) {
  const stream = engine.createStream();
  const program = engine.load(compile({ name: 'scan', outputs }));
  const results = await stream.submit({ program, memories: {}, inputs });
  await stream.close();
  return results;
}

test('a running sum', async () => {
  const x = input('x', [4, 2], 'f32');
  const start = input('start', [2], 'f32');
  const { outputs, states } = scan({
    sequences: [x],
    initial: [start],
    step: ([part], [sum]) => {
      const next = map((a, b) => a.add(b), sum!, part!);
      return { outputs: [next], states: [next] };
    },
  });
  const results = await run(
    { sums: outputs[0]!, last: states[0]! },
    { x: tensor([1, 10, 2, 20, 3, 30, 4, 40], [4, 2]), start: tensor([100, 1000], [2]) },
  );
  expect([...results.sums!.data]).toEqual([101, 1010, 103, 1030, 106, 1060, 110, 1100]);
  expect([...results.last!.data]).toEqual([110, 1100]);
});

test('gradients', async () => {
  await expectGradients(
    {
      x: noise([3, 2, 2], 1),
      w: noise([2, 3], 2),
      u: noise([3, 3], 3),
      b: noise([3], 4),
      h: noise([2, 3], 5),
    },
    ({ x, w, u, b, h }) => {
      const { outputs, states } = scan({
        sequences: [x!],
        initial: [h!],
        step: ([part], [before]) => {
          const sum = map((p, q, r) => p.add(q).add(r).tanh(), matmul(part!, w!), matmul(before!, u!), b!);
          return { outputs: [sum], states: [sum] };
        },
      });
      const weighted = map((y) => y.mul(y).add(y), outputs[0]!);
      const loss = map(
        (a, c) => a.add(c),
        reduceSum(weighted, { axis: 'all' }),
        reduceSum(states[0]!, { axis: 'all', expression: (s) => s.exp() }),
      );
      if (process.env.PRINT) {
        console.log(
          printProgram(
            compile({
              name: 'g',
              outputs: Object.fromEntries(gradients(loss, [x!, w!, u!, b!, h!]).map((g, i) => [`g${i}`, g])),
            }),
          ),
        );
      }
      return loss;
    },
  );
});
