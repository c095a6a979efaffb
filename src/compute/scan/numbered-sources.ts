/** Sources of a body, made as they are asked for. */
import type { Value } from '../graph.js';

/** One source for each value that it stands for, numbered in the order in which they came. */
export class NumberedSources {
  readonly #make: (index: number, value: Value) => Value;
  readonly #sources = new Map<Value, Value>();

  constructor(make: (index: number, value: Value) => Value) {
    this.#make = make;
  }

  of(value: Value): Value {
    const known = this.#sources.get(value);
    if (known) return known;
    const made = this.#make(this.#sources.size, value);
    this.#sources.set(value, made);
    return made;
  }

  get values(): Value[] {
    return [...this.#sources.keys()];
  }

  get sources(): Value[] {
    return [...this.#sources.values()];
  }
}
