/**
 * What a step does with its gradient. All trained parameters are one flat range, and so is the gradient: penalties,
 * clipping, noise, the updater, decay and averaging are one guarded map over it. Only where norms of parts are asked for,
 * or where frozen parameters lie in between, there are more instructions.
 */
import type { Expression } from '../compute/expression.js';
import { input, stored, type Value } from '../compute/graph.js';
import { map, random } from '../compute/operations/index.js';
import { clipped, normOf } from '../network/clipping.js';
import { purposeOf } from '../network/purpose.js';
import { penalized } from '../network/regularization.js';
import { coefficientAt } from './coefficients.js';
import { Elements } from './elements.js';
import { clippedParts, constrainedParts, isOneRange, joined, parametersOf } from './parts.js';
import { proven } from './proof.js';
import { followsNaN, type Permission, permitted } from './refusal.js';
import type { CoefficientName, TrainingRule } from './rule.js';
import { rulePorts } from './rule-scalars.js';
import { updaterLayout } from './updater-arena.js';

/** A step up to its gradient. */
export interface Step extends Permission {
  /** All of the network, in the order of its layout. */
  readonly parameters: readonly Value[];
  /** Of the trained parameters, flat. */
  readonly gradient: Value;
  /** The counter of random numbers. */
  readonly draws: Value;
  readonly seed: number;
}

/** What comes of a step; the assignments are made where `finite` is not 0. */
export interface Effect {
  readonly gradientNorm: Value;
  readonly finite: Value;
  readonly assignments: readonly { readonly target: Value; readonly value: Value }[];
}

/** The gradient is added to those of the steps before. */
export function accumulation(rule: TrainingRule, step: Step): Effect {
  const accumulated = accumulatedOf(rule);
  const elements = new Elements();
  const { of } = elements;
  const before = of(accumulated).mul(of(port(rulePorts.accumulated)));
  const { outputs, finite } = elements.guarded([before.add(of(step.gradient).mul(permitted(step, of, 1)))]);
  return {
    gradientNorm: normOf(step.gradient),
    finite,
    assignments: [{ target: accumulated, value: outputs[0]! }],
  };
}

/** The parameters are updated, and with `averaging` taken into the average. */
export function update(rule: TrainingRule, step: Step, { averaging }: { readonly averaging: boolean }): Effect {
  const { updater, clip, gradientNoise, count, trained } = rule;
  const layout = updaterLayout(rule);
  const parameters = parametersOf(rule, step.parameters);
  const early = rule.placement === 'beforeClipping';
  const whole = gradientOf(rule, step, early ? parameters : undefined);
  const gradientNorm = normOf(whole);
  const byPart = clip !== undefined && 'of' in clip && clip.of !== 'network';
  const gradient = byPart ? clippedParts(rule, whole, clip) : whole;
  const norm = clip && 'of' in clip && clip.order !== 2 ? normOf(whole, clip.order) : gradientNorm;
  const average = averaging && stored('updater', layout.average!, [count], 'f32', 'average');
  const states = layout.states.map(({ name, offset }) =>
    stored('updater', offset, [count], 'f32', `${updater.name}.${name}`),
  );

  const elements = new Elements();
  const { of } = elements;
  const parameter = of(parameters);
  const bounded = clipped(byPart ? undefined : clip, of(gradient), of(norm), permitted(step, of, 1));
  const drawn = early ? bounded : withPenalties(rule, bounded, parameter, of);
  const drawnNoise = gradientNoise && noise(rule, step);
  const noisy = drawnNoise ? drawn.add(of(drawnNoise).mul(of(port(rulePorts.noise)))) : drawn;
  const { change, ...next } = updater.step({
    parameter,
    gradient: noisy,
    ...Object.fromEntries(layout.states.map(({ name }, index) => [name, of(states[index]!)])),
    ...Object.fromEntries(scalarNames(rule).map((name) => [name, of(port(name))])),
  });
  const decay = of(port(rulePorts.learningRate)).mul(coefficient(rule, 'decay', of));
  const moved = change!.add(parameter.mul(decay)).mul(coefficient(rule, 'learningRate', of));
  const sum = parameter.sub(moved);
  // An updater may take no notice of NaN in the gradient, as `noOp` does.
  const updated = followsNaN(sum, of(gradient)) ? sum : permitted(step, of, sum);
  const constraining = trained.some(({ constraint }) => constraint !== undefined);
  const results = [
    updated,
    ...layout.states.map(({ name }) => next[name]!),
    ...(average && !constraining ? [mixed(of(average), updated, of)] : []),
  ];
  const { extremes: place, coefficients } = layout;
  const from = { parameters, states, gradient, norm: gradientNorm, noise: drawnNoise };
  const { outputs, finite, extremes } =
    place === undefined
      ? { ...elements.guarded(results), extremes: undefined }
      : proven(elements, results, from, rule, { extremes: place, coefficients });

  const parts = constraining || !isOneRange(rule) ? constrainedParts(rule, outputs[0]!) : undefined;
  const averaged = constraining && average ? mixedAfterwards(average, joined(parts!)) : outputs.at(-1)!;
  return {
    gradientNorm,
    finite,
    assignments: [
      ...(parts
        ? trained.map(({ index }, number) => ({ target: step.parameters[index]!, value: parts[number]! }))
        : [{ target: parameters, value: outputs[0]! }]),
      ...states.map((target, index) => ({ target, value: outputs[index + 1]! })),
      ...(average ? [{ target: average, value: averaged }] : []),
      ...(extremes ? [extremes] : []),
    ],
  };
}

type ElementOf = (value: Value) => Expression;

const port = (name: string): Value => input(name, [1], 'f32');

const accumulatedOf = (rule: TrainingRule): Value =>
  stored('updater', updaterLayout(rule).accumulated!, [rule.count], 'f32', 'accumulated');

/** Names of the updater's scalars, which are always the same. */
const scalarNames = ({ updater }: TrainingRule): string[] =>
  Object.keys(updater.scalars({ iteration: 1, epoch: 0, fraction: 0, losses: [] }, 1));

/** The mean gradient of the group, with the penalties of these parameters in it if they are given. */
function gradientOf(rule: TrainingRule, { gradient }: Step, parameters: Value | undefined): Value {
  const { accumulate } = rule;
  const mean =
    accumulate > 1 ? map((sum, last) => sum.add(last).div(accumulate), accumulatedOf(rule), gradient) : gradient;
  if (!parameters) return mean;
  const elements = new Elements();
  const { of } = elements;
  return elements.map(withPenalties(rule, of(mean), of(parameters), of));
}

const withPenalties = (rule: TrainingRule, gradient: Expression, weight: Expression, of: ElementOf): Expression =>
  penalized(gradient, weight, { l1: coefficient(rule, 'l1', of), l2: coefficient(rule, 'l2', of) });

const coefficient = (rule: TrainingRule, name: CoefficientName, of: ElementOf): Expression =>
  coefficientAt(
    name,
    rule.coefficients[name],
    { offsets: updaterLayout(rule).coefficients[name], count: rule.count },
    of,
  );

const noise = ({ count }: TrainingRule, { draws, seed }: Step): Value =>
  random(draws, [count], { seed, purpose: purposeOf('gradient noise'), kind: 'normal' });

/** The average with the new weights in it. */
const mixed = (average: Expression, weight: Expression, of: ElementOf): Expression =>
  average.mul(of(port(rulePorts.average))).add(weight.mul(of(port(rulePorts.weights))));

function mixedAfterwards(average: Value, weights: Value): Value {
  const elements = new Elements();
  const { of } = elements;
  return elements.map(mixed(of(average), of(weights), of));
}
