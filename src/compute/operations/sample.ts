/** `sample`: an id drawn from each row of logits, as docs/architecture.md defines it. */
import { makeNode, type Operation, type Value } from '../graph.js';
import { uniforms } from '../random.js';
import { columnsOf, expectDtype, expectShape, i32, rowsOf, trafficOf } from './operand.js';

/**
 * Logits `[B, V]` to ids `[B]` i32.
 *
 * @param settings `[3]` f32: temperature (0: the largest logit), topP (1: all), topK (0: all)
 * @param seed `[2]` i32: low and high word
 * @param step `[1]` i32: another one draws other numbers
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const next = sample(logits, settings, seed, step);
 */
export const sample = (logits: Value, settings: Value, seed: Value, step: Value): Value =>
  makeNode(sampleOperation, [logits, settings, seed, step], {}).outputs[0]!;

export const sampleOperation: Operation = {
  name: 'sample',
  shape: ([logits, settings, seed, step]) => {
    expectDtype('sample: logits', logits, 'f32');
    expectShape('sample: settings', settings, [3]);
    expectShape('sample: seed', seed, [2], 'i32');
    expectShape('sample: step', step, [1], 'i32');
    return [i32([rowsOf(logits)])];
  },
  reference: ({ inputs: [logits, settings, seed, step], outputs: [ids] }) => {
    const width = columnsOf(logits!);
    const words = seed!.data as unknown as [number, number];
    const drawn = uniforms(rowsOf(logits!), { seed: [words[0], words[1]], purpose: 0, step: step!.data[0]! });
    for (const [row, u] of drawn.entries()) {
      ids!.data[row] = draw(logits!.data.subarray(row * width, (row + 1) * width), settings!.data, u);
    }
  },
  words: () => [],
  cost: (node) => ({ flops: 0, bytes: trafficOf(node) }),
};

function draw(logits: Float64Array, settings: Float64Array, u: number): number {
  const [temperature, topP, topK] = settings as unknown as [number, number, number];
  const largest = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  if (!Number.isFinite(largest)) return -1;
  const falling = [...logits.keys()].sort((a, b) => logits[b]! - logits[a]! || a - b);
  if (!(temperature > 0)) return falling[0]!;
  const weight = (id: number) => Math.exp((logits[id]! - largest) / temperature);
  const total = (ids: readonly number[]) => ids.reduce((sum, id) => sum + weight(id), 0);

  const candidates = topK >= 1 ? falling.slice(0, Math.floor(topK)) : falling;
  const wanted = topP * total(candidates);
  let sum = 0;
  const length = candidates.findIndex((id) => {
    sum += weight(id);
    return topP < 1 && sum >= wanted;
  });
  const rising = (length < 0 ? candidates : candidates.slice(0, length + 1)).toSorted((a, b) => a - b);
  const threshold = u * total(rising);
  let running = 0;
  for (const id of rising) {
    running += weight(id);
    if (running > threshold) return id;
  }
  return rising.at(-1)!;
}
