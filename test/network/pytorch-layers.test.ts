/**
 * Recurrent layers and embeddings agree with PyTorch: outputs, final states, and every gradient.
 *
 * Not among them: the padding row of embeddings, which mneme does not have yet.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { Tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import { exact, native } from './engines.js';
import { type Check, checker, type FixtureCase, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';
import { runLayers } from './layer-fixtures.js';
import {
  batchMajor,
  layerOf,
  parametersOf,
  partOf,
  type RecurrentOptions,
  stateLetters,
  stateNames,
} from './pytorch-parameters.js';

const cases = fixtureCases('pytorch', 'recurrent', 'packed', 'embedding');
const built = cases.filter(({ options }) => options.padding_idx === undefined || options.padding_idx === null);
const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

describe.skipIf(fixturesAbsent('pytorch'))('layers as PyTorch computes them', () => {
  it('leaves out only what is not built', () => {
    expect(built).toHaveLength(40 + 13 + 1);
  });

  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(built.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const tensors = fixtureTensors('pytorch', fixture);
        const check = checker(fixture, engine!);
        await (fixture.kind === 'embedding' ? checkEmbedding : checkRecurrent)(engine!, fixture, tensors, check);
      });
    });
  }
});

async function checkEmbedding(
  engine: Engine,
  { options }: FixtureCase,
  { ids, 'param.weight': table, dy, y, 'grad.weight': gradient }: Record<string, Tensor>,
  check: Check,
): Promise<void> {
  const { V, E } = options as { V: number; E: number };
  const got = await runLayers(engine, {
    layers: [layers.embedding({ vocabulary: V, units: E })],
    signal: { kind: 'ids', vocabulary: V, sequence: true },
    x: ids!,
    parameters: { '0/table': table! },
    states: {},
    incoming: { output: dy! },
  });
  check('y', 'output', got.output!, y!);
  check('grad.weight', 'gradient', got['gradient of 0/table']!, gradient!);
}

const directionOfOne = [{ prefix: '', suffix: '' }];
const directionsOfBoth = [
  { prefix: 'forward/', suffix: '' },
  { prefix: 'backward/', suffix: '_reverse' },
];

async function checkRecurrent(
  engine: Engine,
  fixture: FixtureCase,
  tensors: Record<string, Tensor>,
  check: Check,
): Promise<void> {
  const options = fixture.options as unknown as RecurrentOptions & { readonly bidirectional: boolean };
  const numbers = Array.from({ length: options.layers! }, (_, index) => index);
  const directions = options.bidirectional ? directionsOfBoth : directionOfOne;
  const places = numbers.flatMap((layer) => directions.map((direction) => ({ layer, ...direction })));
  const states = places.flatMap((place, index) => stateNames(options).map((state) => ({ ...place, index, state })));
  /** The tensor of that name for each state: `dhn` and `dcn` for `d?n`. */
  const ofStates = (pattern: string): Record<string, Tensor> =>
    Object.fromEntries(
      states.flatMap(({ layer, prefix, index, state }) => {
        const value = tensors[pattern.replace('?', stateLetters[state])];
        return value ? [[`${layer}/${prefix}${state}`, partOf(value, index)]] : [];
      }),
    );
  const ofParameters = (kind: 'param.' | 'grad.'): Record<string, Tensor> =>
    Object.fromEntries(
      places.flatMap(({ layer, prefix, suffix }) =>
        Object.entries(parametersOf(options, tensors, kind, `_l${layer}${suffix}`)).map(([name, value]) => [
          `${layer}/${prefix}${name}`,
          value,
        ]),
      ),
    );
  const got = await runLayers(engine, {
    layers: numbers.map(() => (options.bidirectional ? layers.bidirectional(layerOf(options)) : layerOf(options))),
    signal: { kind: 'vectors', features: options.I, sequence: true },
    x: batchMajor(tensors.x!),
    parameters: ofParameters('param.'),
    states: ofStates('?0'),
    lengths: tensors.lengths,
    incoming: { output: batchMajor(tensors.dy!), ...ofStates('d?n') },
  });

  check('y', 'output', got.output!, batchMajor(tensors.y!));
  for (const [name, want] of Object.entries(ofStates('?n'))) check(`final ${name}`, 'output', got[name]!, want);
  check('grad.x', 'gradient', got['gradient of x']!, batchMajor(tensors['grad.x']!));
  for (const [name, want] of Object.entries(ofParameters('grad.'))) {
    check(`grad.${name}`, 'gradient', got[`gradient of ${name}`]!, want);
  }
  for (const [name, want] of Object.entries(ofStates('grad.?0'))) {
    check(`grad.${name}`, 'gradient', got[`gradient of initial ${name}`]!, want);
  }
}
