/** Less to do for the same results: equal nodes are made one, and what nothing reads goes. */
import type { Expression } from '../expression.js';
import { mapOperation } from '../operations/elementwise.js';
import { foldInputs } from '../operations/fold.js';
import type { Shape } from '../tensor.js';
import { rootsOf, type StepGraph, type StepNode, type StepValue } from './step-graph.js';

/** Makes nodes one that apply the same operation with the same attributes to the same values. */
export function mergeEqual(graph: StepGraph): void {
  const merged = new Map<StepValue, StepValue>();
  const known = new Map<string, StepNode>();
  const numbers = new Map<StepNode, number>();
  const current = (value: StepValue) => merged.get(value) ?? value;
  for (const node of graph.nodes) {
    node.inputs = node.inputs.map((input) => input && current(input));
    const key = keyOf(node, numbers);
    const twin = known.get(key);
    if (twin) {
      for (const [index, value] of node.outputs.entries()) if (value) merged.set(value, twin.outputs[index]!);
    } else {
      known.set(key, node);
      numbers.set(node, numbers.size);
    }
  }
  graph.nodes = [...known.values()];
  for (const output of graph.outputs) output.value = current(output.value);
  for (const [index, { target, value, when }] of graph.assignments.entries()) {
    graph.assignments[index] = { target: current(target), value: current(value), when: when && current(when) };
  }
}

function keyOf(node: StepNode, numbers: ReadonlyMap<StepNode, number>): string {
  const inputs = node.inputs.map((input) => input && `${numbers.get(input.node)}:${input.output}`);
  const outputs = node.outputs.map((output) => output && [output.dtype, output.shape]);
  // A loop is equal to itself only.
  if (node.operation?.repetition) return `loop ${numbers.size}`;
  const what = node.operation ? [node.operation.name, node.operation.words(node)] : node.source;
  return JSON.stringify([what, inputs, outputs]);
}

/**
 * Drops nodes, optional outputs, expressions of maps, and inputs of expressions that nothing reads.
 *
 * @param options `optionalOutputs`: keep those of nodes that stay, for gradients read them. Default 'drop'
 */
export function dropUnread(
  graph: StepGraph,
  { optionalOutputs = 'drop' }: { readonly optionalOutputs?: 'drop' | 'keep' } = {},
): void {
  const read = new Set<StepValue>(rootsOf(graph));
  const kept: StepNode[] = [];
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((output) => output && read.has(output))) continue;
    if (node.operation === mapOperation && !node.attributes.guard) dropExpressions(node, read);
    for (const index of (optionalOutputs === 'drop' && node.operation?.optionalOutputs) || []) {
      if (!read.has(node.outputs[index]!)) node.outputs[index] = undefined;
    }
    for (const input of node.inputs) if (input) read.add(input);
    kept.push(node);
  }
  graph.nodes = kept.reverse();
}

function dropExpressions(node: StepNode, read: ReadonlySet<StepValue>): void {
  const wanted = node.outputs.map((output) => read.has(output!));
  const expressions = expressionsOf(node).filter((_, index) => wanted[index]);
  node.outputs = node.outputs.filter((_, index) => wanted[index]);
  for (const [index, output] of node.outputs.entries()) output!.output = index;
  setExpressions(node, expressions, node.inputs as StepValue[]);
}

/** The expressions of a map, or the one of a reduction. */
export const expressionsOf = ({ operation, attributes }: StepNode): readonly Expression[] =>
  operation === mapOperation
    ? (attributes.expressions as readonly Expression[])
    : [attributes.expression as Expression];

/** Gives a map or a reduction other expressions, whose variables are numbered as `inputs`. */
export function setExpressions(node: StepNode, expressions: readonly Expression[], inputs: readonly StepValue[]): void {
  const { operation, attributes } = node;
  const folded = foldInputs(
    expressions,
    inputs,
    operation === mapOperation ? {} : { keepShape: attributes.shape as Shape },
  );
  const own = operation === mapOperation ? { expressions: folded.expressions } : { expression: folded.expressions[0] };
  node.inputs = folded.values as StepValue[];
  node.attributes = { ...attributes, ...own };
}
