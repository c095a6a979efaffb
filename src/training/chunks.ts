/** Truncated backpropagation through time: long sequences in pieces, with the state carried and not differentiated. */
import type { NumericArray, Tensor } from '../compute/tensor.js';
import type { Batch } from '../data/batch.js';

/** A batch cut along its time axis into pieces of at most `steps` steps; each goes on where the one before ended. */
export function* chunksOf(batch: Batch, steps: number | undefined): Generator<Batch> {
  const time = batch.inputs.shape[1] ?? 1;
  if (steps === undefined || time <= steps) {
    yield batch;
    return;
  }
  for (let start = 0; start < time; start += steps) {
    const length = Math.min(steps, time - start);
    yield {
      inputs: cut(batch.inputs, start, length),
      targets: cut(batch.targets, start, length),
      ...(batch.mask ? { mask: cut(batch.mask, start, length) } : {}),
      continues: batch.continues || start > 0,
    };
  }
}

/** How many pieces `chunksOf` gives. */
export const chunkCount = (batch: Batch, steps: number | undefined): number =>
  steps === undefined ? 1 : Math.max(1, Math.ceil((batch.inputs.shape[1] ?? 1) / steps));

function cut({ dtype, shape, data }: Tensor, start: number, length: number): Tensor {
  const [rows, time, ...rest] = shape as [number, number, ...number[]];
  const inner = rest.reduce((product, extent) => product * extent, 1);
  const result = new (data.constructor as new (count: number) => NumericArray)(rows * length * inner);
  for (let row = 0; row < rows; row++) {
    const from = (row * time + start) * inner;
    result.set(data.subarray(from, from + length * inner), row * length * inner);
  }
  return { dtype, shape: [rows, length, ...rest], data: result };
}
