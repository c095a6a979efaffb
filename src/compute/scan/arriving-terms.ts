/** The gradient for the states of all steps, taken apart: mostly it is zeros around what flows into the last one or into all. */
import type { Expression } from '../expression.js';
import { reshape, type Value } from '../graph.js';
import { slice } from '../operations/index.js';

export interface ArrivingTerms {
  /** `[...]`, into the state after the last step. */
  readonly last: readonly Value[];
  /** `[count, ...]`, into the states after the steps. */
  readonly steps: readonly Value[];
  /** `[...]`, into the state before the first step. */
  readonly first: readonly Value[];
}

/** @param gradient `[count + 1, ...]`: for the state before the first step and those after each */
export function arrivingTerms(gradient: Value | undefined, count: number): ArrivingTerms {
  const terms = { last: [] as Value[], steps: [] as Value[], first: [] as Value[] };
  for (const term of gradient ? termsOf(gradient) : []) {
    const { operation, inputs, attributes } = term.node;
    const [part] = inputs;
    const isPadded = operation?.name === 'pad' && attributes.axis === 0 && part !== undefined;
    if (isPadded && attributes.start === 1 && part.shape[0] === count) terms.steps.push(part);
    else if (isPadded && attributes.start === count) terms.last.push(oneStep(part));
    else {
      terms.steps.push(slice(term, { axis: 0, start: 1, length: count }));
      terms.first.push(oneStep(slice(term, { axis: 0, start: 0, length: 1 })));
    }
  }
  return terms;
}

const oneStep = (value: Value): Value => reshape(value, value.shape.slice(1));

function termsOf(value: Value): Value[] {
  const { operation, inputs, attributes } = value.node;
  if (operation?.name !== 'map' || attributes.guard) return [value];
  const variables = summandsOf((attributes.expressions as readonly Expression[])[value.output]!);
  const terms = variables?.map((index) => inputs[index]!);
  const isSum = terms?.every((term) => term.shape.length === value.shape.length && term.shape[0] === value.shape[0]);
  return terms && isSum ? terms.flatMap(termsOf) : [value];
}

/** The numbers of the variables that an expression is the sum of; undefined if it is anything else. */
function summandsOf({ kind, operands, number }: Expression): number[] | undefined {
  if (kind === 'variable') return [number];
  if (kind !== 'add') return undefined;
  const parts = operands.map(summandsOf);
  return parts.every((part) => part !== undefined) ? parts.flat() : undefined;
}
