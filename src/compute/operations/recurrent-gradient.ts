/** `recurrentGradient`: backward through `recurrent`, from what it kept on its tape. */
import type { Operation } from '../graph.js';
import { expectShape, f32, trafficOf } from './operand.js';
import { recurrentGradientOfRows } from './recurrent-lengths.js';
import {
  canFailByRows,
  operandCount,
  recurrentAttributes,
  recurrentFlops,
  recurrentSizes,
  recurrentWords,
  tapeLength,
} from './recurrent-operands.js';

/**
 * Inputs: those of `recurrent`, then y, tape (overwritten), dy?, dFinalHidden?, dFinalCell?. Outputs: the gradients of
 * the first nine inputs of `recurrent`, in the same order: none of masks, shares to keep and lengths.
 */
export const recurrentGradientOperation: Operation = {
  name: 'recurrentGradient',
  shape: (inputs, attributes) => {
    const settings = recurrentAttributes(attributes);
    const sizes = recurrentSizes('recurrentGradient', inputs, settings);
    const { time, batch, inputs: width, units, hiddenSize, gates, ids } = sizes;
    const [, , , bias, recurrentBias, initialHidden, initialCell, peephole, projection] = inputs;
    const [y, tape, dy, dFinalHidden, dFinalCell] = inputs.slice(operandCount);
    expectShape('recurrentGradient: y', y, [time, batch, hiddenSize]);
    expectShape('recurrentGradient: tape', tape, [tapeLength(sizes, settings)]);
    expectShape('recurrentGradient: dy', dy, [time, batch, hiddenSize]);
    expectShape('recurrentGradient: dFinalHidden', dFinalHidden, [batch, hiddenSize]);
    expectShape('recurrentGradient: dFinalCell', dFinalCell, [batch, units]);
    return [
      ids ? undefined : f32([time, batch, width]),
      f32([width, gates * units]),
      f32([hiddenSize, gates * units]),
      bias && f32([gates * units]),
      recurrentBias && f32([gates * units]),
      initialHidden && f32([batch, hiddenSize]),
      initialCell && f32([batch, units]),
      peephole && f32([gates - 1, units]),
      projection && f32([units, hiddenSize]),
    ];
  },
  reference: recurrentGradientOfRows,
  words: ({ attributes }) => recurrentWords(attributes),
  cost: (node) => {
    const sizes = recurrentSizes('recurrentGradient', node.inputs, recurrentAttributes(node.attributes));
    // Two products for each of forward's: one for the weights, one for what goes further back.
    const { time, batch, inputs, units, gates, ids } = sizes;
    const dropped = node.outputs[0] || ids ? 0 : 2 * time * batch * inputs * gates * units;
    return { flops: 2 * recurrentFlops(sizes) - dropped, bytes: trafficOf(node) };
  },
  canFail: canFailByRows,
  consumes: [operandCount + 1],
  optionalOutputs: [0, 3, 4, 5, 6, 7, 8],
};
