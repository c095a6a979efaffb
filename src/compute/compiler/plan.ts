/** The plan of a program's memory while it is made: which value lies where, and who must come after whom. */
import type { Repetition } from '../graph.js';
import { assignOperation } from '../operations/assign.js';
import type { Arena } from '../program.js';
import { elementCount } from '../tensor.js';
import { Dependencies } from './dependencies.js';
import { behindViews, makeStepNode, type StepGraph, type StepNode, type StepValue } from './step-graph.js';

/** A piece of memory. Scratch storages get their offset last, when it is known how long they live. */
export interface Storage {
  readonly arena: Arena;
  offset: number;
  readonly elements: number;
}

export interface Place {
  readonly storage: Storage;
  /** Elements from the beginning of the storage. */
  readonly offset: number;
}

export interface Plan {
  /** What becomes instructions, and views and placed concatenations, which do not. */
  readonly nodes: StepNode[];
  /** Of every value that is no view of another one. */
  readonly places: Map<StepValue, Place>;
  readonly dependencies: Dependencies;
  readonly inputs: StepValue[];
  readonly outputs: { readonly name: string; readonly value: StepValue }[];
  readonly sizes: Record<Arena, number>;
  /** What stands for the nodes that are loops, and the scratch memory of one iteration. */
  readonly repetitions: ReadonlyMap<StepNode, { readonly repetition: Repetition; readonly scratch: StepValue }>;
}

export function startPlan(graph: StepGraph): Plan {
  const nodes = graph.nodes.filter((node) => node.operation);
  const repetitions = nodes.flatMap((node) => {
    const repetition = node.operation!.repetition?.(node);
    if (!repetition) return [];
    const shape = [Math.max(1, repetition.body.sizes.scratch)];
    const scratch: StepValue = { dtype: 'f32', shape, node, output: node.outputs.length };
    node.outputs.push(scratch);
    return [[node, { repetition, scratch }] as const];
  });
  return {
    nodes,
    repetitions: new Map(repetitions),
    places: new Map(),
    dependencies: new Dependencies(),
    inputs: [],
    outputs: [],
    sizes: { parameters: 0, updater: 0, state: 0, scratch: 0, input: 0, output: 0 },
  };
}

/** Offsets are multiples of so many elements: 64 bytes. */
const alignment = 16;
export const aligned = (elements: number): number => alignment * Math.ceil(elements / alignment);

export const scratch = (elements: number): Storage => ({ arena: 'scratch', offset: 0, elements });

/** The next free range of the arena of a port. */
export function takePort({ sizes }: Plan, arena: 'input' | 'output', elements: number): Storage {
  const offset = sizes[arena];
  sizes[arena] = offset + aligned(elements);
  return { arena, offset, elements };
}

/** The place of a value or of a view of one. */
export function placeOf({ places }: Pick<Plan, 'places'>, value: StepValue): Place {
  const behind = behindViews(value);
  const { storage, offset } = places.get(behind.value)!;
  return { storage, offset: offset + behind.offset };
}

/** Adds a node that copies a value, if `when` is absent or not 0. */
export function addCopy(
  plan: Plan,
  value: StepValue,
  { when, name }: { when?: StepValue | undefined; name?: string | undefined } = {},
): StepValue {
  const { dtype, shape } = value;
  const depth = 1 + Math.max(value.node.depth, when?.node.depth ?? 0);
  const output = { dtype, shape, ...(name === undefined ? {} : { name }) };
  const node = makeStepNode({ depth, operation: assignOperation }, [value, when], {}, [output]);
  plan.nodes.push(node);
  return node.outputs[0]!;
}

/** Whether a value's node can make it in any place given: it is whole, computed, not placed yet and never overwritten. */
export function isFree(plan: Plan, value: StepValue): boolean {
  const { value: made, offset } = behindViews(value);
  const whole = offset === 0 && elementCount(made.shape) === elementCount(value.shape);
  return whole && made.node.operation !== undefined && !plan.places.has(made) && !isConsumed(plan, made);
}

function isConsumed({ nodes }: Plan, value: StepValue): boolean {
  return nodes.some((node) =>
    node.operation?.consumes?.some((index) => behindViews(node.inputs[index]!).value === value),
  );
}

/** Elements of a persistent arena. */
export interface Range {
  readonly arena: Arena;
  readonly start: number;
  readonly end: number;
}

export function rangeOf(plan: Plan, value: StepValue): Range {
  const { storage, offset } = placeOf(plan, value);
  const start = storage.offset + offset;
  return { arena: storage.arena, start, end: start + elementCount(value.shape) };
}

export const overlap = (a: Range, b: Range): boolean => a.arena === b.arena && a.start < b.end && b.start < a.end;

/** The range of a stored value, or of a view of one, as it is before the step; undefined for all others. */
export function storedRange(plan: Plan, value: StepValue): Range | undefined {
  return behindViews(value).value.node.source?.kind === 'stored' ? rangeOf(plan, value) : undefined;
}

/** The nodes that read what a range holds before the step. */
export function readersOfStored(plan: Plan, range: Range): StepNode[] {
  const reads = (value: StepValue | undefined) => {
    const old = value && storedRange(plan, value);
    return old !== undefined && overlap(old, range);
  };
  return plan.nodes.filter((node) => !isView(node) && node.inputs.some(reads));
}

export const isView = (node: StepNode): boolean => node.operation?.alias?.(node) !== undefined;
