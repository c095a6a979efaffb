/** Scratch memory: storages whose lives do not meet share it. */
import { elementCount } from '../tensor.js';
import { aligned, type Place, type Plan, placeOf, type Storage } from './plan.js';
import { behindViews, type StepNode } from './step-graph.js';

/** Gives every scratch storage its offset. Returns the elements needed, and needed had nothing been reused. */
export function planScratch(plan: Plan, ordered: readonly StepNode[]): { size: number; withoutReuse: number } {
  const withoutReuse = sizeOf(livesOf(plan, ordered).keys());
  shareInPlace(plan, ordered);
  const lives = livesOf(plan, ordered);

  // The largest first, each at the lowest offset where it meets no other that lives at the same time.
  const placed: Storage[] = [];
  let size = 0;
  for (const storage of [...lives.keys()].sort((a, b) => b.elements - a.elements)) {
    const life = lives.get(storage)!;
    const neighbours = placed.filter((other) => meets(life, lives.get(other)!)).sort((a, b) => a.offset - b.offset);
    let offset = 0;
    for (const other of neighbours) {
      if (offset + storage.elements <= other.offset) break;
      offset = Math.max(offset, aligned(other.offset + other.elements));
    }
    storage.offset = offset;
    placed.push(storage);
    size = Math.max(size, aligned(offset + storage.elements));
  }
  return { size, withoutReuse };
}

/** First and last instruction that touches a storage. */
interface Life {
  readonly first: number;
  last: number;
}

function livesOf(plan: Plan, ordered: readonly StepNode[]): Map<Storage, Life> {
  const lives = new Map<Storage, Life>();
  for (const [index, node] of ordered.entries()) {
    for (const value of [...node.inputs, ...node.outputs]) {
      const storage = value && placeOf(plan, value).storage;
      if (storage?.arena !== 'scratch') continue;
      const life = lives.get(storage);
      if (life) life.last = index;
      else lives.set(storage, { first: index, last: index });
    }
  }
  return lives;
}

const meets = (a: Life, b: Life): boolean => a.first <= b.last && b.first <= a.last;

const sizeOf = (storages: Iterable<Storage>): number =>
  [...storages].reduce((sum, storage) => sum + aligned(storage.elements), 0);

/** A result takes the place of an input that nobody reads any more, where the operation allows it. */
function shareInPlace(plan: Plan, ordered: readonly StepNode[]): void {
  const lives = livesOf(plan, ordered);
  for (const [position, node] of ordered.entries()) {
    const taken = new Set<Storage>();
    for (const output of node.outputs) {
      if (!output || !node.operation!.inPlace || !isWhole(plan.places.get(output)!, output)) continue;
      const made = plan.places.get(output)!.storage;
      if (lives.get(made)?.first !== position) continue;
      const input = node.inputs.find((value, index) => {
        const place = value && placeOf(plan, value);
        return (
          place &&
          isWhole(place, value) &&
          !taken.has(place.storage) &&
          lives.get(place.storage)!.last === position &&
          node.operation!.inPlace!(node.inputs, node.attributes, index, output.output)
        );
      });
      if (!input) continue;
      const place = placeOf(plan, input);
      taken.add(place.storage);
      lives.get(place.storage)!.last = lives.get(made)!.last;
      moveAll(plan, made, place.storage);
    }
  }
}

const isWhole = ({ storage, offset }: Place, { shape }: { readonly shape: readonly number[] }): boolean =>
  storage.arena === 'scratch' && offset === 0 && storage.elements === elementCount(shape);

function moveAll({ places }: Plan, from: Storage, to: Storage): void {
  for (const [value, place] of places) {
    if (place.storage === from) places.set(behindViews(value).value, { storage: to, offset: place.offset });
  }
}
