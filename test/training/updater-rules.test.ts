/** What each updater does in its first steps, by hand; what holds for all of them. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { countOperations, variable } from '../../src/compute/expression.js';
import { updaters } from '../../src/network/updaters/index.js';
import type { Updater } from '../../src/network/updaters/updater.js';
import { exact, native } from '../network/engines.js';
import { trajectory } from './gradient-probe.js';

const { sqrt } = Math;
const learningRate = 0.1;
const moments = { learningRate, beta1: 0.5, beta2: 0.75, epsilon: 0.5 };

// A parameter of 1, gradients of 0.5 and then 1. Moments: m = 0.25 and 0.625, corrected by 1/2 and 3/4;
// v = 0.0625 and 0.296875, corrected by 1/4 and 7/16.
const afterTwo: readonly [what: string, updater: Updater, changes: readonly [number, number]][] = [
  ['sgd', updaters.sgd({ learningRate }), [0.05, 0.1]],
  ['momentum', updaters.momentum({ learningRate, momentum: 0.5 }), [0.05, 0.125]],
  ['momentum, dampened', updaters.momentum({ learningRate, momentum: 0.5, dampening: 0.5 }), [0.05, 0.075]],
  ['sgd with momentum', updaters.sgd({ learningRate, momentum: 0.5 }), [0.05, 0.125]],
  ['nesterovs', updaters.nesterovs({ learningRate, momentum: 0.5 }), [0.075, 0.1625]],
  ['adagrad', updaters.adagrad({ learningRate, epsilon: 0.5 }), [0.05, 0.1 / (sqrt(1.25) + 0.5)]],
  [
    'adagrad, epsilon inside',
    updaters.adagrad({ learningRate, epsilon: 0.5, epsilonPlacement: 'inside' }),
    [0.05 / sqrt(0.75), 0.1 / sqrt(1.75)],
  ],
  [
    'adagrad from an initial sum',
    updaters.adagrad({ learningRate, epsilon: 0.5, initialSum: 0.75 }),
    [0.05 / 1.5, 0.1 / (sqrt(2) + 0.5)],
  ],
  [
    'adadelta',
    // Mean squares 0.125 and 0.5625; the first step is 0.5·sqrt(0.8), its square 0.2, half of which is kept.
    updaters.adadelta({ decay: 0.5, epsilon: 0.5 }),
    [0.5 * sqrt(0.8), sqrt(0.6 / 1.0625)],
  ],
  ['rmsprop', updaters.rmsprop({ learningRate, decay: 0.5, epsilon: 0.5 }), [0.05 / sqrt(0.625), 0.1 / sqrt(1.0625)]],
  [
    'rmsprop, epsilon outside',
    updaters.rmsprop({ learningRate, decay: 0.5, epsilon: 0.5, epsilonPlacement: 'outside' }),
    [0.05 / (sqrt(0.125) + 0.5), 0.1 / (0.75 + 0.5)],
  ],
  [
    'rmsprop, centred, with momentum',
    // Means 0.25 and 0.625: variances 0.125 - 0.0625 and 0.5625 - 0.390625.
    updaters.rmsprop({ learningRate, decay: 0.5, epsilon: 0.5, centered: true, momentum: 0.5 }),
    [0.05 / sqrt(0.5625), 0.025 / sqrt(0.5625) + 0.1 / sqrt(0.671875)],
  ],
  ['adam', updaters.adam(moments), [0.05, (0.1 * (0.625 / 0.75)) / (sqrt(0.296875 / 0.4375) + 0.5)]],
  [
    'adam, epsilon hat',
    updaters.adam({ ...moments, epsilonPlacement: 'uncorrected' }),
    [(0.1 * 0.25) / 0.75, (((0.1 * sqrt(0.4375)) / 0.75) * 0.625) / (sqrt(0.296875) + 0.5)],
  ],
  [
    'adamw',
    updaters.adamw({ ...moments, weightDecay: 0.5 }),
    [0.1, 0.05 * 0.9 + (0.1 * (0.625 / 0.75)) / (sqrt(0.296875 / 0.4375) + 0.5)],
  ],
  ['adamax', updaters.adamax(moments), [0.05, (0.1 / 0.75) * (0.625 / 1.5)]],
  [
    'adamax, epsilon in the maximum',
    updaters.adamax({ ...moments, epsilonPlacement: 'maximum' }),
    [0.05, (0.1 / 0.75) * (0.625 / 1.5)],
  ],
  [
    'nadam',
    // With momentumDecay 0 every μ is 1/4, and the products are 1/4, 1/16 and 1/64.
    updaters.nadam({ ...moments, momentumDecay: 0 }),
    [
      (0.1 * (0.25 * (0.25 / 0.9375) + 0.75 * (0.5 / 0.75))) / 1,
      (0.1 * (0.25 * (0.625 / 0.984375) + 0.75 * (1 / 0.9375))) / (sqrt(0.296875 / 0.4375) + 0.5),
    ],
  ],
  // ρ is 1 and 3: too little to tell a variance of.
  ['radam', updaters.radam(moments), [0.05, 0.1 * (0.625 / 0.75)]],
  [
    'adabelief',
    // s = 0.25·0.25² + 0.25 and 0.75·s + 0.25·0.375² + 0.25.
    updaters.adabelief({ ...moments, epsilon: 0.25 }),
    [0.05 / (sqrt(0.265625 / 0.25) + 0.25), (0.1 * (0.625 / 0.75)) / (sqrt(0.484375 / 0.4375) + 0.25)],
  ],
  ['lion', updaters.lion({ learningRate, beta1: 0.5, beta2: 0.75 }), [0.1, 0.1]],
  ['lion with decay', updaters.lion({ learningRate, weightDecay: 0.5 }), [0.15, 0.1 + 0.05 * 0.85]],
  ['noOp', updaters.noOp(), [0, 0]],
];

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

for (const [engineName, engine] of engines) {
  describe.skipIf(!engine)(engineName, () => {
    const unit = engine?.precision === 'f64' ? 2 ** -53 : 2 ** -24;

    it.each(afterTwo)('%s takes the steps worked out by hand', async (_, updater, [first, second]) => {
      const { parameters } = await trajectory(engine!, [1], [[0.5], [1]], { updater });
      // Some twenty roundings of numbers of at most about 1, with constants and scalars rounded too.
      for (const [index, want] of [1 - first, 1 - first - second].entries()) {
        expect(Math.abs(parameters[index]![0]! - want), `step ${index + 1}`).toBeLessThan(64 * unit);
      }
    });

    it('amsgrad divides by the largest second moment so far, adam by the present one', async () => {
      const run = async (updater: Updater) => (await trajectory(engine!, [0], [[1], [0]], { updater })).parameters[1]!;
      // v = 0.25 and then 0.1875; m = 0.5 and then 0.25, corrected by 3/4; the roots by 7/16.
      const first = 0.1 / 1.5;
      const [amsgrad] = await run(updaters.amsgrad(moments));
      expect(amsgrad).toBeCloseTo(-first - (0.1 * (0.25 / 0.75)) / (sqrt(0.25 / 0.4375) + 0.5), 6);
      const [adam] = await run(updaters.adam(moments));
      expect(adam).toBeCloseTo(-first - (0.1 * (0.25 / 0.75)) / (sqrt(0.1875 / 0.4375) + 0.5), 6);
    });

    it('lion goes where its momentum points, against a gradient that is smaller', async () => {
      const updater = updaters.lion({ learningRate, beta1: 0.9, beta2: 0.5 });
      const { parameters } = await trajectory(engine!, [0], [[1], [-0.5], [-4]], { updater });
      expect(parameters.map(([value]) => Math.round(value! * 10))).toEqual([-1, -2, -1]);
    });

    it.each(Object.entries(updaters))('%s leaves a parameter without gradient where it is', async (name, make) => {
      const decay = name === 'adamw' ? 1 - 1e-3 * 0.01 : 1;
      const { parameters } = await trajectory(engine!, [0.75, -2], [[0, 0]], { updater: make() });
      expect(parameters[0]![0]! / (0.75 * decay)).toBeCloseTo(1, engine!.precision === 'f64' ? 14 : 6);
      expect(parameters[0]![1]! / (-2 * decay)).toBeCloseTo(1, engine!.precision === 'f64' ? 14 : 6);
      if (decay === 1) expect([...parameters[0]!]).toEqual([0.75, -2]);
    });
  });
}

describe.skipIf(!native)('the native engine', () => {
  it.each(Object.entries(updaters))('%s is the reference but for roundings', async (_, make) => {
    const updater = make();
    const names = [...Object.keys(updater.states), ...Object.keys(updater.scalars(start(1), 1))];
    const values = Object.fromEntries(['parameter', 'gradient', ...names].map((name, at) => [name, variable(at)]));
    const roundings = names.length + countOperations(Object.values(updater.step(values)));
    // Nothing cancels in a first step, and squares, roots and quotients at most double what they are given; at the end
    // the change is subtracted from the parameter. Below 2^-126 the native engine has zero.
    await fc.assert(
      fc.asyncProperty(fc.array(pair, { minLength: 1, maxLength: 40 }), async (pairs) => {
        const parameters = Float32Array.from(pairs, ([parameter]) => parameter);
        const gradient = Float32Array.from(pairs, ([, value]) => value);
        const [want, got] = await Promise.all(
          [exact, native!].map(
            async (engine) => (await trajectory(engine, parameters, [gradient], { updater })).parameters[0]!,
          ),
        );
        for (const [index, before] of parameters.entries()) {
          const change = Math.abs(want![index]! - before);
          const bound = 2 ** -24 * (4 * roundings * change + 2 * Math.abs(before)) + 2 ** -126;
          expect(Math.abs(got![index]! - want![index]!), `element ${index}`).toBeLessThanOrEqual(bound);
        }
      }),
      { numRuns: 10 },
    );
  });
});

const pair = fc.tuple(
  fc.double({ min: -4, max: 4, noNaN: true }),
  fc
    .tuple(fc.constantFrom(-1, 0, 1), fc.double({ min: -3, max: 3, noNaN: true }))
    .map(([sign, power]) => sign * 10 ** power),
);

const start = (iteration: number) => ({ iteration, epoch: 0, fraction: 0, losses: [] });

describe('after very many steps', () => {
  const counts = [1, 2, 1000, 2 ** 24, 2 ** 31, 2 ** 31 + 1, 2 ** 40, Number.MAX_SAFE_INTEGER];

  it.each(Object.entries(updaters))('the scalars of %s are finite numbers of at least 0', (_, make) => {
    for (const count of counts) {
      for (const [name, value] of Object.entries(make().scalars(start(count), 1))) {
        expect(value, `${name} at ${count}`).toBeGreaterThanOrEqual(0);
        expect(value, `${name} at ${count}`).toBeLessThan(10);
      }
    }
  });

  it('corrections of moments are no more', () => {
    for (const count of counts.slice(4)) {
      const at = start(count);
      expect(updaters.adam().scalars(at, 1)).toEqual({ 'adam.rate': 1e-3, 'adam.offset': 1e-8 });
      expect(updaters.adabelief().scalars(at, 1)).toEqual({ 'adabelief.rate': 1e-3, 'adabelief.offset': 1e-14 });
      expect(updaters.adamax().scalars(at, 1)).toEqual({ 'adamax.rate': 1e-3 });
      const nadam = updaters.nadam().scalars(at, 1);
      expect(nadam['nadam.momentRate']).toBeCloseTo(0.9e-3, 17);
      expect(nadam['nadam.gradientRate']).toBeCloseTo(0.1e-3, 17);
      const radam = updaters.radam().scalars(at, 1);
      expect(radam).toEqual({ 'radam.rate': 1e-3, 'radam.adaptive': 1 });
    }
  });

  it('nadam knows the product of all momenta without multiplying them', () => {
    for (const momentumDecay of [0, 1e-9, 0.004, 1, 1e6]) {
      const updater = updaters.nadam({ learningRate: 1, beta1: 0.999, beta2: 0, momentumDecay });
      const momentum = (t: number) => 0.999 * (1 - 0.96 ** (t * momentumDecay) / 2);
      let product = 1;
      for (let t = 1; t <= 3000; t++) {
        product *= momentum(t);
        const { 'nadam.gradientRate': rate } = updater.scalars(start(t), 1);
        // 3000 roundings of the product, each of 2^-53 of it.
        expect(Math.abs(rate! * (1 - product) - (1 - momentum(t)))).toBeLessThan(t * 2 ** -52);
      }
    }
  });

  it('radam trusts the variance once its length is above 5', () => {
    const adaptive = (iteration: number) => updaters.radam().scalars(start(iteration), 1)['radam.adaptive'];
    expect([1, 5, 6, 1000].map(adaptive)).toEqual([0, 0, 1, 1]);
  });
});
