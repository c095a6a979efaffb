/**
 * What a trainer does with given gradients, as plain loops over numbers in double precision, written after the formulas
 * of its documentation and sharing no code with it. Beside each number goes a bound of what an engine may be off, in
 * which every rounding is counted once.
 */
import { normals } from '../../src/compute/random.js';
import type { NumericArray } from '../../src/compute/tensor.js';
import type { Constraint } from '../../src/network/constraints.js';
import type { WeightGroup } from '../../src/network/layers/layer.js';
import type { ProbeParameter } from './weights-probe.js';

export interface PlainOptions {
  readonly learningRate: number;
  readonly momentum: number;
  readonly regularization: {
    readonly l1: PlainGroups;
    readonly l2: PlainGroups;
    readonly decay: PlainGroups;
    readonly placement: 'afterClipping' | 'beforeClipping';
  };
  readonly clip: PlainClip | undefined;
  readonly constraints: { readonly [Group in WeightGroup]?: Constraint };
  readonly layers: Readonly<Record<string, { readonly learningRate: number; readonly trainable: boolean }>>;
  readonly gradientNoise: { readonly variance: number; readonly decay: number } | undefined;
  readonly accumulate: number;
  readonly average: PlainAverage | undefined;
}
type PlainGroups = { readonly [Group in WeightGroup]?: number };
export type PlainClip =
  | { readonly element: number }
  | { readonly globalNorm: number }
  | { readonly layerNorm: number }
  | { readonly parameterNorm: number }
  | { readonly renormalize: 'layer' | 'parameter' };
type PlainAverage =
  | { readonly kind: 'exponential'; readonly decay: number; readonly from: number; readonly every: number }
  | { readonly kind: 'stochastic'; readonly from: number; readonly every: number };

/** A number and how far off it may be. */
interface Inexact {
  value: number;
  error: number;
}

export interface PlainResult {
  readonly parameters: readonly Inexact[];
  /** Undefined where nothing was averaged yet. */
  readonly averages: readonly Inexact[] | undefined;
  /** Of the gradient before clipping; undefined where it was accumulated only. */
  readonly norm: number | undefined;
}

/** The gradient of a batch at these weights. */
export type GradientOf = (weights: readonly number[]) => NumericArray | Promise<NumericArray>;

/** Yields what is after each step. */
export async function* plainTraining(
  all: readonly ProbeParameter[],
  start: NumericArray,
  batches: readonly GradientOf[],
  options: PlainOptions,
  { roundoff, seed, purpose }: { readonly roundoff: number; readonly seed: number; readonly purpose: number },
): AsyncGenerator<PlainResult> {
  const { learningRate, momentum, regularization, accumulate } = options;
  const u = roundoff;
  const weights = Array.from(start, (value) => ({ value, error: 0 }));
  const velocities = weights.map(() => ({ value: 0, error: 0 }));
  const averages = weights.map(() => ({ value: 0, error: 0 }));
  const trained = all.filter(({ layer }) => options.layers[layer]?.trainable !== false);
  const places = trained.flatMap(({ offset, length }) => Array.from({ length }, (_, index) => offset + index));
  const owner = new Map(trained.flatMap((of) => Array.from({ length: of.length }, (_, i) => [of.offset + i, of])));
  let averaged = 0;
  for (let batch = 0; batch < batches.length; batch++) {
    if (batch % accumulate !== accumulate - 1) {
      yield result(weights, averaged > 0 ? averages : undefined, undefined);
      continue;
    }
    const update = (batch + 1) / accumulate;
    const now = weights.map(({ value }) => value);
    const group = await Promise.all(batches.slice(batch + 1 - accumulate, batch + 1).map((of) => of(now)));
    const gradient = new Map<number, Inexact>();
    for (const place of places) {
      const size = group.reduce((sum, each) => sum + Math.abs(each[place]!), 0) / accumulate;
      const value = group.reduce((sum, each) => sum + each[place]!, 0) / accumulate;
      gradient.set(place, { value, error: accumulate * u * size });
    }
    const penalize = () => {
      for (const place of places) {
        const { value: w, error } = weights[place]!;
        const l1 = regularization.l1[owner.get(place)!.group] ?? 0;
        const l2 = regularization.l2[owner.get(place)!.group] ?? 0;
        const g = gradient.get(place)!;
        const uncertain = Math.abs(w) <= error ? 2 * l1 : 0;
        const size = Math.abs(g.value) + l2 * Math.abs(w) + l1;
        g.value += l2 * w + l1 * Math.sign(w);
        g.error += l2 * error + uncertain + 6 * u * size;
      }
    };
    if (regularization.placement === 'beforeClipping') penalize();
    const norm = Math.hypot(...places.map((place) => gradient.get(place)!.value));
    bound(options.clip, trained, places, gradient, u);
    if (regularization.placement === 'afterClipping') penalize();
    if (options.gradientNoise) {
      const { variance, decay } = options.gradientNoise;
      const deviation = Math.sqrt(variance / update ** decay);
      const drawn = normals(places.length, { seed, purpose, step: batch });
      for (const [index, place] of places.entries()) {
        const g = gradient.get(place)!;
        g.value += deviation * drawn[index]!;
        // A radius of at most 5.8 and a cosine, each with a few roundings of its own.
        g.error += 64 * u * deviation + 2 * u * Math.abs(g.value);
      }
    }
    for (const place of places) {
      const { layer, group: kind } = owner.get(place)!;
      const factor = options.layers[layer]?.learningRate ?? 1;
      const decay = regularization.decay[kind] ?? 0;
      const [w, v, g] = [weights[place]!, velocities[place]!, gradient.get(place)!];
      const size = momentum * Math.abs(v.value) + learningRate * Math.abs(g.value);
      v.value = momentum * v.value + learningRate * g.value;
      v.error = momentum * v.error + learningRate * g.error + 5 * u * size;
      const moved = factor * (v.value + learningRate * decay * w.value);
      const movedSize = factor * (Math.abs(v.value) + learningRate * decay * Math.abs(w.value));
      w.error =
        w.error * (1 + factor * learningRate * decay) + factor * v.error + 8 * u * (movedSize + Math.abs(w.value));
      w.value -= moved;
    }
    for (const parameter of trained) constrain(options.constraints[parameter.group], parameter, weights, u);
    const { average } = options;
    if (average && update > average.from && (update - average.from) % average.every === 0) {
      averaged += 1;
      for (const place of places) {
        const share = shareOf(average, averaged);
        const [a, w] = [averages[place]!, weights[place]!];
        const size = (1 - share) * Math.abs(a.value) + share * Math.abs(w.value);
        a.value = (1 - share) * a.value + share * w.value;
        a.error = (1 - share) * a.error + share * w.error + 4 * u * size;
      }
    }
    yield result(weights, averaged > 0 ? averages : undefined, norm);
  }
}

const result = (weights: Inexact[], averages: Inexact[] | undefined, norm: number | undefined): PlainResult => ({
  parameters: weights.map((each) => ({ ...each })),
  averages: averages?.map((each) => ({ ...each })),
  norm,
});

function shareOf(average: PlainAverage, times: number): number {
  if (average.kind === 'stochastic') return 1 / times;
  let [weight, total] = [1, 0];
  for (let age = 0; age < times; age++) {
    total += weight;
    weight *= average.decay;
  }
  return 1 / total;
}

function bound(
  clip: PlainClip | undefined,
  trained: readonly ProbeParameter[],
  places: readonly number[],
  gradient: Map<number, Inexact>,
  u: number,
): void {
  if (!clip) return;
  if ('element' in clip) {
    for (const g of gradient.values()) g.value = Math.min(clip.element, Math.max(-clip.element, g.value));
    return;
  }
  const inParameters = trained.map(({ offset, length }) => places.filter((p) => p >= offset && p < offset + length));
  const layers = [...new Set(trained.map(({ layer }) => layer))];
  const inLayers = layers.map((layer) => inParameters.filter((_, index) => trained[index]!.layer === layer).flat());
  const [parts, limit] =
    'globalNorm' in clip
      ? [[places], clip.globalNorm]
      : 'layerNorm' in clip
        ? [inLayers, clip.layerNorm]
        : 'parameterNorm' in clip
          ? [inParameters, clip.parameterNorm]
          : [clip.renormalize === 'layer' ? inLayers : inParameters, undefined];
  for (const part of parts) {
    const norm = Math.hypot(...part.map((place) => gradient.get(place)!.value));
    if (norm === 0) continue;
    const scale = limit === undefined ? 1 / norm : Math.min(1, limit / norm);
    const off = Math.hypot(...part.map((place) => gradient.get(place)!.error)) / norm + (part.length + 6) * u;
    for (const place of part) {
      const g = gradient.get(place)!;
      g.error = scale * g.error + scale * Math.abs(g.value) * off;
      g.value *= scale;
    }
  }
}

function constrain(
  constraint: Constraint | undefined,
  { shape, offset, length, group }: ProbeParameter,
  weights: Inexact[],
  u: number,
): void {
  const own = weights.slice(offset, offset + length);
  if (!constraint) return;
  if (constraint.kind === 'nonNegative') {
    for (const w of own) w.value = Math.max(0, w.value);
    return;
  }
  const { minimum, maximum, rate } = constraint;
  const columns = shape.at(-1)!;
  const axis = constraint.axis ?? (group === 'embedding' ? 1 : 0);
  const member = (index: number) =>
    shape.length === 1 ? 0 : axis === 0 ? index % columns : Math.floor(index / columns);
  const groups = new Map<number, Inexact[]>();
  for (const [index, w] of own.entries()) groups.set(member(index), [...(groups.get(member(index)) ?? []), w]);
  for (const part of groups.values()) {
    const norm = Math.hypot(...part.map(({ value }) => value));
    if (norm === 0) continue;
    const wanted = rate * Math.min(maximum, Math.max(minimum, norm)) + (1 - rate) * norm;
    const within = norm >= minimum && norm <= maximum;
    const factor = within ? 1 : wanted / (norm + 1e-7);
    // Whether it is within is decided by a norm that may be off, and makes a difference of epsilon.
    const off =
      Math.hypot(...part.map(({ error }) => error)) / norm +
      (part.length + 10) * u +
      (nearEdge(norm) ? 2e-7 / norm : 0);
    for (const w of part) {
      w.error = factor * w.error + factor * Math.abs(w.value) * off;
      w.value *= factor;
    }
    function nearEdge(size: number): boolean {
      return [minimum, maximum].some((edge) => Math.abs(size - edge) <= size * 1e-3);
    }
  }
}
