/** Denormals are flushed by the threads of an engine, and by nothing else: what JavaScript computes stays exact. */
import { describe, expect, it } from 'vitest';
import { compile } from '../../src/compute/compiler.js';
import { input } from '../../src/compute/graph.js';
import { map } from '../../src/compute/operations/index.js';
import { tensor } from '../../src/compute/tensor.js';
import { matmul, matmulAsync } from '../../src/kernels/index.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer } from '../../src/training/trainer.js';
import { native } from '../network/engines.js';

/** Read at run time, so that nothing is computed beforehand. */
const smallest = Float64Array.of(Number.MIN_VALUE, 2 ** -1022, 0.5);
const single = Float32Array.of(2 ** -126, 0.25);

/** Whether this thread computes with denormals as it should: none is lost as a result or as an operand. */
function denormalsLive(): boolean {
  const [least, normal, half] = smallest as unknown as [number, number, number];
  const product = Float32Array.of(single[0]! * single[1]!);
  return normal * half !== 0 && least * 2 === 2 * Number.MIN_VALUE && least > 0 && product[0] === 2 ** -128;
}

describe.skipIf(!native)('denormals', () => {
  const quarter = compile({
    name: 'quarter',
    outputs: { y: map((x) => x.mul(0.25), input('x', [4], 'f32')) },
  });

  it('are zero in results of the engine', async () => {
    const stream = native!.createStream({ threads: 2 });
    const program = native!.load(quarter);
    const inputs = { x: Float32Array.of(2 ** -126, 2 ** -124, 2 ** -130, -1) };
    const { y } = await stream.submit({ program, memories: {}, inputs });
    expect([...y!.data]).toEqual([0, 2 ** -126, 0, -0.25]);
    await stream.close();
  });

  it('live on in JavaScript: before, while steps run, in what is called when they end, and afterwards', async () => {
    expect(denormalsLive()).toBe(true);
    for (const threads of [1, 2, 3]) {
      const network = createNetwork([layers.lstm({ units: 24 }), layers.dense({ units: 3 })], {
        input: { features: 5 },
        engine: native!,
        threads,
      });
      const trainer = createTrainer(network, { loss: losses.meanSquaredError(), updater: updaters.adam() });
      const batch = {
        inputs: tensor(new Float32Array(8 * 10 * 5).fill(1e-39), [8, 10, 5]),
        targets: tensor(new Float32Array(8 * 10 * 3), [8, 10, 3]),
        continues: false,
      };
      for (let count = 0; count < 5; count++) {
        const step = trainer.step(batch).then(denormalsLive);
        expect(denormalsLive()).toBe(true);
        expect(await step).toBe(true);
      }
      network.dispose();
    }
    expect(denormalsLive()).toBe(true);
  });

  it('live on behind single instructions, which run on the thread that calls', async () => {
    const values = { m: 1, n: 1, k: 1, a: Float32Array.of(2 ** -126), b: Float32Array.of(0.25) };
    for (const threads of [1, 2]) {
      const c = Float32Array.of(1);
      matmul({ ...values, c }, { threads });
      expect(c[0]).toBe(0);
      expect(denormalsLive()).toBe(true);
      expect(await matmulAsync({ ...values, c }, { threads }).then(denormalsLive)).toBe(true);
    }
  });
});
