/** Schedules give the factors of PyTorch, Keras and DL4J, are finite whatever comes, and come back from plain data. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Progress, type Schedule, type ScheduleData, scheduleOf, schedules } from '../../src/network/schedules.js';

const begin: Progress = { iteration: 1, epoch: 0, fraction: 0, losses: [] };
const at = (passed: number): Progress => ({ ...begin, iteration: passed + 1 });
const first = (schedule: Schedule, count: number) => Array.from({ length: count }, (_, passed) => schedule(at(passed)));

const half = { factor: 0.5 };
const steep = { rise: 0.4, shape: 'linear', initial: 0.1, final: 1e-3 } as const;

/** What PyTorch 2.13 and Keras 3.15 (in single precision) give for a rate of 1. */
const known: readonly [name: string, schedule: Schedule, factors: readonly number[]][] = [
  ['StepLR', schedules.step({ every: 3, ...half }), [1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.25, 0.125]],
  ['ExponentialLR', schedules.exponential({ factor: 0.9 }), [1, 0.9, 0.81, 0.729, 0.6561]],
  [
    'ExponentialDecay of Keras',
    schedules.exponential({ ...half, steps: 4 }),
    [1, 0.8408964276313782, 0.7071067690849304, 0.5946035385131836, 0.5],
  ],
  [
    'InverseTimeDecay of Keras',
    schedules.inverse({ decay: 0.25 }),
    [1, 0.800000011920929, 0.6666666865348816, 0.5714285969734192, 0.5],
  ],
  [
    'PolynomialLR',
    schedules.polynomial({ steps: 6, power: 2 }),
    [1, 0.6944444444444445, 0.4444444444444446, 0.25, 0.11111111111111116, 0.027777777777777773, 0, 0],
  ],
  [
    'PolynomialDecay of Keras',
    schedules.polynomial({ steps: 4, power: 2, final: 0.2 }),
    [1, 0.6500000357627869, 0.4000000059604645, 0.25, 0.20000000298023224, 0.20000000298023224],
  ],
  ['LinearLR', schedules.ramp({ steps: 4, from: 0.25, to: 0.75 }), [0.25, 0.375, 0.5, 0.625, 0.75, 0.75, 0.75]],
  [
    'CosineAnnealingWarmRestarts',
    schedules.cosine({ period: 3, multiplier: 2, final: 0.1 }),
    [1, 0.775, 0.325, 1, 0.9397114317029974, 0.775, 0.55, 0.325, 0.16028856829700258, 1, 0.9846666218300807],
  ],
  [
    'CosineDecayRestarts of Keras',
    schedules.cosine({ period: 4, multiplier: 2, decay: 0.5, final: 0.1 }),
    [1, 0.8681980967521667, 0.5499999523162842, 0.23180195689201355, 0.550000011920929, 0.5328729152679443],
  ],
  [
    'OneCycleLR',
    schedules.oneCycle({ steps: 10 }),
    [
      0.04, 0.52, 1, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893, 0.38874197806371075,
      0.18825834605023697, 0.049519367986526286, 4e-6,
    ],
  ],
  [
    'OneCycleLR in straight lines',
    schedules.oneCycle({ steps: 9, ...steep }),
    [0.1, 0.4461538461538461, 0.7923076923076923, 0.926, 0.741, 0.556, 0.371, 0.186, 1e-3],
  ],
  [
    'OneCycleLR in three phases',
    schedules.oneCycle({ steps: 12, rise: 0.4, phases: 3 }),
    [
      0.04, 0.19490484561964427, 0.5596380858267194, 0.8987874445102688, 0.9934534256333069, 0.7825351158987652,
      0.4021669661724169, 0.09785259942088556, 0.038649579643628314, 0.025474712475461535, 0.00795051254168764, 4e-6,
    ],
  ],
  [
    'the momentum of OneCycleLR',
    schedules.oneCycle({ steps: 8, initial: 0.95, peak: 0.85, final: 0.95 }),
    [
      0.95, 0.8688255099070633, 0.8528058334845816, 0.8688255099070633, 0.8944017761948346, 0.9216941869558779,
      0.9423362099614142, 0.95,
    ],
  ],
  [
    'SequentialLR',
    schedules.sequence({
      schedules: [schedules.ramp({ from: 0.25, steps: 3 }), schedules.exponential(half)],
      milestones: [3],
    }),
    [0.25, 0.5, 0.75, 1, 0.5, 0.25, 0.125, 0.0625],
  ],
];

describe('schedules', () => {
  it.each(known)('%s', (name, schedule, factors) => {
    const got = first(schedule, factors.length);
    const digits = name.endsWith('of Keras') ? 6 : 12;
    for (const [index, factor] of factors.entries()) expect(got[index], `${index}`).toBeCloseTo(factor, digits);
  });

  it('follow the formulas of DL4J', () => {
    expect(first(schedules.inverse({ decay: 3, power: 0.5 }), 6)[5]).toBe(0.25);
    expect(first(schedules.sigmoid({ center: 2, slope: Math.log(3) }), 4).map((x) => x.toFixed(4))).toEqual([
      '0.1000',
      '0.2500',
      '0.5000',
      '0.7500',
    ]);
    expect(first(schedules.map({ factors: { 2: 0.5, 0: 1, 4: 0.2 } }), 6)).toEqual([1, 1, 0.5, 0.5, 0.2, 0.2]);
    expect(first(schedules.warmUp({ steps: 4, schedule: schedules.step({ every: 5 }) }), 6)).toEqual([
      0.25, 0.5, 0.75, 1, 1, 0.1,
    ]);
    expect(first(schedules.constant(), 2)).toEqual([1, 1]);
  });

  it('a map gives 1 before its first key', () => {
    expect(first(schedules.map({ factors: { 2: 0.5 } }), 4)).toEqual([1, 1, 0.5, 0.5]);
  });

  it('count epochs where they are told to', () => {
    const schedule = schedules.step({ every: 2, ...half, unit: 'epoch' });
    expect([0, 1, 2, 3, 4].map((epoch) => schedule({ ...begin, iteration: 1000, epoch }))).toEqual([
      1, 1, 0.5, 0.5, 0.25,
    ]);
  });

  it('without a length span the whole training', () => {
    const ofFraction = (schedule: Schedule) =>
      [0, 0.15, 0.3, 0.65, 1].map((fraction) => schedule({ ...begin, fraction }).toFixed(4));
    expect(ofFraction(schedules.cosine({ final: 0.1 }))).toEqual(['1.0000', '0.9510', '0.8145', '0.3457', '0.1000']);
    expect(ofFraction(schedules.oneCycle({ final: 0 }))).toEqual(['0.0400', '0.5200', '1.0000', '0.5000', '0.0000']);
  });

  it('each of a sequence sees the training from its own beginning', () => {
    const seen: Progress[] = [];
    const spy = (progress: Progress) => seen.push(progress);
    const { constant } = schedules;
    const parts = [constant(), spy];
    schedules.sequence({ schedules: parts, milestones: [2], unit: 'epoch' })({ ...begin, epoch: 3, losses: [3, 2, 1] });
    schedules.sequence({ schedules: parts, milestones: [10] })({ ...begin, iteration: 15 });
    expect(seen).toEqual([
      { ...begin, epoch: 1, losses: [1] },
      { ...begin, iteration: 5 },
    ]);
  });
});

describe('plateau', () => {
  const losses = [
    1.99, 2.12, 1.99, 2.09, 2.04, 1.99, 2.19, 2.19, 2.17, 2.24, 2.35, 2.33, 2.38, 2.24, 2.18, 2.1, 1.92, 1.72, 1.51,
    1.46, 1.42, 1.36, 1.35, 1.17,
  ];
  /** The number of falls after each epoch. */
  const falls = (options: Parameters<typeof schedules.plateau>[0]) => {
    const schedule = schedules.plateau({ ...half, ...options });
    return losses.map(
      (_, epoch) => -Math.log2(schedule({ ...begin, epoch: epoch + 1, losses: losses.slice(0, epoch + 1) })),
    );
  };
  // What ReduceLROnPlateau of both did with these losses.
  it.each([
    ['pytorch', { patience: 1 }, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7]],
    ['pytorch', { patience: 2, cooldown: 3 }, [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3]],
    [
      'pytorch',
      { patience: 0, threshold: 0.05, thresholdKind: 'absolute' },
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15, 15, 15, 16, 16, 16, 17, 17],
    ],
    ['keras', { patience: 1 }, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 15, 15, 15, 15, 15, 15, 15, 15]],
    ['keras', { patience: 2, cooldown: 3 }, [0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4]],
  ] as const)('falls when that of %s does: %j', (formula, options, expected) => {
    const kind = formula === 'keras' ? 'absolute' : 'relative';
    expect(falls({ thresholdKind: kind, ...options, formula }).map(Math.abs)).toEqual(expected);
  });

  it('does not fall below its minimum, nor before there are losses', () => {
    const schedule = schedules.plateau({ ...half, patience: 0, minimum: 0.2 });
    expect([[], [1], [1, 1], [1, 1, 1], [1, 1, 1, 1]].map((seen) => schedule({ ...begin, losses: seen }))).toEqual([
      1, 1, 0.5, 0.25, 0.2,
    ]);
  });
});

describe('every schedule', () => {
  const factor = fc.double({ min: 0, max: 1e300, noNaN: true });
  const count = fc.integer({ min: 1, max: 1e15 });
  const unit = fc.constantFrom('iteration', 'epoch');
  const options: Readonly<Record<keyof typeof schedules, fc.Arbitrary<Record<string, unknown>>>> = {
    constant: fc.constant({}),
    step: fc.record({ every: count, factor, unit }),
    map: fc.record({ factors: fc.dictionary(count.map(String), factor), unit }),
    exponential: fc.record({ factor, steps: count, unit }),
    inverse: fc.record({ decay: factor, power: factor, unit }),
    polynomial: fc.record({ steps: count, power: factor.filter((x) => x > 0), final: factor, unit }),
    sigmoid: fc.record({ center: fc.double({ noNaN: true, noDefaultInfinity: true }), slope: factor, unit }),
    ramp: fc.record({ steps: count, from: factor, to: factor, unit }),
    cosine: fc.record({ period: count, multiplier: count, decay: fc.double({ min: 0, max: 1, noNaN: true }), unit }),
    oneCycle: fc.record({
      steps: count.map((steps) => steps + 1),
      rise: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
      ...{ initial: factor, peak: factor, final: factor, phases: fc.constantFrom(2, 3), unit },
    }),
    plateau: fc.record({ patience: fc.nat(3), cooldown: fc.nat(3), formula: fc.constantFrom('pytorch', 'keras') }),
    warmUp: fc.record({
      steps: count,
      schedule: fc.constantFrom({ kind: 'cosine' }, { kind: 'step', every: 2 }),
      unit,
    }),
    sequence: fc.record({
      schedules: fc.constant([
        { kind: 'ramp', steps: 3 },
        { kind: 'plateau', patience: 0 },
      ]),
      milestones: fc.tuple(count),
      unit,
    }),
  };
  const progress = fc.record({
    iteration: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    epoch: fc.nat(1e9),
    fraction: fc.double({ min: 0, max: 1, noNaN: true }),
    losses: fc.array(fc.double(), { maxLength: 20 }),
  });

  it.each(Object.entries(options))('%s is finite, at least 0, and the same again from plain data', (kind, some) => {
    fc.assert(
      fc.property(some, fc.array(progress, { minLength: 1, maxLength: 5 }), (given, points) => {
        const schedule = scheduleOf({ kind, ...given });
        const again = scheduleOf(JSON.parse(JSON.stringify(schedule)) as ScheduleData);
        for (const point of points) {
          const value = schedule(point);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThan(Number.POSITIVE_INFINITY);
          expect(again(point)).toBe(value);
        }
        expect(JSON.stringify(again)).toBe(JSON.stringify(schedule));
      }),
    );
  });

  it('is in plain data what it was made of, defaults filled in', () => {
    const schedule = schedules.warmUp({ steps: 10, schedule: schedules.step({ every: 5 }) });
    expect(JSON.parse(JSON.stringify({ schedule }))).toEqual({
      schedule: {
        kind: 'warmUp',
        steps: 10,
        schedule: { kind: 'step', every: 5, factor: 0.1, unit: 'iteration' },
        unit: 'iteration',
      },
    });
  });

  it('has no plain data where a function of the user’s own is part of it', () => {
    const own = () => 0.5;
    expect(JSON.stringify({ schedule: schedules.warmUp({ steps: 2, schedule: own }) })).toBe('{}');
    const parts = [schedules.constant(), schedules.warmUp({ steps: 2, schedule: own })];
    expect(JSON.stringify({ schedule: schedules.sequence({ schedules: parts, milestones: [1] }) })).toBe('{}');
  });
});

describe('bad options', () => {
  const { constant, ramp } = schedules;
  it.each([
    ["schedules.step: option 'every' is missing", () => schedules.step({} as never)],
    ["schedules.step: option 'every' must be a whole number of at least 1, got 0", () => schedules.step({ every: 0 })],
    ["Did you mean 'factor'", () => schedules.step({ every: 2, factr: 1 } as never)],
    ["option 'factor' must be number, got NaN", () => schedules.exponential({ factor: Number.NaN })],
    ['keyed by whole numbers of at least 0', () => schedules.map({ factors: { '-1': 1 } })],
    ['keyed by whole numbers of at least 0', () => schedules.map({ factors: { 1.5: 1 } })],
    ["option 'power' must be a finite number above 0", () => schedules.polynomial({ steps: 5, power: 0 })],
    ["option 'period' must be a whole number", () => schedules.cosine({ period: 1.5 })],
    ["option 'rise'", () => schedules.oneCycle({ steps: 10, rise: 1 })],
    ['rise of at most 0.5', () => schedules.oneCycle({ phases: 3, rise: 0.6 })],
    ["option 'factor' must be a finite number at least 0 and below 1", () => schedules.plateau({ factor: 1 })],
    ['"iteration" | "epoch"', () => ramp({ steps: 5, unit: 'step' as never })],
    ["option 'schedule' must be a schedule", () => schedules.warmUp({ steps: 5, schedule: 1 as never })],
    ["Did you mean 'cosine'", () => schedules.warmUp({ steps: 5, schedule: { kind: 'cosin' } })],
    ['There is no schedule', () => schedules.warmUp({ steps: 5, schedule: { kind: 'toString' } })],
    ["option 'schedules'", () => schedules.sequence({ schedules: [constant()], milestones: [] })],
    [
      '2 schedules need 1 milestones between them, got 2',
      () => schedules.sequence({ schedules: [constant(), constant()], milestones: [1, 2] }),
    ],
    ['ascending', () => schedules.sequence({ schedules: [constant(), constant(), constant()], milestones: [2, 2] })],
  ])('%s', (message, make) => {
    expect(make).toThrow(message);
  });
});
