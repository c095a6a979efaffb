/**
 * Thirty steps of a two-layer LSTM on text, with the state carried, the gradient clipped and Adam, give PyTorch's
 * losses, gradient norms and final parameters.
 */
import { describe, it } from 'vitest';
import type { Engine } from '../../src/compute/engine/engine.js';
import { map } from '../../src/compute/operations/index.js';
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { losses } from '../../src/network/losses/index.js';
import { createNetwork } from '../../src/network/network.js';
import { updaters } from '../../src/network/updaters/index.js';
import { createTrainer } from '../../src/training/trainer.js';
import { exact, native } from '../network/engines.js';
import { checker, fixtureCases, fixturesAbsent, fixtureTensors, transposed } from '../network/fixtures.js';
import { batchMajor, partOf } from '../network/pytorch-parameters.js';

const engines: [string, Engine | undefined][] = [
  ['reference in double precision', exact],
  ['native', native],
];

describe.skipIf(fixturesAbsent('pytorch'))('training as PyTorch does it', () => {
  for (const [engineName, engine] of engines) {
    describe.skipIf(!engine)(engineName, () => {
      it.each(fixtureCases('pytorch', 'training').map((fixture) => [fixture.name, fixture] as const))(
        '%s',
        async (_, fixture) => {
          const tensors = fixtureTensors('pytorch', fixture);
          const { E, H, clip, lr, steps } = fixture.options as Record<string, number>;
          const vocabulary = tensors['param.embedding.weight']!.shape[0]!;
          const network = createNetwork(
            [
              layers.embedding({ vocabulary, units: E! }),
              withTwoBiases(layers.lstm({ units: H! })),
              withTwoBiases(layers.lstm({ units: H! })),
              layers.dense({ units: vocabulary }),
            ],
            { engine: engine! },
          );
          const real = (values: readonly number[]) =>
            engine!.precision === 'f64' ? Float64Array.from(values) : Float32Array.from(values);
          await network.stream.write(network.memory, 0, real(flat(tensors, 'param')));
          const trainer = createTrainer(network, {
            loss: losses.softmaxCrossEntropy(),
            updater: updaters.adam({ learningRate: lr! }),
            clip: { globalNorm: clip!, epsilon: 1e-6 },
          });
          const got = { losses: [] as number[], norms: [] as number[] };
          for (let step = 0; step < steps!; step++) {
            const inputs = batchMajor(partOf(tensors.ids!, step));
            const targets = batchMajor(partOf(tensors.targets!, step));
            const { loss, gradientNorm } = await trainer.step({ inputs, targets, continues: step > 0 });
            got.losses.push(loss);
            got.norms.push(gradientNorm);
          }
          const check = checker(fixture, engine!);
          check('losses', 'output', list(got.losses), tensors.losses!);
          check('norms', 'output', list(got.norms), tensors.norms!);
          const final = await network.stream.read(network.memory, 0, network.parameterCount, 'f32');
          check('final parameters', 'output', list([...final]), list(flat(tensors, 'final')));
          trainer.dispose();
          network.dispose();
        },
      );
    });
  }
});

/** PyTorch's LSTM has two biases that are added: each of them is updated, and counts in the norm of the gradient. */
function withTwoBiases(layer: Layer): Layer {
  return {
    ...layer,
    kind: 'twoBiasLstm',
    parameters: (input) => {
      const { kernel, recurrentKernel, bias } = layer.parameters(input);
      return { kernel: kernel!, recurrentKernel: recurrentKernel!, inputBias: bias!, stateBias: bias! };
    },
    apply: (context, input) => {
      const { kernel, recurrentKernel, inputBias, stateBias } = context.parameters;
      const bias = map((a, b) => a.add(b), inputBias!, stateBias!);
      return layer.apply(
        { ...context, parameters: { kernel: kernel!, recurrentKernel: recurrentKernel!, bias } },
        input,
      );
    },
  };
}

/** All parameters in the order of the network's layout. */
function flat(tensors: Record<string, Tensor>, prefix: 'param' | 'final'): number[] {
  const lstm = (index: number) => {
    const of = (name: string) => tensors[`${prefix}.lstm.${name}_l${index}`]!;
    return [transposed(of('weight_ih')), transposed(of('weight_hh')), of('bias_ih'), of('bias_hh')];
  };
  const parts = [
    tensors[`${prefix}.embedding.weight`]!,
    ...lstm(0),
    ...lstm(1),
    transposed(tensors[`${prefix}.linear.weight`]!),
    tensors[`${prefix}.linear.bias`]!,
  ];
  return parts.flatMap(({ data }) => [...data]);
}

const list = (values: readonly number[]): Tensor => tensor(Float64Array.from(values));
