/**
 * Sums over all steps that need not be carried through the loop: where their terms are products of what every step has, or sums
 * over its rows, one operation over all steps gives them.
 */
import type { Expression } from '../expression.js';
import { reshape, type Value } from '../graph.js';
import { type MatmulOptions, matmul, reduceSum } from '../operations/index.js';
import { type Shape, sameShape } from '../tensor.js';

/** A sum over all steps, made of values of one step. */
export interface AfterLoop {
  /** What is needed of every step. */
  readonly values: readonly Value[];
  /** The sum, from the sequences of these values. */
  readonly over: (sequences: readonly Value[]) => Value;
}

/** How a term can be summed up after the loop; undefined where it has to be carried. */
export function afterLoop(term: Value): AfterLoop | undefined {
  const { operation, inputs, attributes } = term.node;
  const [a, b, bias] = inputs;
  if (operation?.name === 'reshape') {
    const inner = afterLoop(a!);
    return inner && shaped(inner, term.shape);
  }
  if (operation?.name === 'matmul' && !bias) {
    const { transposeA, transposeB } = attributes as MatmulOptions;
    if (!transposeA || transposeB) return undefined;
    return { values: [a!, b!], over: ([left, right]) => matmul(left!, right!, { transposeA: true }) };
  }
  if (
    operation?.name === 'reduce' &&
    attributes.kind === 'sum' &&
    attributes.axis !== 'columns' &&
    inputs.length === 1
  ) {
    const { axis, scale, expression, shape } = attributes as {
      axis: 'all' | 'rows';
      scale: number;
      expression: Expression;
      shape: Shape;
    };
    if (expression.kind !== 'variable' || !sameShape(a!.shape, shape)) return undefined;
    return shaped({ values: [a!], over: ([sequence]) => reduceSum(sequence!, { axis, scale }) }, term.shape);
  }
  return undefined;
}

const shaped = ({ values, over }: AfterLoop, shape: Shape): AfterLoop => ({
  values,
  over: (sequences) => reshape(over(sequences), shape),
});
