/** The recurrent layers whose units do not know each other: by hand, by the papers' formulas, and in models. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { input, type Value } from '../../src/compute/graph.js';
import { normals } from '../../src/compute/random.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { loadModel, sequential } from '../../src/model/sequential.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { onBothEngines, onExactEngines } from '../model/engines.js';
import { exact, native } from './engines.js';
import { evaluateGraph } from './evaluate-graph.js';
import { numbers } from './random-numbers.js';

/** Output and final state of a layer over `x` `[time, batch, features]`. */
async function run(
  engine: Engine,
  layer: Layer,
  given: { readonly x: Tensor; readonly lengths?: Tensor; readonly hidden?: Tensor },
  parameters: Readonly<Record<string, Tensor>>,
): Promise<{ readonly output: Tensor; readonly hidden: Tensor }> {
  const signal = { kind: 'vectors', features: given.x.shape[2]!, sequence: true } as const;
  const results = await evaluateGraph(engine, { ...given, ...parameters }, ({ x, lengths, hidden, ...others }) => {
    const context = {
      training: false,
      random: (shape: readonly number[]) => input('random', shape, 'f32'),
      rate: () => 0,
    };
    const states: Record<string, Value> = hidden ? { hidden } : {};
    const result = layer.apply({ ...context, input: x!, parameters: others, states, lengths }, signal);
    return { output: result.output, hidden: result.states.hidden! };
  });
  return { output: results.output!, hidden: results.hidden! };
}

const engines = [exact, native].flatMap((engine) => engine ?? []);
const vector = (...numbers: number[]) => tensor(Float32Array.from(numbers), [numbers.length]);

describe.each(engines.map((engine) => [`${engine.name} ${engine.precision}`, engine] as const))('%s', (_, engine) => {
  const near = (got: Tensor, wanted: readonly number[]) => {
    expect(got.data.length).toBe(wanted.length);
    // Logarithms in the parameters are rounded to f32, and sigmoids are off by some of the last bits.
    for (const [index, value] of wanted.entries())
      expect(Math.abs(got.data[index]! - value)).toBeLessThan(8 * 2 ** -24);
  };

  it('indRnn by hand: each unit sees its own state only', async () => {
    const x = tensor(Float32Array.of(1, 2), [2, 1, 1]);
    const kernel = tensor(Float32Array.of(1, -1), [1, 2]);
    const parameters = { kernel, recurrentKernel: vector(0.5, 2), bias: vector(0, 3) };
    // First step: 1; -1 + 3. Second: 2 + 1 / 2; -2 + 3 + 2·2.
    const plain = await run(engine, layers.indRnn({ units: 2 }), { x }, parameters);
    near(plain.output, [1, 2, 2.5, 5]);
    near(plain.hidden, [2.5, 5]);
    const limited = await run(engine, layers.indRnn({ units: 2, recurrentLimit: 1 }), { x }, parameters);
    near(limited.output, [1, 2, 2.5, 3]);
    const other = await run(engine, layers.indRnn({ units: 2, activation: 'tanh' }), { x }, parameters);
    near(other.hidden, [Math.tanh(2 + 0.5 * Math.tanh(1)), Math.tanh(1 + 2 * Math.tanh(2))]);
  });

  // The candidate is 3/2 + 1/2 = 2 at the first step and sigmoid(-log 3) = 1/4 at the second.
  const x = tensor(Float32Array.of(1.5, -Math.log(3)), [2, 1, 1]);

  it('minGru by hand: z = 3/4', async () => {
    const parameters = { kernel: tensor(Float32Array.of(0, 1), [1, 2]), bias: vector(Math.log(3), 0) };
    near((await run(engine, layers.minGru({ units: 1 }), { x }, parameters)).output, [1.5, 0.5625]);
    const hidden = tensor(Float32Array.of(4), [1, 1]);
    near((await run(engine, layers.minGru({ units: 1 }), { x, hidden }, parameters)).output, [2.5, 0.8125]);
    const identity = await run(engine, layers.minGru({ units: 1, activation: 'identity' }), { x }, parameters);
    near(identity.output, [1.125, 0.28125 - 0.75 * Math.log(3)]);
  });

  it('minLstm by hand: f = 1/2 and i = 1/4 are 2/3 and 1/3 of their sum', async () => {
    const parameters = { kernel: tensor(Float32Array.of(0, 0, 1), [1, 3]), bias: vector(0, -Math.log(3), 0) };
    near((await run(engine, layers.minLstm({ units: 1 }), { x }, parameters)).output, [2 / 3, 19 / 36]);
  });

  it('minLstm: gates that are both too small for a number are normalised all the same', async () => {
    const parameters = { kernel: tensor(Float32Array.of(0, 0, 1), [1, 3]), bias: vector(-200, -200 - Math.log(3), 0) };
    const { output } = await run(engine, layers.minLstm({ units: 1 }), { x }, parameters);
    // f = i·3. The bias holds log 3 beside 200 to 2^-17.
    expect(Math.abs(output.data[0]! - 0.5)).toBeLessThan(2 * 2 ** -17);
  });

  it.each(['minGru', 'minLstm'] as const)("%s gives what the paper's scan in logarithms gives", async (kind) => {
    const [time, units] = [400, 3];
    const gates = { minGru: 2, minLstm: 3 }[kind];
    // Products of the shares that stay fall below every double.
    const x = tensor(
      Float32Array.from(normals(time * gates * units, { seed: 3, purpose: 1 }), (n) => 8 * n),
      [time, 1, gates * units],
    );
    const kernel = tensor(
      Float32Array.from({ length: (gates * units) ** 2 }, (_, index) => (index % (gates * units + 1) === 0 ? 1 : 0)),
      [gates * units, gates * units],
    );
    const hidden = tensor(Float32Array.of(0.5, 1, 2), [1, units]);
    const layer = layers[kind]({ units, useBias: false });
    const { output } = await run(engine, layer, { x, hidden }, { kernel });
    for (let unit = 0; unit < units; unit++) {
      const columns = Array.from({ length: gates }, (_, gate) =>
        Array.from({ length: time }, (_, t) => x.data[(t * gates + gate) * units + unit]!),
      );
      const { states, kept } = inLogarithms(kind, columns, hidden.data[unit]!);
      expect(Math.exp(kept)).toBe(0);
      // Forward: at most 20 roundings a step, of numbers that a later step only makes smaller. In logarithms: a rounding
      // of a sum as large as `kept` each step.
      const allowed = 20 * time * (engine.precision === 'f64' ? 2 ** -53 : 2 ** -24) + time * Math.abs(kept) * 2 ** -52;
      const largest = Math.max(...states);
      for (const [t, value] of states.entries()) {
        expect(Math.abs(output.data[t * units + unit]! - value)).toBeLessThan(allowed * largest);
      }
    }
  });

  it.each(['indRnn', 'minGru', 'minLstm'] as const)(
    '%s over rows of unequal lengths is that of its rows alone',
    async (kind) => {
      const [time, batch, features, units] = [5, 4, 2, 3];
      const gates = { indRnn: 1, minGru: 2, minLstm: 3 }[kind];
      const draw = (length: number, purpose: number) => Float32Array.from(normals(length, { seed: 5, purpose }));
      const x = tensor(draw(time * batch * features, 1), [time, batch, features]);
      const hidden = tensor(draw(batch * units, 2), [batch, units]);
      const parameters = {
        kernel: tensor(draw(features * gates * units, 3), [features, gates * units]),
        bias: tensor(draw(gates * units, 4), [gates * units]),
        ...(kind === 'indRnn' ? { recurrentKernel: tensor(draw(units, 5), [units]) } : {}),
      };
      const lengths = [2, 5, 0, 3];
      const layer = layers[kind]({ units });
      const together = await run(
        engine,
        layer,
        { x, hidden, lengths: tensor(Int32Array.from(lengths), [batch]) },
        parameters,
      );
      for (const [row, length] of lengths.entries()) {
        const state = hidden.data.slice(row * units, (row + 1) * units);
        const final = together.hidden.data.slice(row * units, (row + 1) * units);
        if (length === 0) {
          expect(Array.from(final)).toEqual(Array.from(state));
          continue;
        }
        const own = Float32Array.from({ length: length * features }, (_, index) => {
          return x.data[(Math.floor(index / features) * batch + row) * features + (index % features)]!;
        });
        const given = { x: tensor(own, [length, 1, features]), hidden: tensor(state, [1, units]) };
        const alone = await run(engine, layer, given, parameters);
        for (let t = 0; t < time; t++) {
          const got = together.output.data.slice((t * batch + row) * units, (t * batch + row + 1) * units);
          const wanted = t < length ? alone.output.data.slice(t * units, (t + 1) * units) : [0, 0, 0];
          expect(Array.from(got)).toEqual(Array.from(wanted));
        }
        expect(Array.from(final)).toEqual(Array.from(alone.hidden.data));
      }
    },
  );
});

/**
 * Feng et al. 2024, appendix B: h(t) = exp(a*(t) + log Σ exp(log b(s) - a*(s))), where a* sums up the logarithms of the shares
 * that stay and b is what comes in.
 */
function inLogarithms(
  kind: 'minGru' | 'minLstm',
  columns: readonly (readonly number[])[],
  initial: number,
): { readonly states: number[]; readonly kept: number } {
  const softplus = (x: number) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
  const logCandidate = (x: number) => (x >= 0 ? Math.log(x + 0.5) : -softplus(-x));
  const shares = (t: number): [kept: number, taken: number, candidate: number] => {
    const [first, second, third] = columns.map((column) => column[t]!) as [number, number, number];
    if (kind === 'minGru') return [-softplus(first), -softplus(-first), second];
    const difference = softplus(-first) - softplus(-second);
    return [-softplus(difference), -softplus(-difference), third];
  };
  let kept = 0;
  let logSum = Math.log(initial);
  const states = columns[0]!.map((_, t) => {
    const [stays, taken, candidate] = shares(t);
    kept += stays;
    const next = taken + logCandidate(candidate) - kept;
    logSum = Math.max(logSum, next) + Math.log1p(Math.exp(-Math.abs(logSum - next)));
    return Math.exp(kept + logSum);
  });
  return { states, kept };
}

const vocabulary = 7;
const model = (engine: Engine) =>
  sequential(
    [
      layers.indRnn({ units: 6, recurrentLimit: 1.1 }),
      layers.minGru({ units: 5, dropout: 0.5, dropConnect: 0.2 }),
      layers.minLstm({ units: 4, forgetBias: 1, activation: 'tanh' }),
      layers.dense({ units: vocabulary }),
    ],
    { seed: 3, engine, input: { vocabulary } },
  );

onExactEngines((engine) => {
  it('a session gives the same bits for many steps at once as for one after another', async () => {
    const steps = 21;
    const ids = Int32Array.from({ length: steps }, (_, index) => (index * index) % vocabulary);
    const own = model(engine());
    const together = await own.session().step(tensor(ids, [1, steps]));
    const single = own.session();
    for (const [time, id] of ids.entries()) {
      const { data } = await single.step([id]);
      expect(Array.from(data)).toEqual(Array.from(together.data.slice(time * vocabulary, (time + 1) * vocabulary)));
    }
  });
});

onBothEngines((engine) => {
  it('a model file gives the same layers and answers', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mneme-elementwise-'));
    try {
      const own = model(engine());
      await own.save(join(directory, 'model'));
      const again = await loadModel(join(directory, 'model'), { engine: engine() });
      expect(again.network.layers.map(({ options }) => options)).toEqual(
        own.network.layers.map(({ options }) => options),
      );
      const ids = tensor(Int32Array.of(0, 1, 2, 3, 4, 5), [2, 3]);
      expect(await again.predict(ids)).toEqual(await own.predict(ids));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

it('weights start as the papers have them: recurrent ones in [0, 1), the forget bias where it is asked for', () => {
  const signal = { kind: 'vectors', features: 4, sequence: true } as const;
  const values = (layer: Layer, name: string) => {
    const { shape, initializer } = layer.parameters(signal)[name]!;
    return initializer(shape, numbers(1));
  };
  const recurrent = values(layers.indRnn({ units: 1000 }), 'recurrentKernel');
  expect(Math.min(...recurrent)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...recurrent)).toBeLessThan(1);
  expect(Math.max(...recurrent)).toBeGreaterThan(0.9);
  expect(Array.from(values(layers.minLstm({ units: 2, forgetBias: 3 }), 'bias'))).toEqual([3, 3, 0, 0, 0, 0]);
});

it('what cannot be is refused when the layer is made or joined', () => {
  expect(() => layers.minGru({ unit: 3 } as never)).toThrow(
    /layers.minGru: unknown option 'unit'. Did you mean 'units'/,
  );
  expect(() => layers.indRnn({ units: 3, recurrentLimit: 0 })).toThrow(/'recurrentLimit'/);
  expect(() =>
    layers.minLstm({ units: 3, dropout: 0.1 }).signal({ kind: 'ids', vocabulary: 3, sequence: true }),
  ).toThrow(/ids cannot be dropped/);
  expect(() => layers.minGru({ units: 3 }).signal({ kind: 'vectors', features: 3, sequence: false })).toThrow(
    /expected a sequence/,
  );
});
