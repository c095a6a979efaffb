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
  const parts = pullback([loss], [filled(1, loss.shape)], wrt);
  return wrt.map((value, index) => sumOf(parts[index]!) ?? filled(0, value.shape));
}

/**
 * The vector-Jacobian product: what flows back into each of the values when `upstream` flows into the outputs, as the terms
 * of a sum. Where nothing arrives there are none.
 *
 * @throws {MnemeError} `invalid-argument` if an operation on the way has no gradient
 * @example
 * const [partsOfKernel] = pullback([hidden], [dHidden], [kernel]);
 */
export function pullback(outputs: readonly Value[], upstream: readonly Value[], wrt: readonly Value[]): Value[][] {
  const nodes = nodesBetween(outputs, wrt);
  const flowing = new Map<Value, Value[]>();
  const flow = (value: Value, part: Value) => flowing.set(value, [...(flowing.get(value) ?? []), part]);
  for (const [index, output] of outputs.entries()) flow(output, upstream[index]!);
  const gradientOf = (value: Value | undefined) => value && sumOf(flowing.get(value) ?? []);
  for (const node of [...nodes].sort((a, b) => b.depth - a.depth)) {
    if (!node.operation) continue;
    const arriving = node.outputs.map(gradientOf);
    if (arriving.every((value) => value === undefined)) continue;
    const wanted = node.inputs.map((input) => input !== undefined && input.dtype === 'f32' && nodes.has(input.node));
    if (!wanted.includes(true)) continue;
    if (!node.operation.gradient) {
      throw new MnemeError('invalid-argument', `gradients: ${node.operation.name} has no gradient.`);
    }
    const results = node.operation.gradient(node, arriving, wanted);
    for (const [index, input] of node.inputs.entries()) {
      const result = results[index];
      if (!input || !result || !wanted[index]) continue;
      flow(input, result);
    }
  }
  return wrt.map((value) => flowing.get(value) ?? []);
}

/** The sum of the terms, undefined where there are none. Many are added to it a few at a time, so that few are there at once. */
export function sumOf(terms: readonly Value[]): Value | undefined {
  const add = (few: readonly Value[]) => map((...each) => each.reduce((sum, term) => sum.add(term)), ...few);
  let sum = terms.length < 2 ? terms[0] : add(terms.slice(0, mostTerms));
  for (let from = mostTerms; sum && from < terms.length; from += mostTerms - 1) {
    sum = add([sum, ...terms.slice(from, from + mostTerms - 1)]);
  }
  return sum;
}

/** As many arrays as one instruction reads. */
const mostTerms = 16;

/** The nodes on the way from the values to the outputs. */
function nodesBetween(outputs: readonly Value[], wrt: readonly Value[]): Set<Node> {
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
  for (const output of outputs) visit(output.node);
  return new Set([...seen].flatMap(([node, reaches]) => (reaches ? [node] : [])));
}
