/**
 * Fusion: a map that is read by one other map or reduction only becomes part of it, so that what is between them is
 * never stored.
 */
import { substitute, variable } from '../expression.js';
import { mapOperation, reduceOperation } from '../operations/elementwise.js';
import { elementCount, type Shape, sameShape } from '../tensor.js';
import { expressionsOf, setExpressions } from './simplification.js';
import { rootsOf, type StepGraph, type StepNode, type StepValue } from './step-graph.js';

/** Arrays beyond which fusing stops: each is a stream of reads, and processors prefetch a limited number of them. */
const mostArrays = 16;
/** Of arrays and single numbers together: half of what expression code can have. */
const mostInputs = 32;

export function fuseMaps(graph: StepGraph): void {
  const readers = readersOf(graph);
  const roots = new Set(rootsOf(graph));
  const gone = new Set<StepNode>();
  const next = (node: StepNode) =>
    node.inputs.map((input) => input!.node).find((producer) => fits(producer, node, readers, roots));
  for (const node of graph.nodes) {
    if (node.operation !== mapOperation && node.operation !== reduceOperation) continue;
    for (let producer = next(node); producer; producer = next(node)) {
      absorb(node, producer);
      gone.add(producer);
      for (const input of producer.inputs) readers.get(input!)!.delete(producer);
      for (const input of node.inputs) readers.get(input!)!.add(node);
    }
  }
  graph.nodes = graph.nodes.filter((node) => !gone.has(node));
}

function readersOf(graph: StepGraph): Map<StepValue, Set<StepNode>> {
  const readers = new Map<StepValue, Set<StepNode>>();
  for (const node of graph.nodes) {
    for (const output of node.outputs) if (output) readers.set(output, new Set());
    for (const input of node.inputs) if (input) readers.get(input)!.add(node);
  }
  return readers;
}

function fits(
  producer: StepNode,
  node: StepNode,
  readers: ReadonlyMap<StepValue, ReadonlySet<StepNode>>,
  roots: ReadonlySet<StepValue>,
): boolean {
  if (producer.operation !== mapOperation || producer.attributes.guard) return false;
  const shape = producer.attributes.shape as Shape;
  // One number is computed once a call wherever it stands; anything that stretches would be computed again and again.
  if (elementCount(shape) !== 1 && !sameShape(shape, node.attributes.shape as Shape)) return false;
  const inputs = [...new Set([...node.inputs, ...producer.inputs])].filter((input) => input!.node !== producer);
  const arrays = inputs.filter((input) => elementCount(input!.shape) > 1);
  if (inputs.length > mostInputs || arrays.length > mostArrays) return false;
  if (node.operation === reduceOperation && !keepsWhole(node, producer)) return false;
  return producer.outputs.every((output) => {
    const own = readers.get(output!)!;
    return !roots.has(output!) && own.size === (own.has(node) ? 1 : 0);
  });
}

/** A reduction runs over the shape of its largest input: one of that shape must stay. */
function keepsWhole(node: StepNode, producer: StepNode): boolean {
  const shape = node.attributes.shape as Shape;
  const others = node.inputs.filter((input) => input!.node !== producer);
  return [...others, ...producer.inputs].some((input) => sameShape(input!.shape, shape));
}

function absorb(node: StepNode, producer: StepNode): void {
  const others = node.inputs.filter((input) => input!.node !== producer);
  const moved = producer.inputs.map((_, index) => variable(others.length + index));
  const inner = expressionsOf(producer).map((expression) => substitute(expression, moved));
  const replacements = node.inputs.map((input) =>
    input!.node === producer ? inner[input!.output]! : variable(others.indexOf(input)),
  );
  const outer = expressionsOf(node).map((expression) => substitute(expression, replacements));
  setExpressions(node, outer, [...others, ...producer.inputs] as StepValue[]);
}
