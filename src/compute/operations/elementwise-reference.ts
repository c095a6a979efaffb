/** What `map` and `reduce` compute, in double precision. */
import { blockEvaluator, blockLength, type Expression } from '../expression.js';
import type { ReferenceCall } from '../graph.js';
import { elementCount, type Shape } from '../tensor.js';
import { readBlock, stretchOf } from './broadcast.js';
import { columnsOf } from './operand.js';

export function mapReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const { expressions, shape, guard, proof } = attributes as {
    expressions: Expression[];
    shape: Shape;
    guard: boolean;
    proof: boolean;
  };
  const results = proof ? expressions.slice(0, -1) : expressions;
  const extremes = (proof ? results : []).map(() => ({
    low: Number.POSITIVE_INFINITY,
    high: Number.NEGATIVE_INFINITY,
  }));
  const blocks = evaluateBlocks(results, inputs, shape);
  if (guard) {
    const finite = blocks((results, _, count) =>
      results.every((result) => result.subarray(0, count).every((x) => Number.isFinite(Math.fround(x)))),
    );
    outputs.at(-1)!.data[0] = finite ? 1 : 0;
    if (!finite) return;
  }
  blocks((results, start, count) => {
    for (const [index, result] of results.entries()) outputs[index]?.data.set(result.subarray(0, count), start);
    for (const [index, extreme] of extremes.entries()) {
      for (const x of results[index]!.subarray(0, count)) {
        extreme.low = Math.min(extreme.low, x);
        extreme.high = Math.max(extreme.high, x);
      }
    }
    return true;
  });
  // Zero is stored without a sign.
  if (proof) outputs.at(-2)!.data.set(extremes.flatMap(({ low, high }) => [low + 0, high + 0]));
}

export function reduceReference({ inputs, outputs, attributes }: ReferenceCall): void {
  const { kind, axis, scale, expression, shape } = attributes as {
    kind: 'sum' | 'maximum';
    axis: 'all' | 'rows' | 'columns';
    scale: number;
    expression: Expression;
    shape: Shape;
  };
  const columns = columnsOf({ shape });
  const place = {
    all: () => 0,
    rows: (element: number) => element % columns,
    columns: (element: number) => Math.floor(element / columns),
  }[axis];
  const results = new Float64Array(outputs[0]!.data.length).fill(kind === 'sum' ? 0 : Number.NEGATIVE_INFINITY);
  evaluateBlocks(
    [expression],
    inputs,
    shape,
  )(([block], start, count) => {
    for (let index = 0; index < count; index++) {
      const to = place(start + index);
      results[to] = kind === 'sum' ? results[to]! + block![index]! : Math.max(results[to]!, block![index]!);
    }
    return true;
  });
  outputs[0]!.data.set(results.map((result) => result * scale));
}

/** Takes the results of `count` elements from `start` on; false ends the walk. */
type Visitor = (results: readonly Float64Array[], start: number, count: number) => boolean;

/** A walk over the full shape, block by block, which says whether it reached the end. */
function evaluateBlocks(expressions: readonly Expression[], inputs: ReferenceCall['inputs'], shape: Shape) {
  const evaluator = blockEvaluator(expressions, inputs.length);
  const stretches = inputs.map((input) => stretchOf('reference', input!.shape, shape));
  const elements = elementCount(shape);
  return (visit: Visitor): boolean => {
    for (let start = 0; start < elements; start += blockLength) {
      const count = Math.min(blockLength, elements - start);
      for (const [index, input] of inputs.entries()) {
        readBlock(input!, stretches[index]!, columnsOf({ shape }), start, count, evaluator.inputs[index]!);
      }
      if (!visit(evaluator.run(count), start, count)) return false;
    }
    return true;
  };
}
