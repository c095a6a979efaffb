/** Cross entropy of a softmax: one of several classes. */
import type { Value } from '../../compute/graph.js';
import { softmaxCrossEntropy as operation } from '../../compute/operations/index.js';
import { parseOptions } from '../../options.js';
import { type Loss, type LossOptions, reductionScale, reductionSchema } from './loss.js';

/**
 * -Σ target·log softmax(output), in nats. The network gives logits; a softmax at its end is seen and not applied
 * twice. Targets are ids `[batch, time]` (i32) or probabilities `[batch, time, classes]`, which need not be one-hot.
 *
 * @param options `reduction`: 'mean' over all targets (default), or 'sumOverTime' with the mean over the batch
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.softmaxCrossEntropy(), updater: updaters.adam() });
 */
export function softmaxCrossEntropy(options: LossOptions = {}): Loss {
  const settings = parseOptions(reductionSchema, options, 'losses.softmaxCrossEntropy');
  return {
    name: 'softmaxCrossEntropy',
    options: settings,
    targets: ['ids', 'vectors'],
    apply: (context) =>
      operation(logitsOf(context.output), context.targets, { scale: reductionScale(context, settings.reduction) }),
  };
}

/** Before the softmax, where there is one: the cross entropy of a softmax is computed from its logits. */
function logitsOf(output: Value): Value {
  const logits = output.node.inputs[0];
  return output.node.operation?.name === 'softmax' && logits ? logits : output;
}
