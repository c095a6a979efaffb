/** What an engine refuses to allocate: it says so, with the sizes, before anything is allocated. */
import { MnemeError, printGibibytes, printValue } from '../../errors.js';

export interface MemoryLimit {
  readonly elementBytes: number;
  readonly bytes: number;
  /** Whose limit it is, as a sentence goes on: `this machine has`. */
  readonly says: string;
}

/** @throws {MnemeError} `out-of-memory` */
export function refuseTooLarge(what: string, elements: number, { elementBytes, bytes, says }: MemoryLimit): void {
  const wanted = elements * elementBytes;
  if (wanted <= bytes) return;
  throw new MnemeError(
    'out-of-memory',
    `${what} needs ${printGibibytes(wanted)}, ${says} ${printGibibytes(bytes)}. Use fewer units, smaller batches or shorter sequences.`,
  );
}

/** @throws {MnemeError} `invalid-argument` unless it is a number of elements, `out-of-memory` */
export function checkAllocation(elements: number, limit: MemoryLimit): void {
  if (!Number.isInteger(elements) || elements < 0) {
    throw new MnemeError('invalid-argument', `allocate: elements must be a whole number, got ${printValue(elements)}.`);
  }
  refuseTooLarge('memory', elements, limit);
}
