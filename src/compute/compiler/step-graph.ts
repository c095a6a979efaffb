/** The compiler's own copy of a graph, which its passes change in place. */
import type { Attributes, Node, Operation, Source, Specification, Value } from '../graph.js';

/** As `Value` and `Node`, and changeable; every `StepValue` is the only object for its node and output. */
export interface StepValue extends Specification {
  node: StepNode;
  output: number;
  name?: string;
}

export interface StepNode {
  readonly depth: number;
  readonly operation?: Operation;
  readonly source?: Source;
  inputs: (StepValue | undefined)[];
  attributes: Attributes;
  outputs: (StepValue | undefined)[];
}

/** A value that is written to its target at the end of the step, if `when` is absent or not 0. */
export interface StepAssignment {
  readonly target: StepValue;
  value: StepValue;
  when: StepValue | undefined;
}

export interface StepGraph {
  /** Each node after those it reads. */
  nodes: StepNode[];
  readonly outputs: { readonly name: string; value: StepValue }[];
  readonly assignments: StepAssignment[];
}

export interface StepDescription {
  readonly outputs: Readonly<Record<string, Value>>;
  readonly assignments?: readonly {
    readonly target: Value;
    readonly value: Value;
    readonly when?: Value | undefined;
  }[];
}

/** Copies everything that the outputs and assignments need. */
export function copyGraph({ outputs, assignments = [] }: StepDescription): StepGraph {
  const copies = new Map<Node, StepNode>();
  const nodes: StepNode[] = [];
  const copyNode = (node: Node): StepNode => {
    const known = copies.get(node);
    if (known) return known;
    const inputs = node.inputs.map((input) => input && copy(input));
    const made = makeStepNode(node, inputs, node.attributes, node.outputs);
    copies.set(node, made);
    nodes.push(made);
    return made;
  };
  const copy = (value: Value): StepValue => copyNode(value.node).outputs[value.output]!;
  return {
    outputs: Object.entries(outputs).map(([name, value]) => ({ name, value: copy(value) })),
    assignments: assignments.map(({ target, value, when }) => ({
      target: copy(target),
      value: copy(value),
      when: when && copy(when),
    })),
    nodes,
  };
}

/** A node of its own, with new values for its outputs. */
export function makeStepNode(
  { depth, operation, source }: Pick<Node, 'depth' | 'operation' | 'source'>,
  inputs: (StepValue | undefined)[],
  attributes: Attributes,
  outputs: readonly ((Specification & { readonly name?: string }) | undefined)[],
): StepNode {
  const node: StepNode = {
    depth,
    ...(operation ? { operation } : {}),
    ...(source ? { source } : {}),
    inputs,
    attributes,
    outputs: [],
  };
  node.outputs = outputs.map((value, output) => {
    if (!value) return undefined;
    const { dtype, shape, name } = value;
    return { dtype, shape, node, output, ...(name === undefined ? {} : { name }) };
  });
  return node;
}

/** Every value that an output or an assignment asks for. */
export function rootsOf({ outputs, assignments }: StepGraph): StepValue[] {
  return [
    ...outputs.map(({ value }) => value),
    ...assignments.flatMap(({ target, value, when }) => (when ? [target, value, when] : [target, value])),
  ];
}

/** The value behind views of it, and where the view begins, in elements. */
export function behindViews(value: StepValue): { readonly value: StepValue; readonly offset: number } {
  const offset = value.node.operation?.alias?.(value.node);
  if (offset === undefined) return { value, offset: 0 };
  const inner = behindViews(value.node.inputs[0]!);
  return { value: inner.value, offset: inner.offset + offset };
}
