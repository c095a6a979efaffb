/** Cells of the user's own: what goes on in one step of a recurrent layer, as a function of values. */
import type { Shape } from '../compute/tensor.js';
import { requireArgument } from '../errors.js';
import type { CellValue } from './cell-value.js';
import type { InitializerOption } from './initializers.js';
import type { WeightGroup } from './layers/layer.js';

/** A parameter: its shape, or the shape and how it starts. */
export type CellParameter =
  | Shape
  | {
      readonly shape: Shape;
      /** Default: 'zeros' for a vector, 'xavierUniform' for a matrix. */
      readonly initializer?: InitializerOption;
      /** Which penalties and clipping see it. Default: 'bias' for a vector, 'kernel' for a matrix. */
      readonly group?: WeightGroup;
      /** Equal blocks of columns that are initialised one by one. Default 1. */
      readonly gates?: number;
    };

export type CellOptions = Readonly<Record<string, number | string | boolean>>;
type Sizes<Options> = Options & { readonly units: number };
type Values<Names extends string> = { readonly [Name in Names]: CellValue };

export interface CellDescription<Parameters extends string, States extends string, Options extends CellOptions> {
  /** Options that layers of this cell have beside `units`, with their defaults. */
  readonly options?: Options;
  /** By name; `features`: the width of the input. */
  readonly parameters: (options: Sizes<Options>, features: number) => { readonly [Name in Parameters]: CellParameter };
  /** The shape of one row of each state, by name. They start as zeros, or as what the caller gives. */
  readonly states: (options: Sizes<Options>) => { readonly [Name in States]: Shape };
  /**
   * One step: from the parameters, the states before it and the input `[batch, features]` to the output
   * `[batch, ...]` and the states after it, by their names. Called when a network is built, not in each step: it describes what
   * is computed, and may not look at numbers.
   */
  readonly step: (
    parameters: Values<Parameters>,
    states: Values<States>,
    input: CellValue,
    options: Sizes<Options>,
  ) => { readonly output: CellValue } & Values<States>;
}

/** What `cell` makes. */
export interface Cell {
  readonly name: string;
  readonly description: CellDescription<string, string, CellOptions>;
  /** A model file holds the name. */
  toJSON(): string;
}

/**
 * A recurrent cell of your own. It runs natively, forward and backward, as `layers.scan({ cell, units })`; the gradient, through
 * time and states, follows from the formula. Products of the input with parameters are taken over all steps at once.
 *
 * @param name by which model files know it: give it to `loadModel` as one of `cells`
 * @throws {MnemeError} `invalid-argument` for a name that is no text, or a description without its functions
 * @example
 * const lightCell = cell('light', {
 *   parameters: ({ units }, features) => ({ w: [features, 2 * units], u: [units, 2 * units] }),
 *   states: ({ units }) => ({ h: [units] }),
 *   step: ({ w, u }, { h }, x) => {
 *     const [update, candidate] = split(x.matmul(w).add(h.matmul(u)), 2);
 *     const z = sigmoid(update);
 *     const next = z.mul(h).add(one.sub(z).mul(tanh(candidate)));
 *     return { output: next, h: next };
 *   },
 * });
 */
export function cell<Parameters extends string, States extends string, Options extends CellOptions = CellOptions>(
  name: string,
  description: CellDescription<Parameters, States, Options>,
): Cell {
  requireArgument(typeof name === 'string' && name !== '', 'cell', 'a name', name);
  for (const part of ['parameters', 'states', 'step'] as const) {
    requireArgument(typeof description?.[part] === 'function', `cell '${name}': ${part}`, 'a function', description);
  }
  return { name, description: description as unknown as Cell['description'], toJSON: () => name };
}

/** Whether it is what `cell` makes. */
export const isCell = (given: unknown): given is Cell =>
  typeof given === 'object' && given !== null && 'description' in given && 'name' in given;
