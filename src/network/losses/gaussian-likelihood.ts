/** The likelihood of numbers that follow a normal distribution: forecasts that say how sure they are. */
import * as v from 'valibot';
import { slice } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { elementwiseEntries, reduceElements } from './elementwise.js';
import { checkVectors, type Loss } from './loss.js';
import { listsAmong } from './number-list.js';

const schema = v.strictObject({
  ...elementwiseEntries,
  variance: v.optional(v.picklist(['log', 'plain']), 'log'),
  full: v.optional(v.boolean(), false),
  epsilon: v.optional(finiteNumber({ above: 0 }), 1e-6),
});
export type GaussianLikelihoodOptions = v.InferInput<typeof schema>;

/**
 * (log σ² + (target - μ)² / σ²) / 2, the negative logarithm of the likelihood less a constant (Nix and Weigend 1994). The
 * first half of the output's features are the means μ, the second half the variances; targets have half as many features.
 *
 * @param options
 * - `variance`: whether the network gives log σ² ('log', default: the last layer needs no activation) or σ² itself
 *   ('plain', as PyTorch's gaussian_nll_loss takes it: what is below `epsilon` counts as that, and has no gradient)
 * - `epsilon`: above 0, default 1e-6
 * - `full`: adds log(2π) / 2; default false
 * - see `ElementwiseOptions` for the others
 * @throws {MnemeError} `invalid-option`
 * @example
 * const model = sequential([layers.lstm({ units: 32 }), layers.dense({ units: 2 })], { input: { features: 1 } });
 * createTrainer(model, { loss: losses.gaussianLikelihood(), updater: updaters.adam() });
 */
export function gaussianLikelihood(options: GaussianLikelihoodOptions = {}): Loss {
  const where = 'losses.gaussianLikelihood';
  const settings = parseOptions(schema, options, where);
  return {
    name: 'gaussianLikelihood',
    options: settings,
    targets: ['vectors'],
    targetFeatures: half,
    constants: listsAmong(settings),
    origin: gaussianLikelihood,
    apply: (context) => {
      const { output, targets } = context;
      const features = half(output.shape.at(-1)!);
      checkVectors('gaussianLikelihood', context, features);
      const axis = output.shape.length - 1;
      const means = slice(output, { axis, start: 0, length: features });
      const variances = slice(output, { axis, start: features, length: features });
      return reduceElements(where, context, settings, [means, variances, targets], ([mean, given, target], options) => {
        const square = target!.sub(mean!).square();
        const variance = given!.max(options.epsilon);
        const twice =
          options.variance === 'log'
            ? given!.add(square.mul(given!.neg().exp()))
            : variance.log().add(square.div(variance));
        return twice.mul(0.5).add(options.full ? Math.log(2 * Math.PI) / 2 : 0);
      });
    },
  };
}

/** @throws {MnemeError} `invalid-shape` for an odd number */
function half(features: number): number {
  if (features % 2 === 0) return features / 2;
  throw new MnemeError(
    'invalid-shape',
    `losses.gaussianLikelihood: the network's output is means and as many variances, but it has ${features} features.`,
  );
}
