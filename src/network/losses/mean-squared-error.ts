/** Squared error: regression. */
import { reduceSum } from '../../compute/operations/index.js';
import { parseOptions } from '../../options.js';
import { checkSameShape, type Loss, type LossOptions, reductionScale, reductionSchema } from './loss.js';

/**
 * Mean over the features of (output - target)², targets of the shape of the output.
 *
 * @param options `reduction`: 'mean' over all targets (default), or 'sumOverTime' with the mean over the batch
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.meanSquaredError(), updater: updaters.adam() });
 */
export function meanSquaredError(options: LossOptions = {}): Loss {
  const settings = parseOptions(reductionSchema, options, 'losses.meanSquaredError');
  return {
    name: 'meanSquaredError',
    options: settings,
    targets: ['vectors'],
    apply: (context) => {
      checkSameShape('meanSquaredError', context);
      return reduceSum([context.output, context.targets], {
        axis: 'all',
        expression: (output, target) => output.sub(target).square(),
        scale: reductionScale(context, settings.reduction) / context.output.shape.at(-1)!,
      });
    },
  };
}
