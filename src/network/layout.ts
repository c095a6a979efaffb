/** Where the parameters and states of a network lie in their arenas, and what the layers are called. */
import { elementCount, type Shape } from '../compute/tensor.js';
import { MnemeError } from '../errors.js';
import type { Layer, Signal, WeightGroup } from './layers/layer.js';

/** One parameter's place. `offset` and `length` count elements in its arena. */
export interface ParameterPlace {
  /** `lstm_1/kernel`: layers are numbered by kind where a kind occurs twice. */
  readonly name: string;
  readonly layer: number;
  readonly group: WeightGroup;
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

/** One state's place. */
export interface StatePlace {
  /** `lstm_1/hidden` */
  readonly name: string;
  readonly layer: number;
  /** With the batch: `[batch, units]`. */
  readonly shape: Shape;
  readonly offset: number;
  readonly length: number;
}

/** `embedding`, `lstm_1`, `lstm_2`, `dense`: numbered from 1 where a kind occurs more than once. */
export function nameLayers(layers: readonly Layer[]): string[] {
  const total = new Map<string, number>();
  for (const { kind } of layers) total.set(kind, (total.get(kind) ?? 0) + 1);
  const seen = new Map<string, number>();
  return layers.map(({ kind }) => {
    if (total.get(kind) === 1) return kind;
    const number = (seen.get(kind) ?? 0) + 1;
    seen.set(kind, number);
    return `${kind}_${number}`;
  });
}

/**
 * The signal in front of each layer, and after the last.
 * @throws {MnemeError} `invalid-shape`: which layer, expected and got
 */
export function passSignals(layers: readonly Layer[], names: readonly string[], input: Signal): Signal[] {
  const signals = [input];
  layers.forEach((layer, index) => {
    try {
      signals.push(layer.signal(signals[index]!));
    } catch (error) {
      if (!(error instanceof MnemeError)) throw error;
      throw new MnemeError(error.code, `layer ${names[index]} (number ${index + 1}): ${error.message}`);
    }
  });
  return signals;
}

/** Parameters lie densely one after another, in layer order. */
export function placeParameters(
  layers: readonly Layer[],
  names: readonly string[],
  signals: readonly Signal[],
): ParameterPlace[] {
  return place(
    layers.flatMap((layer, index) =>
      Object.entries(layer.parameters(signals[index]!)).map(([name, { shape, group }]) => ({
        name: `${names[index]}/${name}`,
        layer: index,
        group,
        shape,
      })),
    ),
  );
}

/** States lie densely one after another, in layer order. */
export function placeStates(
  layers: readonly Layer[],
  names: readonly string[],
  signals: readonly Signal[],
  batch: number,
): StatePlace[] {
  return place(
    layers.flatMap((layer, index) =>
      Object.entries(layer.states(signals[index]!)).map(([name, shape]) => ({
        name: `${names[index]}/${name}`,
        layer: index,
        shape: [batch, ...shape],
      })),
    ),
  );
}

function place<T extends { readonly shape: Shape }>(things: readonly T[]): (T & { offset: number; length: number })[] {
  let offset = 0;
  return things.map((thing) => {
    const length = elementCount(thing.shape);
    offset += length;
    return { ...thing, offset: offset - length, length };
  });
}
