/** Engines on which rules of training are worked by hand: numbers are near to the double, or to single precision. */
import { expect } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { exact, native } from '../network/engines.js';

export const engines: readonly (readonly [name: string, engine: Engine | undefined, digits: number])[] = [
  ['reference in double precision', exact, 12],
  ['native', native, 6],
];

/** Expects weights to be what was worked out by hand, to that many digits behind the point. */
export function expectWeights(got: ArrayLike<number>, want: readonly number[], digits: number): void {
  expect(got).toHaveLength(want.length);
  for (const [index, value] of want.entries()) expect(got[index], `weight ${index}`).toBeCloseTo(value, digits);
}
