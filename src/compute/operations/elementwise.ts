/**
 * The operations `map` (expressions, element by element) and `reduce` (the sum or the largest of an expression), whose
 * gradients are made of each other. Inputs stretch over a full shape as `broadcast.ts` says.
 */
import {
  constant,
  countOperations,
  differentiate,
  type Expression,
  encode,
  floatBits,
  simplifyAll,
  variable,
} from '../expression.js';
import { makeNode, type Node, type Operation, reshape, type Specification, type Value } from '../graph.js';
import { elementCount, printShape, type Shape, sameShape } from '../tensor.js';
import { stretchOf } from './broadcast.js';
import { mapReference, reduceReference } from './elementwise-reference.js';
import { foldInputs } from './fold.js';
import { expect, expectDtype, f32, i32, leadingOf, trafficOf } from './operand.js';

export interface MapAttributes {
  readonly expressions: readonly Expression[];
  /** The full shape. */
  readonly shape: Shape;
  /** Nothing is stored unless every result is finite; a last output [1] i32 says whether they are. */
  readonly guard: boolean;
  /**
   * With `guard`: the last expression is no result but, where it is not 0, the assurance that all results are finite. A last
   * output but one [2 · results] has the lowest and highest of each.
   */
  readonly proof: boolean;
}

/** `all`: one number; `rows`: over the rows, one a column; `columns`: over the columns, one a row. */
export type ReduceAxis = 'all' | 'rows' | 'columns';

export interface ReduceAttributes {
  readonly kind: 'sum' | 'maximum';
  readonly axis: ReduceAxis;
  readonly scale: number;
  readonly expression: Expression;
  readonly shape: Shape;
}

/** The results of expressions whose variables are numbered as the values. */
export function mapExpressions(
  expressions: readonly Expression[],
  values: readonly Value[],
  { shape, guard = false, proof = false }: Pick<MapAttributes, 'shape'> & Partial<MapAttributes>,
): Value[] {
  const folded = foldInputs(expressions, values);
  const attributes: MapAttributes = { expressions: folded.expressions, shape, guard, proof };
  return makeNode(mapOperation, folded.values, { ...attributes }).outputs as Value[];
}

/** A reduction of an expression whose variables are numbered as the values. */
export function reduceExpression(values: readonly Value[], attributes: ReduceAttributes): Value {
  const folded = foldInputs([attributes.expression], values, { keepShape: attributes.shape });
  return makeNode(reduceOperation, folded.values, { ...attributes, expression: folded.expressions[0]! }).outputs[0]!;
}

/** A value of that shape, every element the same number. */
export const filled = (number: number, shape: Shape): Value => mapExpressions([constant(number)], [], { shape })[0]!;

export const mapOperation: Operation = {
  name: 'map',
  shape: (inputs, attributes) => {
    const { expressions, shape, guard, proof } = mapAttributes(attributes);
    const results = resultsOf(attributes);
    expectStretching('map', inputs, shape);
    expect(results.length > 0 && expressions.length <= mostResults, () => {
      return `map: expected 1 to ${mostResults} results, got ${expressions.length}.`;
    });
    const extremes = proof ? [f32([2 * results.length])] : [];
    return [...results.map(() => f32(shape)), ...extremes, ...(guard ? [i32([1])] : [])];
  },
  gradient: (node, outputGradients, wanted) => {
    const { shape } = mapAttributes(node.attributes);
    const expressions = resultsOf(node.attributes);
    const upstream = expressions.flatMap((_, index) => outputGradients[index] ?? []);
    return inputGradients(node, wanted, shape, upstream, (input) => {
      let next = node.inputs.length;
      let sum = constant(0);
      for (const [index, expression] of expressions.entries()) {
        if (outputGradients[index]) sum = sum.add(variable(next++).mul(differentiate(expression, input)));
      }
      return sum;
    });
  },
  reference: mapReference,
  words: (node) => {
    const { expressions, guard, proof } = mapAttributes(node.attributes);
    return [guard ? (proof ? 2 : 1) : 0, ...encode(expressions, node.inputs.length)];
  },
  cost: (node) => {
    const { shape } = mapAttributes(node.attributes);
    return { flops: countOperations(resultsOf(node.attributes)) * elementCount(shape), bytes: trafficOf(node) };
  },
  inPlace: (inputs, attributes, input, output) => {
    const { shape } = mapAttributes(attributes);
    return output < resultsOf(attributes).length && elementCount(inputs[input]!.shape) === elementCount(shape);
  },
};

export const reduceOperation: Operation = {
  name: 'reduce',
  shape: (inputs, attributes) => {
    const { axis, shape } = reduceAttributes(attributes);
    expectStretching('reduce', inputs, shape);
    expect(
      inputs.some((input) => sameShape(input!.shape, shape)),
      () => `reduce: no argument has the shape ${printShape(shape)}.`,
    );
    if (axis === 'all') return [f32([1])];
    if (axis === 'rows') return [f32(shape.slice(-1))];
    return [f32(shape.length === 1 ? [1] : leadingOf({ shape }))];
  },
  gradient: (node, [dy], wanted) => {
    const { kind, axis, scale, expression, shape } = reduceAttributes(node.attributes);
    if (!dy) return [];
    // One a row again, so that it stretches over the full shape.
    const stretched = (value: Value) => (axis === 'columns' ? reshape(value, [...leadingOf({ shape }), 1]) : value);
    const upstream = stretched(dy);
    if (kind === 'maximum') return [gradientOfMaximum(node, axis, upstream, stretched)];
    const factor = variable(node.inputs.length).mul(scale);
    return inputGradients(node, wanted, shape, [upstream], (input) => factor.mul(differentiate(expression, input)));
  },
  reference: reduceReference,
  words: (node) => {
    const { kind, axis, scale, expression } = reduceAttributes(node.attributes);
    const axisNumber = { all: 0, rows: 1, columns: 2 }[axis];
    return [kind === 'sum' ? 0 : 1, axisNumber, floatBits(scale), ...encode([expression], node.inputs.length)];
  },
  cost: (node) => {
    const { expression, shape } = reduceAttributes(node.attributes);
    const flops = (countOperations([expression]) + 1) * elementCount(shape);
    return { flops, bytes: trafficOf(node) };
  },
};

/**
 * Gradients for the inputs of a node over a full shape. `gradientOf` gives an expression of the inputs and, numbered
 * after them, the upstream values. What was stretched is summed up again.
 */
function inputGradients(
  node: Node,
  wanted: readonly boolean[],
  shape: Shape,
  upstream: readonly Value[],
  gradientOf: (input: number) => Expression,
): (Value | undefined)[] {
  const inputs = node.inputs as readonly Value[];
  const values = [...inputs, ...upstream];
  const stretches = inputs.map((input) => stretchOf('gradient', input.shape, shape));
  // Equal ones become one and the same object.
  const simplified = simplifyAll(inputs.map((_, index) => (wanted[index] ? gradientOf(index) : constant(0))));
  const expressions = simplified.map((expression) =>
    // Through comparisons, `sign` and `floor` nothing flows, and what lies before them need not be differentiated.
    expression.kind === 'constant' && expression.number === 0 ? undefined : expression,
  );
  // What flows into both terms of a sum is computed once.
  const passedOn = (expression: Expression | undefined) => {
    const value = expression?.kind === 'variable' ? values[expression.number] : undefined;
    return value && sameShape(value.shape, shape) ? value : undefined;
  };
  const full = expressions.filter((expression, index) => stretches[index] === 'full' && !passedOn(expression));
  const computed = [...new Set(full)].filter((expression) => expression !== undefined);
  const maps = computed.length > 0 ? mapExpressions(computed, values, { shape }) : [];
  return inputs.map((input, index) => {
    const [stretch, expression] = [stretches[index]!, expressions[index]];
    if (!expression) return undefined;
    const whole = passedOn(expression) ?? maps[computed.indexOf(expression)];
    if (stretch === 'full') return whole;
    const axis = ({ scalar: 'all', columns: 'rows', rows: 'columns' } as const)[stretch];
    const sum = { kind: 'sum', axis, scale: 1, shape } as const;
    const reduced = whole
      ? reduceExpression([whole], { ...sum, expression: variable(0) })
      : reduceExpression(values, { ...sum, expression });
    return reshape(reduced, input.shape);
  });
}

/**
 * What flows into a largest number goes to the element that is it, in equal parts where several are. The element is the
 * argument itself: `reduceMaximum` sees to that, for computed anew it might differ in its last bit.
 */
function gradientOfMaximum(
  { inputs: [x], outputs: [y] }: Node,
  axis: ReduceAxis,
  upstream: Value,
  stretched: (value: Value) => Value,
): Value {
  const isLargest = variable(0).equal(variable(1));
  const largest = stretched(y!);
  const { shape } = x!;
  const ties = { kind: 'sum', axis, scale: 1, expression: isLargest, shape } as const;
  const count = stretched(reduceExpression([x!, largest], ties));
  const share = isLargest.select(variable(2).div(variable(3)), 0);
  return mapExpressions([share], [x!, largest, upstream, count], { shape })[0]!;
}

/** Limits of expression code. */
const mostArguments = 64;
const mostResults = 32;

function expectStretching(where: string, inputs: readonly (Specification | undefined)[], shape: Shape): void {
  expect(inputs.length <= mostArguments, () => {
    return `${where}: at most ${mostArguments} values are possible, got ${inputs.length}.`;
  });
  for (const [index, input] of inputs.entries()) {
    expectDtype(`${where}: argument ${index}`, input, 'f32');
    stretchOf(`${where}: argument ${index}`, input.shape, shape);
  }
}

/** The expressions whose values are stored. */
function resultsOf(attributes: object): readonly Expression[] {
  const { expressions, proof } = mapAttributes(attributes);
  return proof ? expressions.slice(0, -1) : expressions;
}

const mapAttributes = (attributes: object) => attributes as MapAttributes;
const reduceAttributes = (attributes: object) => attributes as ReduceAttributes;
