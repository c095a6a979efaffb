/** Numbers that follow a schedule: what is taken for one, what a file holds of it, and what it may lead to. */
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import type { MnemeError } from '../../src/errors.js';
import { type Rate, rateAt, rateOption, scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { parseOptions } from '../../src/options.js';

const at = (iteration: number) => ({ iteration, epoch: 0, fraction: 0, losses: [] });
const share = v.strictObject({ rate: rateOption({ minimum: 0, below: 1 }) });
const parsed = (rate: unknown): Rate => parseOptions(share, { rate }, 'test').rate;

describe('a rate', () => {
  it('is a number, the same throughout, or a number times what a schedule gives', () => {
    expect([1, 2, 3].map((iteration) => rateAt(parsed(0.5), at(iteration)))).toEqual([0.5, 0.5, 0.5]);
    const falling = parsed(scheduled(0.5, schedules.step({ every: 1, factor: 0.5 })));
    expect([1, 2, 3].map((iteration) => rateAt(falling, at(iteration)))).toEqual([0.5, 0.25, 0.125]);
  });

  it('comes back from plain data', () => {
    const rate = parsed(scheduled(0.5, schedules.warmUp({ steps: 2, schedule: schedules.step({ every: 2 }) })));
    const data = JSON.parse(JSON.stringify({ rate }));
    expect(data).toEqual({
      rate: {
        value: 0.5,
        schedule: {
          kind: 'warmUp',
          steps: 2,
          schedule: { kind: 'step', every: 2, factor: 0.1, unit: 'iteration' },
          unit: 'iteration',
        },
      },
    });
    const again = parsed(data.rate);
    for (const iteration of [1, 2, 3, 4, 5]) expect(rateAt(again, at(iteration))).toBe(rateAt(rate, at(iteration)));
    expect(JSON.stringify({ rate: again })).toBe(JSON.stringify({ rate }));
  });

  it('is refused if its data are nested without end', () => {
    let schedule: object = { kind: 'constant' };
    for (let depth = 0; depth < 20_000; depth++) schedule = { kind: 'warmUp', steps: 1, schedule };
    expect(() => parsed({ value: 0.5, schedule })).toThrow('The data of a schedule may be nested 32 deep at most');
  });

  it('with a schedule that is a function of the user’s own is the number alone in a file', () => {
    expect(JSON.stringify({ rate: parsed(scheduled(0.5, ({ iteration }) => 1 / iteration)) })).toBe('{"rate":0.5}');
  });

  it.each([
    ['a finite number at least 0 and below 1, or scheduled', 1],
    ['a finite number at least 0 and below 1, or scheduled', Number.NaN],
    ['a finite number at least 0 and below 1, or scheduled', '0.5'],
    ['a finite number at least 0 and below 1, or scheduled', scheduled(1, schedules.constant())],
    ['a finite number at least 0 and below 1, or scheduled', { value: 0.5 }],
    ['a finite number at least 0 and below 1, or scheduled', { value: 0.5, schedule: 1 }],
    ["Did you mean 'cosine'", { value: 0.5, schedule: { kind: 'cosines' } }],
    ["schedules.step: option 'every' is missing", { value: 0.5, schedule: { kind: 'step' } }],
    ["unknown option 'evry'. Did you mean 'every'", { value: 0.5, schedule: { kind: 'step', evry: 2 } }],
  ])('is refused, saying %s, if it is %j', (message, rate) => {
    expect(() => parsed(rate)).toThrow(expect.objectContaining({ code: 'invalid-option' }) as MnemeError);
    expect(() => parsed(rate)).toThrow(message);
  });

  it.each([1.5, -1, Number.NaN, Number.POSITIVE_INFINITY])(
    'must not be led out of its range, by a factor of %s',
    (factor) => {
      const rate = parsed(scheduled(0.8, () => factor));
      const lead = () => rateAt(rate, at(12), "option 'momentum' of updaters.sgd");
      expect(lead).toThrow(expect.objectContaining({ code: 'out-of-range' }) as MnemeError);
      expect(lead).toThrow(
        `The schedule of option 'momentum' of updaters.sgd leads to ${0.8 * factor} at step 12, epoch 0: it must stay a finite number at least 0 and below 1.`,
      );
    },
  );

  it('is an option of every updater that has a learning rate', () => {
    const learningRate = scheduled(0.5, schedules.step({ every: 2, factor: 0.5 }));
    for (const [name, make] of Object.entries(updaters)) {
      if (name === 'noOp') continue;
      const updater = (make as typeof updaters.sgd)({ learningRate });
      expect(JSON.parse(JSON.stringify(updater.options)).learningRate.schedule.kind, name).toBe('step');
      const scalars = [1, 3].map((iteration) => updater.scalars(at(iteration), 1));
      expect(scalars[0], name).not.toEqual(scalars[1]);
    }
  });
});
