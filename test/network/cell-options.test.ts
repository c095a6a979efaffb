/** The options of the recurrent layers, by numbers worked by hand, and which of them are refused. */
import { describe, expect, it, test } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { reshape, type Value } from '../../src/compute/graph.js';
import { filled } from '../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { createNetwork } from '../../src/network/network.js';
import { isScheduled } from '../../src/network/rates.js';
import { exact, native } from './engines.js';
import { evaluateGraph, incomingGradients, type Tensors } from './evaluate-graph.js';

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

interface Run {
  readonly x: Tensor;
  readonly parameters: Readonly<Record<string, readonly number[]>>;
  readonly states?: Readonly<Record<string, readonly number[]>>;
  /** What is drawn, one list a draw; given only while training. */
  readonly draws?: readonly (readonly number[])[];
}

/** Output `[time, batch, units]` (time-major, as `x`), final states, `last`, and the gradients of the output's sum. */
async function run(engine: Engine, layer: Layer, { x, parameters, states = {}, draws }: Run): Promise<Tensors> {
  const [, batch, features] = x.shape as [number, number, number];
  const signal = { kind: 'vectors', features, sequence: true } as const;
  const shapes = layer.parameters(signal);
  const widths = layer.states(signal);
  const given: Tensors = {
    x,
    ...Object.fromEntries(
      Object.entries(parameters).map(([name, list]) => [
        `p ${name}`,
        tensor(Float32Array.from(list), shapes[name]!.shape),
      ]),
    ),
    ...Object.fromEntries(
      Object.entries(states).map(([name, list]) => [
        `s ${name}`,
        tensor(Float32Array.from(list), [batch, ...widths[name]!]),
      ]),
    ),
    ...Object.fromEntries(
      (draws ?? []).map((list, index) => [`draw ${index}`, tensor(Float32Array.from(list), [list.length])]),
    ),
  };
  return evaluateGraph(engine, given, (ports) => {
    const of = (prefix: string): Record<string, Value> =>
      Object.fromEntries(
        Object.entries(ports).flatMap(([name, value]) => (name.startsWith(prefix) ? [[name.slice(2), value]] : [])),
      );
    let drawn = 0;
    const result = layer.apply(
      {
        input: ports.x!,
        parameters: of('p '),
        states: of('s '),
        training: draws !== undefined,
        rate: (name) => {
          const rate = layer.rates?.[name] ?? 0;
          return isScheduled(rate) ? rate.value : rate;
        },
        random: (shape) => reshape(ports[`draw ${drawn++}`]!, shape),
      },
      signal,
    );
    const derived = draws
      ? incomingGradients([[result.output, filled(1, result.output.shape)]], { x: ports.x!, ...of('p ') })
      : {};
    return { output: result.output, last: result.last!, ...result.states, ...derived };
  });
}

const numbers = (tensors: Tensors, name: string): number[] => [...tensors[name]!.data];
const sequence = (...steps: number[]): Tensor => tensor(Float32Array.from(steps), [steps.length, 1, 1]);
/** Everything passes as it is, so that all numbers are exact. */
const open = { activation: 'identity', gateActivation: 'identity', useBias: false } as const;
/** One unit: i = x + h/2, f = 2x + h/4, g = 3x - h, o = 4x + h. */
const weights = { kernel: [1, 2, 3, 4], recurrentKernel: [0.5, 0.25, -1, 1] };
const states = { hidden: [1], cell: [2] };

for (const [engineName, engine] of engines) {
  describe.skipIf(!engine)(engineName, () => {
    const one = (options: object, more: Partial<Run> = {}) =>
      run(engine!, layers.lstm({ units: 1, ...open, ...options }), {
        x: sequence(1),
        parameters: weights,
        states,
        ...more,
      });

    it('without options: i = 1.5, f = 2.25, g = 2, so c = 4.5 + 3 and h = 5·7.5', async () => {
      const got = await one({});
      expect([numbers(got, 'cell'), numbers(got, 'output')]).toEqual([[7.5], [37.5]]);
    });

    it('peepholes: i = 1.5 + 0.5·2, f = 2.25 - 0.5·2, c = 1.25·2 + 2.5·2, o = 5 + 0.25·7.5', async () => {
      const parameters = { ...weights, peephole: [0.5, -0.5, 0.25] };
      const got = await one({ peepholes: true }, { parameters });
      expect([numbers(got, 'cell'), numbers(got, 'output')]).toEqual([[7.5], [6.875 * 7.5]]);
      const graves = layers.gravesLstm({ units: 1, ...open });
      expect(numbers(await run(engine!, graves, { x: sequence(1), parameters, states }), 'output')).toEqual([51.5625]);
    });

    it('peepholes that are clipped: the output gate sees what is left, o = 5 + 0.25·5', async () => {
      const parameters = { ...weights, peephole: [0.5, -0.5, 0.25] };
      const got = await one({ peepholes: true, cellClip: 5 }, { parameters, draws: [] });
      expect([numbers(got, 'cell'), numbers(got, 'output')]).toEqual([[5], [31.25]]);
      // Of i, f and g no gradient: the state is at its bound. Of o: dh·c·x.
      expect(numbers(got, 'gradient of kernel')).toEqual([0, 0, 0, 5]);
      expect(numbers(got, 'gradient of peephole')).toEqual([0, 0, 25]);
    });

    it('coupled gates: i = 0.5 - 0.25, c = 0.75·2 + 0.25·2, h = 5·2', async () => {
      const parameters = { kernel: [0.5, 3, 4], recurrentKernel: [-0.25, -1, 1] };
      const got = await one({ coupled: true }, { parameters });
      expect([numbers(got, 'cell'), numbers(got, 'output')]).toEqual([[2], [10]]);
    });

    it('a projection of one unit to two numbers, of which the first is fed back', async () => {
      const got = await one(
        { projection: 2 },
        {
          x: sequence(1, 0),
          parameters: { kernel: [1, 2, 3, 4], recurrentKernel: [0.5, 0.25, -1, 1, 0, 0, 0, 0], projection: [2, -1] },
          states: { hidden: [1, 0], cell: [2] },
        },
      );
      // First step as without a projection, h = 37.5·(2, -1). Then i = 37.5, f = 18.75, g = -75, o = 75.
      const cell = 18.75 * 7.5 - 37.5 * 75;
      expect(numbers(got, 'output')).toEqual([75, -37.5, 2 * 75 * cell, -75 * cell]);
      expect(numbers(got, 'cell')).toEqual([cell]);
    });

    it('zoneout keeps what is drawn while training, and on average otherwise', async () => {
      const zoneout = { hidden: 0.25, cell: 0.5 };
      // The hidden state's number is below its rate, the cell state's is not.
      const trained = await one({ zoneout }, { draws: [[0.125], [0.75]] });
      expect([numbers(trained, 'output'), numbers(trained, 'cell')]).toEqual([[1], [7.5]]);
      const otherwise = await one({ zoneout });
      expect(numbers(otherwise, 'output')).toEqual([0.25 * 1 + 0.75 * 37.5]);
      expect(numbers(otherwise, 'cell')).toEqual([0.5 * 2 + 0.5 * 7.5]);
    });

    it('dropout over time has one mask for all steps, in what is fed back, read and given out', async () => {
      const simple = { units: 2, activation: 'identity', useBias: false } as const;
      const parameters = { kernel: [1, 1], recurrentKernel: [1, 0, 0, 1] };
      const x = sequence(1, 1, 1);
      const of = (options: object, draws: readonly (readonly number[])[]) =>
        run(engine!, layers.simpleRnn({ ...simple, ...options }), { x, parameters, draws });
      // The first unit is dropped, the second counts twice: h = x, and h = x + 2h.
      expect(numbers(await of({ recurrentDropout: 0.5 }, [[0.25, 0.75]]), 'output')).toEqual([1, 1, 1, 3, 1, 7]);
      const variational = { input: 0.5, output: 0.5 };
      const both = await of({ variationalDropout: variational }, [[0.75], [0.75, 0.25]]);
      expect(numbers(both, 'output')).toEqual([4, 0, 8, 0, 12, 0]);
      expect(numbers(both, 'last')).toEqual([12, 0]);
      expect(numbers(both, 'hidden')).toEqual([6, 6]);
    });

    it('learned initial states are where rows begin, and nowhere else', async () => {
      const layer = layers.simpleRnn({ units: 1, activation: 'identity', useBias: false, initialStates: 'learned' });
      const parameters = { kernel: [1], recurrentKernel: [2], initialHidden: [5] };
      const x = tensor(Float32Array.of(1, 1, 1), [1, 3, 1]);
      const fresh = await run(engine!, layer, { x, parameters, draws: [] });
      expect([numbers(fresh, 'output'), numbers(fresh, 'begun')]).toEqual([
        [11, 11, 11],
        [1, 1, 1],
      ]);
      // Only the second row goes on, from 7.
      const going = await run(engine!, layer, {
        x,
        parameters,
        states: { hidden: [0, 7, 0], begun: [0, 1, 0] },
        draws: [],
      });
      expect(numbers(going, 'output')).toEqual([11, 15, 11]);
      expect(numbers(fresh, 'gradient of initialHidden')).toEqual([6]);
      expect(numbers(going, 'gradient of initialHidden')).toEqual([4]);
    });
  });
}

test('the character model of the classic guide, two layers of 200 with peepholes on 77 symbols, has 559,877 parameters', () => {
  const sizeOf = (layer: Layer) =>
    createNetwork([layer, layer, layers.dense({ units: 77 })], {
      input: { vocabulary: 77 },
      engine: exact,
    }).parameterCount;
  expect(sizeOf(layers.gravesLstm({ units: 200 }))).toBe(223_000 + 321_400 + 15_477);
  expect(sizeOf(layers.lstm({ units: 200 }))).toBe(558_677);
});

test('options that have nothing to act on are refused when the layer is made', () => {
  const refused = (message: string) => expect.objectContaining({ code: 'invalid-option', message });
  expect(() => layers.lstm({ units: 2, coupled: true, forgetBias: 1 })).toThrow(
    refused(
      "layers.lstm: forgetBias has no gate: with coupled gates the forget gate is 1 - i. Leave it out, or give 'biasInitializer' what i should start with.",
    ),
  );
  expect(() => layers.lstm({ units: 2, peepholeInitializer: 'zeros' })).toThrow(
    expect.objectContaining({ message: expect.stringContaining('set peepholes: true, or leave it out') }),
  );
  expect(() => layers.gravesLstm({ units: 2, projectionInitializer: 'zeros' })).toThrow(
    expect.objectContaining({
      message: expect.stringContaining('layers.gravesLstm: projectionInitializer has no weights'),
    }),
  );
  expect(() => layers.lstm({ units: 2, cellClip: 0 })).toThrow(expect.objectContaining({ code: 'invalid-option' }));
  expect(() => layers.gru({ units: 2, zoneout: { cell: 0.1 } } as never)).toThrow(
    expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining('cell') }),
  );
  const ids = { kind: 'ids', vocabulary: 5, sequence: true } as const;
  expect(() => layers.lstm({ units: 2, variationalDropout: { input: 0.5 } }).signal(ids)).toThrow(
    expect.objectContaining({ code: 'invalid-shape', message: expect.stringContaining('ids cannot be dropped') }),
  );
});

test('a layer is made again from its options as plain data', () => {
  const made = [
    layers.lstm({ units: 3, peepholes: true, coupled: true, projection: 2, cellClip: 3, outputActivation: 'relu' }),
    layers.lstm({ units: 3, zoneout: { cell: 0.1 }, variationalDropout: { input: 0.2 }, initialStates: 'learned' }),
    layers.gravesLstm({ units: 3, recurrentDropout: 0.5 }),
    layers.gru({ units: 3, zoneout: { hidden: 0.1 } }),
  ];
  for (const layer of made) {
    const again = layers[layer.kind as 'lstm'](JSON.parse(JSON.stringify(layer.options)));
    expect(again.options).toEqual(layer.options);
    expect(again.rates).toEqual(layer.rates);
  }
});
