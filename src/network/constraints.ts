/** What weights must satisfy after every update. */
import * as v from 'valibot';
import { reshape, type Value } from '../compute/graph.js';
import { map, reduceSum } from '../compute/operations/index.js';
import { MnemeError } from '../errors.js';
import { finiteNumber, parseOptions } from '../options.js';
import { largest } from './clipping.js';
import type { WeightGroup } from './layers/layer.js';

/** Plain data, as the factories in `constraints` make it. */
export type Constraint =
  | { readonly kind: 'nonNegative' }
  | {
      readonly kind: 'norm';
      readonly minimum: number;
      readonly maximum: number;
      readonly rate: number;
      readonly axis: 0 | 1 | undefined;
    };

// Norms beyond it would make factors that f32 does not hold.
const norm = { maximum: 1e30 };
const axis = v.optional(v.picklist([0, 1]));
const maxNormSchema = v.strictObject({ maximum: v.optional(finiteNumber({ above: 0, ...norm }), 2), axis });
const minMaxNormSchema = v.strictObject({
  minimum: v.optional(finiteNumber({ minimum: 0, ...norm }), 0),
  maximum: v.optional(finiteNumber({ above: 0, ...norm }), 1),
  rate: v.optional(finiteNumber({ above: 0, maximum: 1 }), 1),
  axis,
});
const unitNormSchema = v.strictObject({ axis });

/**
 * Constraints as Keras and DL4J have them. Those on norms multiply groups of weights by wanted / (norm + 1e-7), where
 * the Euclidean norm is not what it should be; groups that satisfy them stay as they are to the bit. `axis` is the one
 * that norms run over: 0, the weights into each unit (default for kernels), or 1, those out of each input, as DL4J mostly
 * uses it, and the vector of each id in an embedding table (default there; Keras has 0). A bias is one group.
 *
 * @example
 * createTrainer(model, { loss, updater, constraints: { recurrent: constraints.maxNorm({ maximum: 3 }) } });
 */
export const constraints = {
  /** Norms of at most `maximum`, above 0, default 2 (Srivastava et al. 2014, section 5.1). */
  maxNorm(options: v.InferInput<typeof maxNormSchema> = {}): Constraint {
    const settings = parseOptions(maxNormSchema, options, 'constraints.maxNorm');
    return { kind: 'norm', minimum: 0, rate: 1, ...settings, axis: settings.axis };
  },

  /**
   * Norms from `minimum`, default 0, to `maximum`, default 1. With `rate` in (0, 1], default 1, they are moved that
   * share of the way only: wanted = rate·clip(norm) + (1 - rate)·norm.
   */
  minMaxNorm(options: v.InferInput<typeof minMaxNormSchema> = {}): Constraint {
    const settings = parseOptions(minMaxNormSchema, options, 'constraints.minMaxNorm');
    const { minimum, maximum } = settings;
    if (minimum > maximum) {
      throw new MnemeError(
        'invalid-option',
        `constraints.minMaxNorm: 'minimum' is ${minimum}, above 'maximum', which is ${maximum}.`,
      );
    }
    return { kind: 'norm', ...settings, axis: settings.axis };
  },

  /** Norms of 1. */
  unitNorm(options: v.InferInput<typeof unitNormSchema> = {}): Constraint {
    const settings = parseOptions(unitNormSchema, options, 'constraints.unitNorm');
    return { kind: 'norm', minimum: 1, maximum: 1, rate: 1, axis: settings.axis };
  },

  /** What is below 0 becomes 0. */
  nonNegative: (): Constraint => ({ kind: 'nonNegative' }),
} as const;

/** Keras' epsilon: a group of zeros has no direction to be scaled in, and stays. */
const epsilon = 1e-7;

/** The weights as the constraint wants them, of their shape: finite for all finite weights. */
export function constrained(constraint: Constraint, weights: Value, group: WeightGroup): Value {
  if (constraint.kind === 'nonNegative') return map((w) => w.max(0), weights);
  const { minimum, maximum, rate } = constraint;
  return map(
    (w, squares) => {
      // A sum of squares that overflows leaves a norm, so that the weights come back to where norms are numbers.
      const size = squares.sqrt().min(largest);
      const wanted = size
        .max(minimum)
        .min(maximum)
        .mul(rate)
        .add(size.mul(1 - rate));
      const within = size.max(minimum).min(maximum).equal(size);
      return w.mul(within.select(1, wanted.div(size.add(epsilon))));
    },
    weights,
    sumOfSquares(weights, constraint.axis ?? (group === 'embedding' ? 1 : 0)),
  );
}

function sumOfSquares(weights: Value, axis: 0 | 1): Value {
  const over = weights.shape.length === 1 ? 'all' : axis === 0 ? 'rows' : 'columns';
  const sums = reduceSum(weights, { axis: over, expression: (w) => w.square() });
  return over === 'columns' ? reshape(sums, [...weights.shape.slice(0, -1), 1]) : sums;
}
