/** Expressions as instructions: products that only one sum takes become part of it, one rounding instead of two. */
import { fusedOpcodes, scalarOperations } from './scalar.js';
import type { Expression } from './tree.js';

export interface Instruction {
  readonly kind: 'instruction';
  readonly opcode: number;
  readonly operands: readonly Operand[];
}
/** What an instruction reads: another one, or an expression that is a constant or a variable. */
export type Operand =
  | Instruction
  | (Expression & { readonly kind: 'constant' })
  | (Expression & { readonly kind: 'variable' });

/** Operands for simplified expressions, in which everything shared is one object. */
export function fuse(outputs: readonly Expression[]): Operand[] {
  const uses = countUses(outputs);
  const made = new Map<Expression, Instruction>();
  const isOwn = (node: Expression, kind: Expression['kind']) => node.kind === kind && uses.get(node) === 1;

  const isSquare = (node: Expression) => isOwn(node, 'multiply') && node.operands[0] === node.operands[1];

  const lower = (node: Expression): Operand => {
    if (node.kind === 'constant' || node.kind === 'variable') return node as Operand;
    const known = made.get(node);
    if (known) return known;
    const [opcode, operands] = match(node) ?? [
      scalarOperations[node.kind as keyof typeof scalarOperations].opcode,
      node.operands,
    ];
    const result: Instruction = { kind: 'instruction', opcode, operands: operands.map(lower) };
    made.set(node, result);
    return result;
  };

  /** A fused opcode and its operands, where one fits. */
  const match = (node: Expression): readonly [number, readonly Expression[]] | undefined => {
    const [x, y] = node.operands as [Expression, Expression];
    if (node.kind === 'add') {
      const [left, right] = [isOwn(x, 'multiply'), isOwn(y, 'multiply')];
      if (left && right) {
        const [factor, square] = isSquare(y.operands[0]!) ? [...y.operands].reverse() : y.operands;
        return isSquare(square!)
          ? [fusedOpcodes.sumWithSquare, [...x.operands, factor!, square!.operands[0]!]]
          : [fusedOpcodes.sumOfProducts, [...x.operands, ...y.operands]];
      }
      if (left) return [fusedOpcodes.multiplyAdd, [...x.operands, y]];
      if (right) return [fusedOpcodes.multiplyAdd, [...y.operands, x]];
    }
    if (node.kind === 'subtract') {
      if (isOwn(x, 'multiply')) return [fusedOpcodes.multiplySubtract, [...x.operands, y]];
      if (isOwn(y, 'multiply')) return [fusedOpcodes.subtractProduct, [...y.operands, x]];
    }
    if (node.kind === 'divide' && isOwn(y, 'add')) {
      const [root, rest] = isOwn(y.operands[0]!, 'sqrt') ? y.operands : [...y.operands].reverse();
      if (isOwn(root!, 'sqrt')) {
        return isOwn(x, 'multiply')
          ? [fusedOpcodes.productByRoot, [...x.operands, root!.operands[0]!, rest!]]
          : [fusedOpcodes.divideByRoot, [x, root!.operands[0]!, rest!]];
      }
    }
    return undefined;
  };
  return outputs.map(lower);
}

/** How many operations and results read each expression. */
function countUses(outputs: readonly Expression[]): Map<Expression, number> {
  const uses = new Map<Expression, number>();
  const use = (node: Expression) => {
    const before = uses.get(node) ?? 0;
    uses.set(node, before + 1);
    if (before === 0) for (const operand of node.operands) use(operand);
  };
  for (const output of outputs) use(output);
  return uses;
}
