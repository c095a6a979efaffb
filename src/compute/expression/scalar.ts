/** The scalar operations that expressions are made of: opcode (see docs/architecture.md) and value, one entry each. */
import { errorFunction } from './error-function.js';

export type ScalarOperation = keyof typeof scalarOperations;

export const scalarOperations = {
  negate: { opcode: 1, evaluate: (a: number) => -a },
  abs: { opcode: 2, evaluate: (a: number) => Math.abs(a) },
  exp: { opcode: 3, evaluate: (a: number) => Math.exp(a) },
  log: { opcode: 4, evaluate: (a: number) => Math.log(a) },
  sqrt: { opcode: 5, evaluate: (a: number) => Math.sqrt(a) },
  tanh: { opcode: 6, evaluate: (a: number) => Math.tanh(a) },
  sigmoid: { opcode: 7, evaluate: (a: number) => 1 / (1 + Math.exp(-a)) },
  sign: { opcode: 8, evaluate: (a: number) => Math.sign(a) },
  floor: { opcode: 9, evaluate: (a: number) => Math.floor(a) },
  add: { opcode: 10, evaluate: (a: number, b: number) => a + b },
  subtract: { opcode: 11, evaluate: (a: number, b: number) => a - b },
  multiply: { opcode: 12, evaluate: (a: number, b: number) => a * b },
  divide: { opcode: 13, evaluate: (a: number, b: number) => a / b },
  minimum: { opcode: 14, evaluate: (a: number, b: number) => Math.min(a, b) },
  maximum: { opcode: 15, evaluate: (a: number, b: number) => Math.max(a, b) },
  less: { opcode: 16, evaluate: (a: number, b: number) => (a < b ? 1 : 0) },
  lessOrEqual: { opcode: 17, evaluate: (a: number, b: number) => (a <= b ? 1 : 0) },
  equal: { opcode: 18, evaluate: (a: number, b: number) => (a === b ? 1 : 0) },
  select: { opcode: 20, evaluate: (a: number, b: number, c: number) => (a !== 0 ? b : c) },
  erf: { opcode: 26, evaluate: errorFunction },
  expm1: { opcode: 27, evaluate: (a: number) => Math.expm1(a) },
  log1p: { opcode: 28, evaluate: (a: number) => Math.log1p(a) },
} as const;

/** Instructions that stand for several operations; chosen when an expression is encoded. */
export const fusedOpcodes = {
  multiplyAdd: 21, // a·b + c
  multiplySubtract: 22, // a·b - c
  subtractProduct: 23, // c - a·b
  sumOfProducts: 24, // a·b + c·d
  divideByRoot: 25, // a / (sqrt(b) + c)
  sumWithSquare: 29, // a·b + c·d²
  productByRoot: 30, // a·b / (sqrt(c) + d)
} as const;

/** The value of an operation; operands it does not have are ignored. */
export const evaluateScalar = (kind: ScalarOperation, a: number, b: number, c: number): number =>
  (scalarOperations[kind].evaluate as (a: number, b: number, c: number) => number)(a, b, c);
