/** Frozen layers and learning rates by layer. */
import { describe, expect, it } from 'vitest';
import { printProgram } from '../../src/compute/compiler.js';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { Program } from '../../src/compute/program.js';
import type { LayerTrainingOptions } from '../../src/index.js';
import { constraints } from '../../src/network/constraints.js';
import { layers } from '../../src/network/layers/index.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork } from '../../src/network/network.js';
import { scheduled } from '../../src/network/rates.js';
import { schedules } from '../../src/network/schedules.js';
import { updaters } from '../../src/network/updaters/index.js';
import { batchShape } from '../../src/training/batch-shape.js';
import { trainingRule } from '../../src/training/rule.js';
import { trainStep } from '../../src/training/train-step.js';
import { createTrainer } from '../../src/training/trainer.js';
import { updaterLayout } from '../../src/training/updater-arena.js';
import { exact } from '../network/engines.js';
import { data, engines, language, loss, trainerFor } from './language.js';
import { engines as exactEngines, expectWeights } from './probe-engines.js';
import { batchesOf } from './sequences.js';
import { probe } from './weights-probe.js';

type Layers = Readonly<Record<string, LayerTrainingOptions>>;
const frozen = { trainable: false };

/** The program of a step of the small language model. */
function stepProgram(layers: Layers): Program {
  const network = language(exact);
  const [batch] = data(1);
  const shape = batchShape(network, loss, batch!);
  return trainStep(network, trainingRule(network, { loss, updater: updaters.adam(), layers }), {
    ...shape,
    initialStates: 'zero',
  });
}
const count = (program: Program, operation: string) =>
  program.instructions.filter((instruction) => instruction.operation === operation).length;

for (const [name, engine] of engines) describe.skipIf(!engine)(`freezing, ${name} engine`, () => claims(engine!));

function claims(engine: Engine): void {
  const cases: readonly (readonly [string, readonly string[]])[] = [
    ['the first', ['embedding']],
    ['one in the middle', ['gru']],
    ['the last', ['dense']],
    ['all but one', ['embedding', 'dense']],
  ];
  it.each(cases)('a frozen layer keeps its bits, and the others learn: %s', async (_, names) => {
    const network = language(engine);
    const before = await network.readParameters();
    const trainer = trainerFor(network, {
      layers: Object.fromEntries(names.map((layer) => [layer, frozen])),
      regularization: { l1: 0.01, l2: 0.01, decay: { kernel: 0.1, recurrent: 0.1, bias: 0.1, embedding: 0.1 } },
      constraints: { kernel: constraints.unitNorm(), embedding: constraints.unitNorm() },
      gradientNoise: { variance: 0.1 },
      average: { kind: 'stochastic' },
      accumulate: 2,
    });
    await trainer.fit(batchesOf(data()), { epochs: 2 });
    const after = await network.readParameters();
    const averages = await trainer.averagedParameters();
    for (const { name: parameter, offset, length } of network.parameterLayout) {
      const [was, is] = [before, after].map((values) => values.slice(offset, offset + length));
      const own = names.includes(parameter.slice(0, parameter.indexOf('/')));
      expect(Object.is(was, is) || was!.every((value, index) => Object.is(value, is![index])), parameter).toBe(own);
      if (own) expect(averages.slice(offset, offset + length), parameter).toEqual(was);
    }
    network.dispose();
  });

  it('the others learn as they do where nothing is frozen', async () => {
    // Of one step, whose gradients do not depend on what is trained.
    const [batch] = data(1);
    const after = async (layers: Layers) => {
      const network = language(engine);
      await trainerFor(network, { layers, updater: updaters.sgd({ learningRate: 1 }) }).step(batch!);
      return network;
    };
    const [some, all] = [await after({ gru: frozen }), await after({})];
    for (const parameter of ['embedding/table', 'dense/kernel', 'dense/bias']) {
      expect(await some.parameter(parameter)).toEqual(await all.parameter(parameter));
    }
  });
}

it('a model without parameters is refused', () => {
  const network = createNetwork([layers.activation({ activation: 'tanh' })], { input: { features: 1 }, engine: exact });
  expect(() => createTrainer(network, { loss: losses.meanSquaredError(), updater: updaters.sgd() })).toThrow(
    'createTrainer: no layer of this model has parameters: there is nothing to train.',
  );
});

describe('what is frozen costs nothing', () => {
  it('no gradient is computed where all behind it is frozen', () => {
    const whole = stepProgram({});
    const head = stepProgram({ embedding: frozen, gru: frozen });
    expect(count(whole, 'recurrentGradient')).toBe(1);
    expect(count(head, 'recurrentGradient')).toBe(0);
    expect(count(head, 'embeddingGradient')).toBe(0);
    expect(head.instructions.length).toBeLessThan(whole.instructions.length - 2);
    expect(head.cost.flops).toBeLessThan(whole.cost.flops / 2);
  });

  it('there is no updater state of it, and a range that is frozen at an end adds no copies', () => {
    const network = language(exact);
    const rule = (layers: Layers) => trainingRule(network, { loss, updater: updaters.adam(), layers });
    const table = network.parameterLayout[0]!.length;
    const [some, all] = [rule({ embedding: frozen }), rule({})].map(updaterLayout);
    expect(all!.size - some!.size).toBe(2 * table);
    const program = stepProgram({ embedding: frozen });
    expect(program.instructions.length, printProgram(program)).toBeLessThan(stepProgram({}).instructions.length);
  });
});

for (const [name, engine, digits] of exactEngines)
  describe.skipIf(!engine)(`learning rates by layer, ${name}`, () => {
    const weights = { first: { kernel: [1, 1] }, second: { kernel: [1, 1] }, third: { kernel: [1, 1] } } as const;
    const on = (layers: Layers) =>
      probe(engine!, weights, Float64Array.of(1, 1, 1), {
        updater: updaters.sgd({ learningRate: 0.5 }),
        regularization: { decay: 0.2 },
        layers,
      });

    it('a factor of everything that the learning rate multiplies', async () => {
      const { step, parameters } = await on({ first: { learningRate: 0.1 }, third: { learningRate: 0 } });
      await step(Float64Array.of(1, 1, 1));
      expectWeights(await parameters(), [1 - 0.1 * (0.5 + 0.1), 1 - 0.5 - 0.1, 1], digits);
    });

    it('may follow a schedule: a layer that thaws', async () => {
      const later = schedules.map({ factors: { 0: 0, 1: 1 } });
      const { step, parameters } = await on({ first: { learningRate: scheduled(2, later) }, second: frozen });
      await step(Float64Array.of(1, 1, 1));
      expectWeights(await parameters(), [1, 1, 0.4], digits);
      await step(Float64Array.of(1, 1, 1));
      expectWeights(await parameters(), [1 - 2 * 0.6, 1, 0.4 - 0.5 - 0.1 * 0.4], digits);
    });

    it('a trainer with nothing to train is refused', async () => {
      await expect(on({ first: frozen, second: frozen, third: frozen })).rejects.toThrow(
        'createTrainer: all that could be trained is frozen: leave a layer trainable.',
      );
    });
  });
