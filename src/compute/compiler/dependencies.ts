/** Who must come after whom: readers after what they read, and what is added because memory is overwritten. */
import type { StepNode } from './step-graph.js';

export class Dependencies {
  readonly #added = new Map<StepNode, Set<StepNode>>();

  add(before: StepNode, after: StepNode): void {
    const known = this.#added.get(after);
    if (known) known.add(before);
    else this.#added.set(after, new Set([before]));
  }

  /** The nodes directly before one; sources are none. */
  before(node: StepNode): StepNode[] {
    const read = node.inputs.flatMap((input) => (input?.node.operation ? [input.node] : []));
    return [...new Set([...read, ...(this.#added.get(node) ?? [])])];
  }

  /** Whether one of the nodes has to come after `node`. */
  someAfter(node: StepNode, nodes: readonly StepNode[]): boolean {
    const seen = new Set<StepNode>();
    const waiting = [...nodes];
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      if (next === node) return true;
      if (seen.has(next)) continue;
      seen.add(next);
      waiting.push(...this.before(next));
    }
    return false;
  }
}
