/** PyTorch's recurrent layers as ours: options, parameters, and the order of axes. */
import { type Tensor, tensor } from '../../src/compute/tensor.js';
import { layers } from '../../src/network/layers/index.js';
import type { Layer } from '../../src/network/layers/layer.js';
import { sumOf, transposed } from './fixtures.js';

export interface RecurrentOptions {
  readonly module: 'RNN' | 'LSTM' | 'GRU';
  readonly nonlinearity?: 'tanh' | 'relu';
  readonly H: number;
  readonly I: number;
  readonly layers?: number;
  readonly bias?: boolean;
  readonly proj_size?: number;
}

export function layerOf({ module, nonlinearity, H, bias = true, proj_size: projection = 0 }: RecurrentOptions): Layer {
  const options = { units: H, useBias: bias };
  if (module === 'LSTM') return layers.lstm({ ...options, ...(projection > 0 ? { projection } : {}) });
  if (module === 'GRU') return layers.gru(options);
  return layers.simpleRnn({ ...options, activation: nonlinearity! });
}

export const stateNames = ({ module }: Pick<RecurrentOptions, 'module'>) =>
  module === 'LSTM' ? (['hidden', 'cell'] as const) : (['hidden'] as const);

/** `h0` and `c0` in PyTorch's names. */
export const stateLetters = { hidden: 'h', cell: 'c' } as const;

/**
 * Parameters (prefix `param.`), or their gradients (`grad.`), as our layer names and lays them out. PyTorch adds two
 * biases where we have one: ours is their sum, and the gradient of either is that of ours.
 */
export function parametersOf(
  { module, bias = true, proj_size: projection = 0 }: RecurrentOptions,
  tensors: Record<string, Tensor>,
  prefix: 'param.' | 'grad.',
  suffix: string,
): Record<string, Tensor> {
  const of = (name: string) => tensors[`${prefix}${name}${suffix}`]!;
  const kernels = {
    kernel: transposed(of('weight_ih')),
    recurrentKernel: transposed(of('weight_hh')),
    ...(projection > 0 ? { projection: transposed(of('weight_hr')) } : {}),
  };
  if (!bias) return kernels;
  if (module === 'GRU') return { ...kernels, bias: of('bias_ih'), recurrentBias: of('bias_hh') };
  return { ...kernels, bias: prefix === 'grad.' ? of('bias_ih') : sumOf(of('bias_ih'), of('bias_hh')) };
}

/** `[time, batch, ...]` with the first two axes exchanged. */
export function batchMajor({ shape, data }: Tensor): Tensor {
  const [time, batch, ...rest] = shape as [number, number, ...number[]];
  const inner = rest.reduce((product, extent) => product * extent, 1);
  const result = data.slice();
  for (let t = 0; t < time; t++) {
    for (let b = 0; b < batch; b++) {
      result.set(data.subarray((t * batch + b) * inner, (t * batch + b + 1) * inner), (b * time + t) * inner);
    }
  }
  return tensor(result, [batch, time, ...rest]);
}

/** Part `index` of a tensor along its first axis. */
export function partOf({ shape, data }: Tensor, index: number): Tensor {
  const length = data.length / shape[0]!;
  return tensor(data.slice(index * length, (index + 1) * length), shape.slice(1));
}
