/** The few values that were used last, by key: what is missing is made, the one unused for longest is dropped. */
export class Recent<Key, T> {
  readonly #most: number;
  readonly #drop: (value: T) => void;
  /** In order of use, the latest last. */
  readonly #values = new Map<Key, T>();

  constructor(most: number, drop: (value: T) => void) {
    this.#most = most;
    this.#drop = drop;
  }

  get(key: Key, make: () => T): T {
    const value = this.#values.get(key) ?? make();
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size > this.#most) {
      const [oldest, leaving] = this.#values.entries().next().value!;
      this.#values.delete(oldest);
      this.#drop(leaving);
    }
    return value;
  }
}
