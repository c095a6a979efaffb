/** Activations of cells for tests: those that kernels know by a number, and one by its expression. */
import type { Expression } from '../../../src/compute/expression.js';

export const sigmoid = { kind: 1, expression: (x: Expression) => x.sigmoid() } as const;
export const tanh = { kind: 2, expression: (x: Expression) => x.tanh() } as const;
export const identity = { kind: 4, expression: (x: Expression) => x } as const;
const softsign = { kind: 5, expression: (x: Expression) => x.div(x.abs().add(1)) } as const;
export const own = { kind: 0, expression: (x: Expression) => x.tanh().mul(0.6).add(x.mul(0.3)) } as const;

export const cellActivations = [sigmoid, tanh, identity, softsign, own] as const;
