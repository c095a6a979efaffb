/** Layer normalisation as a layer and within recurrent layers: numbers of Keras and PyTorch, options, training and files. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import type { Tensor } from '../../src/compute/tensor.js';
import { createTrainer, layers, loadModel, losses, sequential, tensor, updaters } from '../../src/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { exact, native } from './engines.js';
import { checker, type FixtureCase, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';
import { runLayers } from './layer-fixtures.js';

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

/** Where the other program keeps gain and bias, and what its defaults are. */
const peers = [
  {
    library: 'keras',
    kind: 'layers',
    gain: 'layer_normalization/gamma',
    bias: 'layer_normalization/beta',
    epsilon: 1e-3,
    plainEpsilon: 1e-5,
  },
  { library: 'pytorch', kind: 'layer_norm', gain: 'weight', bias: 'bias', epsilon: 1e-5, plainEpsilon: 1e-3 },
] as const;

describe.each(peers)(
  'layers.layerNormalization as $library computes it',
  ({ library, kind, gain, bias, epsilon, plainEpsilon }) => {
    const cases = fixtureCases(library, kind).filter(({ name }) => /^layer-norm(alization)?(-plain)?$/.test(name));

    it.skipIf(fixturesAbsent(library))('has both cases', () => expect(cases).toHaveLength(2));

    for (const [engineName, engine] of engines) {
      it.skipIf(!engine || cases.length === 0).each(cases.map((fixture) => [fixture.name, fixture] as const))(
        `%s, ${engineName}`,
        async (name, fixture: FixtureCase) => {
          const tensors = fixtureTensors(library, fixture);
          const plain = name.endsWith('plain');
          const names = plain ? {} : { gain, bias };
          const of = (prefix: string) =>
            Object.fromEntries(
              Object.entries(names).map(([ours, theirs]) => [`0/${ours}`, tensors[`${prefix}${theirs}`] as Tensor]),
            );
          const got = await runLayers(engine!, {
            layers: [
              layers.layerNormalization({ epsilon: plain ? plainEpsilon : epsilon, useGain: !plain, useBias: !plain }),
            ],
            signal: { kind: 'vectors', features: tensors.x!.shape.at(-1)!, sequence: tensors.x!.shape.length === 3 },
            x: tensors.x!,
            parameters: of('param.'),
            states: {},
            incoming: { output: tensors.dy! },
          });
          const check = checker(fixture, engine!);
          check('y', 'output', got.output!, tensors.y!);
          check('grad.x', 'gradient', got['gradient of x']!, tensors['grad.x']!);
          for (const [ours, want] of Object.entries(of('grad.'))) {
            check(ours, 'gradient', got[`gradient of ${ours}`]!, want);
          }
        },
      );
    }
  },
);

const normalised: Readonly<Record<string, Layer>> = {
  'simple RNN': layers.simpleRnn({ units: 12, layerNormalization: true }),
  LSTM: layers.lstm({ units: 12, layerNormalization: { epsilon: 1e-3 } }),
  GRU: layers.gru({ units: 12, layerNormalization: { separateGates: true } }),
};

describe('layerNormalization of recurrent layers', () => {
  it('is off by default, and true stands for its defaults', () => {
    const signal = { kind: 'vectors', features: 2, sequence: true } as const;
    const shapes = (layer: Layer) =>
      Object.fromEntries(Object.entries(layer.parameters(signal)).map(([name, { shape }]) => [name, shape]));
    expect(layers.lstm({ units: 3 }).options.layerNormalization).toBe(false);
    expect(shapes(layers.lstm({ units: 3, layerNormalization: true }))).toEqual({
      kernel: [2, 12],
      recurrentKernel: [3, 12],
      bias: [12],
      inputGain: [12],
      recurrentGain: [12],
      cellGain: [3],
      cellBias: [3],
    });
    expect(shapes(layers.gru({ units: 3, layerNormalization: true, useBias: false }))).toEqual({
      kernel: [2, 9],
      recurrentKernel: [3, 9],
      inputGain: [9],
      recurrentGain: [9],
    });
    expect(shapes(layers.simpleRnn({ units: 3, layerNormalization: true }))).toEqual({
      kernel: [2, 3],
      recurrentKernel: [3, 3],
      bias: [3],
      recurrentGain: [3],
    });
  });

  it('refuses what it is not defined for', () => {
    expect(() => layers.gru({ units: 3, resetAfter: false, layerNormalization: true })).toThrow(
      /layers\.gru: layerNormalization and resetAfter: false do not go together/,
    );
    expect(() => layers.lstm({ units: 3, layerNormalization: { epsilon: 0 } })).toThrow(/epsilon/);
    expect(() => layers.lstm({ units: 3, layerNormalization: { epsilom: 1 } as object })).toThrow(/epsilom/);
  });

  it.each(Object.entries(normalised))(
    '%s: learns which sign the first number had, and its file gives the same',
    async (_, layer) => {
      const [rows, time] = [64, 8];
      // A pattern without a period of 8, so that no step but the first tells.
      const data = Float32Array.from({ length: rows * time }, (_, index) => Math.sin(index * index * 0.7 + index));
      const first = Int32Array.from({ length: rows }, (_, row) => (data[row * time]! > 0 ? 1 : 0));
      const batch = { inputs: tensor(data, [rows, time, 1]), targets: tensor(first, [rows]), continues: false };
      const model = sequential([layer, layers.lastStep(), layers.dense({ units: 2 })], {
        input: { features: 1 },
        seed: 5,
      });
      const trainer = createTrainer(model, {
        loss: losses.softmaxCrossEntropy(),
        updater: updaters.adam({ learningRate: 0.01 }),
      });
      const { epochs } = await trainer.fit({ length: 1, tokens: rows, epoch: () => [batch] }, { epochs: 150 });
      // Without having learned anything: log 2 = 0.69.
      expect(epochs.at(-1)!.trainLoss).toBeLessThan(0.2);
      const folder = await mkdtemp(join(tmpdir(), 'mneme-'));
      try {
        await model.save(join(folder, 'model.mneme'));
        const again = await loadModel(join(folder, 'model.mneme'));
        expect((await again.predict(batch.inputs)).data).toEqual((await model.predict(batch.inputs)).data);
      } finally {
        await rm(folder, { recursive: true });
      }
    },
  );

  it.skipIf(!native).each(Object.entries(normalised))(
    '%s: rows of unequal length are as each by itself',
    async (_, layer) => {
      const [time, features, lengths] = [5, 3, [2, 5, 0, 4]] as const;
      const signal = { kind: 'vectors', features, sequence: true } as const;
      const wave = (count: number, phase: number) =>
        Float64Array.from({ length: count }, (_, i) => Math.sin(i * 1.7 + phase));
      const shapes = Object.entries({ ...layer.parameters(signal) });
      const parameters = Object.fromEntries(
        shapes.map(([name, { shape }], index) => [
          `0/${name}`,
          tensor(wave(shape[0]! * (shape[1] ?? 1), index), shape),
        ]),
      );
      const run = (x: Tensor, rows: readonly number[]) =>
        runLayers(native!, {
          layers: [layer],
          signal,
          x,
          parameters,
          states: {},
          lengths: tensor(Int32Array.from(rows), [rows.length]),
          incoming: { output: tensor(wave(x.shape[0]! * x.shape[1]! * 12, 9), [x.shape[0]!, x.shape[1]!, 12]) },
        });
      const each = lengths.map((_, row) => wave(time * features, row));
      const padded = each.map((data, row) =>
        data.map((value, index) => (index < lengths[row]! * features ? value : Number.NaN)),
      );
      const all = await run(tensor(Float64Array.from(padded.flatMap((row) => [...row])), [4, time, features]), lengths);
      for (const [row, length] of lengths.entries()) {
        const state = (of: Tensor, index: number) => [...of.data.slice(index * 12, (index + 1) * 12)];
        if (length === 0) {
          expect(state(all['0/hidden']!, row)).toEqual(Array.from({ length: 12 }, () => 0));
          continue;
        }
        const alone = await run(tensor(each[row]!.slice(0, length * features), [1, length, features]), [length]);
        const output = [...all.output!.data.slice(row * time * 12, (row + 1) * time * 12)];
        expect(output).toEqual([...alone.output!.data, ...Array.from({ length: (time - length) * 12 }, () => 0)]);
        expect(state(all['0/hidden']!, row)).toEqual(state(alone['0/hidden']!, 0));
      }
      for (const name of Object.keys(parameters)) {
        expect(all[`gradient of ${name}`]!.data.every(Number.isFinite), name).toBe(true);
      }
    },
  );
});
