/** Losses that are a formula over single numbers: one of ours is its formula and its documentation, and so is a user's. */
import * as v from 'valibot';
import { Expression, variable } from '../../compute/expression.js';
import type { Value } from '../../compute/graph.js';
import { reduceSum } from '../../compute/operations/index.js';
import { MnemeError, requireArgument } from '../../errors.js';
import { parseOptions } from '../../options.js';
import { checkVectors, type Loss, type LossContext } from './loss.js';
import { listsAmong, numberList } from './number-list.js';
import { perRow, type Reduction, reductionEntries, weightingOf } from './reduction.js';

export const elementwiseEntries = {
  ...reductionEntries,
  features: v.optional(v.picklist(['mean', 'sum']), 'mean'),
  featureWeights: v.optional(numberList({ minimum: 0 })),
};
export const elementwiseSchema = v.strictObject(elementwiseEntries);

/**
 * - `reduction`: 'mean' over all targets (default), 'sumOverTime' with the mean over the batch, or 'sum'
 * - `features`: whether the numbers of one target are joined by their 'mean' (default) or their 'sum'
 * - `featureWeights`: what the loss of each feature is multiplied by, one a feature; default 1
 */
export type ElementwiseOptions = v.InferInput<typeof elementwiseSchema>;

interface ElementwiseSettings {
  readonly reduction: Reduction;
  readonly features: 'mean' | 'sum';
  readonly featureWeights?: readonly number[] | undefined;
}

/** Settings as a formula sees them: of a list, the number that belongs to the feature at hand. */
export type AtFeature<Settings> = {
  readonly [Name in keyof Settings]:
    | Exclude<Settings[Name], readonly number[]>
    | (Extract<Settings[Name], readonly number[]> extends never ? never : Expression);
};

/** The loss of one number of the output, given the target's. */
export type Formula<Settings> = (output: Expression, target: Expression, settings: AtFeature<Settings>) => Expression;

/**
 * Makes a loss of a formula. It runs as fast as the built-in ones: the compiler derives its gradient and fuses both into
 * the instructions around them. It takes targets of the shape of the output.
 *
 * @param name for messages and listeners
 * @param formula from one number of the output and one of the target to its loss, as an expression
 * @param options see `ElementwiseOptions`
 * @throws {MnemeError} `invalid-option`
 * @example
 * const asymmetric = loss('asymmetric', (output, target) => {
 *   const error = output.sub(target);
 *   return error.less(0).select(error.square().mul(4), error.square());
 * });
 * createTrainer(model, { loss: asymmetric, updater: updaters.adam() });
 */
export function loss(
  name: string,
  formula: (output: Expression, target: Expression) => Expression,
  options: ElementwiseOptions = {},
): Loss {
  requireArgument(typeof name === 'string' && name !== '', 'loss', 'a name', name);
  const where = `loss('${name}')`;
  requireArgument(typeof formula === 'function', where, 'a formula as a function', formula);
  if (!(formula(variable(0), variable(1)) instanceof Expression)) {
    throw new MnemeError(
      'invalid-argument',
      `${where}: the formula must return an expression, as output.sub(target) is.`,
    );
  }
  return elementwise(name, elementwiseSchema, formula, { where })(options);
}

interface Variation<Settings> {
  /** What the options are given to, for messages. */
  readonly where?: string;
  /** Features of a target where they are not those of the output: then 1, which stands for all. */
  readonly targetFeatures?: (settings: Settings) => 1 | undefined;
  /** What the formula is of instead of a network's output, where that is its last activation. */
  readonly before?: (output: Value) => Value | undefined;
}

/** A function that makes the loss of given options. */
export function elementwise<Schema extends v.GenericSchema<object | undefined, ElementwiseSettings>>(
  name: string,
  schema: Schema,
  formula: Formula<v.InferOutput<Schema>>,
  { where = `losses.${name}`, targetFeatures, before }: Variation<v.InferOutput<Schema>> = {},
): (options?: v.InferInput<Schema>) => Loss {
  return (options) => {
    const settings = parseOptions(schema, options, where);
    const features = targetFeatures?.(settings);
    return {
      name,
      options: settings,
      targets: ['vectors'],
      ...(features === undefined ? {} : { targetFeatures: () => features }),
      constants: listsAmong(settings),
      origin: formula,
      apply: (context) => {
        checkVectors(name, context, features);
        const values = [before?.(context.output) ?? context.output, context.targets];
        return reduceElements(where, context, settings, values, ([output, target], given) =>
          formula(output!, target!, given),
        );
      },
    };
  };
}

/**
 * Joins the losses of single numbers, over features and targets. Where a target's weight is 0, whatever the formula gives
 * for it reaches neither the sum nor the gradient.
 *
 * @param values what the formula is of; the first has a number for every feature of every target, the others stretch
 */
export function reduceElements<Settings extends ElementwiseSettings>(
  where: string,
  context: LossContext,
  settings: Settings,
  values: readonly Value[],
  formula: (elements: readonly Expression[], settings: AtFeature<Settings>) => Expression,
): Value {
  const features = values[0]!.shape.at(-1)!;
  const lists = Object.entries(context.constants ?? {});
  for (const [name, { shape }] of lists) {
    if (shape[0] === features) continue;
    throw new MnemeError(
      'invalid-option',
      `${where}: option '${name}' has ${shape[0]} numbers, but there are ${features} features: give one for each.`,
    );
  }
  const { scale, weights } = weightingOf(context, settings.reduction);
  const everything = [...values, ...lists.map(([, value]) => value), ...(weights ? [perRow(weights)] : [])];
  return reduceSum(everything, {
    axis: 'all',
    scale: settings.features === 'mean' ? scale / features : scale,
    expression: (...elements) => {
      const atFeature = Object.fromEntries(lists.map(([name], index) => [name, elements[values.length + index]!]));
      const plain = formula(elements.slice(0, values.length), { ...settings, ...atFeature } as AtFeature<Settings>);
      const { featureWeights } = atFeature;
      const loss = featureWeights ? plain.mul(featureWeights) : plain;
      const weight = elements.at(-1)!;
      return weights ? weight.equal(0).select(0, weight.mul(loss)) : loss;
    },
  });
}
