/** What only the host knows of a step: numbers of the rule that change while training, computed in double precision. */
import { noiseDeviation } from '../network/gradient-noise.js';
import { rateAt } from '../network/rates.js';
import type { Progress } from '../network/schedules.js';
import { averagingWeight } from '../network/weight-averaging.js';
import { scheduleFactors } from './coefficients.js';
import { coefficientNames, type TrainingRule } from './rule.js';

/** Ports of a training step, beside those of the updater. */
export const rulePorts = {
  /** 0 in the first step of a group, whose gradient takes the place of what was accumulated, else 1. */
  accumulated: 'accumulated.factor',
  learningRate: 'learningRate.now',
  noise: 'gradientNoise.deviation',
  /** Shares of what was averaged so far, and of the new weights. */
  average: 'average.share',
  weights: 'weights.share',
} as const;

/**
 * What a step does with its gradient: with `accumulate` above 1 and in all steps of a group but the last `accumulation`
 * of it; else an `update` of the parameters, or an `averaged update` where they are taken into the average behind it.
 */
export type StepKind = 'accumulation' | 'update' | 'averaged update';

/**
 * Which update, from 1, a step belongs to, and what it does.
 * @param sequence the steps that took effect before it
 */
export function positionOf(
  { accumulate, average }: TrainingRule,
  sequence: number,
): { readonly update: number; readonly kind: StepKind } {
  const update = Math.floor(sequence / accumulate) + 1;
  if (sequence % accumulate < accumulate - 1) return { update, kind: 'accumulation' };
  return { update, kind: average && averagingWeight(average, update) > 0 ? 'averaged update' : 'update' };
}

/**
 * All numbers that a step needs by port, the updater's among them.
 *
 * @param sequence the steps that took effect before this one
 * @param factor multiplies the learning rate
 * @throws {MnemeError} `out-of-range` if a schedule leads out of the range of an option
 */
export function ruleScalars(
  rule: TrainingRule,
  sequence: number,
  progress: Progress,
  factor: number,
): Record<string, number> {
  const { updater, coefficients, gradientNoise, average, accumulate } = rule;
  const { iteration } = progress;
  const share = average ? averagingWeight(average, iteration) : 0;
  return {
    ...updater.scalars(progress, factor),
    ...Object.assign({}, ...coefficientNames.map((name) => scheduleFactors(name, coefficients[name], progress))),
    [rulePorts.accumulated]: sequence % accumulate === 0 ? 0 : 1,
    [rulePorts.learningRate]: rateAt(updater.options.learningRate, progress, 'learningRate') * factor,
    ...(gradientNoise ? { [rulePorts.noise]: noiseDeviation(gradientNoise, iteration) } : {}),
    ...(average ? { [rulePorts.average]: 1 - share, [rulePorts.weights]: share } : {}),
  };
}
