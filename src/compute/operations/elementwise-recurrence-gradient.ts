/** `elementwiseRecurrenceGradient`: backward through `elementwiseRecurrence`, from the states it gave. */
import { countOperations, encode } from '../expression.js';
import type { Operation } from '../graph.js';
import { elementCount } from '../tensor.js';
import {
  elementwiseRecurrenceSizes,
  forwardInputs,
  gradientExpressions,
  recurrenceAttributes,
} from './elementwise-recurrence-operands.js';
import { elementwiseRecurrenceGradientReference } from './elementwise-recurrence-reference.js';
import { expect, expectShape, f32, trafficOf } from './operand.js';

/**
 * Inputs: the first five of `elementwiseRecurrence`, then states1, states2?, dStates1?, dStates2?, dFinal1?, dFinal2?, then
 * the values of the units. Outputs: the gradients of the input, of the initial states that were given, and of the values of
 * the units.
 */
export const elementwiseRecurrenceGradientOperation: Operation = {
  name: 'elementwiseRecurrenceGradient',
  shape: (inputs, attributes) => {
    const where = 'elementwiseRecurrenceGradient';
    const sizes = elementwiseRecurrenceSizes(where, forwardInputs(inputs), attributes);
    const { time, batch, units } = sizes;
    const { states } = recurrenceAttributes(attributes);
    const [, initial1, initial2, , , states1, states2, dStates1, dStates2, dFinal1, dFinal2] = inputs;
    expect(states1 !== undefined && (states2 !== undefined) === (states === 2), () => `${where}: states are missing.`);
    for (const sequence of [states1, states2, dStates1, dStates2]) expectShape(where, sequence, [time, batch, units]);
    for (const final of [dFinal1, dFinal2]) expectShape(where, final, [batch, units]);
    return [
      f32([time, batch, sizes.sequences * units]),
      initial1 && f32([batch, units]),
      initial2 && f32([batch, units]),
      ...Array.from({ length: sizes.perUnit }, () => f32([units])),
    ];
  },
  reference: elementwiseRecurrenceGradientReference,
  words: ({ inputs, attributes }) => {
    const forward = forwardInputs(inputs);
    const { states, cell } = recurrenceAttributes(attributes);
    const { sequences, variables } = elementwiseRecurrenceSizes('elementwiseRecurrenceGradient', forward, attributes);
    return [states, sequences, cell, ...encode(gradientExpressions(forward, attributes), variables + states)];
  },
  cost: (node) => {
    const forward = forwardInputs(node.inputs);
    const flops = countOperations(gradientExpressions(forward, node.attributes)) * elementCount(node.inputs[5]!.shape);
    return { flops, bytes: trafficOf(node) };
  },
  canFail: (node) => node.inputs[4] !== undefined,
  inPlace: (_, __, input, output) => input === 0 && output === 0,
  optionalOutputs: [1, 2],
};
