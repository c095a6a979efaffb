/**
 * Layers, gradients, losses, updaters and a training run computed by PyTorch and Keras in double precision. They lie
 * beside the repository; where they do not, the tests that read them are skipped by name.
 */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { tensorOfStored } from '../../src/formats/stored-tensor.js';

export interface FixtureCase {
  readonly name: string;
  readonly kind: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly file: string;
  readonly tolerance: Readonly<Record<string, Tolerance>>;
  readonly tensors: Readonly<Record<string, { readonly role: string }>>;
}
export interface Tolerance {
  readonly abs: number;
  readonly rel: number;
}

const folder = (library: 'pytorch' | 'keras') =>
  fileURLToPath(new URL(`../../../shared/data/${library}_fixtures/`, import.meta.url));

export const fixturesAbsent = (library: 'pytorch' | 'keras'): boolean => !existsSync(`${folder(library)}index.json`);

/** The cases of those kinds; none where the fixtures are absent. */
export function fixtureCases(library: 'pytorch' | 'keras', ...kinds: readonly string[]): FixtureCase[] {
  if (fixturesAbsent(library)) return [];
  const { cases } = JSON.parse(readFileSync(`${folder(library)}index.json`, 'utf8')) as { cases: FixtureCase[] };
  return cases.filter(({ kind }) => kinds.includes(kind));
}

/** All tensors of a case. */
export function fixtureTensors(library: 'pytorch' | 'keras', { file }: FixtureCase): Record<string, Tensor> {
  const { tensors } = parseSafetensors(readFileSync(`${folder(library)}${file}`), file);
  return Object.fromEntries([...tensors].map(([name, stored]) => [name, tensorOfStored(stored, name)]));
}

/** What both READMEs ask of an implementation in double precision. */
export const doubleTolerance: Tolerance = { abs: 1e-10, rel: 1e-9 };

/** Expects |got - want| <= abs + rel·|want| for every element. */
export function expectClose(name: string, got: Tensor, want: Tensor, { abs, rel }: Tolerance): void {
  expect(got.data.length, `${name}: elements`).toBe(want.data.length);
  let worst = 0;
  let where = -1;
  for (let index = 0; index < want.data.length; index++) {
    const error = Math.abs(got.data[index]! - want.data[index]!) / (abs + rel * Math.abs(want.data[index]!));
    if (!(error <= worst)) [worst, where] = [Number.isNaN(error) ? Number.POSITIVE_INFINITY : error, index];
  }
  const detail = where < 0 ? '' : `[${where}]: got ${got.data[where]}, want ${want.data[where]}`;
  expect(worst, `${name}${detail}, in tolerances`).toBeLessThanOrEqual(1);
}

export type Check = (name: string, role: 'output' | 'gradient', got: Tensor, want: Tensor) => void;

/** Compares in the tolerance that the case and the engine's precision ask for. */
export function checker(fixture: FixtureCase, engine: Engine): Check {
  return (name, role, got, want) => {
    expectClose(name, got, want, engine.precision === 'f64' ? doubleTolerance : fixture.tolerance[role]!);
  };
}

/** `[rows, columns]` with the two exchanged. */
export function transposed({ shape, data }: Tensor): Tensor {
  const [rows, columns] = shape as [number, number];
  const result = new Float64Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = data[row * columns + column]!;
  }
  return tensor(result, [columns, rows]);
}

export const sumOf = (a: Tensor, b: Tensor): Tensor =>
  tensor(
    Float64Array.from(a.data, (value, index) => value + b.data[index]!),
    a.shape,
  );
