/**
 * From a user's function to a body: what it reads from outside is captured; what does not depend on the step stays outside;
 * products of sequences with weights, which do not wait for states, are taken over all steps at once.
 */

import type { Expression } from '../expression.js';
import { makeNode, type Node, reshape, type Value } from '../graph.js';
import { mapExpressions } from '../operations/elementwise.js';
import { embedding, type MatmulOptions, matmul, slice } from '../operations/index.js';
import { type Shape, sameShape } from '../tensor.js';
import { capturedSource, nodesBehind } from './body.js';
import { NumberedSources } from './numbered-sources.js';

/** Values of one step, and what of the outside its sources stand for. */
export interface Traced {
  readonly values: Value[];
  readonly slices: Value[];
  readonly sequences: Value[];
  readonly captured: Value[];
  readonly outside: Value[];
}

/** What a node waits for. */
type Dependence = 'nothing' | 'slices' | 'states';

/** @param slices of the sequences; those that products over all steps make are added */
export function separate(values: readonly Value[], slices: NumberedSources, states: readonly Value[]): Traced {
  const count = slices.values[0]!.shape[0]!;
  const dependenceOf = dependences(values, slices.sources, states);
  const ofCaptured = new NumberedSources(capturedSource);
  const whole = new Map<Value, Value | undefined>(
    slices.sources.map((source, index) => [source, slices.values[index]!]),
  );
  const overAllSteps = (value: Value): Value | undefined => {
    if (whole.has(value)) return whole.get(value);
    const made = dependenceOf(value) === 'slices' ? overAll(value, count, overAllSteps, dependenceOf) : undefined;
    whole.set(value, made);
    return made;
  };
  const nodes = new Map<Node, Node>();
  const inner = new Map<Value, Value>([...slices.sources, ...states].map((source) => [source, source]));
  const visit = (value: Value): Value => {
    const known = inner.get(value);
    if (known) return known;
    const made = isProduct(value.node) ? overAllSteps(value) : undefined;
    const result = dependenceOf(value) === 'nothing' ? ofCaptured.of(value) : made ? slices.of(made) : rebuilt(value);
    inner.set(value, result);
    return result;
  };
  const rebuilt = ({ node, output }: Value): Value => {
    const known = nodes.get(node);
    if (known) return known.outputs[output]!;
    const inputs = node.inputs.map((value) => value && visit(value));
    const made = makeNode(node.operation!, inputs, node.attributes);
    nodes.set(node, made);
    return made.outputs[output]!;
  };
  return {
    values: values.map(visit),
    slices: slices.sources,
    sequences: slices.values,
    captured: ofCaptured.sources,
    outside: ofCaptured.values,
  };
}

function dependences(values: readonly Value[], slices: readonly Value[], states: readonly Value[]) {
  const known = new Map<Node, Dependence>();
  for (const { node } of slices) known.set(node, 'slices');
  for (const { node } of states) known.set(node, 'states');
  for (const node of nodesBehind(values)) {
    if (known.has(node)) continue;
    const read = node.inputs.map((value) => (value ? known.get(value.node)! : 'nothing'));
    known.set(node, read.includes('states') ? 'states' : read.includes('slices') ? 'slices' : 'nothing');
  }
  return ({ node }: Value): Dependence => known.get(node)!;
}

/** What is worth being taken out of the loop: many small products become a large one. */
const isProduct = ({ operation }: Node): boolean => operation?.name === 'matmul' || operation?.name === 'embedding';

/** The value of all steps together, if its operation can do that. */
function overAll(
  value: Value,
  count: number,
  overAllSteps: (value: Value) => Value | undefined,
  dependenceOf: (value: Value) => Dependence,
): Value | undefined {
  const { operation, inputs, attributes } = value.node;
  const shape: Shape = [count, ...value.shape];
  if (shape.length > 4) return undefined;
  const outside = (input: Value | undefined) => !input || dependenceOf(input) === 'nothing';
  const [first, second, third] = inputs;
  const whole = first && overAllSteps(first);
  if (operation?.name === 'matmul' && whole && outside(second) && outside(third) && !attributes.transposeA) {
    const { transposeB } = attributes as MatmulOptions;
    return reshape(matmul(whole, second!, { ...(transposeB ? { transposeB } : {}), bias: third }), shape);
  }
  if (operation?.name === 'embedding' && whole && outside(second)) return reshape(embedding(whole, second!), shape);
  if (operation?.name === 'reshape' && whole) return reshape(whole, shape);
  if (operation?.name === 'slice' && whole) {
    const { axis, start, extent } = attributes as { axis: number; start: number; extent: number };
    return slice(whole, { axis: axis + 1, start, length: extent });
  }
  if (operation?.name === 'map' && !attributes.guard) return mapOverAll(value, shape, overAllSteps, outside);
  return undefined;
}

function mapOverAll(
  { node, output, shape }: Value,
  fullShape: Shape,
  overAllSteps: (value: Value) => Value | undefined,
  outside: (value: Value) => boolean,
): Value | undefined {
  const rows = [...shape.slice(0, -1), 1];
  const inputs = (node.inputs as readonly Value[]).map((value) => {
    // What stretches over the rows of one step stretches over those of all.
    if (outside(value)) return value.shape.length === 1 && shape.length > 1 ? value : undefined;
    return sameShape(value.shape, shape) || sameShape(value.shape, rows) ? overAllSteps(value) : undefined;
  });
  if (inputs.some((value) => value === undefined)) return undefined;
  const expressions = node.attributes.expressions as readonly Expression[];
  return mapExpressions([expressions[output]!], inputs as Value[], { shape: fullShape })[0]!;
}
