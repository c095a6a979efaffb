/** What a trainer does with gradients: its options with the defaults filled in, sorted out by parameter. */
import * as v from 'valibot';
import { MnemeError } from '../errors.js';
import { type Clip, type ClipOptions, clipOf } from '../network/clipping.js';
import type { Constraint } from '../network/constraints.js';
import { type GradientNoise, type GradientNoiseOptions, gradientNoiseOf } from '../network/gradient-noise.js';
import type { ParameterPlace } from '../network/layout.js';
import type { Loss } from '../network/losses/loss.js';
import type { NetworkContract } from '../network/network.js';
import { type Rate, rateOption } from '../network/rates.js';
import {
  type Penalties,
  type PenaltyOptions,
  type Placement,
  penaltiesOf,
  type RegularizationOptions,
  regularizationOf,
} from '../network/regularization.js';
import type { Updater } from '../network/updaters/updater.js';
import { type Averaging, type AveragingOptions, averagingOf } from '../network/weight-averaging.js';
import { type ByGroup, byGroup, type Groups } from '../network/weight-groups.js';
import { nearestName, parseOptions, wholeNumber } from '../options.js';
import { type Coefficient, coefficientOf } from './coefficients.js';

export interface TrainingRule {
  readonly loss: Loss;
  readonly updater: Updater;
  readonly clip: Clip | undefined;
  /** What is trained, in the order of the network's layout; all others are frozen. */
  readonly trained: readonly TrainedParameter[];
  /** Numbers of the trained parameters together. */
  readonly count: number;
  readonly coefficients: Readonly<Record<CoefficientName, Coefficient>>;
  readonly placement: Placement;
  readonly gradientNoise: GradientNoise | undefined;
  /** Batches whose gradients are averaged for one update. */
  readonly accumulate: number;
  readonly average: Averaging | undefined;
}

export interface TrainedParameter extends ParameterPlace {
  /** In the network's layout. */
  readonly index: number;
  /** In what is laid out as the trained parameters are: updater states, the gradient. */
  readonly start: number;
  readonly constraint: Constraint | undefined;
}

/** `learningRate` is the factor of a parameter's layer. */
export const coefficientNames = ['learningRate', 'l1', 'l2', 'decay'] as const;
export type CoefficientName = (typeof coefficientNames)[number];

/** Options of one layer; what is absent is as for all. */
export interface LayerTrainingOptions {
  /** Multiplies the learning rate, at least 0; may be scheduled. Default 1. */
  readonly learningRate?: Rate | undefined;
  /** False freezes the layer: its parameters are neither changed nor differentiated for. Default true. */
  readonly trainable?: boolean | undefined;
  readonly regularization?: PenaltyOptions | undefined;
  readonly constraints?: ByGroup<Constraint> | undefined;
}

const made = <Thing>(what: string, member: keyof Thing & string) =>
  v.custom<Thing>((value) => typeof value === 'object' && value !== null && member in value, what);
const object = <Thing>() => v.custom<Thing>((value) => typeof value === 'object' && value !== null, 'an object');

/** The options of a trainer that make its rule. */
export const ruleEntries = {
  loss: made<Loss>('a loss, as losses.softmaxCrossEntropy() gives it', 'apply'),
  updater: made<Updater>('an updater, as updaters.adam() gives it', 'scalars'),
  clip: v.optional(object<ClipOptions>()),
  regularization: v.optional(object<RegularizationOptions>()),
  constraints: v.optional(object<ByGroup<Constraint>>()),
  layers: v.optional(object<Readonly<Record<string, LayerTrainingOptions>>>()),
  gradientNoise: v.optional(object<GradientNoiseOptions>()),
  accumulate: v.optional(wholeNumber(1), 1),
  average: v.optional(object<AveragingOptions>()),
};
const schema = v.strictObject(ruleEntries);
export type RuleOptions = v.InferInput<typeof schema>;

const layerSchema = v.strictObject({
  learningRate: v.optional(rateOption({ minimum: 0 }), 1),
  trainable: v.optional(v.boolean(), true),
  regularization: v.optional(object<PenaltyOptions>()),
  constraints: v.optional(object<ByGroup<Constraint>>()),
});

/**
 * @throws {MnemeError} `invalid-option`, also for a layer that the network does not have, naming the nearest, and where
 *   everything is frozen; `invalid-argument` for a network without parameters
 */
export function trainingRule(
  network: Pick<NetworkContract, 'layerNames' | 'parameterLayout'>,
  options: RuleOptions,
  where = 'createTrainer',
): TrainingRule {
  const { loss, updater, accumulate, ...settings } = parseOptions(schema, options, where);
  const { placement, ...penalties } = regularizationOf(settings.regularization, `${where}: regularization`);
  const general = { penalties, constraints: constraintsOf(settings.constraints, where) };
  const ofLayer = layerSettings(network.layerNames, settings.layers ?? {}, general, where);
  let start = 0;
  const trained = network.parameterLayout.flatMap((place, index) => {
    const { trainable, constraints } = ofLayer[place.layer]!;
    if (!trainable) return [];
    start += place.length;
    return [{ ...place, index, start: start - place.length, constraint: constraints[place.group] }];
  });
  if (trained.length === 0) {
    throw network.parameterLayout.length > 0
      ? new MnemeError('invalid-option', `${where}: all that could be trained is frozen: leave a layer trainable.`)
      : new MnemeError(
          'invalid-argument',
          `${where}: no layer of this model has parameters: there is nothing to train.`,
        );
  }
  const coefficient = (rate: (of: LayerSettings, place: ParameterPlace) => Rate | undefined) =>
    coefficientOf(trained.map((place) => rate(ofLayer[place.layer]!, place) ?? 0));
  return {
    loss,
    updater,
    clip: settings.clip && clipOf(settings.clip, `${where}: clip`),
    trained,
    count: start,
    coefficients: {
      learningRate: coefficient(({ learningRate }) => learningRate),
      l1: coefficient(({ penalties }, { group }) => penalties.l1[group]),
      l2: coefficient(({ penalties }, { group }) => penalties.l2[group]),
      decay: coefficient(({ penalties }, { group }) => penalties.decay[group]),
    },
    placement,
    gradientNoise: settings.gradientNoise && gradientNoiseOf(settings.gradientNoise, `${where}: gradientNoise`),
    accumulate,
    average: settings.average && averagingOf(settings.average, `${where}: average`),
  };
}

interface General {
  readonly penalties: Penalties;
  readonly constraints: Groups<Constraint>;
}

interface LayerSettings extends General {
  readonly learningRate: Rate;
  readonly trainable: boolean;
}

/** Of each layer, by its number. */
function layerSettings(
  names: readonly string[],
  options: Readonly<Record<string, LayerTrainingOptions>>,
  general: General,
  where: string,
): LayerSettings[] {
  for (const name of Object.keys(options)) {
    if (names.includes(name)) continue;
    throw new MnemeError(
      'invalid-option',
      `${where}: layers: there is no layer '${name}'. Did you mean '${nearestName(name, names)}'? Known: ${names.join(', ')}.`,
    );
  }
  return names.map((name) => {
    const place = `${where}: layers: ${name}`;
    const own = parseOptions(layerSchema, Object.hasOwn(options, name) ? options[name] : {}, place);
    const { l1, l2, decay } = penaltiesOf(own.regularization, `${place}: regularization`);
    return {
      learningRate: own.learningRate,
      trainable: own.trainable,
      penalties: {
        l1: { ...general.penalties.l1, ...l1 },
        l2: { ...general.penalties.l2, ...l2 },
        decay: { ...general.penalties.decay, ...decay },
      },
      constraints: { ...general.constraints, ...constraintsOf(own.constraints, place) },
    };
  });
}

function constraintsOf(option: ByGroup<Constraint> | undefined, where: string): Groups<Constraint> {
  const isOne = (value: unknown) => typeof value !== 'object' || value === null || 'kind' in value;
  const schema = made<Constraint>('a constraint, as constraints.maxNorm() gives it', 'kind');
  return byGroup(option, schema, isOne, [where, 'constraints']);
}
