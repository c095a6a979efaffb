/** `detach`: a value through which no gradient flows. */
import { makeNode, type Operation, type Value } from '../graph.js';

/**
 * The same numbers, and nothing flows back from them; costs nothing.
 *
 * @example
 * const start = detach(finalHidden);
 */
export const detach = (value: Value): Value => makeNode(detachOperation, [value], {}).outputs[0]!;

const detachOperation: Operation = {
  name: 'detach',
  shape: ([x]) => [x!],
  gradient: () => [],
  reference: ({ inputs, outputs }) => outputs[0]!.data.set(inputs[0]!.data),
  words: () => [],
  cost: () => ({ flops: 0, bytes: 0 }),
  alias: () => 0,
};
