/** Applies layers to fixture tensors: outputs, final states, and the gradients of everything. */
import type { Engine } from '../../src/compute/engine/engine.js';
import type { Value } from '../../src/compute/graph.js';
import type { Tensor } from '../../src/compute/tensor.js';
import type { Layer, Signal } from '../../src/network/layers/layer.js';
import { swapLeading } from '../../src/network/trace.js';
import { evaluateGraph, incomingGradients, type Tensors } from './evaluate-graph.js';

export interface LayerCase {
  readonly layers: readonly Layer[];
  readonly signal: Signal;
  /** `[batch, time, ...]` */
  readonly x: Tensor;
  /** `0/kernel`: layer and parameter. */
  readonly parameters: Tensors;
  /** `0/hidden`: layer and state. */
  readonly states: Tensors;
  /** Steps of each row, `[batch]`; absent: all. */
  readonly lengths?: Tensor | undefined;
  /** 1 where a row lives, `[batch, time]`; absent: everywhere. */
  readonly mask?: Tensor | undefined;
  /** Incoming gradients: `output` in the layout of the output (`[batch, time, features]`), and states by name. */
  readonly incoming: Tensors;
}

/** `output` (`[batch, time, features]`), `0/hidden` (final), `gradient of x`, `gradient of 0/kernel`, ... */
export function runLayers(
  engine: Engine,
  { layers, signal, x, parameters, states, incoming, lengths, mask }: LayerCase,
): Promise<Tensors> {
  const prefixed = (prefix: string, tensors: Tensors) =>
    Object.fromEntries(Object.entries(tensors).map(([name, value]) => [`${prefix} ${name}`, value]));
  const given = {
    x,
    ...(lengths ? { lengths } : {}),
    ...(mask ? { mask } : {}),
    ...prefixed('parameter', parameters),
    ...prefixed('state', states),
    ...prefixed('incoming', incoming),
  };
  return evaluateGraph(engine, given, (ports) => {
    const of = (kind: string, tensors: Tensors, layer: number) =>
      Object.fromEntries(
        Object.keys(tensors)
          .filter((name) => name.startsWith(`${layer}/`))
          .map((name) => [name.slice(name.indexOf('/') + 1), ports[`${kind} ${name}`]!]),
      );
    let value: Value = signal.sequence ? swapLeading(ports.x!) : ports.x!;
    let reads = signal;
    let last: Value | undefined;
    const outputs: Record<string, Value> = {};
    for (const [index, layer] of layers.entries()) {
      const result = layer.apply(
        {
          input: value,
          parameters: of('parameter', parameters, index),
          states: of('state', states, index),
          training: true,
          lengths: ports.lengths,
          mask: ports.mask && swapLeading(ports.mask),
          last,
          rate: () => 0,
          random: () => {
            throw new Error('No fixture draws random numbers.');
          },
        },
        reads,
      );
      value = result.output;
      last = result.last;
      reads = layer.signal(reads);
      for (const [name, state] of Object.entries(result.states)) outputs[`${index}/${name}`] = state;
    }
    outputs.output = reads.sequence ? swapLeading(value) : value;
    const pairs = Object.keys(incoming).map((name) => [outputs[name]!, ports[`incoming ${name}`]!] as const);
    const differentiable = {
      ...(x.dtype === 'i32' ? {} : { x: ports.x! }),
      ...Object.fromEntries(Object.keys(parameters).map((name) => [name, ports[`parameter ${name}`]!])),
      ...Object.fromEntries(Object.keys(states).map((name) => [`initial ${name}`, ports[`state ${name}`]!])),
    };
    return { ...outputs, ...incomingGradients(pairs, differentiable) };
  });
}
