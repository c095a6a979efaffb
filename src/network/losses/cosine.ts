/** Cosine similarity: only directions count. */
import * as v from 'valibot';
import { constant } from '../../compute/expression.js';
import type { Value } from '../../compute/graph.js';
import { map, reduceSum } from '../../compute/operations/index.js';
import { finiteNumber, parseOptions } from '../../options.js';
import { checkVectors, type Loss } from './loss.js';
import { perRow, reductionEntries, weightingOf } from './reduction.js';

const schema = v.strictObject({
  ...reductionEntries,
  epsilon: v.optional(finiteNumber({ above: 0 }), 1e-12),
});
export type CosineOptions = v.InferInput<typeof schema>;

/**
 * The negative cosine of the angle between output and target: -1 where they point the same way, 1 where they point away
 * from each other. Squared lengths are taken to be at least `epsilon`, as in Keras, so that a vector of zeros gives 0.
 *
 * @param options `reduction`: 'mean' over all targets (default), 'sumOverTime' with the mean over the batch, or 'sum';
 *   `epsilon`: default 1e-12
 * @throws {MnemeError} `invalid-option`
 * @example
 * createTrainer(model, { loss: losses.cosine(), updater: updaters.adam() });
 */
export function cosine(options: CosineOptions = {}): Loss {
  const settings = parseOptions(schema, options, 'losses.cosine');
  const { reduction, epsilon } = settings;
  return {
    name: 'cosine',
    options: settings,
    targets: ['vectors'],
    origin: cosine,
    apply: (context) => {
      checkVectors('cosine', context);
      const { mask } = context;
      // Before anything is added up: what is masked may be NaN.
      const counted = (value: Value) =>
        mask ? map((x, weight) => weight.equal(0).select(0, x), value, perRow(mask)) : value;
      const [output, targets] = [counted(context.output), counted(context.targets)];
      const product = (a: Value, b: Value) => reduceSum([a, b], { axis: 'columns', expression: (x, y) => x.mul(y) });
      const { scale, weights } = weightingOf(context, reduction);
      const rows = [product(output, targets), product(output, output), product(targets, targets)];
      return reduceSum(weights ? [...rows, weights] : rows, {
        axis: 'all',
        scale,
        expression: (dot, ofOutput, ofTarget, weight = constant(1)) => {
          const length = (square: typeof dot) => square.max(epsilon).sqrt();
          return dot!.div(length(ofOutput!)).div(length(ofTarget!)).mul(weight).neg();
        },
      });
    },
  };
}
