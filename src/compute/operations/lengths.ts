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

/** @throws {MnemeError} `out-of-range` unless all lengths lie in 0 to `time` and none is larger than the one before */
export function expectFallingLengths(where: string, lengths: ArrayLike<number>, time: number): void {
  expectLengths(where, lengths, time);
  for (let row = 1; row < lengths.length; row++) {
    if (lengths[row]! <= lengths[row - 1]!) continue;
    throw new MnemeError(
      'out-of-range',
      `${where}: row ${row} of length ${lengths[row]} comes after one of length ${lengths[row - 1]}: ` +
        'rows are sorted by falling length (sortRows).',
    );
  }
}
