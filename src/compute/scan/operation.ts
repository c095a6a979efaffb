/** A loop as a node of a graph: its shape, and the program that the compiler repeats in its place. */

import { MnemeError } from '../../errors.js';
import { compile } from '../compiler.js';
import type { MovingOperand, Operation, Repetition, Value } from '../graph.js';
import { trafficOf } from '../operations/operand.js';
import { elementCount, type Shape } from '../tensor.js';
import { type Body, nextName, nodesBehind, offsetsOf, resultName } from './body.js';

/**
 * Inputs: a sequence for each slice, a first value for each state, and what is captured. Outputs: a sequence for each result,
 * which is left out where nobody reads it; then the states.
 */
export function loopOperation(name: string, body: Body): Operation {
  const { count, results, next, history, states } = body;
  const nodes = nodesBehind([...results, ...next]);
  const operation: Operation = {
    name,
    shape: () => [
      ...results.map(({ dtype, shape }) => ({ dtype, shape: [count, ...shape] })),
      ...(history
        ? states.map(({ dtype, shape }) => ({ dtype, shape: [count + 1, ...shape] }))
        : [{ dtype: 'f32' as const, shape: [Math.max(1, offsetsOf(states).at(-1)!)] }]),
    ],
    reference: () => {
      throw new MnemeError('internal', 'A scan is run as the loop that it is compiled to.');
    },
    words: () => [],
    cost: (node) => ({ flops: flopsOf(body, nodes), bytes: trafficOf(node) }),
    canFail: () => nodes.some((node) => node.operation?.canFail?.(node)),
    optionalOutputs: results.map((_, index) => index),
    repetition: ({ outputs }) => repetitionOf(name, body, outputs),
  };
  return operation;
}

const flopsOf = ({ count }: Body, nodes: ReturnType<typeof nodesBehind>): number =>
  nodes.reduce((sum, node) => sum + count * (node.operation?.cost(node).flops ?? 0), 0);

function repetitionOf(name: string, body: Body, wanted: readonly (Value | undefined)[]): Repetition {
  const { count, slices, states, captured, results, next, history } = body;
  const program = compile({
    name,
    outputs: Object.fromEntries([
      ...results.flatMap((value, index) => (wanted[index] ? [[resultName(index), value] as const] : [])),
      ...(history ? next.map((value, index) => [nextName(index), value] as const) : []),
    ]),
    assignments: history ? [] : states.map((target, index) => ({ target, value: next[index]! })),
    joinMaps: true,
  });
  const step = (of: MovingOperand['of'], index: number, shape: Shape): MovingOperand => {
    const stride = elementCount(shape);
    return body.reverse
      ? { of, index, offset: (count - 1) * stride, stride: -stride }
      : { of, index, offset: 0, stride };
  };
  const places = new Map<string, MovingOperand>();
  for (const [index, { name: source, shape }] of slices.entries()) places.set(source!, step('inputs', index, shape));
  for (const [index, source] of captured.entries()) {
    const operand = slices.length + states.length + index;
    places.set(source.name!, { of: 'inputs', index: operand, offset: 0, stride: 0 });
  }
  for (const [index, { shape }] of results.entries()) places.set(resultName(index), step('outputs', index, shape));
  for (const [index, { name: source, shape }] of states.entries()) {
    const stride = elementCount(shape);
    const operand = { of: 'outputs' as const, index: results.length + index, stride };
    places.set(source!, { ...operand, offset: 0 });
    places.set(nextName(index), { ...operand, offset: stride });
  }
  const offsets = offsetsOf(states);
  return {
    body: program,
    count,
    inputs: program.inputs.map((port) => places.get(port.name)!),
    outputs: program.outputs.map((port) => places.get(port.name)!),
    ...(history ? {} : { state: results.length }),
    beginnings: states.map((_, index) => ({
      input: slices.length + index,
      output: history ? results.length + index : results.length,
      offset: history ? 0 : offsets[index]!,
    })),
  };
}
