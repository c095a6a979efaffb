/**
 * Both engines train alike: over 50 steps of a real text, the native engine's losses stay as close to those in double
 * precision as rounding explains.
 *
 * How close that is, training itself says. A training in single precision computes gradients with relative errors of up
 * to a few times sqrt(K)·2^-24, K the longest sum (here 144 = 6 rows times 24 steps), and rounds parameters by 2^-24.
 * So three trainings in double precision are disturbed by that much after every step, and the widest any of them has
 * strayed so far bounds what rounding may do; the native engine may stray four times as far (its errors are systematic
 * where the disturbances are random), plus the rounding of the loss itself.
 */
import { describe, expect, it } from 'vitest';
import { normals } from '../../src/compute/random.js';
import { exact, native } from '../network/engines.js';
import { book, languageModel, lossCurve, type Setting } from './language-model.js';

const steps = 50;
const ulp = 2 ** -24;
const longestSum = 6 * 24;

/** The loss curve of a training whose parameters are disturbed after each step. */
async function disturbed(setting: Setting, seed: number): Promise<number[]> {
  const { network, trainer, batches } = setting;
  const curve: number[] = [];
  for (const batch of batches.epoch(0)) {
    if (curve.length === steps) break;
    curve.push((await trainer.step(batch)).loss);
    const before = await network.stream.read(network.memory, 0, network.parameterCount, 'f32');
    const noise = normals(before.length, { seed, purpose: curve.length });
    const after = Float64Array.from(
      before,
      (value, index) => value * (1 + Math.sqrt(longestSum) * ulp * noise[index]!),
    );
    await network.stream.write(network.memory, 0, after);
  }
  return curve;
}

describe.skipIf(!native)('the native engine and the reference', () => {
  it('give the same loss curve over 50 steps of a text', async () => {
    const text = book();
    const want = await lossCurve(languageModel(text, exact), steps);
    const strays = [1, 2, 3].map((seed) => disturbed(languageModel(text, exact), seed));
    const curves = await Promise.all(strays);
    const got = await lossCurve(languageModel(text, native!), steps);
    let widest = 0;
    for (let step = 0; step < steps; step++) {
      widest = Math.max(widest, ...curves.map((curve) => Math.abs(curve[step]! - want[step]!)));
      // A loss is a sum of 144 rounded logarithms.
      const rounding = Math.sqrt(longestSum) * ulp * want[step]!;
      expect(Math.abs(got[step]! - want[step]!), `step ${step + 1}`).toBeLessThan(4 * widest + rounding);
    }
    // The text is learned from, and what is compared is not a flat line.
    expect(want.at(-1)).toBeLessThan(want[0]! - 0.5);
  });
});
