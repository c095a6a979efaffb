/** The packed matrix product: c = op(a)·op(b) + bias, accumulated over K in ascending order with fused multiply-add. */
import { operations } from '../compute/operations/index.js';
import { MnemeError, requireArgument } from '../errors.js';
import { nearestName } from '../options.js';
import { type KernelCall, type KernelOptions, runKernel, runKernelAsync } from './call.js';

export interface Matmul {
  /** Rows of c. */
  readonly m: number;
  /** Columns of c. */
  readonly n: number;
  /** Terms of each sum. */
  readonly k: number;
  /** `[m, k]`; transposed `[k, m]` */
  readonly a: Float32Array;
  /** `[k, n]`; transposed `[n, k]` */
  readonly b: Float32Array;
  /** `[n]`, added to each row; zeros if absent */
  readonly bias?: Float32Array | undefined;
  /** `[m, n]`, filled; may not share memory with the others */
  readonly c: Float32Array;
  /** a is given as `[k, m]`. Default false. */
  readonly transposeA?: boolean | undefined;
  /** b is given as `[n, k]`. Default false. */
  readonly transposeB?: boolean | undefined;
}

/**
 * Multiplies two matrices on the calling thread and its team; nothing is copied.
 *
 * @throws {MnemeError} `invalid-argument` (missing, misspelt, detached, overlapping or shared arrays), `invalid-shape`
 *   (which array, expected and got), `engine-unavailable` (the addon does not load)
 * @example
 * const c = new Float32Array(4);
 * matmul({ m: 2, n: 2, k: 2, a: Float32Array.of(1, 2, 3, 4), b: Float32Array.of(1, 0, 0, 1), c });
 */
export function matmul(values: Matmul, options?: KernelOptions): void {
  runKernel(matmulCall('matmul', values), options);
}

/** As `matmul`, off the event loop: a, b and bias are copied at once, c is filled when it resolves. */
export async function matmulAsync(values: Matmul, options?: KernelOptions): Promise<void> {
  await runKernelAsync(matmulCall('matmulAsync', values), options);
}

const names = ['m', 'n', 'k', 'a', 'b', 'bias', 'c', 'transposeA', 'transposeB'];

function matmulCall(where: string, values: Matmul): KernelCall {
  requireArgument(typeof values === 'object' && values !== null, where, 'an object of arrays and extents', values);
  const { m, n, k, a, b, bias, c, transposeA = false, transposeB = false } = values;
  const unknown = Object.keys(values).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new MnemeError(
      'invalid-argument',
      `${where}: unknown argument '${unknown}'. Did you mean '${nearestName(unknown, names)}'? Known: ${names.join(', ')}.`,
    );
  }
  return {
    where,
    operation: operations.get('matmul')!,
    attributes: { transposeA, transposeB },
    variant: `${transposeA} ${transposeB}`,
    inputs: [
      { name: 'a', data: a, shape: transposeA ? [k, m] : [m, k] },
      { name: 'b', data: b, shape: transposeB ? [n, k] : [k, n] },
      bias && { name: 'bias', data: bias, shape: [n] },
    ],
    outputs: [{ name: 'c', data: c, shape: [m, n] }],
  };
}
