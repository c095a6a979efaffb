/** Activations by the numbers of their papers and libraries, and what options say of them. */
import { describe, expect, it } from 'vitest';
import { differentiate, evaluate, variable } from '../../src/compute/expression.js';
import { activation, activations } from '../../src/network/activations.js';
import { layers } from '../../src/network/layers/index.js';

/**
 * x, value and derivative, worked out with 40 digits from the formulas as they are published; at kinks the derivative is
 * that of PyTorch.
 */
const table: { readonly [Name in keyof typeof activations]: readonly (readonly [number, number, number])[] } = {
  sigmoid: [
    [-30, 9.357622968839299e-14, 9.357622968838423e-14],
    [-2, 0.11920292202211756, 0.10499358540350652],
    [-0.5, 0.37754066879814546, 0.2350037122015945],
    [0, 0.5, 0.25],
    [0.5, 0.6224593312018546, 0.2350037122015945],
    [2, 0.8807970779778824, 0.10499358540350652],
    [30, 0.9999999999999064, 9.357622968838423e-14],
  ],
  tanh: [
    [-30, -1, 3.502604305078608e-26],
    [-2, -0.9640275800758169, 0.07065082485316447],
    [-0.5, -0.46211715726000974, 0.7864477329659274],
    [0, 0, 1],
    [0.5, 0.46211715726000974, 0.7864477329659274],
    [2, 0.9640275800758169, 0.07065082485316447],
    [30, 1, 3.502604305078608e-26],
  ],
  softsign: [
    [-30, -0.967741935483871, 0.001040582726326743],
    [-2, -0.6666666666666666, 0.1111111111111111],
    [-0.5, -0.3333333333333333, 0.4444444444444444],
    [0, 0, 1],
    [0.5, 0.3333333333333333, 0.4444444444444444],
    [2, 0.6666666666666666, 0.1111111111111111],
    [30, 0.967741935483871, 0.001040582726326743],
  ],
  hardSigmoid: [
    [-30, 0, 0],
    [-2, 0.16666666666666666, 0.16666666666666666],
    [-0.5, 0.4166666666666667, 0.16666666666666666],
    [0, 0.5, 0.16666666666666666],
    [0.5, 0.5833333333333334, 0.16666666666666666],
    [2, 0.8333333333333334, 0.16666666666666666],
    [30, 1, 0],
    [-3, 0, 0],
    [3, 1, 0],
  ],
  hardSigmoidFifth: [
    [-30, 0, 0],
    [-2, 0.1, 0.2],
    [-0.5, 0.4, 0.2],
    [0, 0.5, 0.2],
    [0.5, 0.6, 0.2],
    [2, 0.9, 0.2],
    [30, 1, 0],
  ],
  sparseSigmoid: [
    [-30, 0, 0],
    [-2, 0, 0],
    [-0.5, 0.25, 0.5],
    [0, 0.5, 0.5],
    [0.5, 0.75, 0.5],
    [2, 1, 0],
    [30, 1, 0],
    [-1, 0, 0],
  ],
  hardTanh: [
    [-30, -1, 0],
    [-2, -1, 0],
    [-0.5, -0.5, 1],
    [0, 0, 1],
    [0.5, 0.5, 1],
    [2, 1, 0],
    [30, 1, 0],
    [1, 1, 0],
  ],
  rationalTanh: [
    [-30, -1.7158924427336348, 1.0066769317972065e-6],
    [-2, -1.5160931251250698, 0.26518575686897033],
    [-0.5, -0.5421787813686358, 1.0043794509788626],
    [0, 0, 1.1439333333333332],
    [0.5, 0.5421787813686358, 1.0043794509788626],
    [2, 1.5160931251250698, 0.26518575686897033],
    [30, 1.7158924427336348, 1.0066769317972065e-6],
  ],
  rectifiedTanh: [
    [-30, 0, 0],
    [-2, 0, 0],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.5, 0.46211715726000974, 0.7864477329659274],
    [2, 0.9640275800758169, 0.07065082485316447],
    [30, 1, 3.502604305078608e-26],
  ],
  relu: [
    [-30, 0, 0],
    [-2, 0, 0],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.5, 0.5, 1],
    [2, 2, 1],
    [30, 30, 1],
  ],
  relu6: [
    [-30, 0, 0],
    [-2, 0, 0],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.5, 0.5, 1],
    [2, 2, 1],
    [30, 6, 0],
    [6, 6, 0],
  ],
  leakyRelu: [
    [-30, -0.3, 0.01],
    [-2, -0.02, 0.01],
    [-0.5, -0.005, 0.01],
    [0, 0, 0.01],
    [0.5, 0.5, 1],
    [2, 2, 1],
    [30, 30, 1],
  ],
  thresholdedRelu: [
    [-30, 0, 0],
    [-2, 0, 0],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.5, 0, 0],
    [2, 2, 1],
    [30, 30, 1],
    [1, 0, 0],
  ],
  elu: [
    [-30, -0.9999999999999064, 9.357622968840175e-14],
    [-2, -0.8646647167633873, 0.1353352832366127],
    [-0.5, -0.3934693402873666, 0.6065306597126334],
    [0, 0, 1],
    [0.5, 0.5, 1],
    [2, 2, 1],
    [30, 30, 1],
  ],
  selu: [
    [-30, -1.7580993408472123, 1.6451630773416185e-13],
    [-2, -1.520166468595695, 0.23793287225168183],
    [-0.5, -0.6917581878028713, 1.0663411530445055],
    [0, 0, 1.7580993408473768],
    [0.5, 0.5253504936777402, 1.0507009873554805],
    [2, 2.101401974710961, 1.0507009873554805],
    [30, 31.521029620664414, 1.0507009873554805],
  ],
  celu: [
    [-30, -0.9999999999999064, 9.357622968840175e-14],
    [-2, -0.8646647167633873, 0.1353352832366127],
    [-0.5, -0.3934693402873666, 0.6065306597126334],
    [0, 0, 1],
    [0.5, 0.5, 1],
    [2, 2, 1],
    [30, 30, 1],
  ],
  softplus: [
    [-30, 9.357622968839737e-14, 9.357622968839299e-14],
    [-2, 0.1269280110429725, 0.11920292202211756],
    [-0.5, 0.4740769841801067, 0.37754066879814546],
    [0, Math.LN2, 0.5],
    [0.5, 0.9740769841801067, 0.6224593312018546],
    [2, 2.1269280110429727, 0.8807970779778824],
    [30, 30.000000000000092, 0.9999999999999064],
  ],
  squareplus: [
    [-30, 0.03329637837290827, 0.001107421071695522],
    [-2, 0.41421356237309503, 0.14644660940672624],
    [-0.5, 0.7807764064044151, 0.3787321874818335],
    [0, 1, 0.5],
    [0.5, 1.2807764064044151, 0.6212678125181665],
    [2, 2.414213562373095, 0.8535533905932737],
    [30, 30.03329637837291, 0.9988925789283045],
  ],
  linearSigmoid: [
    [-30, 9.357622968839299e-14, 9.357622968838423e-14],
    [-2, 0.11920292202211756, 0.10499358540350652],
    [-0.5, 0.37754066879814546, 0.2350037122015945],
    [0, 0.5, 1],
    [0.5, 1, 1],
    [2, 2.5, 1],
    [30, 30.5, 1],
  ],
  sparsePlus: [
    [-30, 0, 0],
    [-2, 0, 0],
    [-0.5, 0.0625, 0.25],
    [0, 0.25, 0.5],
    [0.5, 0.5625, 0.75],
    [2, 2, 1],
    [30, 30, 1],
  ],
  gelu: [
    [-30, 0, 0],
    [-2, -0.04550026389635842, -0.0852318010781969],
    [-0.5, -0.15426876936299344, 0.13250487534383715],
    [0, 0, 0.5],
    [0.5, 0.34573123063700656, 0.8674951246561629],
    [2, 1.9544997361036416, 1.085231801078197],
    [30, 30, 1],
  ],
  geluTanh: [
    [-30, 0, 0],
    [-2, -0.04540230591222498, -0.08609925662361838],
    [-0.5, -0.15428599017485609, 0.1326300964653577],
    [0, 0, 0.5],
    [0.5, 0.34571400982514394, 0.8673699035346423],
    [2, 1.954597694087775, 1.0860992566236185],
    [30, 30, 1],
  ],
  swish: [
    [-30, -2.8072868906517896e-12, -2.713710660963134e-12],
    [-2, -0.23840584404423512, -0.09078424878489548],
    [-0.5, -0.18877033439907273, 0.2600388126973482],
    [0, 0, 0.5],
    [0.5, 0.3112296656009273, 0.7399611873026518],
    [2, 1.7615941559557649, 1.0907842487848955],
    [30, 29.999999999997193, 1.0000000000027136],
  ],
  hardSwish: [
    [-30, 0, 0],
    [-2, -0.3333333333333333, -0.16666666666666666],
    [-0.5, -0.20833333333333334, 0.3333333333333333],
    [0, 0, 0.5],
    [0.5, 0.2916666666666667, 0.6666666666666666],
    [2, 1.6666666666666667, 1.1666666666666667],
    [30, 30, 1],
    [-3, 0, 0],
    [3, 3, 1],
  ],
  mish: [
    [-30, -2.807286890651921e-12, -2.713710660963392e-12],
    [-2, -0.2525014826957089, -0.10835509242039394],
    [-0.5, -0.22074377465173, 0.2895106779135122],
    [0, 0, 0.6],
    [0.5, 0.37524521130489513, 0.8864243753577272],
    [2, 1.9439589595339946, 1.0693179342794896],
    [30, 30, 1],
  ],
  logSigmoid: [
    [-30, -30.000000000000092, 0.9999999999999064],
    [-2, -2.1269280110429727, 0.8807970779778824],
    [-0.5, -0.9740769841801067, 0.6224593312018546],
    [0, -Math.LN2, 0.5],
    [0.5, -0.4740769841801067, 0.37754066879814546],
    [2, -0.1269280110429725, 0.11920292202211756],
    [30, -9.357622968839737e-14, 9.357622968839299e-14],
  ],
  identity: [
    [-30, -30, 1],
    [-2, -2, 1],
    [-0.5, -0.5, 1],
    [0, 0, 1],
    [0.5, 0.5, 1],
    [2, 2, 1],
    [30, 30, 1],
  ],
  cube: [
    [-30, -27000, 2700],
    [-2, -8, 12],
    [-0.5, -0.125, 0.75],
    [0, 0, 1e-30],
    [0.5, 0.125, 0.75],
    [2, 8, 12],
    [30, 27000, 2700],
  ],
  exponential: [
    [-30, 9.357622968840175e-14, 9.357622968840175e-14],
    [-2, 0.1353352832366127, 0.1353352832366127],
    [-0.5, 0.6065306597126334, 0.6065306597126334],
    [0, 1, 1],
    [0.5, 1.6487212707001282, 1.6487212707001282],
    [2, 7.38905609893065, 7.38905609893065],
    [30, 10686474581524.463, 10686474581524.463],
  ],
  tanhShrink: [
    [-30, -29, 1],
    [-2, -1.035972419924183, 0.9293491751468356],
    [-0.5, -0.03788284273999024, 0.2135522670340726],
    [0, 0, 3.3333333333333333e-31],
    [0.5, 0.03788284273999024, 0.2135522670340726],
    [2, 1.035972419924183, 0.9293491751468356],
    [30, 29, 1],
  ],
  softShrink: [
    [-30, -29.5, 1],
    [-2, -1.5, 1],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.5, 0, 0],
    [2, 1.5, 1],
    [30, 29.5, 1],
  ],
  hardShrink: [
    [-30, -30, 1],
    [-2, -2, 1],
    [-0.5, 0, 0],
    [0, 0, 0],
    [0.5, 0, 0],
    [2, 2, 1],
    [30, 30, 1],
  ],
};

/** With other settings than the defaults: settings, x, value and derivative. */
const adjusted: readonly (readonly [Parameters<typeof layers.activation>[0]['activation'], number, number, number])[] =
  [
    [{ name: 'leakyRelu', slope: 0.2 }, -3, -0.6, 0.2],
    [{ name: 'thresholdedRelu', threshold: 0.1, value: 20 }, 0.1, 20, 0],
    [{ name: 'thresholdedRelu', threshold: 0.1, value: 20 }, 0.5, 0.5, 1],
    [{ name: 'elu', alpha: 2 }, -1, 2 * Math.expm1(-1), 2 * Math.exp(-1)],
    [{ name: 'elu', alpha: 2 }, 0, 0, 2],
    [{ name: 'celu', alpha: 2 }, -1, 2 * Math.expm1(-0.5), Math.exp(-0.5)],
    [{ name: 'celu', alpha: 2 }, 0, 0, 1],
    [{ name: 'softplus', beta: 2 }, 0, Math.LN2 / 2, 0.5],
    [{ name: 'softplus', beta: 2, threshold: 1 }, 3, 3, 1],
    [{ name: 'squareplus', b: 9 }, -4, 0.5, 0.1],
    [{ name: 'hardTanh', minimum: -3, maximum: 2 }, 2.5, 2, 0],
    [{ name: 'hardTanh', minimum: -3, maximum: 2 }, -2.5, -2.5, 1],
    [{ name: 'softShrink', lambda: 1 }, -1.5, -0.5, 1],
    [{ name: 'hardShrink', lambda: 1 }, -1, 0, 0],
  ];

const x = variable(0);
/** A few roundings in double precision. */
const digits = (got: number, want: number) =>
  expect(Math.abs(got - want)).toBeLessThan(4e-15 * Math.max(1, Math.abs(want)));

describe('values and derivatives', () => {
  it.each(Object.entries(activations))('%s', (name, { expression }) => {
    for (const [at, value, derivative] of table[name as keyof typeof activations]) {
      digits(evaluate(expression(x), [at]), value);
      digits(evaluate(differentiate(expression(x), 0), [at]), derivative);
    }
  });

  it.each(adjusted)('%j at %d', (option, at, value, derivative) => {
    const { expression } = layers.activation({ activation: option }).options.activation as ReturnType<
      typeof activation
    >;
    digits(evaluate(expression(x), [at]), value);
    digits(evaluate(differentiate(expression(x), 0), [at]), derivative);
  });
});

describe('an activation in options', () => {
  const optionOf = (given: unknown) => layers.activation({ activation: given as 'relu' }).options.activation;

  it('is a name, a name with settings, or what activation and with make, and goes into a file as that', () => {
    const own = activation('own', (element) => element.mul(2));
    expect(JSON.stringify(optionOf('leakyRelu'))).toBe('"leakyRelu"');
    expect(JSON.stringify(optionOf(activations.leakyRelu))).toBe('"leakyRelu"');
    expect(JSON.stringify(optionOf({ name: 'relu' }))).toBe('"relu"');
    const slope = '{"name":"leakyRelu","slope":0.3}';
    expect(JSON.stringify(optionOf({ name: 'leakyRelu', slope: 0.3 }))).toBe(slope);
    expect(JSON.stringify(optionOf(activations.leakyRelu.with({ slope: 0.3 })))).toBe(slope);
    expect(JSON.stringify(optionOf(JSON.parse(slope)))).toBe(slope);
    expect(JSON.stringify(optionOf(own))).toBe('"own"');
  });

  it('keeps its other settings when one is changed', () => {
    const once = activations.hardTanh.with({ maximum: 2 });
    expect(once.settings).toEqual({ minimum: -1, maximum: 2 });
    expect(once.with({ minimum: 0 }).settings).toEqual({ minimum: 0, maximum: 2 });
    expect(activations.hardTanh.settings).toEqual({ minimum: -1, maximum: 1 });
  });

  it.each([
    [
      'leakyReLU',
      "layers.activation: option 'activation' must be the name of an activation (did you mean 'leakyRelu'?)",
    ],
    ['silu', "(did you mean 'swish'?)"],
    ['linear', "(did you mean 'identity'?)"],
    ['logsoftmax', "(did you mean 'logSoftmax'?)"],
    [{ name: 'leakyrelu', slope: 1 }, "(did you mean 'leakyRelu'?)"],
    [{ slope: 1 }, 'must be the name of an activation, what activation() makes, or { name, ...settings }, got Object'],
    [7, 'got 7'],
    [null, 'got null'],
    [{ name: 'leakyRelu', slop: 1 }, "activations.leakyRelu: unknown option 'slop'. Did you mean 'slope'?"],
    [{ name: 'leakyRelu', slope: '1' }, 'activations.leakyRelu: option \'slope\' must be number, got "1"'],
    [{ name: 'elu', alpha: Number.NaN }, "activations.elu: option 'alpha' must be number, got NaN"],
    [{ name: 'celu', alpha: 0 }, "activations.celu: option 'alpha' must be a finite number above 0, got 0"],
    [{ name: 'relu', slope: 1 }, "activations.relu: unknown option 'slope'."],
    [{ name: 'hardTanh', minimum: 2 }, 'activations.hardTanh: options must be a minimum below the maximum'],
    [{ name: 'softmax' }, 'must be the name of an activation, what activation() makes'],
    [{ name: 'constructor' }, 'must be the name of an activation'],
  ])('%j is refused', (given, message) => {
    expect(() => optionOf(given)).toThrow(
      expect.objectContaining({ code: 'invalid-option', message: expect.stringContaining(message) }),
    );
  });

  it('as a gate is no function of all features', () => {
    expect(() => layers.lstm({ units: 1, gateActivation: 'softmax' as 'relu' })).toThrow(
      /option 'gateActivation' must be the name of an activation/,
    );
  });
});
