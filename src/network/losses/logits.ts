/** What a network computed before its last activation: losses of probabilities are exact and cheap from there. */
import { Expression, simplifyAll } from '../../compute/expression.js';
import type { Value } from '../../compute/graph.js';
import { logSoftmax, map, softmax } from '../../compute/operations/index.js';
import { sameShape } from '../../compute/tensor.js';

/** The logits behind a softmax or its logarithm. */
export const beforeSoftmax = (output: Value): Value | undefined =>
  argumentOf(softmax, output) ?? argumentOf(logSoftmax, output);

/** The logits behind a sigmoid. */
export const beforeSigmoid = (output: Value): Value | undefined =>
  argumentOf((x) => map((element) => element.sigmoid(), x), output);

/** The value that gave the output when the activation was applied to it. */
function argumentOf(activation: (x: Value) => Value, output: Value): Value | undefined {
  const fits = (x: Value) =>
    x.dtype === 'f32' && sameShape(x.shape, output.shape) && isMadeAlike(activation(x), output, x);
  return output.node.inputs.find((input) => input !== undefined && fits(input));
}

/** Whether two values are computed from `x` by the same operations. */
function isMadeAlike(a: Value, b: Value, x: Value): boolean {
  if (a === b) return true;
  if (a === x || b === x || a.output !== b.output) return false;
  const [first, second] = [a.node, b.node];
  return (
    first.operation !== undefined &&
    first.operation === second.operation &&
    first.inputs.length === second.inputs.length &&
    Object.keys(first.attributes).every((name) => areAlike(first.attributes[name], second.attributes[name])) &&
    first.inputs.every((input, index) => {
      const other = second.inputs[index];
      return input && other ? isMadeAlike(input, other, x) : input === other;
    })
  );
}

function areAlike(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((element, index) => areAlike(element, b[index]));
  }
  if (!(a instanceof Expression && b instanceof Expression)) return Object.is(a, b);
  // Simplified together, equal expressions are one object.
  const [first, second] = simplifyAll([a, b]);
  return first === second;
}
