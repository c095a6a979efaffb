/** Initial values have the distributions that their formulas say, to the last of sixty thousand numbers. */
import { describe, expect, it } from 'vitest';
import { type InitializerOption, initializer, initializers } from '../../src/network/initializers.js';
import { layers } from '../../src/network/layers/index.js';
import { numbers } from './random-numbers.js';

const draw = (option: InitializerOption, shape: number[], gates = 1) =>
  initializer(option, { gates })(shape, numbers(1));
const mean = (values: Float64Array) => values.reduce((sum, x) => sum + x, 0) / values.length;

type Distribution = (x: number) => number;
const flat =
  (limit: number): Distribution =>
  (x) =>
    Math.min(1, Math.max(0, (x + limit) / (2 * limit)));
/** Of a standard normal number: half of it and φ(x)·(x + x³/3 + x⁵/(3·5) + ...). */
const standard: Distribution = (x) => {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let [sum, term] = [0, x];
  for (let odd = 3; sum !== sum + term; odd += 2) [sum, term] = [sum + term, (term * x * x) / odd];
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
};
const bell =
  (deviation: number, mean = 0): Distribution =>
  (x) =>
    standard((x - mean) / deviation);
/** Cut at two deviations. */
const cut =
  (deviation: number, mean = 0): Distribution =>
  (x) => {
    const z = Math.min(2, Math.max(-2, (x - mean) / deviation));
    return (standard(z) - standard(-2)) / (standard(2) - standard(-2));
  };
/** Deviation that the cut distribution has where it was to be 1, by the integral of z²·φ(z) from -2 to 2. */
const afterCut = Math.sqrt(1 - (4 * Math.exp(-2)) / Math.sqrt(2 * Math.PI) / (standard(2) - standard(-2)));

/** Rows and columns with different square roots, so that no two formulas agree by chance. */
const shape = [300, 200];
const [fanIn, fanOut] = [300, 200];
const cases: readonly (readonly [string, InitializerOption, Distribution])[] = [
  ['uniform', 'uniform', flat(0.05)],
  ['uniform(-0.08, 0.08)', initializers.uniform({ low: -0.08, high: 0.08 }), flat(0.08)],
  ['normal', 'normal', bell(0.05)],
  ['normal(3, 0.5)', initializers.normal({ mean: 3, deviation: 0.5 }), bell(0.5, 3)],
  ['truncatedNormal', 'truncatedNormal', cut(0.05)],
  ['truncatedNormal(-1, 0.2)', initializers.truncatedNormal({ mean: -1, deviation: 0.2 }), cut(0.2, -1)],
  ['torchUniform', 'torchUniform', flat(1 / Math.sqrt(fanOut))],
  ['torchUniform(300)', initializers.torchUniform({ size: fanIn }), flat(1 / Math.sqrt(fanIn))],
  ['xavierUniform', 'xavierUniform', flat(Math.sqrt(6 / 500))],
  ['xavierUniform, gain 2', initializers.xavierUniform({ gain: 2 }), flat(2 * Math.sqrt(6 / 500))],
  ['xavierNormal', 'xavierNormal', bell(Math.sqrt(2 / 500))],
  ['xavierNormal of an LSTM of DL4J', initializers.xavierNormal({ fanIn: 200, fanOut: 500 }), bell(Math.sqrt(2 / 700))],
  ['glorotNormal', 'glorotNormal', cut(Math.sqrt(2 / 500) / afterCut)],
  ['xavierFanIn', 'xavierFanIn', bell(Math.sqrt(1 / fanIn))],
  ['xavierLegacy', 'xavierLegacy', bell(Math.sqrt(1 / 500))],
  ['sigmoidUniform', 'sigmoidUniform', flat(4 * Math.sqrt(6 / 500))],
  ['lecunUniform', 'lecunUniform', flat(Math.sqrt(3 / fanIn))],
  ['lecunUniform of DL4J', initializers.lecunUniform({ gain: Math.sqrt(3) }), flat(3 / Math.sqrt(fanIn))],
  ['lecunNormal', 'lecunNormal', bell(Math.sqrt(1 / fanIn))],
  ['lecunNormal of Keras', initializers.lecunNormal({ truncated: true }), cut(Math.sqrt(1 / fanIn) / afterCut)],
  ['heUniform', 'heUniform', flat(Math.sqrt(6 / fanIn))],
  ['heNormal', 'heNormal', bell(Math.sqrt(2 / fanIn))],
  ['heNormal of Keras', initializers.heNormal({ truncated: true }), cut(Math.sqrt(2 / fanIn) / afterCut)],
  ['varianceScaling', 'varianceScaling', cut(Math.sqrt(1 / fanIn) / afterCut)],
  [
    'varianceScaling by fanOut',
    initializers.varianceScaling({ scale: 2, mode: 'fanOut', distribution: 'normal' }),
    bell(Math.sqrt(2 / fanOut)),
  ],
  [
    'varianceScaling by their average',
    initializers.varianceScaling({ scale: 3, mode: 'fanAverage', distribution: 'uniform' }),
    flat(3 / Math.sqrt(250)),
  ],
  [
    'UNIFORM of DL4J',
    initializers.varianceScaling({ scale: 1 / 3, distribution: 'uniform' }),
    flat(1 / Math.sqrt(fanIn)),
  ],
];

describe('every initializer has the distribution of its formula', () => {
  it.each(cases)('%s', (_, option, distribution) => {
    const values = draw(option, shape).sort();
    const count = values.length;
    let distance = 0;
    values.forEach((x, index) => {
      const expected = distribution(x);
      distance = Math.max(distance, expected - index / count, (index + 1) / count - expected);
    });
    // A right sample is further away than that once in 10^9 (Dvoretzky, Kiefer and Wolfowitz; constant of Massart 1990).
    expect(distance).toBeLessThan(Math.sqrt(Math.log(2e9) / (2 * count)));
  });

  it.each(cases)('%s: a deviation wrong by a tenth would be found', (_, option, right) => {
    const values = draw(option, shape).sort();
    const middle = mean(values);
    const distance = Math.max(
      ...[...values].map((x, index) => Math.abs(right(middle + (x - middle) * 1.1) - (index + 0.5) / values.length)),
    );
    expect(distance).toBeGreaterThan(Math.sqrt(Math.log(2e9) / (2 * values.length)));
  });
});

describe('ranges', () => {
  it('uniform numbers fill their range and do not leave it', () => {
    const values = draw('xavierUniform', shape);
    const limit = Math.sqrt(6 / 500);
    expect(values.every((x) => Math.abs(x) <= limit)).toBe(true);
    // Of 60,000 the largest misses the limit by 2·limit/60,000 on average; by 20 times as much once in 10^8.
    expect(Math.max(...values)).toBeGreaterThan(limit * (1 - 40 / 60_000));
    expect(Math.min(...values)).toBeLessThan(-limit * (1 - 40 / 60_000));
  });

  it('truncated numbers lie within two deviations, and are those of `normal` where these do', () => {
    const whole = draw(initializers.normal({ deviation: 1 }), shape);
    const within = draw(initializers.truncatedNormal({ deviation: 1 }), shape);
    expect(within.every((x) => Math.abs(x) <= 2)).toBe(true);
    expect(whole.every((x, index) => Math.abs(x) > 2 || within[index] === x)).toBe(true);
  });
});

describe('what draws nothing', () => {
  it('zeros, ones and constants fill any shape', () => {
    expect(draw('zeros', [2, 2])).toEqual(Float64Array.of(0, 0, 0, 0));
    expect(draw('ones', [3])).toEqual(Float64Array.of(1, 1, 1));
    expect(draw(initializers.constant({ value: -0.25 }), [1, 2])).toEqual(Float64Array.of(-0.25, -0.25));
  });

  it('identity is the unit matrix times its gain, of any shape, and of every gate', () => {
    expect(draw('identity', [2, 3])).toEqual(Float64Array.of(1, 0, 0, 0, 1, 0));
    expect(draw(initializers.identity({ gain: 0.01 }), [3, 2])).toEqual(Float64Array.of(0.01, 0, 0, 0.01, 0, 0));
    expect(draw('identity', [2, 4], 2)).toEqual(Float64Array.of(1, 0, 1, 0, 0, 1, 0, 1));
  });
});

describe('gates', () => {
  it('are drawn one by one, each with the fans of its own block', () => {
    const limit = Math.sqrt(6 / (300 + 50));
    const values = draw('xavierUniform', shape, 4);
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(limit * 0.999);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(limit);
    const one = draw('xavierUniform', [300, 50]);
    expect(values.subarray(0, 50)).toEqual(one.subarray(0, 50));
    expect(values.subarray(200, 250)).toEqual(one.subarray(50, 100));
  });

  it('are one matrix together where that is asked for, as in Keras', () => {
    expect(draw(initializers.xavierUniform({ gates: 'together' }), shape, 4)).toEqual(draw('xavierUniform', shape));
    expect(draw(initializers.orthogonal({ gates: 'together' }), [4, 12], 3)).toEqual(draw('orthogonal', [4, 12]));
  });

  it('have the same biases drawn one by one or together', () => {
    expect(draw('normal', [30], 3)).toEqual(draw('normal', [30]));
  });

  it('of PyTorch know the units of the layer', () => {
    const values = draw('torchUniform', [7, 400], 4);
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(0.1);
    expect(Math.max(...values.map(Math.abs))).toBeGreaterThan(0.099);
    expect(Math.max(...draw('torchUniform', [400], 4).map(Math.abs))).toBeGreaterThan(0.095);
  });
});

describe('what cannot be', () => {
  it('refuses a matrix initializer for a vector, and settings it does not know', () => {
    expect(() => draw('orthogonal', [5])).toThrow(/needs a matrix.*\[5\]/);
    expect(() => draw('identity', [5])).toThrow(/needs a matrix/);
    expect(() => draw('heNormal', [10], 2)).toThrow(/needs a matrix/);
    expect(() => initializers.uniform({ lo: 1 } as never)).toThrow(/initializers.uniform: unknown option 'lo'.*'low'/);
    expect(() => initializers.constant({} as never)).toThrow(/initializers.constant: option 'value' is missing/);
    expect(() => initializers.varianceScaling({ mode: 'fan_in' as never })).toThrow(/option 'mode' must be.*fanIn/);
    expect(() => initializers.normal({ deviation: -1 })).toThrow(/'deviation' must be a finite number at least 0/);
    expect(() => initializers.heNormal({ gain: 0 })).toThrow(/'gain' must be a finite number above 0/);
  });

  it('says in the options of a layer what would have been right', () => {
    const refused = (kernelInitializer: unknown) => () =>
      layers.dense({ units: 1, kernelInitializer: kernelInitializer as 'zeros' });
    expect(refused('xavierNormel')).toThrow(/'kernelInitializer' must be one of zeros.*nearest is 'xavierNormal'/);
    expect(refused({ kind: 'uniform', lo: 1 })).toThrow(/what initializers.uniform makes: its 'lo' is not right/);
    expect(refused({ kind: 'other' })).toThrow(/the name of an initializer or what one of `initializers` makes/);
    for (const own of [[[1]], () => [1]]) expect(refused(own)).toThrow(/initializers.given/);
  });
});
