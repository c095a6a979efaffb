/** Schedules that go one way. */
import * as v from 'valibot';
import { finiteNumber, wholeNumber } from '../../options.js';
import { passed, schedule, unitOption } from './schedule.js';

/** 1 throughout. */
export const constant = schedule('constant', {}, () => () => 1);

/**
 * factor^floor(n / every) after n iterations or epochs: PyTorch's StepLR, DL4J's StepSchedule.
 *
 * @param options `every`: so many; `factor`: at least 0, default 0.1; `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.step({ every: 10, factor: 0.5, unit: 'epoch' });
 */
export const step = schedule(
  'step',
  { every: wholeNumber(1), factor: v.optional(finiteNumber({ minimum: 0 }), 0.1), unit: unitOption },
  ({ every, factor, unit }) =>
    (progress) =>
      factor ** Math.floor(passed(progress, unit) / every),
);

const start = v.pipe(
  v.string(),
  v.check((text) => /^\d+$/.test(text) && Number.isSafeInteger(Number(text)), 'keyed by whole numbers of at least 0'),
);

/**
 * The factor at the largest key that is not above n, after n iterations or epochs; 1 before the first key: DL4J's
 * MapSchedule.
 *
 * @param options `factors`: by the iteration or epoch from which each holds; `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.map({ factors: { 0: 1, 10: 0.5, 20: 0.2 }, unit: 'epoch' });
 */
export const map = schedule(
  'map',
  { factors: v.record(start, finiteNumber({ minimum: 0 })), unit: unitOption },
  ({ factors, unit }) => {
    const ascending = Object.entries(factors)
      .map(([from, factor]) => ({ from: Number(from), factor }))
      .sort((a, b) => a.from - b.from);
    return (progress) => ascending.findLast(({ from }) => from <= passed(progress, unit))?.factor ?? 1;
  },
);

/**
 * factor^(n / steps) after n iterations or epochs: PyTorch's ExponentialLR and DL4J's ExponentialSchedule with `steps` 1,
 * Keras' ExponentialDecay.
 *
 * @param options `factor`: at least 0; `steps`: default 1; `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.exponential({ factor: 0.97, unit: 'epoch' });
 */
export const exponential = schedule(
  'exponential',
  { factor: finiteNumber({ minimum: 0 }), steps: v.optional(wholeNumber(1), 1), unit: unitOption },
  ({ factor, steps, unit }) =>
    (progress) =>
      factor ** (passed(progress, unit) / steps),
);

/**
 * (1 + decay·n)^-power after n iterations or epochs: DL4J's InverseSchedule, Keras' InverseTimeDecay with `power` 1.
 *
 * @param options `decay`: at least 0; `power`: at least 0, default 1; `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.inverse({ decay: 1e-3, power: 0.5 });
 */
export const inverse = schedule(
  'inverse',
  {
    decay: finiteNumber({ minimum: 0 }),
    power: v.optional(finiteNumber({ minimum: 0 }), 1),
    unit: unitOption,
  },
  ({ decay, power, unit }) =>
    (progress) =>
      (1 + decay * passed(progress, unit)) ** -power,
);

/**
 * final + (1 - final)·(1 - n / steps)^power after n iterations or epochs, `final` from `steps` on: PyTorch's
 * PolynomialLR, Keras' PolynomialDecay. (DL4J's PolySchedule has 1 + n / steps, which grows; its source, Caffe, has this.)
 *
 * @param options
 * - `steps`: so many; `power`: above 0, default 1; `final`: at least 0, default 0
 * - `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.polynomial({ steps: 10_000, power: 2 });
 */
export const polynomial = schedule(
  'polynomial',
  {
    steps: wholeNumber(1),
    power: v.optional(finiteNumber({ above: 0 }), 1),
    final: v.optional(finiteNumber({ minimum: 0 }), 0),
    unit: unitOption,
  },
  ({ steps, power, final, unit }) =>
    (progress) =>
      final + (1 - final) * (1 - Math.min(1, passed(progress, unit) / steps)) ** power,
);

/**
 * 1 / (1 + exp(-slope·(n - center))) after n iterations or epochs: DL4J's SigmoidSchedule with gamma and stepSize. It
 * rises where `slope` is above 0 and falls where it is below.
 *
 * @param options `center`: where it is 1/2; `slope`; `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.sigmoid({ center: 20, slope: -0.5, unit: 'epoch' });
 */
export const sigmoid = schedule(
  'sigmoid',
  { center: finiteNumber(), slope: finiteNumber(), unit: unitOption },
  ({ center, slope, unit }) =>
    (progress) =>
      1 / (1 + Math.exp(-slope * (passed(progress, unit) - center))),
);

/**
 * A straight line from `from` to `to` over so many iterations or epochs, then `to`: PyTorch's LinearLR.
 *
 * @param options
 * - `steps`: so many; `from`: at least 0, default 0; `to`: at least 0, default 1
 * - `unit`: 'iteration' (default) or 'epoch'
 * @throws {MnemeError} `invalid-option`
 * @example
 * schedules.ramp({ from: 0.5, steps: 1000 });
 */
export const ramp = schedule(
  'ramp',
  {
    steps: wholeNumber(1),
    from: v.optional(finiteNumber({ minimum: 0 }), 0),
    to: v.optional(finiteNumber({ minimum: 0 }), 1),
    unit: unitOption,
  },
  ({ steps, from, to, unit }) =>
    (progress) => {
      const share = Math.min(1, passed(progress, unit) / steps);
      return (1 - share) * from + share * to;
    },
);
