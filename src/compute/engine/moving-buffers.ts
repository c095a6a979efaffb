/** Buffers that move while loops run: where they reach, and whether two of them ever meet. */
import { MnemeError } from '../../errors.js';
import type { BufferSpecification, Loop, Program } from '../program.js';
import { elementCount } from '../tensor.js';

/** Loops inside each other. */
const deepest = 8;
/** Times that an instruction runs in one step. */
const mostRuns = 2 ** 31 - 1;

/**
 * That loops are ranges of instructions in the order of their beginnings, of which any two are apart or one inside of the
 * other.
 *
 * @throws {MnemeError} `invalid-program`
 */
export function verifyLoops({ loops = [], instructions }: Program): void {
  let around: Loop[] = [];
  for (const [index, loop] of loops.entries()) {
    const { first, end, count } = loop;
    const invalid = (reason: string) => new MnemeError('invalid-program', `loop ${index} ${reason}`);
    if (first < 0 || end <= first || end > instructions.length) {
      throw invalid(`runs from instruction ${first} to ${end} of ${instructions.length}`);
    }
    if (count < 1) throw invalid(`runs ${count} times`);
    if (first < (loops[index - 1]?.first ?? 0)) throw invalid('begins before the loop in front of it');
    around = around.filter((outer) => outer.end > first);
    const outer = around.at(-1);
    if (outer && end > outer.end) throw invalid('ends after the loop around it');
    around.push(loop);
    if (around.length > deepest) throw invalid(`lies in more than ${deepest - 1} others`);
    const runs = around.reduce((product, { count: times }) => product * times, 1);
    if (runs > mostRuns) throw invalid(`would run ${runs} times in one step`);
  }
}

/** The elements of its arena, from `low` up to `high`, that a buffer covers while all loops run. */
export function reachOf(
  { offset, shape, strides = [] }: BufferSpecification,
  loops: readonly Loop[],
): { readonly low: number; readonly high: number } {
  const moves = strides.map(({ loop, elements }) => elements * (loops[loop]!.count - 1));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  return {
    low: offset + sum(moves.map((move) => Math.min(0, move))),
    high: offset + elementCount(shape) + sum(moves.map((move) => Math.max(0, move))),
  };
}

/** How two buffers that one instruction works on lie to each other, in all iterations. */
export function meeting(
  a: BufferSpecification,
  b: BufferSpecification,
  loops: readonly Loop[],
): 'never' | 'exactly' | 'partly' {
  if (a.arena !== b.arena) return 'never';
  const strideOf = ({ strides = [] }: BufferSpecification, loop: number) =>
    strides.find((stride) => stride.loop === loop)?.elements ?? 0;
  let low = b.offset - a.offset;
  let high = low;
  for (const [loop, { count }] of loops.entries()) {
    const drift = (strideOf(b, loop) - strideOf(a, loop)) * (count - 1);
    low += Math.min(0, drift);
    high += Math.max(0, drift);
  }
  const [lengthOfA, lengthOfB] = [elementCount(a.shape), elementCount(b.shape)];
  if (low >= lengthOfA || high <= -lengthOfB) return 'never';
  return low === 0 && high === 0 && lengthOfA === lengthOfB ? 'exactly' : 'partly';
}
