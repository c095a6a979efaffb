/** `normalizedRecurrentGradient`: backward through `normalizedRecurrent`, from what it kept. */
import type { Operation } from '../graph.js';
import { normalizedRecurrentGradientReference } from './normalized-recurrent-gradient-reference.js';
import {
  normalizedAttributes,
  normalizedFlops,
  normalizedSizes,
  normalizedWords,
} from './normalized-recurrent-operands.js';
import { expectShape, f32, trafficOf } from './operand.js';

/** Places of inputs: those that `dx` (output 0) and the gradient of the recurrent products (output 1) may lie on. */
const places = { input: 0, products: 12, gates: 13 } as const;

/**
 * Inputs: those of `normalizedRecurrent`, then y, products, gates, cells?, moments, dy?, dFinalHidden?, dFinalCell?. Outputs: the
 * gradients of the inputs of `normalizedRecurrent`, in the same order, but that in the place of the recurrent kernel's there is
 * that of the recurrent products, `[T, B, gates·units]` (none of a simple RNN, where it is that of the input products).
 */
export const normalizedRecurrentGradientOperation: Operation = {
  name: 'normalizedRecurrentGradient',
  shape: (inputs, attributes) => {
    const settings = normalizedAttributes(attributes);
    const where = 'normalizedRecurrentGradient';
    const { time, batch, units, gates, moments } = normalizedSizes(where, inputs, settings);
    const [, , ...rest] = inputs;
    const [y, products, kept, cells, keptMoments, dy, dFinalHidden, dFinalCell] = inputs.slice(11);
    const products3 = [time, batch, gates * units];
    expectShape(`${where}: y`, y, [time, batch, units]);
    expectShape(`${where}: products`, products, products3);
    expectShape(`${where}: gates`, kept, products3);
    expectShape(`${where}: cells`, cells, [time, batch, units]);
    expectShape(`${where}: moments`, keptMoments, [time, batch, moments]);
    expectShape(`${where}: dy`, dy, [time, batch, units]);
    expectShape(`${where}: dFinalHidden`, dFinalHidden, [batch, units]);
    expectShape(`${where}: dFinalCell`, dFinalCell, [batch, units]);
    const dProducts = settings.cell === 'simple' ? undefined : f32(products3);
    return [f32(products3), dProducts, ...rest.slice(0, 8).map((operand) => operand && f32(operand.shape))];
  },
  reference: normalizedRecurrentGradientReference,
  words: ({ attributes }) => normalizedWords(attributes),
  cost: (node) => {
    const sizes = normalizedSizes('normalizedRecurrentGradient', node.inputs, normalizedAttributes(node.attributes));
    return { flops: normalizedFlops(sizes), bytes: trafficOf(node) };
  },
  inPlace: (_, __, input, output) =>
    output === 0
      ? input === places.input || input === places.gates
      : output === 1 && (input === places.products || input === places.gates),
  canFail: (node) => node.inputs[10] !== undefined,
  optionalOutputs: [2, 3, 4, 5, 6, 7, 8, 9],
};
