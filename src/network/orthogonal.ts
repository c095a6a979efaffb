/**
 * Random matrices with orthonormal rows or columns, uniformly distributed (Haar). The product of Householder
 * reflections of random normal vectors has the distribution of Q in the QR decomposition of a random normal matrix
 * with a positive diagonal of R, at half the price (Stewart 1980, "The efficient generation of random orthogonal
 * matrices").
 *
 * Large matrices are made of blocks of reflections by the matrix product of the native engine, where there is one: a
 * matrix of 2,048 rows and columns in 0.3 seconds instead of 2.7. Its numbers are those of the other way up to the
 * rounding of f32, and the same on every instruction set and any number of threads.
 */
import { type Product, type Reflection, reflectedInBlocks } from './orthogonal-blocks.js';

/** From here on blocks are faster: at 256 rows and columns both ways take 10 milliseconds, at 512 they take 25 and 50. */
const large = 512;

/**
 * @param normal gives that many standard normal numbers
 * @param multiply the product for large matrices; default: all in double precision, one reflection after another
 * @returns row-major `[rows, columns]`: orthonormal columns if there are at least as many rows, else orthonormal rows
 */
export function orthogonalMatrix(
  rows: number,
  columns: number,
  normal: (count: number) => Float64Array,
  multiply?: Product,
): Float64Array {
  const long = Math.max(rows, columns);
  const short = Math.min(rows, columns);
  const reflections = Array.from({ length: short }, (_, k) => reflectionOf(normal(long - k)));
  const tall =
    multiply && short >= large ? reflectedInBlocks(reflections, long, multiply) : reflectedOneByOne(reflections, long);
  return rows >= columns ? tall : transposed(tall, long, short);
}

/** The reflection that turns `x` onto the first axis. */
function reflectionOf(x: Float64Array): Reflection {
  const norm = length(x);
  const positive = x[0]! >= 0;
  const direction = Float64Array.from(x);
  direction[0]! += positive ? norm : -norm;
  const scale = length(direction);
  if (scale > 0) for (let i = 0; i < direction.length; i++) direction[i]! /= scale;
  return { direction, sign: positive ? -1 : 1 };
}

function length(x: Float64Array): number {
  let sum = 0;
  for (const value of x) sum += value * value;
  return Math.sqrt(sum);
}

/** The first columns `[long, short]` of the product of all reflections, in double precision. */
function reflectedOneByOne(reflections: readonly Reflection[], long: number): Float64Array {
  const short = reflections.length;
  const result = new Float64Array(long * short);
  for (let first = 0; first < short; first += four) {
    const last = Math.min(first + four, short);
    const columns = new Float64Array(long * four);
    for (let j = first; j < last; j++) columns[j * four + j - first] = reflections[j]!.sign;
    // A column is zero from row k on for every reflection k that comes after it: those leave it alone.
    for (let k = last - 1; k >= 0; k--) reflect(columns, reflections[k]!.direction, k);
    for (let i = 0; i < long; i++) {
      for (let j = first; j < last; j++) result[i * short + j] = columns[i * four + j - first]!;
    }
  }
  return result;
}

/** Columns that pass through the reflections together, side by side: they stay in the cache, and their sums overlap. */
const four = 4;

function reflect(columns: Float64Array, direction: Float64Array, start: number): void {
  let [a, b, c, d] = [0, 0, 0, 0];
  for (let i = 0, at = start * four; i < direction.length; i++, at += four) {
    const x = direction[i]!;
    a += x * columns[at]!;
    b += x * columns[at + 1]!;
    c += x * columns[at + 2]!;
    d += x * columns[at + 3]!;
  }
  for (let i = 0, at = start * four; i < direction.length; i++, at += four) {
    const x = direction[i]!;
    columns[at]! -= 2 * a * x;
    columns[at + 1]! -= 2 * b * x;
    columns[at + 2]! -= 2 * c * x;
    columns[at + 3]! -= 2 * d * x;
  }
}

function transposed(matrix: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column]!;
  }
  return result;
}
