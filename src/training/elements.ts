/** A map over many values, written down element by element. */
import { type Expression, variable } from '../compute/expression.js';
import type { Value } from '../compute/graph.js';
import { guardedMap, map, provenMap } from '../compute/operations/index.js';

export class Elements {
  readonly #values: Value[] = [];

  /** Those that something stands for. */
  get values(): readonly Value[] {
    return this.#values;
  }

  /** What stands for an element of the value. */
  readonly of = (value: Value): Expression => {
    const known = this.#values.indexOf(value);
    return variable(known >= 0 ? known : this.#values.push(value) - 1);
  };

  /** The result of an expression of these elements. */
  map(result: Expression): Value {
    return map(() => result, ...this.#values);
  }

  /** The results of expressions of these elements, stored only where all are finite. */
  guarded(results: readonly Expression[]): { outputs: Value[]; finite: Value } {
    return guardedMap(() => results, ...this.#values);
  }

  /** As `guarded`, with a proof that all are finite. */
  proven(results: readonly Expression[], proof: Expression): { outputs: Value[]; extremes: Value; finite: Value } {
    return provenMap(() => ({ results, proof }), ...this.#values);
  }
}
