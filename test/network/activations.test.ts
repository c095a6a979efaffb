/**
 * Activations and their derivatives agree with PyTorch on a grid that contains 0, and softmax with its own.
 *
 * Not among the cases, because mneme does not have it yet: SELU, SiLU, Mish, hardswish, log-sigmoid, tanhshrink, leaky
 * ReLU, CELU, softplus, softshrink, GELU, hardtanh, log-softmax, and ELU with another alpha than 1.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { activations } from '../../src/network/activations.js';
import { layers } from '../../src/network/layers/index.js';
import { exact, native } from './engines.js';
import { evaluateGraph, incomingGradients } from './evaluate-graph.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';

const names: Readonly<Record<string, keyof typeof activations | 'softmax'>> = {
  sigmoid: 'sigmoid',
  tanh: 'tanh',
  softsign: 'softsign',
  relu: 'relu',
  hardsigmoid: 'hardSigmoid',
  elu: 'elu',
  softmax: 'softmax',
};
const cases = fixtureCases('pytorch', 'activation').filter(
  ({ options }) => names[options.function as string] && options.alpha === undefined,
);
const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

describe.skipIf(fixturesAbsent('pytorch'))('activations as PyTorch computes them', () => {
  it('leaves out only what is not built', () => {
    expect(cases).toHaveLength(8);
  });

  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const tensors = fixtureTensors('pytorch', fixture);
        const layer = layers.activation({ activation: names[fixture.options.function as string]! });
        const x = tensors.x!;
        const dy = tensors.dy ?? { ...x, data: new Float64Array(x.data.length).fill(1) };
        const features = x.shape.at(-1)!;
        const got = await evaluateGraph(engine!, { x, dy }, (ports) => {
          const { output } = layer.apply(
            {
              input: ports.x!,
              parameters: {},
              states: {},
              training: true,
              rate: () => 0,
              random: () => {
                throw new Error('Nothing is drawn here.');
              },
            },
            { kind: 'vectors', features, sequence: false },
          );
          return { y: output, ...incomingGradients([[output, ports.dy!]], { x: ports.x! }) };
        });
        const check = checker(fixture, engine!);
        check('y', 'output', got.y!, tensors.y!);
        check('dx', 'gradient', got['gradient of x']!, (tensors.dydx ?? tensors['grad.x'])!);
      });
    });
  }
});
