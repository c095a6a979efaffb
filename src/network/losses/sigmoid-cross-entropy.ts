/** Cross entropy of sigmoids: any number of classes at once. */
import { reduceSum } from '../../compute/operations/index.js';
import { parseOptions } from '../../options.js';
import { checkSameShape, type Loss, type LossOptions, reductionScale, reductionSchema } from './loss.js';

/**
 * Mean over the features of -t·log σ(x) - (1 - t)·log(1 - σ(x)), in nats, with x the network's output (logits: the
 * last layer has no sigmoid) and targets t in [0, 1] of the same shape. Computed as
 * max(x, 0) - x·t + log(1 + exp(-|x|)), which never overflows.
 *
 * @param options `reduction`: 'mean' over all targets (default), or 'sumOverTime' with the mean over the batch
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.sigmoidCrossEntropy(), updater: updaters.adam() });
 */
export function sigmoidCrossEntropy(options: LossOptions = {}): Loss {
  const settings = parseOptions(reductionSchema, options, 'losses.sigmoidCrossEntropy');
  return {
    name: 'sigmoidCrossEntropy',
    options: settings,
    targets: ['vectors'],
    apply: (context) => {
      checkSameShape('sigmoidCrossEntropy', context);
      return reduceSum([context.output, context.targets], {
        axis: 'all',
        // max(x, 0) as (x + |x|) / 2: its derivative at 0 is 1/2, as it must be.
        expression: (x, t) => x.add(x.abs()).mul(0.5).sub(x.mul(t)).add(x.abs().neg().exp().add(1).log()),
        scale: reductionScale(context, settings.reduction) / context.output.shape.at(-1)!,
      });
    },
  };
}
