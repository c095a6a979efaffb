/**
 * Activations: scalar functions, one entry each. The compiler derives their gradients and fuses both wherever they
 * are used, in dense layers and inside recurrent cells alike.
 */
import * as v from 'valibot';
import { constant, type Expression } from '../compute/expression.js';
import type { CellActivation } from '../compute/operations/index.js';

export interface Activation extends CellActivation {
  readonly name: string;
  /** In a model file an activation is its name. */
  toJSON(): string;
}

/**
 * Makes an activation of a formula. It runs as fast as the built-in ones; a model that uses it can be trained and
 * run, but a model file holds only its name.
 *
 * @example
 * const cube = activation('cube', (x) => x.mul(x).mul(x));
 * layers.dense({ units: 3, activation: cube });
 */
export const activation = (name: string, expression: (x: Expression) => Expression): Activation =>
  numbered(0, name, expression);

/** The number is that by which the kernels of recurrent cells know an activation; 0: by its expression. */
const numbered = (kind: Activation['kind'], name: string, expression: (x: Expression) => Expression): Activation => ({
  kind,
  name,
  expression,
  toJSON: () => name,
});

/** 1 / (1 + exp(-x)) */
export const sigmoid = numbered(1, 'sigmoid', (x) => x.sigmoid());
/** Hyperbolic tangent. */
export const tanh = numbered(2, 'tanh', (x) => x.tanh());
/** x / (1 + |x|) */
export const softsign = numbered(5, 'softsign', (x) => x.div(x.abs().add(1)));
/** max(x, 0); the gradient at 0 is 0, as in PyTorch. */
export const relu = numbered(3, 'relu', (x) => x.max(0));
/** x */
export const identity = numbered(4, 'identity', (x) => x);
/** x / 6 + 1/2 within [0, 1], as in PyTorch and Keras 3 (Keras 2: 0.2 x + 1/2). */
export const hardSigmoid = activation('hardSigmoid', (x) => x.div(6).add(0.5).max(0).min(1));
/** x above 0, else exp(x) - 1; Clevert, Unterthiner and Hochreiter 2015 with alpha = 1. */
export const elu = activation('elu', (x) => constant(0).less(x).select(x, x.exp().sub(1)));

/** All built-in activations by name. */
export const activations = { sigmoid, tanh, softsign, relu, identity, hardSigmoid, elu } as const;

const names = Object.keys(activations) as (keyof typeof activations)[];
const own = v.custom<Activation>(
  (value) => typeof value === 'object' && value !== null && 'expression' in value && 'name' in value,
  'an activation',
);

/** The schema of an activation in a layer's options: a name, or what `activation` makes. */
export const activationOption = v.union([v.picklist(names), own]);
export type ActivationOption = v.InferOutput<typeof activationOption>;

/** As `activationOption`, and `'softmax'`, which is no scalar function: it looks at all features of a step. */
export const outputActivationOption = v.union([v.picklist([...names, 'softmax']), own]);
export type OutputActivationOption = v.InferOutput<typeof outputActivationOption>;

/** The activation that an option stands for. */
export const activationOf = (option: ActivationOption): Activation =>
  typeof option === 'string' ? activations[option] : option;
