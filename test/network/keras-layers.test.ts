/**
 * Recurrent layers, alone and stacked, agree with Keras: outputs, final states, and every gradient.
 *
 * Where Keras is asked for outputs of 0 at masked steps, which here repeat the one before, only the others are compared. Not
 * among them, because mneme does not have it yet: reading backwards (go_backwards), pooling, RepeatVector, layer
 * normalisation, and stacked cells.
 */
import { describe, expect, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { createReferenceEngine } from '../../src/compute/engine/reference.js';
import { type NumericArray, type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { createNetwork } from '../../src/network/network.js';
import { exact, native } from './engines.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors } from './fixtures.js';
import { runLayers } from './layer-fixtures.js';

interface KerasLayer {
  readonly class: string;
  readonly config: {
    readonly name: string;
    readonly units: number;
    readonly activation?: string | null;
    readonly recurrent_activation?: string;
    readonly return_sequences?: boolean;
    readonly go_backwards?: boolean;
    readonly use_bias?: boolean;
    readonly reset_after?: boolean;
    readonly layer?: KerasLayer;
    readonly input_dim?: number;
    readonly output_dim?: number;
    readonly merge_mode?: keyof typeof merges | null;
  };
}

const activations: Readonly<Record<string, string>> = { linear: 'identity', hard_sigmoid: 'hardSigmoid' };
const merges = { concat: 'concat', sum: 'sum', mul: 'multiply', ave: 'average' } as const;
const activationNamed = (name: string) => (activations[name] ?? name) as 'tanh';

/** Our layers for one of Keras': a recurrent one without return_sequences is followed by `lastStep`. */
function ours({ class: kind, config }: KerasLayer): Layer[] {
  const recurrent = {
    units: config.units,
    useBias: config.use_bias ?? true,
    activation: activationNamed(config.activation ?? 'tanh'),
  };
  const gateActivation = activationNamed(config.recurrent_activation ?? 'sigmoid');
  const last = config.return_sequences ? [] : [layers.lastStep()];
  if (kind === 'SimpleRNN') return [layers.simpleRnn(recurrent), ...last];
  if (kind === 'LSTM') return [layers.lstm({ ...recurrent, gateActivation }), ...last];
  if (kind === 'GRU')
    return [layers.gru({ ...recurrent, gateActivation, resetAfter: config.reset_after ?? true }), ...last];
  if (kind === 'Masking') return [];
  if (kind === 'Embedding') return [layers.embedding({ vocabulary: config.input_dim!, units: config.output_dim! })];
  if (kind === 'TimeDistributed') return ours(config.layer!);
  if (kind === 'Bidirectional') {
    const [inner, ...innerLast] = ours(config.layer!) as [Layer, ...Layer[]];
    // Without a merge mode there are two outputs, which are here the halves of one.
    return [layers.bidirectional(inner, { merge: merges[config.merge_mode ?? 'concat'] }), ...innerLast];
  }
  return [
    layers.dense({ units: config.units, activation: activationNamed(config.activation ?? 'linear') as 'softmax' }),
  ];
}

const built = new Set([
  'SimpleRNN',
  'LSTM',
  'GRU',
  'Dense',
  'TimeDistributed',
  'Bidirectional',
  'Masking',
  'Embedding',
]);
const cases = fixtureCases('keras', 'recurrent', 'layers', 'bidirectional', 'mask').filter(({ options }) => {
  const list = options.layers as KerasLayer[] | undefined;
  return list?.every((layer) => built.has(layer.class) && !layer.config.go_backwards);
});
const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

describe.skipIf(fixturesAbsent('keras'))('layers as Keras computes them', () => {
  it('leaves out only what is not built', () => {
    expect(cases).toHaveLength(41 - 8 + 3 + 16 + 20 + 1);
  });

  it.each(fixtureCases('keras', 'recurrent').filter(({ name }) => name.startsWith('lstm-forget-bias')))(
    'a new bias: $name',
    async (fixture) => {
      const { units, I, unit_forget_bias } = fixture.options as { units: number; I: number; unit_forget_bias: boolean };
      const network = createNetwork([layers.lstm({ units, forgetBias: unit_forget_bias ? 1 : 0 })], {
        input: { features: I },
        engine: createReferenceEngine({ precision: 'f64' }),
      });
      const { data } = await network.parameter('lstm/bias');
      expect([...data]).toEqual([...fixtureTensors('keras', fixture).bias!.data]);
    },
  );

  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(cases.map((fixture) => [fixture.name, fixture] as const))('%s', async (_, fixture) => {
        const zeroed = JSON.stringify(fixture.options.layers).match(/zero_output_for_mask|Bidirectional/) !== null;
        const { tensors, mask } = comparable(sideBySide(fixtureTensors('keras', fixture)), { zeroed });
        const check = checker(fixture, engine!);
        const given = (fixture.options.layers as KerasLayer[]).map((layer) => ({ layer, ours: ours(layer) }));
        const all = given.flatMap((entry) => entry.ours);
        const { parameters, gradients } = parametersOf(given, tensors);
        const states = { hidden: 'h', cell: 'c' };
        const ofStates = (pattern: string): Record<string, Tensor> =>
          Object.fromEntries(
            Object.entries(states).flatMap(([state, letter]) => {
              return ['', 'forward', 'backward'].flatMap((direction) => {
                const value = tensors[`${pattern.replace('?', letter)}${direction && `.${direction}`}`];
                return value ? [[`0/${direction && `${direction}/`}${state}`, value]] : [];
              });
            }),
          );
        const got = await runLayers(engine!, {
          layers: all,
          signal: tensors.ids
            ? { kind: 'ids', vocabulary: 7, sequence: true }
            : { kind: 'vectors', features: tensors.x!.shape.at(-1)!, sequence: true },
          x: tensors.ids ?? tensors.x!,
          mask,
          parameters,
          states: ofStates('?0'),
          incoming: { output: tensors.dy!, ...ofStates('d?n') },
        });
        check('y', 'output', zeroed ? where(mask, got.output!) : got.output!, tensors.y!);
        for (const [name, want] of Object.entries(ofStates('?n'))) check(`final ${name}`, 'output', got[name]!, want);
        if (!tensors.ids) check('grad.x', 'gradient', got['gradient of x']!, tensors['grad.x']!);
        for (const [name, want] of Object.entries(gradients)) {
          check(`grad.${name}`, 'gradient', got[`gradient of ${name}`]!, want);
        }
        for (const [name, want] of Object.entries(ofStates('grad.?0'))) {
          check(`grad.${name}`, 'gradient', got[`gradient of initial ${name}`]!, want);
        }
      });
    });
  }
});

/** Parameters and their gradients under our names, gates in our order. */
function parametersOf(
  given: readonly { readonly layer: KerasLayer; readonly ours: readonly Layer[] }[],
  tensors: Record<string, Tensor>,
): { parameters: Record<string, Tensor>; gradients: Record<string, Tensor> } {
  const parameters: Record<string, Tensor> = {};
  const gradients: Record<string, Tensor> = {};
  const paths = Object.keys(tensors).filter((name) => name.startsWith('param.'));
  let number = 0;
  for (const { layer, ours } of given) {
    for (const [prefix, into] of [
      ['param', parameters],
      ['grad', gradients],
    ] as const) {
      const { name, layer: inner } = layer.config;
      const both = layer.class === 'Bidirectional';
      for (const direction of both ? (['forward', 'backward'] as const) : ['']) {
        const own = both ? `${name}/${direction}_${inner!.config.name}/` : `${name}/`;
        const group = paths.find((path) => path.startsWith(`param.${own}`));
        if (!group) continue;
        const of = (leaf: string) => tensors[`${prefix}${group.slice('param'.length, group.lastIndexOf('/'))}/${leaf}`];
        const put = (leaf: string, value: Tensor | undefined) => {
          if (value) into[`${number}/${direction && `${direction}/`}${leaf}`] = value;
        };
        const kind = (both ? inner! : layer).class;
        const ordered = (value: Tensor | undefined) => value && (kind === 'GRU' ? resetFirst(value) : value);
        put('table', of('embeddings'));
        put('kernel', ordered(of('kernel')));
        put('recurrentKernel', ordered(of('recurrent_kernel')));
        const bias = ordered(of('bias'));
        if (bias?.shape.length === 2) {
          const columns = bias.shape[1]!;
          put('bias', tensor(bias.data.slice(0, columns), [columns]));
          put('recurrentBias', tensor(bias.data.slice(columns), [columns]));
        } else put('bias', bias);
      }
    }
    number += ours.length;
  }
  return { parameters, gradients };
}

/**
 * The mask, as a tensor of its own or as what layers make of what they read; and where outputs are zeroed by it, they and their
 * gradients as 0.
 */
function comparable(
  tensors: Record<string, Tensor>,
  { zeroed }: { readonly zeroed: boolean },
): { tensors: Record<string, Tensor>; mask: Tensor | undefined } {
  const { ids } = tensors;
  const given = tensors.mask ?? tensors.mask_after ?? ids;
  const mask =
    given &&
    tensor(
      Float64Array.from(given.data, (value) => Number(value !== 0)),
      given.shape,
    );
  return { tensors: zeroed ? { ...tensors, y: where(mask, tensors.y!), dy: where(mask, tensors.dy!) } : tensors, mask };
}

/** Zeros where the mask is 0, in what has a number of each step. */
function where(mask: Tensor | undefined, values: Tensor): Tensor {
  if (!mask || values.shape.length < 3) return values;
  const width = values.shape.at(-1)!;
  return tensor(
    Float64Array.from(values.data, (value, index) => (mask.data[Math.floor(index / width)] === 0 ? 0 : value)),
    values.shape,
  );
}

/** Where outputs of both directions are told apart, they and their gradients side by side. */
function sideBySide(tensors: Record<string, Tensor>): Record<string, Tensor> {
  const whole = (name: 'y' | 'dy') => {
    const [forward, backward] = [tensors[`${name}.forward`], tensors[`${name}.backward`]];
    if (!forward || !backward) return tensors[name]!;
    const width = forward.shape.at(-1)!;
    const data = new Float64Array(2 * forward.data.length);
    for (let place = 0; place < forward.data.length; place += width) {
      data.set(forward.data.subarray(place, place + width), 2 * place);
      data.set(backward.data.subarray(place, place + width), 2 * place + width);
    }
    return tensor(data, forward.shape.with(-1, 2 * width));
  };
  return { ...tensors, y: whole('y'), dy: whole('dy') };
}

/** Keras' gates z, r, h as ours: r, z, n. */
function resetFirst({ shape, data }: Tensor): Tensor {
  const columns = shape.at(-1)!;
  const units = columns / 3;
  const result: NumericArray = data.slice();
  for (let row = 0; row < data.length; row += columns) {
    result.set(data.subarray(row + units, row + 2 * units), row);
    result.set(data.subarray(row, row + units), row + units);
  }
  return tensor(result, shape);
}
