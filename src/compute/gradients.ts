/** Reverse-mode differentiation: a graph is extended by the operations that compute gradients. */
import { MnemeError } from '../errors.js';
import type { Node, Value } from './graph.js';
import { filled, map } from './operations/index.js';
import { elementCount, printShape } from './tensor.js';

/**
 * The gradients of a loss `[1]` for each of the values, of their shapes: zeros where the loss does not depend on one.
 *
 * @throws {MnemeError} `invalid-argument` if the loss is not one f32 number, or if an operation on the way has no gradient
 * @example
 * const [dKernel, dBias] = gradients(loss, [kernel, bias]);
 */
export function gradients(loss: Value, wrt: readonly Value[]): Value[] {
  if (elementCount(loss.shape) !== 1 || loss.dtype !== 'f32') {
    throw new MnemeError(
      'invalid-argument',
      `gradients: the loss must be one f32 number, got ${loss.dtype} ${printShape(loss.shape)}. Reduce it first.`,
    );
  }
  const nodes = nodesBetween(loss, wrt);
  const flowing = new Map<Value, Value[]>([[loss, [filled(1, loss.shape)]]]);
  const gradientOf = (value: Value | undefined): Value | undefined => {
    const parts = value && flowing.get(value);
    if (!parts) return undefined;
    return parts.length === 1 ? parts[0] : map((...terms) => terms.reduce((sum, term) => sum.add(term)), ...parts);
  };
  for (const node of [...nodes].sort((a, b) => b.depth - a.depth)) {
    const upstream = node.outputs.map(gradientOf);
    if (!node.operation || upstream.every((value) => value === undefined)) continue;
    const wanted = node.inputs.map((input) => input !== undefined && input.dtype === 'f32' && nodes.has(input.node));
    if (!wanted.includes(true)) continue;
    if (!node.operation.gradient) {
      throw new MnemeError('invalid-argument', `gradients: ${node.operation.name} has no gradient.`);
    }
    const results = node.operation.gradient(node, upstream, wanted);
    for (const [index, input] of node.inputs.entries()) {
      const result = results[index];
      if (!input || !result || !wanted[index]) continue;
      flowing.set(input, [...(flowing.get(input) ?? []), result]);
    }
  }
  return wrt.map((value) => gradientOf(value) ?? filled(0, value.shape));
}

/** The nodes on the way from the values to the loss. */
function nodesBetween(loss: Value, wrt: readonly Value[]): Set<Node> {
  const targets = new Set(wrt.map((value) => value.node));
  const seen = new Map<Node, boolean>();
  const visit = (node: Node): boolean => {
    const known = seen.get(node);
    if (known !== undefined) return known;
    let reaches = targets.has(node);
    for (const input of node.inputs) if (input && visit(input.node)) reaches = true;
    seen.set(node, reaches);
    return reaches;
  };
  visit(loss.node);
  return new Set([...seen].flatMap(([node, reaches]) => (reaches ? [node] : [])));
}
