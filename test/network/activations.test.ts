/** Activations and their derivatives agree with PyTorch on a grid that contains 0, and softmax and its logarithm with its own. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { layers } from '../../src/network/layers/index.js';
import { exact, native } from './engines.js';
import { evaluateGraph, incomingGradients } from './evaluate-graph.js';
import { checker, type FixtureCase, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';

type Option = Parameters<typeof layers.activation>[0]['activation'];

/** Under PyTorch's name, from the settings of a case. */
const ours: Readonly<Record<string, (options: FixtureCase['options']) => Option>> = {
  sigmoid: () => 'sigmoid',
  tanh: () => 'tanh',
  softsign: () => 'softsign',
  relu: () => 'relu',
  selu: () => 'selu',
  silu: () => 'swish',
  mish: () => 'mish',
  hardsigmoid: () => 'hardSigmoid',
  hardswish: () => 'hardSwish',
  logsigmoid: () => 'logSigmoid',
  tanhshrink: () => 'tanhShrink',
  leaky_relu: ({ negative_slope }) => ({ name: 'leakyRelu', ...numbers({ slope: negative_slope }) }),
  elu: ({ alpha }) => ({ name: 'elu', ...numbers({ alpha }) }),
  celu: ({ alpha }) => ({ name: 'celu', ...numbers({ alpha }) }),
  softplus: ({ beta, threshold }) => ({ name: 'softplus', ...numbers({ beta, threshold }) }),
  softshrink: ({ lambd }) => ({ name: 'softShrink', ...numbers({ lambda: lambd }) }),
  hardtanh: ({ min_val, max_val }) => ({ name: 'hardTanh', ...numbers({ minimum: min_val, maximum: max_val }) }),
  gelu: ({ approximate }) => (approximate === 'tanh' ? 'geluTanh' : 'gelu'),
  softmax: () => 'softmax',
  log_softmax: () => 'logSoftmax',
};
const numbers = (settings: Record<string, unknown>): Record<string, number> =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([name, value]) => (typeof value === 'number' ? [[name, value]] : [])),
  );

const cases = fixtureCases('pytorch', 'activation');
const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

describe.skipIf(fixturesAbsent('pytorch'))('activations as PyTorch computes them', () => {
  it('are all there', () => {
    expect(cases).toHaveLength(30);
  });

  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const tensors = fixtureTensors('pytorch', fixture);
        const layer = layers.activation({ activation: ours[fixture.options.function as string]!(fixture.options) });
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
