/** An updater of the user's own: everything it needs comes from 'mneme', and a schema is not among it. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { lerp, scheduled, schedules, updater, updaters } from '../../src/index.js';
import { exact, native } from '../network/engines.js';
import { trajectory } from './gradient-probe.js';

const signSgd = updater('signSgd', {
  step: ({ gradient, learningRate }) => ({ change: gradient.sign().mul(learningRate) }),
});

const ownAdam = updater('ownAdam', {
  options: { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
  states: { mean: 0, square: 0 },
  scalars: ({ learningRate, beta1, beta2, epsilon }, iteration) => {
    const correction = Math.sqrt(1 - beta2 ** iteration);
    return { rate: (learningRate * correction) / (1 - beta1 ** iteration), offset: epsilon * correction };
  },
  step: ({ gradient, mean, square, rate, offset }, { beta1, beta2 }) => {
    const nextMean = lerp(mean, gradient, beta1);
    const nextSquare = lerp(square, gradient.square(), beta2);
    return { mean: nextMean, square: nextSquare, change: nextMean.mul(rate).div(nextSquare.sqrt().add(offset)) };
  },
});

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
const start = Array.from({ length: 40 }, (_, index) => Math.sin(index));
const gradients = [1, 2, 3].map((step) => start.map((_, index) => Math.cos(step * index) * 10 ** ((index % 7) - 3)));

for (const [engineName, engine] of engines) {
  describe.skipIf(!engine)(engineName, () => {
    it('takes its steps', async () => {
      const { parameters } = await trajectory(engine!, [1, 1, 1], [[3, 0, -0.1]], {
        updater: signSgd({ learningRate: 0.5 }),
      });
      expect([...parameters[0]!]).toEqual([0.5, 1, 1.5]);
    });

    it('gives the bits of the one that is built in, where its formula is the same', async () => {
      const run = (updater: ReturnType<typeof ownAdam>) => trajectory(engine!, start, gradients, { updater });
      expect(await run(ownAdam({ learningRate: 0.01 }))).toEqual(await run(updaters.adam({ learningRate: 0.01 })));
    });

    it('has options that may be scheduled', async () => {
      const beta1 = scheduled(0.5, schedules.step({ every: 1, factor: 0.5 }));
      const run = (updater: ReturnType<typeof ownAdam>) => trajectory(engine!, start, gradients, { updater });
      expect(await run(ownAdam({ beta1 }))).toEqual(await run(updaters.adam({ beta1 })));
    });

    it('may call its scalars and states as it likes', async () => {
      const odd = updater('odd', {
        states: { parameters: 0, mask: 1 },
        scalars: ({ learningRate }) => ({ input: learningRate, targets: 2 * learningRate, sequence: learningRate }),
        step: ({ gradient, parameters, mask, input, targets, sequence }) => ({
          parameters: parameters.add(1),
          mask,
          change: gradient.mul(input.add(targets).add(sequence)).mul(mask),
        }),
      });
      const { parameters } = await trajectory(engine!, [0], [[1], [1]], { updater: odd({ learningRate: 0.25 }) });
      expect(parameters.map(([value]) => value)).toEqual([-1, -2]);
    });
  });
}

describe('a careless updater', () => {
  const run = (made: ReturnType<typeof ownAdam>) => trajectory(exact, [1], [[1]], { updater: made });

  it('hears which result is missing, and which is none', async () => {
    const forgetful = updater('forgetful', {
      states: { mean: 0 },
      step: ({ gradient }) => ({ change: gradient }),
    });
    await expect(run(forgetful())).rejects.toThrow(
      "updater 'forgetful': step must return change, mean; 'mean' is missing.",
    );
    const still = updater('still', { step: () => ({}) as never });
    await expect(run(still())).rejects.toThrow("updater 'still': step must return change; 'change' is missing.");
    const talkative = updater('talkative', {
      step: ({ gradient }) => ({ change: gradient, velocity: gradient }) as never,
    });
    await expect(run(talkative())).rejects.toThrow("'velocity' is no state of it");
  });

  it('hears of what is no number and no expression', async () => {
    const silent = updater('silent', { step: () => undefined as never });
    await expect(run(silent())).rejects.toThrow("updater 'silent'");
    const blank = updater('blank', { scalars: () => undefined as never, step: () => ({ change: 0 }) });
    await expect(run(blank())).rejects.toThrow("updater 'blank' at step 1: scalars: expected an object of numbers");
    const odd = updater('odd', { step: () => ({ change: 'much' }) as never });
    await expect(run(odd())).rejects.toThrow("updater 'odd': 'change' that step returns: expected an expression");
    const endless = updater('endless', {
      scalars: ({ learningRate }) => ({ rate: learningRate / 0 }),
      step: ({ gradient, rate }) => ({ change: gradient.mul(rate) }),
    });
    await expect(run(endless())).rejects.toThrow("updater 'endless' at step 1: scalar 'rate' is Infinity");
    const stateless = updater('stateless', {
      states: { mean: undefined as never },
      step: ({ gradient, mean }) => ({ change: gradient, mean }),
    });
    expect(() => stateless()).toThrow("updater 'stateless': state 'mean' is undefined");
    expect(() => updater('slow', { options: { rate: 1 } as never, step: () => ({}) as never })).toThrow(
      "updater 'slow': options: expected numbers or schemas, learningRate among them",
    );
  });

  it('may return plain numbers', async () => {
    const counting = updater('counting', { states: { seen: 0 }, step: () => ({ seen: 1, change: 0.25 }) });
    const { parameters } = await trajectory(exact, [1], [[1]], { updater: counting() });
    expect(parameters[0]![0]).toBe(0.75);
  });

  it('hears of names that are taken', async () => {
    const taken = updater('taken', {
      states: { gradient: 0 },
      step: ({ gradient }) => ({ gradient, change: gradient }),
    });
    await expect(run(taken())).rejects.toThrow("updater 'taken': 'gradient' is there twice");
    const twice = updater('twice', {
      states: { learningRate: 0 },
      step: ({ learningRate }) => ({ learningRate, change: learningRate }),
    });
    await expect(run(twice())).rejects.toThrow("updater 'twice': 'learningRate' is there twice");
  });

  it('has options that are checked like any others', () => {
    expect(() => ownAdam({ beta3: 1 } as never)).toThrow(
      "updaters.ownAdam: unknown option 'beta3'. Did you mean 'beta1'",
    );
    expect(() => ownAdam({ beta1: Number.NaN })).toThrow("option 'beta1' must be a finite number, or scheduled");
    expect(ownAdam().options).toEqual({ learningRate: 1e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-8 });
    expect(signSgd().options).toEqual({ learningRate: 1e-3 });
  });
});
