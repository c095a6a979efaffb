/** Nodes that keep nothing for backward. */
import { makeNode, type Node } from '../graph.js';

/**
 * The same node, built without what gradients need; where they are taken, it is computed once more with it.
 *
 * @param node of an operation whose attribute `training` says whether gradients can be taken
 */
export function recomputed({ operation, inputs, attributes }: Node): Node {
  const own = operation!;
  const again = (node: Node) => makeNode(own, node.inputs, { ...node.attributes, training: true });
  return makeNode(
    { ...own, gradient: (node, arriving, wanted) => own.gradient!(again(node), arriving, wanted) },
    inputs,
    { ...attributes, training: false },
  );
}
