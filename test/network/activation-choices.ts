/** Every activation by name, and those with settings once more with others than the defaults. */
import { type Activation, activations } from '../../src/network/activations.js';

const { leakyRelu, thresholdedRelu, elu, celu, softplus, squareplus, hardTanh, softShrink, hardShrink } = activations;

export const activationChoices: readonly (readonly [string, Activation])[] = [
  ...Object.values(activations),
  leakyRelu.with({ slope: 0.2 }),
  thresholdedRelu.with({ threshold: -0.2, value: 0.3 }),
  elu.with({ alpha: 0.6 }),
  celu.with({ alpha: 0.6 }),
  softplus.with({ beta: 2, threshold: 0.4 }),
  squareplus.with({ b: 0.5 }),
  hardTanh.with({ minimum: -0.3, maximum: 0.4 }),
  softShrink.with({ lambda: 0.2 }),
  hardShrink.with({ lambda: 0.2 }),
].map((choice) => [JSON.stringify(choice), choice]);
