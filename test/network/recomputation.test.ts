/** `recompute`: the same results in less memory. */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { normals } from '../../src/compute/random.js';
import { tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { createNetwork } from '../../src/network/network.js';
import { summarize } from '../../src/network/summary.js';
import { chunksOf } from '../../src/training/chunks.js';
import { exact, native } from './engines.js';
import { runLayers } from './layer-fixtures.js';

const [rows, features, units] = [3, 2, 4] as const;
const noise = (purpose: number, ...shape: number[]) =>
  tensor(
    normals(
      shape.reduce((product, extent) => product * extent, 1),
      { seed: 8, purpose },
    ).map((x) => x / 2),
    shape,
  );

const cells: Readonly<Record<string, (recompute: boolean) => Layer>> = {
  'simple RNN': (recompute) => layers.simpleRnn({ units, recompute }),
  LSTM: (recompute) => layers.lstm({ units, recompute }),
  GRU: (recompute) => layers.gru({ units, recompute }),
  'GRU, reset before': (recompute) => layers.gru({ units, recompute, resetAfter: false }),
};

async function computed(engine: Engine, layer: Layer, signal: Signal, time: number) {
  const shapes = Object.entries(layer.parameters(signal));
  const states = Object.keys(layer.states(signal));
  const ids = tensor(
    Int32Array.from({ length: rows * time }, (_, index) => (index * 7) % 5),
    [rows, time],
  );
  return runLayers(engine, {
    layers: [layer],
    signal,
    x: signal.kind === 'ids' ? ids : noise(1, rows, time, features),
    parameters: Object.fromEntries(shapes.map(([name, { shape }], index) => [`0/${name}`, noise(2 + index, ...shape)])),
    states: Object.fromEntries(states.map((name, index) => [`0/${name}`, noise(20 + index, rows, units)])),
    incoming: {
      output: noise(30, rows, time, units),
      ...Object.fromEntries(states.map((name, index) => [`0/${name}`, noise(40 + index, rows, units)])),
    },
  });
}

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];
for (const [engineName, engine] of engines) {
  describe.skipIf(!engine)(engineName, () => {
    it.each(Object.entries(cells))(
      '%s: outputs and states have the same bits, gradients are the same',
      async (_, make) => {
        for (const signal of [
          { kind: 'vectors', features, sequence: true },
          { kind: 'ids', vocabulary: 5, sequence: true },
        ] as const) {
          for (const time of [1, 2, 7, 16, 300]) {
            const want = await computed(engine!, make(false), signal, time);
            const got = await computed(engine!, make(true), signal, time);
            expect(Object.keys(got)).toEqual(Object.keys(want));
            for (const [name, { data }] of Object.entries(want)) {
              if (!name.startsWith('gradient')) expect(got[name]!.data, name).toEqual(data);
              // Sums of as many products as there are rows and steps, in another order: each rounds once.
              const size = Array.from(data, Math.abs).reduce((most, value) => Math.max(most, value), 1);
              const allowed = (engine!.precision === 'f64' ? 2 ** -53 : 2 ** -24) * 2 * rows * time * size;
              const far = data.findIndex((value, index) => !(Math.abs(value - got[name]!.data[index]!) <= allowed));
              expect(far, name).toBe(-1);
            }
          }
        }
      },
    );
  });
}

it('a piece of any long sequence takes the same memory, however long that is', () => {
  const bytes = (time: number) => {
    const network = createNetwork([layers.lstm({ units: 64 }), layers.dense({ units: 1 })], { input: { features: 1 } });
    const inputs = tensor(new Float32Array(2 * time), [2, time, 1]);
    const batch = { inputs, targets: inputs, continues: false };
    const pieces = [...chunksOf(batch, { forward: 100, backward: 100 })];
    expect(pieces).toHaveLength(time / 100);
    return pieces.map((piece) => summarize(network, { batch: 2, time: piece.inputs.shape[1]! }).stepBytes);
  };
  expect(new Set([...bytes(1000), ...bytes(20_000)]).size).toBe(1);
});

it('keeps one piece of intermediate results at a time, and the states between pieces', () => {
  const bytes = (time: number, recompute: boolean) => {
    const network = createNetwork([layers.lstm({ units: 64, recompute }), layers.dense({ units: 1 })], {
      input: { features: 1 },
    });
    return summarize(network, { batch: 4, time }).stepBytes;
  };
  const output = (time: number) => 4 * time * 64 * 4;
  for (const time of [256, 1024, 4096]) {
    // What is left that grows with the steps are inputs, outputs and the gradient of these.
    expect(bytes(time, true)).toBeLessThan(3 * output(time) + 64 * output(Math.sqrt(time)));
    expect(bytes(time, false)).toBeGreaterThan(7 * output(time));
  }
});
