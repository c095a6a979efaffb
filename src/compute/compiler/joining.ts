/** Joining: maps of one shape that read the same, or one what the other makes, become one map with the results of both. */
import { substitute, variable } from '../expression.js';
import { mapOperation } from '../operations/elementwise.js';
import { type Shape, sameShape } from '../tensor.js';
import { dropUnread, expressionsOf, setExpressions } from './simplification.js';
import { makeStepNode, rootsOf, type StepGraph, type StepNode, type StepValue } from './step-graph.js';

/** Half of what expression code may have, so that what is fused into a joined map afterwards still fits. */
const mostInputs = 32;
const mostResults = 16;

export function joinNeighbours(graph: StepGraph): void {
  for (let pair = nextPair(graph); pair; pair = nextPair(graph)) {
    join(graph, ...pair);
    dropUnread(graph);
  }
}

function nextPair({ nodes }: StepGraph): [StepNode, StepNode] | undefined {
  const maps = nodes.filter(({ operation, attributes }) => operation === mapOperation && !attributes.guard);
  for (const [position, later] of maps.entries()) {
    const earlier = maps.slice(0, position).findLast((map) => fits(map, later));
    if (earlier) return [earlier, later];
  }
  return undefined;
}

function fits(earlier: StepNode, later: StepNode): boolean {
  if (!sameShape(earlier.attributes.shape as Shape, later.attributes.shape as Shape)) return false;
  const inputs = new Set([...earlier.inputs, ...later.inputs]);
  const isShared = inputs.size < earlier.inputs.length + later.inputs.length;
  if (!isShared && !later.inputs.some((input) => input!.node === earlier)) return false;
  if (inputs.size > mostInputs || earlier.outputs.length + later.outputs.length > mostResults) return false;
  // Nothing may lie between the two.
  const between = later.inputs.flatMap((input) => (input!.node === earlier ? [] : [input!.node]));
  return !reaches(between, earlier);
}

function reaches(nodes: readonly StepNode[], wanted: StepNode): boolean {
  const seen = new Set<StepNode>();
  const waiting = [...nodes];
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    if (next === wanted) return true;
    if (seen.has(next)) continue;
    seen.add(next);
    for (const input of next.inputs) if (input) waiting.push(input.node);
  }
  return false;
}

function join(graph: StepGraph, earlier: StepNode, later: StepNode): void {
  const inputs = [...earlier.inputs, ...later.inputs.filter((input) => input!.node !== earlier)] as StepValue[];
  const inner = expressionsOf(earlier);
  const replacements = later.inputs.map((input) =>
    input!.node === earlier ? inner[input!.output]! : variable(inputs.lastIndexOf(input!)),
  );
  const outer = expressionsOf(later).map((expression) => substitute(expression, replacements));
  const node = makeStepNode(
    { depth: Math.max(earlier.depth, later.depth), operation: mapOperation },
    [],
    later.attributes,
    [...earlier.outputs, ...later.outputs],
  );
  setExpressions(node, [...inner, ...outer], inputs);
  const made = new Map([...earlier.outputs, ...later.outputs].map((value, index) => [value!, node.outputs[index]!]));
  const current = (value: StepValue) => made.get(value) ?? value;
  graph.nodes = [...graph.nodes.filter((other) => other !== earlier && other !== later), node];
  for (const other of graph.nodes) other.inputs = other.inputs.map((input) => input && current(input));
  for (const output of graph.outputs) output.value = current(output.value);
  for (const [index, { target, value, when }] of graph.assignments.entries()) {
    graph.assignments[index] = { target: current(target), value: current(value), when: when && current(when) };
  }
  graph.nodes = inOrder(graph);
}

/** Each node after those it reads. */
function inOrder(graph: StepGraph): StepNode[] {
  const ordered = new Set<StepNode>();
  const visit = (node: StepNode): void => {
    if (ordered.has(node)) return;
    for (const input of node.inputs) if (input) visit(input.node);
    ordered.add(node);
  };
  for (const { node } of rootsOf(graph)) visit(node);
  return [...ordered];
}
