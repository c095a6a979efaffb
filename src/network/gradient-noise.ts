/** Noise that is added to the gradient, less and less of it. */
import * as v from 'valibot';
import { finiteNumber, parseOptions } from '../options.js';

const schema = v.strictObject({
  variance: v.optional(finiteNumber({ above: 0 }), 0.01),
  decay: v.optional(finiteNumber({ minimum: 0 }), 0.55),
});

/**
 * Normal noise of variance variance / (1 + t)^decay is added to every number of the gradient at update t, from 0
 * (Neelakantan et al. 2015, equation 1): after clipping, so that it has that variance whatever the gradient was.
 * - `variance`: above 0, default 0.01 (the paper's eta: 0.01, 0.3 or 1)
 * - `decay`: at least 0, default 0.55 (the paper's gamma)
 */
export type GradientNoiseOptions = v.InferInput<typeof schema>;
export type GradientNoise = v.InferOutput<typeof schema>;

/** @throws {MnemeError} `invalid-option` */
export const gradientNoiseOf = (options: GradientNoiseOptions, where: string): GradientNoise =>
  parseOptions(schema, options, where);

/** The noise's deviation at an update, from 1. */
export const noiseDeviation = ({ variance, decay }: GradientNoise, iteration: number): number =>
  Math.sqrt(variance / iteration ** decay);
