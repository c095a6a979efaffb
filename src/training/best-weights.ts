/** A copy of the parameters, kept in the engine's memory. */
import { compile } from '../compute/compiler.js';
import type { Memory } from '../compute/engine/engine.js';
import { stored } from '../compute/graph.js';
import type { NumericArray } from '../compute/tensor.js';
import type { NetworkContract } from '../network/network.js';

export class BestWeights {
  readonly #network: NetworkContract;
  #copy: Memory | undefined;

  constructor(network: NetworkContract) {
    this.#network = network;
  }

  /** Keeps the parameters as they are now, in stream order. */
  async keep(): Promise<void> {
    this.#copy ??= this.#network.engine.allocate(this.#network.parameterCount);
    await this.#copyBetween(this.#network.memory, this.#copy);
  }

  /** Puts back what was kept, if anything was. */
  async restore(): Promise<void> {
    if (!this.#copy) return;
    this.#network.touch();
    await this.#copyBetween(this.#copy, this.#network.memory);
  }

  /** Queues a read of what was kept; undefined where nothing was. */
  read(): Promise<NumericArray> | undefined {
    const { stream, parameterCount } = this.#network;
    return this.#copy && stream.read(this.#copy, 0, parameterCount, 'f32');
  }

  /** Keeps these instead. */
  async write(values: NumericArray): Promise<void> {
    this.#copy ??= this.#network.engine.allocate(this.#network.parameterCount);
    await this.#network.stream.write(this.#copy, 0, values);
  }

  dispose(): void {
    this.#copy?.dispose();
    this.#copy = undefined;
  }

  async #copyBetween(from: Memory, to: Memory): Promise<void> {
    const { stream, parameterCount } = this.#network;
    const program = this.#network.program('copy of the parameters', () => {
      const of = (arena: 'parameters' | 'state') => stored(arena, 0, [parameterCount], 'f32', arena);
      return compile({
        name: 'copy of the parameters',
        outputs: {},
        assignments: [{ target: of('state'), value: of('parameters') }],
      });
    });
    await stream.submit({ program, memories: { parameters: from, state: to }, inputs: {} });
  }
}
