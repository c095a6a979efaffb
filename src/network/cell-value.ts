/** What a cell computes with: values of one step, rows of a batch by features, and functions of them. */
import type { Expression } from '../compute/expression.js';
import type { Value } from '../compute/graph.js';
import { columns } from '../compute/operations/columns.js';
import { concatenate, filled, map, matmul } from '../compute/operations/index.js';
import type { Shape } from '../compute/tensor.js';
import { MnemeError, printValue, requireArgument } from '../errors.js';
import type { Activation } from './activations.js';

/**
 * A value of one step: `[batch, features]`, a parameter, or one number `[1]`. Nothing is computed when a method is called: what
 * the methods say becomes instructions, forward and backward. Two values go together if they have the same shape, or one is
 * `[features]` (the same for all rows), `[batch, 1]` or `[1]`.
 *
 * @example
 * const gate = x.matmul(w).add(h.matmul(u)).add(b).sigmoid();
 */
export class CellValue {
  /** What stands for it in the graph. */
  readonly value: Value;

  /** Cells are given these; new ones come from their methods. */
  constructor(value: Value) {
    this.value = value;
  }

  get shape(): Shape {
    return this.value.shape;
  }

  /** The matrix product `[batch, n]` of this `[batch, k]` and a parameter `[k, n]`. */
  matmul(parameter: CellValue): CellValue {
    return new CellValue(matmul(this.value, graphValue(parameter, 'matmul')));
  }

  add(other: CellValue | number): CellValue {
    return combine('add', (a, b) => a.add(b), this, other);
  }
  sub(other: CellValue | number): CellValue {
    return combine('sub', (a, b) => a.sub(b), this, other);
  }
  /** Element by element. */
  mul(other: CellValue | number): CellValue {
    return combine('mul', (a, b) => a.mul(b), this, other);
  }
  div(other: CellValue | number): CellValue {
    return combine('div', (a, b) => a.div(b), this, other);
  }
  min(other: CellValue | number): CellValue {
    return combine('min', (a, b) => a.min(b), this, other);
  }
  max(other: CellValue | number): CellValue {
    return combine('max', (a, b) => a.max(b), this, other);
  }
  neg(): CellValue {
    return elementwise((a) => a.neg(), this);
  }
  square(): CellValue {
    return elementwise((a) => a.square(), this);
  }
  sigmoid(): CellValue {
    return elementwise((a) => a.sigmoid(), this);
  }
  tanh(): CellValue {
    return elementwise((a) => a.tanh(), this);
  }
  /** `activations.relu`, or one of your own. */
  apply(activation: Activation): CellValue {
    requireArgument(typeof activation?.expression === 'function', 'apply', 'an activation', activation);
    return elementwise(activation.expression, this);
  }
}

/** The number 1: `one.sub(z)`. */
export const one = new CellValue(filled(1, [1]));

export const sigmoid = (x: CellValue): CellValue => new CellValue(graphValue(x, 'sigmoid')).sigmoid();
export const tanh = (x: CellValue): CellValue => new CellValue(graphValue(x, 'tanh')).tanh();

/**
 * A formula of the elements of values, as activations and losses are written.
 *
 * @throws {MnemeError} `invalid-shape` where the values do not go together
 * @example
 * const next = elementwise((old, candidate, gate) => gate.mul(old).add(gate.neg().add(1).mul(candidate)), h, c, z);
 */
export function elementwise(formula: (...elements: Expression[]) => Expression, ...values: CellValue[]): CellValue {
  requireArgument(typeof formula === 'function', 'elementwise', 'a formula as a function', formula);
  requireArgument(values.length > 0, 'elementwise', 'at least one value', undefined);
  return new CellValue(map(formula, ...values.map((value) => graphValue(value, 'elementwise'))));
}

/**
 * So many parts of equal width, side by side: `[batch, n·features]` to n values `[batch, features]`. What was a product with a
 * parameter becomes a product for each part, so that nothing is copied.
 *
 * @throws {MnemeError} `invalid-shape` if the features cannot be shared out evenly
 * @example
 * const [update, candidate] = split(x.matmul(w).add(h.matmul(u)), 2);
 */
export function split<Count extends number>(x: CellValue, count: Count): Parts<Count> {
  const value = graphValue(x, 'split');
  const width = value.shape.at(-1)! / count;
  if (!Number.isInteger(count) || count < 1 || !Number.isInteger(width)) {
    throw new MnemeError(
      'invalid-shape',
      `split: ${value.shape.at(-1)} features are not ${printValue(count)} equal parts.`,
    );
  }
  const parts = Array.from(
    { length: count },
    (_, index) => new CellValue(columns(value, { start: index * width, length: width })),
  );
  return parts as Parts<Count>;
}

/** As many values as are asked for, where that is known. */
type Parts<Count extends number> = number extends Count ? CellValue[] : PartsOf<Count>;
type PartsOf<Count extends number, Found extends CellValue[] = []> = Found['length'] extends Count
  ? Found
  : Found['length'] extends 16
    ? CellValue[]
    : PartsOf<Count, [...Found, CellValue]>;

/**
 * Values `[batch, ...]` side by side.
 *
 * @throws {MnemeError} `invalid-shape`
 * @example
 * const both = join(x, h).matmul(w);
 */
export function join(...values: CellValue[]): CellValue {
  const all = values.map((value) => graphValue(value, 'join'));
  const [first] = all;
  requireArgument(first !== undefined, 'join', 'at least one value', undefined);
  return new CellValue(concatenate(all, first.shape.length - 1));
}

function combine(
  what: string,
  formula: (a: Expression, b: Expression | number) => Expression,
  a: CellValue,
  b: CellValue | number,
): CellValue {
  if (typeof b === 'number') return elementwise((x) => formula(x, b), a);
  return new CellValue(map((x, y) => formula(x, y), a.value, graphValue(b, what)));
}

function graphValue(given: CellValue, what: string): Value {
  requireArgument(given instanceof CellValue, what, 'a value of the cell', given);
  return given.value;
}
