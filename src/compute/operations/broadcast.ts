/** How the inputs of `map` and `reduce` stretch over the full shape. */
import { MnemeError } from '../../errors.js';
import type { ReferenceOperand, Specification } from '../graph.js';
import { elementCount, printShape, type Shape, sameShape } from '../tensor.js';

/**
 * - `full`: an element for each element
 * - `scalar`: one for all, `[1]`
 * - `columns`: one a column, `[columns]`
 * - `rows`: one a row, the leading axes and a last one of 1
 */
export type Stretch = 'full' | 'scalar' | 'columns' | 'rows';

/** @throws {MnemeError} `invalid-shape` where the shape fits in none of the ways */
export function stretchOf(where: string, shape: Shape, full: Shape): Stretch {
  if (sameShape(shape, full)) return 'full';
  if (sameShape(shape, [1])) return 'scalar';
  if (sameShape(shape, full.slice(-1))) return 'columns';
  if (sameShape(shape, [...full.slice(0, -1), 1])) return 'rows';
  throw new MnemeError(
    'invalid-shape',
    `${where}: ${printShape(shape)} does not stretch over ${printShape(full)}; expected that shape, [1], ` +
      `${printShape(full.slice(-1))} or ${printShape([...full.slice(0, -1), 1])}.`,
  );
}

/** The shape that all inputs stretch over: that of the largest, and of equal ones the one with most axes. */
export function fullShape(inputs: readonly Pick<Specification, 'shape'>[]): Shape {
  const size = ({ shape }: Pick<Specification, 'shape'>) => elementCount(shape) * 8 + shape.length;
  return inputs.reduce((largest, next) => (size(next) > size(largest) ? next : largest)).shape;
}

/** Fills `block` with the `count` elements from `start` on, as seen over the full shape. */
export function readBlock(
  { data }: ReferenceOperand,
  stretch: Stretch,
  columns: number,
  start: number,
  count: number,
  block: Float64Array,
): void {
  if (stretch === 'scalar') block.fill(data[0]!, 0, count);
  else if (stretch === 'full') block.set(data.subarray(start, start + count));
  else if (stretch === 'columns') {
    for (let index = 0; index < count; index++) block[index] = data[(start + index) % columns]!;
  } else {
    for (let index = 0; index < count; index++) block[index] = data[Math.floor((start + index) / columns)]!;
  }
}
