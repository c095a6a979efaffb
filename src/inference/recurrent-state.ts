/** The memory in which a session's recurrent states lie, and the same as tensors. */
import type { Memory } from '../compute/engine/engine.js';
import {
  elementCount,
  isTensor,
  type NumericArray,
  printShape,
  sameShape,
  type Tensor,
  tensor,
} from '../compute/tensor.js';
import { MnemeError, requireArgument } from '../errors.js';
import type { NetworkContract } from '../network/contract.js';
import { nearestName } from '../options.js';

/** By name: `lstm_1/hidden`, `[batch, units]`. */
export type States = Readonly<Record<string, Tensor>>;

export interface RecurrentState {
  readonly memory: Memory;
  /** Behind the states: the id that generation carries, and its step counter. */
  readonly idOffset: number;
  readonly counterOffset: number;
  /** Everything but what generation carries, as one array; in stream order. */
  read(): Promise<NumericArray>;
  write(values: NumericArray): Promise<void>;
  reset(): Promise<void>;
  tensors(): Promise<States>;
  /** @throws {MnemeError} `invalid-argument` (a name missing or unknown), `invalid-shape`, `not-finite` */
  setTensors(states: States): Promise<void>;
}

/** @throws {MnemeError} `out-of-memory` */
export function createRecurrentState(network: NetworkContract, batch: number): RecurrentState {
  const places = network.stateLayout(batch);
  const length = places.reduce((sum, place) => sum + place.length, 0);
  // On a cache line of their own each.
  const idOffset = Math.ceil(length / 16) * 16;
  const counterOffset = idOffset + 16;
  const memory = network.engine.allocate(counterOffset + 16);

  const read = async (): Promise<NumericArray> =>
    length === 0 ? new Float32Array(0) : network.stream.read(memory, 0, length, 'f32');
  const write = async (values: NumericArray): Promise<void> => {
    if (length > 0) await network.stream.write(memory, 0, values);
  };
  return {
    memory,
    idOffset,
    counterOffset,
    read,
    write,
    reset: () => write(new Float32Array(length)),
    async tensors() {
      const values = await read();
      return Object.fromEntries(
        places.map(({ name, offset, length: own, shape }) => [name, tensor(values.slice(offset, offset + own), shape)]),
      );
    },
    async setTensors(states) {
      requireArgument(typeof states === 'object' && states !== null, 'setState', 'states by name', states);
      const names = places.map(({ name }) => name);
      for (const name of Object.keys(states)) if (!names.includes(name)) throw unknownState(name, names);
      const values = new Float64Array(length);
      for (const { name, shape, offset } of places) values.set(checked(name, states[name], shape), offset);
      // The engine's own precision: f32, or f64 in the reference that has it.
      await write(network.engine.precision === 'f64' ? values : Float32Array.from(values));
    },
  };
}

function checked(name: string, state: Tensor | undefined, shape: readonly number[]): NumericArray {
  if (!state)
    throw new MnemeError('invalid-argument', `setState: the state '${name}' is missing; all are set at once.`);
  requireArgument(isTensor(state), `setState: '${name}'`, 'a tensor', state);
  if (!sameShape(state.shape, shape)) {
    throw new MnemeError(
      'invalid-shape',
      `setState: '${name}' has the shape ${printShape(shape)}, got ${printShape(state.shape)}.`,
    );
  }
  if (state.data.length !== elementCount(shape)) {
    throw new MnemeError(
      'invalid-argument',
      `setState: '${name}' holds ${state.data.length} elements: was its buffer detached?`,
    );
  }
  const wrong = state.data.findIndex((x) => !Number.isFinite(x));
  if (wrong >= 0)
    throw new MnemeError('not-finite', `setState: element ${wrong} of '${name}' is ${state.data[wrong]}.`);
  return state.data;
}

function unknownState(name: string, names: readonly string[]): MnemeError {
  const hint = names.length > 0 ? `Did you mean '${nearestName(name, names)}'?` : 'This model keeps no state.';
  return new MnemeError('invalid-argument', `setState: there is no state '${name}'. ${hint}`);
}
