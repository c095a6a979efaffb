/** The activations that the fused cells have a fast path for: the number kernels know each by, and its formula. */
import { type Expression, variable } from '../compute/expression.js';
import { MnemeError, printValue } from '../errors.js';
import { nearestName } from '../options.js';

const formulas = {
  sigmoid: [1, (x: Expression) => x.sigmoid()],
  tanh: [2, (x: Expression) => x.tanh()],
  relu: [3, (x: Expression) => x.max(0)],
  identity: [4, (x: Expression) => x],
  softsign: [5, (x: Expression) => x.div(x.abs().add(1))],
} as const;

export type ActivationName = keyof typeof formulas;

/** @throws {MnemeError} `invalid-argument`, naming those there are */
export function activationOf(where: string, name: ActivationName) {
  if (typeof name !== 'string' || !Object.hasOwn(formulas, name)) {
    const names = Object.keys(formulas);
    throw new MnemeError(
      'invalid-argument',
      `${where}: there is no activation ${printValue(name)}. Did you mean '${nearestName(printValue(name), names)}'? Known: ${names.join(', ')}.`,
    );
  }
  const [kind, formula] = formulas[name];
  return { kind, expression: formula(variable(0)) };
}
