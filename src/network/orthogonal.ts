/**
 * Random matrices with orthonormal rows or columns, uniformly distributed (Haar). The product of Householder
 * reflections of random normal vectors has the distribution of Q in the QR decomposition of a random normal matrix
 * with a positive diagonal of R, at half the price (Stewart 1980, "The efficient generation of random orthogonal
 * matrices").
 */

/**
 * @param normal gives that many standard normal numbers
 * @returns row-major `[rows, columns]`: orthonormal columns if there are at least as many rows, else orthonormal rows
 */
export function orthogonalMatrix(rows: number, columns: number, normal: (count: number) => Float64Array): Float64Array {
  const long = Math.max(rows, columns);
  const short = Math.min(rows, columns);
  const vectors = Array.from({ length: short }, (_, k) => reflection(normal(long - k)));
  const basis = Array.from({ length: short }, (_, k) => {
    const column = new Float64Array(long);
    column[k] = vectors[k]!.sign;
    return column;
  });
  for (let k = short - 1; k >= 0; k--) {
    // Columns before k are still zero from row k on: the reflection leaves them alone.
    for (let j = k; j < short; j++) reflect(basis[j]!, vectors[k]!.direction, k);
  }
  const result = new Float64Array(rows * columns);
  for (let j = 0; j < short; j++) {
    for (let i = 0; i < long; i++) result[rows >= columns ? i * columns + j : j * columns + i] = basis[j]![i]!;
  }
  return result;
}

/** The unit vector of the reflection that turns `x` onto the first axis, and the sign that makes it positive there. */
function reflection(x: Float64Array): { direction: Float64Array; sign: number } {
  const norm = length(x);
  const positive = x[0]! >= 0;
  const direction = Float64Array.from(x);
  direction[0]! += positive ? norm : -norm;
  const scale = length(direction);
  if (scale > 0) for (let i = 0; i < direction.length; i++) direction[i]! /= scale;
  return { direction, sign: positive ? -1 : 1 };
}

const length = (x: Float64Array): number => Math.sqrt(x.reduce((sum, value) => sum + value * value, 0));

function reflect(column: Float64Array, direction: Float64Array, start: number): void {
  let product = 0;
  for (let i = 0; i < direction.length; i++) product += direction[i]! * column[start + i]!;
  for (let i = 0; i < direction.length; i++) column[start + i]! -= 2 * product * direction[i]!;
}
