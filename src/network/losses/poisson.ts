/** The likelihood of counts that follow a Poisson distribution. */
import * as v from 'valibot';
import { finiteNumber } from '../../options.js';
import { elementwise, elementwiseEntries } from './elementwise.js';

const schema = v.strictObject({
  ...elementwiseEntries,
  logOutput: v.optional(v.boolean(), true),
  full: v.optional(v.boolean(), false),
  epsilon: v.optional(finiteNumber({ minimum: 0 }), 1e-7),
});

/**
 * The negative logarithm of the likelihood of counts, less what does not depend on the output: exp(output) -
 * target·output, of a network that gives the logarithm of the expected count; with `logOutput: false`, where it gives the
 * count itself, output - target·log(output + epsilon), as in Keras and DL4J.
 *
 * @param options
 * - `logOutput`: default true, as in PyTorch: then the last layer needs no activation
 * - `full`: adds Stirling's approximation of log(target!), target·log target - target + log(2π·target) / 2, for targets
 *   above 1; default false
 * - `epsilon`: default 1e-7, as in Keras (PyTorch: 1e-8)
 * - see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.poisson(), updater: updaters.adam() });
 */
export const poisson = elementwise('poisson', schema, (output, target, { logOutput, full, epsilon }) => {
  const part = logOutput ? output.exp().sub(target.mul(output)) : output.sub(target.mul(output.add(epsilon).log()));
  if (!full) return part;
  const stirling = target
    .mul(target.log())
    .sub(target)
    .add(
      target
        .mul(2 * Math.PI)
        .log()
        .mul(0.5),
    );
  return part.add(target.lessOrEqual(1).select(0, stirling));
});
