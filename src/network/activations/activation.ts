/** What an activation is: a scalar function with a name and, for some, settings. */
import * as v from 'valibot';
import type { Expression } from '../../compute/expression.js';
import type { CellActivation } from '../../compute/operations/index.js';
import { requireArgument } from '../../errors.js';
import { type OptionsSchema, parseOptions } from '../../options.js';

export interface Activation extends CellActivation {
  readonly name: string;
  /** What a model file holds: the name, or the name and the settings. */
  toJSON(): string | Readonly<Record<string, unknown>>;
}

/** An activation with settings, at first their defaults. */
export interface AdjustableActivation<Settings> extends Activation {
  readonly settings: Settings;
  /**
   * The same function with some settings changed.
   *
   * @throws {MnemeError} `invalid-option`, naming the nearest right one
   * @example
   * activations.leakyRelu.with({ slope: 0.2 });
   */
  with(changes: Partial<Settings>): AdjustableActivation<Settings>;
}

/**
 * Makes an activation of a formula. It runs as fast as the built-in ones; a model that uses it can be trained and
 * run, but a model file holds only its name.
 *
 * @throws {MnemeError} `invalid-argument` for a name that is no text or a formula that is no function
 * @example
 * const bentIdentity = activation('bentIdentity', (x) => x.square().add(1).sqrt().sub(1).div(2).add(x));
 * layers.dense({ units: 3, activation: bentIdentity });
 */
export function activation(name: string, expression: (x: Expression) => Expression): Activation {
  requireArgument(typeof name === 'string' && name !== '', 'activation', 'a name', name);
  requireArgument(typeof expression === 'function', `activation '${name}'`, 'a formula as a function', expression);
  return numbered(0, name, expression);
}

/** The number is that by which the kernels of recurrent cells know an activation; 0: by its expression. */
export const numbered = (
  kind: Activation['kind'],
  name: string,
  expression: (x: Expression) => Expression,
): Activation => ({
  kind,
  name,
  expression,
  toJSON: () => name,
});

/** An activation with settings; the schema gives their defaults. */
export function adjustable<Schema extends OptionsSchema>(
  name: string,
  schema: Schema,
  formula: (x: Expression, settings: v.InferOutput<Schema>) => Expression,
): AdjustableActivation<v.InferOutput<Schema>> {
  type Settings = v.InferOutput<Schema>;
  const make = (settings: Settings, json: Activation['toJSON']): AdjustableActivation<Settings> => ({
    ...activation(name, (x) => formula(x, settings)),
    settings,
    toJSON: json,
    with: (changes) => {
      const changed = parseOptions(schema, { ...(settings as object), ...changes }, `activations.${name}`);
      return make(changed, () => ({ name, ...(changed as object) }));
    },
  });
  return make(v.parse(schema, {}), () => name);
}
