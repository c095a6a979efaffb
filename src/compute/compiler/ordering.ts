/**
 * The order of instructions. Backwards from the results, what lies deepest comes first; in between, whatever needs no
 * more memory than it sets free runs as soon as it can, so that values do not wait for their last reader.
 */
import { isPlacedConcatenation } from './placement.js';
import { isView, type Plan, placeOf, type Storage } from './plan.js';
import type { StepNode } from './step-graph.js';

/** The nodes that become instructions, in an order in which they can run. */
export function orderNodes(plan: Plan): StepNode[] {
  const wish = depthFirst(plan);
  const positions = new Map(wish.map((node, index) => [node, index]));
  const waitingFor = new Map(wish.map((node) => [node, new Set(plan.dependencies.before(node))]));
  const after = new Map<StepNode, StepNode[]>(wish.map((node) => [node, []]));
  for (const node of wish) for (const before of plan.dependencies.before(node)) after.get(before)!.push(node);
  const memory = new MemoryBalance(plan);
  const done = new Set<StepNode>();
  const ordered: StepNode[] = [];
  const run = (node: StepNode) => {
    done.add(node);
    memory.run(node);
    if (!isView(node) && !isPlacedConcatenation(node)) ordered.push(node);
    for (const next of after.get(node)!) waitingFor.get(next)!.delete(node);
  };
  // Only readers of what has just run can have become ready.
  const runFreeing = (candidates: readonly StepNode[]) => {
    const ready = candidates
      .filter((node) => !done.has(node) && waitingFor.get(node)!.size === 0)
      .sort((a, b) => positions.get(a)! - positions.get(b)!);
    for (const node of ready) {
      if (done.has(node) || memory.growth(node) > 0) continue;
      run(node);
      runFreeing(after.get(node)!);
    }
  };
  for (const node of wish) {
    if (!done.has(node)) run(node);
    runFreeing(after.get(node)!);
  }
  return ordered;
}

function depthFirst({ nodes, dependencies }: Plan): StepNode[] {
  const ordered: StepNode[] = [];
  const seen = new Set<StepNode>();
  const visit = (node: StepNode) => {
    if (seen.has(node)) return;
    seen.add(node);
    for (const before of dependencies.before(node).sort((a, b) => b.depth - a.depth)) visit(before);
    ordered.push(node);
  };
  for (const node of [...nodes].sort((a, b) => b.depth - a.depth)) visit(node);
  return ordered;
}

/** How many scratch elements a node would add, given what has run. */
class MemoryBalance {
  readonly #plan: Plan;
  readonly #usersLeft = new Map<Storage, number>();
  readonly #alive = new Set<Storage>();

  constructor(plan: Plan) {
    this.#plan = plan;
    for (const node of plan.nodes) {
      // A whole that is made in parts is there from the beginning.
      if (isPlacedConcatenation(node)) this.#alive.add(placeOf(plan, node.outputs[0]!).storage);
      for (const storage of this.#storages(node)) {
        this.#usersLeft.set(storage, (this.#usersLeft.get(storage) ?? 0) + 1);
      }
    }
  }

  growth(node: StepNode): number {
    let growth = 0;
    for (const storage of this.#storages(node)) {
      if (!this.#alive.has(storage)) growth += storage.elements;
      if (this.#usersLeft.get(storage) === 1) growth -= storage.elements;
    }
    return growth;
  }

  run(node: StepNode): void {
    for (const storage of this.#storages(node)) {
      this.#alive.add(storage);
      this.#usersLeft.set(storage, this.#usersLeft.get(storage)! - 1);
    }
  }

  #storages(node: StepNode): Set<Storage> {
    const storages = [...node.inputs, ...node.outputs].flatMap((value) => {
      const storage = value && placeOf(this.#plan, value).storage;
      return storage?.arena === 'scratch' ? [storage] : [];
    });
    return new Set(storages);
  }
}
