/** The matrix product on typed arrays. */
import { expect, test } from 'vitest';
import { matmul, matmulAsync } from '../../src/kernels/index.js';
import { numbers } from './cases.js';

const [m, n, k] = [13, 70, 300];
const transposed = (rows: number, columns: number, data: Float32Array) =>
  Float32Array.from({ length: data.length }, (_, index) => data[(index % rows) * columns + Math.floor(index / rows)]!);

test.each([
  [false, false],
  [true, false],
  [false, true],
  [true, true],
])('a (transposed: %s) times b (transposed: %s) plus bias', async (transposeA, transposeB) => {
  const [a, b, bias] = [numbers(m * k, 1), numbers(k * n, 2), numbers(n, 3)];
  const values = {
    ...{ m, n, k, bias, transposeA, transposeB },
    a: transposeA ? transposed(m, k, a) : a,
    b: transposeB ? transposed(k, n, b) : b,
  };
  const c = new Float32Array(m * n);
  matmul({ ...values, c });
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = bias[column]!;
      let size = Math.abs(sum);
      for (let term = 0; term < k; term++) {
        const product = a[row * k + term]! * b[term * n + column]!;
        sum += product;
        size += Math.abs(product);
      }
      // k roundings, each of at most 2^-24 of what the sum has grown to
      expect(Math.abs(c[row * n + column]! - sum)).toBeLessThanOrEqual(k * 2 ** -24 * size);
    }
  }
  const later = new Float32Array(m * n);
  await matmulAsync({ ...values, c: later }, { threads: 2 });
  expect(later).toEqual(c);
});
