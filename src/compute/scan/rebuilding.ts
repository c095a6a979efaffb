/** Graphs built again over other values. */
import { makeNode, type Node, type Value } from '../graph.js';

/**
 * The values computed anew, where `replace` gives another value for one of those behind them; it is asked from the values
 * downwards, and what lies behind a value that it replaces is not looked at. Without a replacement a value stays as it is.
 */
export function rebuild(values: readonly Value[], replace: (value: Value) => Value | undefined): Value[] {
  const replaced = new Map<Value, Value>();
  const nodes = new Map<Node, Node>();
  const rebuildNode = (node: Node): Node => {
    const known = nodes.get(node);
    if (known) return known;
    const inputs = node.inputs.map((value) => value && visit(value));
    const same = inputs.every((value, index) => value === node.inputs[index]);
    const made = same || !node.operation ? node : makeNode(node.operation, inputs, node.attributes);
    nodes.set(node, made);
    return made;
  };
  const visit = (value: Value): Value => {
    const known = replaced.get(value);
    if (known) return known;
    const result = replace(value) ?? rebuildNode(value.node).outputs[value.output]!;
    replaced.set(value, result);
    return result;
  };
  return values.map(visit);
}
