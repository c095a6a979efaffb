/**
 * The product of many reflections by matrix products: a block of them, H₀·H₁·…, is I - Vᵀ·T·V with the directions as the
 * rows of V and a small triangular T (Schreiber and Van Loan 1989, "A storage-efficient WY representation for products
 * of Householder transformations"). V and T are computed in double precision and rounded once.
 */

/** A reflection x - 2·direction·(direction·x), and the sign that makes the diagonal of R positive. */
export interface Reflection {
  /** Of length 1, or zeros; its first axis is that of the diagonal, those before it have no part. */
  readonly direction: Float64Array;
  readonly sign: number;
}

/** A matrix in single precision, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly data: Float32Array;
}

/** a·b, or aᵀ·b. */
export type Product = (a: Matrix, b: Matrix, options?: { readonly transposeA?: boolean }) => Matrix;

/** Measured for 2,048 rows and columns: 64, 128 and 256 take 0.46, 0.36 and 0.52 seconds. */
const blockLength = 128;

/** The first columns `[long, short]` of the product of all reflections. */
export function reflectedInBlocks(reflections: readonly Reflection[], long: number, multiply: Product): Float64Array {
  const short = reflections.length;
  let inner: Matrix = { rows: long - short, columns: 0, data: new Float32Array(0) };
  for (let first = blockLength * Math.floor((short - 1) / blockLength); first >= 0; first -= blockLength) {
    const block = reflections.slice(first, first + blockLength);
    const directions = directionsOf(block, long - first);
    const outer = bordered(block, inner);
    const turned = multiply(triangleOf(block), multiply(directions, outer));
    subtract(outer.data, multiply(directions, turned, { transposeA: true }).data);
    inner = outer;
  }
  return new Float64Array(inner.data);
}

/** V: each direction begins one axis after the one before. */
function directionsOf(block: readonly Reflection[], columns: number): Matrix {
  const data = new Float32Array(block.length * columns);
  for (const [row, { direction }] of block.entries()) data.set(direction, row * columns + row);
  return { rows: block.length, columns, data };
}

/** The signs on the diagonal, and `inner` below and to the right of them. */
function bordered(block: readonly Reflection[], inner: Matrix): Matrix {
  const width = block.length;
  const [rows, columns] = [width + inner.rows, width + inner.columns];
  const data = new Float32Array(rows * columns);
  for (const [row, { sign }] of block.entries()) data[row * columns + row] = sign;
  for (let row = 0; row < inner.rows; row++) {
    const values = inner.data.subarray(row * inner.columns, (row + 1) * inner.columns);
    data.set(values, (width + row) * columns + width);
  }
  return { rows, columns, data };
}

function subtract(from: Float32Array, values: Float32Array): void {
  for (let index = 0; index < from.length; index++) from[index]! -= values[index]!;
}

/** T, upper triangular with 2 on its diagonal: column i above it is -2·T·(V·direction i). */
function triangleOf(block: readonly Reflection[]): Matrix {
  const size = block.length;
  const triangle = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    const products = block.slice(0, i).map(({ direction }, j) => product(direction, i - j, block[i]!.direction));
    for (let row = 0; row < i; row++) {
      let sum = 0;
      for (let j = row; j < i; j++) sum += triangle[row * size + j]! * products[j]!;
      triangle[row * size + i] = -2 * sum;
    }
    triangle[i * size + i] = 2;
  }
  return { rows: size, columns: size, data: new Float32Array(triangle) };
}

/** In four sums, so that one addition need not wait for the other. */
function product(a: Float64Array, start: number, b: Float64Array): number {
  let [first, second, third, fourth] = [0, 0, 0, 0];
  const whole = b.length - (b.length % 4);
  for (let index = 0, at = start; index < whole; index += 4, at += 4) {
    first += a[at]! * b[index]!;
    second += a[at + 1]! * b[index + 1]!;
    third += a[at + 2]! * b[index + 2]!;
    fourth += a[at + 3]! * b[index + 3]!;
  }
  for (let index = whole; index < b.length; index++) first += a[start + index]! * b[index]!;
  return first + second + (third + fourth);
}
