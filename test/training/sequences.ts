/** Small data for tests of training. */
import { uniforms } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import type { Batch, Batches } from '../../src/data/batch.js';

/** Batches from a list, the same in every pass. */
export const batchesOf = (list: readonly Batch[]): Batches => ({
  length: list.length,
  tokens: list.reduce((sum, { targets }) => sum + targets.data.length, 0),
  epoch: () => list,
});

/** Ids drawn from `vocabulary`, each row's target the id before: something that only a recurrent network can learn. */
export function echo(
  {
    vocabulary,
    rows,
    steps,
    count,
    continues = false,
  }: {
    readonly vocabulary: number;
    readonly rows: number;
    readonly steps: number;
    readonly count: number;
    readonly continues?: boolean;
  },
  purpose = 0,
): Batch[] {
  const length = count * steps + 1;
  const streams = Array.from({ length: rows }, (_, row) =>
    uniforms(length, { seed: 3, purpose: 1000 * purpose + row }).map((x) => Math.floor(x * vocabulary)),
  );
  return Array.from({ length: count }, (_, index) => {
    const cut = (offset: number) =>
      tensor(
        Int32Array.from(
          streams.flatMap((ids) => [...ids.subarray(index * steps + offset, (index + 1) * steps + offset)]),
        ),
        [rows, steps],
      );
    return { inputs: cut(1), targets: cut(0), continues: continues && index > 0 };
  });
}
