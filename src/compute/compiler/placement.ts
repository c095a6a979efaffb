/**
 * Placement: which values lie where. Sources have their place; results of a step are made in the output arena, parts of
 * a concatenation in the whole, new values of stored ones on top of the old where that can be; copies are added where it
 * cannot; everything else gets scratch memory of its own.
 */
import { MnemeError } from '../../errors.js';
import { concatenateOperation } from '../operations/concatenate.js';
import { elementCount } from '../tensor.js';
import { orderOverwriting, placeAssignments } from './overwriting.js';
import { addCopy, isFree, isView, type Plan, scratch, startPlan, takePort } from './plan.js';
import { behindViews, type StepGraph, type StepNode } from './step-graph.js';

export function placeValues(graph: StepGraph): Plan {
  const plan = startPlan(graph);
  placeSources(plan, graph);
  saveConsumedSources(plan);
  placeAssignments(plan, graph);
  placeOutputs(plan, graph);
  placeConcatenations(plan);
  placeOthers(plan);
  orderOverwriting(plan);
  return plan;
}

/** Whether a node joins values along the first axis: its parts are made where they belong, and it does nothing. */
export const isPlacedConcatenation = (node: StepNode): boolean =>
  node.operation === concatenateOperation && node.attributes.axis === 0;

function placeSources(plan: Plan, graph: StepGraph): void {
  for (const { source, outputs } of graph.nodes) {
    if (!source) continue;
    const value = outputs[0]!;
    const elements = elementCount(value.shape);
    if (source.kind === 'stored') {
      const { arena, offset } = source;
      const end = offset + elements;
      plan.places.set(value, { storage: { arena, offset: 0, elements: end }, offset });
      plan.sizes[arena] = Math.max(plan.sizes[arena], end);
    } else {
      if (plan.inputs.some(({ name }) => name === value.name)) {
        throw new MnemeError('invalid-argument', `compile: two inputs that differ are both named '${value.name}'.`);
      }
      plan.inputs.push(value);
      plan.places.set(value, { storage: takePort(plan, 'input', elements), offset: 0 });
    }
  }
}

/** What a kernel overwrites is its own: of what the step is given it gets a copy. */
function saveConsumedSources(plan: Plan): void {
  for (const node of [...plan.nodes]) {
    for (const index of node.operation!.consumes ?? []) {
      const consumed = node.inputs[index];
      if (consumed && behindViews(consumed).value.node.source) node.inputs[index] = addCopy(plan, consumed);
    }
  }
}

function placeOutputs(plan: Plan, graph: StepGraph): void {
  for (const { name, value } of graph.outputs) {
    const output = isFree(plan, value) ? value : addCopy(plan, value);
    const storage = takePort(plan, 'output', elementCount(value.shape));
    plan.places.set(behindViews(output).value, { storage, offset: 0 });
    plan.outputs.push({ name, value: output });
  }
}

/** Outer concatenations come first, so that parts which are concatenations themselves know their place. */
function placeConcatenations(plan: Plan): void {
  for (const node of plan.nodes.filter(isPlacedConcatenation).reverse()) {
    const whole = node.outputs[0]!;
    const place = plan.places.get(whole) ?? { storage: scratch(elementCount(whole.shape)), offset: 0 };
    plan.places.set(whole, place);
    let offset = place.offset;
    node.inputs = node.inputs.map((input) => {
      const part = isFree(plan, input!) ? input! : addCopy(plan, input!);
      plan.places.set(behindViews(part).value, { storage: place.storage, offset });
      offset += elementCount(part.shape);
      return part;
    });
  }
}

function placeOthers(plan: Plan): void {
  for (const node of plan.nodes) {
    if (isView(node)) continue;
    for (const output of node.outputs) {
      if (!output || plan.places.has(output)) continue;
      plan.places.set(output, { storage: scratch(elementCount(output.shape)), offset: 0 });
    }
  }
}
