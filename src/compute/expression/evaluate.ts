/** Values of expressions in double precision: at a point, and over arrays. */
import { evaluateScalar, type ScalarOperation, scalarOperations } from './scalar.js';
import { simplifyAll } from './simplify.js';
import type { Expression } from './tree.js';

/**
 * The value where variable `i` is `values[i]`.
 *
 * @example
 * evaluate(variable(0).square(), [3]); // 9
 */
export function evaluate(expression: Expression, values: readonly number[]): number {
  const seen = new Map<Expression, number>();
  const visit = (node: Expression): number => {
    if (node.kind === 'constant') return node.number;
    if (node.kind === 'variable') return values[node.number] ?? Number.NaN;
    const known = seen.get(node);
    if (known !== undefined) return known;
    const [a = 0, b = 0, c = 0] = node.operands.map(visit);
    const result = evaluateScalar(node.kind, a, b, c);
    seen.set(node, result);
    return result;
  };
  return visit(expression);
}

/** Elements that an array evaluator takes at a time. */
export const blockLength = 256;

/** Evaluates expressions over blocks: variable `i` is read from `inputs[i]`, the results are valid until the next call. */
export interface BlockEvaluator {
  readonly inputs: readonly Float64Array[];
  /** Computes the first `count` elements of each expression. */
  run(count: number): readonly Float64Array[];
}

export function blockEvaluator(expressions: readonly Expression[], inputCount: number): BlockEvaluator {
  const outputs = simplifyAll(expressions);
  const inputs = Array.from({ length: inputCount }, () => new Float64Array(blockLength));
  const registers = new Map<Expression, Float64Array>();
  const steps: ((count: number) => void)[] = [];
  const place = (node: Expression): Float64Array => {
    const known = registers.get(node);
    if (known) return known;
    const register = node.kind === 'variable' ? inputs[node.number]! : new Float64Array(blockLength);
    registers.set(node, register);
    if (node.kind === 'constant') register.fill(node.number);
    else if (node.kind !== 'variable') steps.push(step(node.kind, register, node.operands.map(place)));
    return register;
  };
  const results = outputs.map(place);
  return {
    inputs,
    run(count) {
      for (const run of steps) run(count);
      return results;
    },
  };
}

function step(kind: ScalarOperation, to: Float64Array, operands: readonly Float64Array[]): (count: number) => void {
  const apply = scalarOperations[kind].evaluate as (a: number, b: number, c: number) => number;
  const [a, b = a, c = a] = operands as [Float64Array, Float64Array?, Float64Array?];
  return (count) => {
    for (let index = 0; index < count; index++) to[index] = apply(a[index]!, b[index]!, c[index]!);
  };
}

/** An expression of one variable as a function: for activations in loops. */
export function scalarFunction(expression: Expression): (x: number) => number {
  const [simple] = simplifyAll([expression]) as [Expression];
  const [operand] = simple.operands;
  if (simple.kind !== 'constant' && simple.kind !== 'variable' && operand?.kind === 'variable') {
    if (simple.operands.length === 1) return scalarOperations[simple.kind].evaluate as (x: number) => number;
  }
  const evaluator = blockEvaluator([simple], 1);
  const input = evaluator.inputs[0]!;
  return (x) => {
    input[0] = x;
    return evaluator.run(1)[0]![0]!;
  };
}
