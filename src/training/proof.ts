/**
 * Proofs that an update is finite. What an update may not store is found by computing it twice; but where the lowest and
 * highest of every parameter and state are known from the step that stored them, and the norm of the gradient bounds each of
 * its elements, arithmetic on these few numbers shows that nothing can overflow, and once is enough.
 *
 * The numbers lie in the updater arena (`extremes`). They count only as long as nobody but the trainer has written to its
 * memories since: the port `trusted` is 1 then, else 0, and the update that comes measures them anew.
 */
import { type Bounds, between, constant, type Expression, provesFinite, within } from '../compute/expression.js';
import { input, stored, type Value } from '../compute/graph.js';
import type { Elements } from './elements.js';
import { type CoefficientName, coefficientNames, type TrainingRule } from './rule.js';

/** What an update computes from, element by element. */
export interface Updated {
  readonly parameters: Value;
  readonly states: readonly Value[];
  readonly gradient: Value;
  /** Of the gradient. */
  readonly norm: Value;
  readonly noise: Value | undefined;
}

/** Offsets in the updater arena. */
export interface ProofLayout {
  readonly extremes: number;
  readonly coefficients: Readonly<Record<CoefficientName, readonly (number | undefined)[]>>;
}

export const trustedPort = 'trusted';

/** Below it the proof takes longer than what it saves: some 2 us for 0.15 ns an element. */
const smallestCount = 32768;

/** Normal numbers of 24 bits: sqrt(-2 log 2^-24) = 5.8. */
const largestNoise = 6;

/** Whether what is stored is what the update computes, and bounds of all that it is computed from are known. */
export function isProvable({ count, clip, average, trained }: TrainingRule): boolean {
  const byPart = clip !== undefined && 'of' in clip && clip.of !== 'network';
  const constraining = trained.some(({ constraint }) => constraint !== undefined);
  return count >= smallestCount && !byPart && !average && !constraining;
}

/** As `elements.guarded` of the parameters' and states' new values, with the numbers that the next proof needs. */
export function proven(
  elements: Elements,
  results: readonly Expression[],
  { parameters, states, gradient, norm, noise }: Updated,
  rule: TrainingRule,
  layout: ProofLayout,
): { outputs: Value[]; finite: Value; extremes: { readonly target: Value; readonly value: Value } } {
  const { of } = elements;
  const number = (index: number) => of(stored('updater', layout.extremes + index, [1], 'f32', `extremes.${index}`));
  const measured = (value: Value, index: number) => [value, between(number(2 * index), number(2 * index + 1))] as const;
  // A sum of squares that is rounded is never less than one of them; what was too small for a square is added.
  const largestGradient = of(norm).mul(1.001).add(1e-18);
  const bounds: (readonly [Value, Bounds])[] = [
    ...[parameters, ...states].map(measured),
    [gradient, within(largestGradient)],
    ...(noise ? [[noise, within(constant(largestNoise))] as const] : []),
    ...coefficientBounds(elements.values, rule, layout),
  ];
  const byNumber = new Map(bounds.map(([value, known]) => [of(value).number, known]));
  const trusted = of(input(trustedPort, [1], 'f32'));
  const { outputs, finite, extremes } = elements.proven(results, trusted.mul(provesFinite(results, byNumber)));
  const target = stored('updater', layout.extremes, extremes.shape, 'f32', 'extremes');
  return { outputs, finite, extremes: { target, value: extremes } };
}

/** Those of the values that are coefficients which differ between parameters, with the bounds of these numbers. */
function coefficientBounds(
  values: readonly Value[],
  { coefficients }: TrainingRule,
  layout: ProofLayout,
): (readonly [Value, Bounds])[] {
  const known = new Map(
    coefficientNames.flatMap((name) =>
      coefficients[name].map(({ numbers }, index) => [
        layout.coefficients[name][index],
        between(constant(Math.min(...numbers)), constant(Math.max(...numbers))),
      ]),
    ),
  );
  return values.flatMap((value) => {
    const { source } = value.node;
    const bounds = source?.kind === 'stored' && source.arena === 'updater' ? known.get(source.offset) : undefined;
    return bounds ? [[value, bounds] as const] : [];
  });
}
