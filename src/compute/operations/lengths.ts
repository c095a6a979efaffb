/** Lengths of the rows of a batch, `[B]` i32, each from 0 to the number of steps. */
import { MnemeError } from '../../errors.js';

/** @throws {MnemeError} `out-of-range`, naming the row and its length, unless all lengths lie in 0 to `time` */
export function expectLengths(where: string, lengths: ArrayLike<number>, time: number): void {
  for (let row = 0; row < lengths.length; row++) {
    const length = lengths[row]!;
    if (length >= 0 && length <= time) continue;
    throw new MnemeError('out-of-range', `${where}: the length ${length} of row ${row} lies outside of 0 to ${time}.`);
  }
}
