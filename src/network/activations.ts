/**
 * Activations: scalar functions, one entry each in a file of `activations/`. The compiler derives their gradients and fuses
 * both wherever they are used, in dense layers and inside recurrent cells alike, as gates too.
 */
import * as v from 'valibot';
import { nearestName, parseOptions } from '../options.js';
import type { Activation, AdjustableActivation } from './activations/activation.js';
import { bounded } from './activations/bounded.js';
import { rectifying } from './activations/rectifying.js';
import { smooth } from './activations/smooth.js';
import { unbounded } from './activations/unbounded.js';

export { type Activation, type AdjustableActivation, activation } from './activations/activation.js';

/**
 * All built-in activations by name. In options each is its name, `'leakyRelu'`; those with settings are also
 * `activations.leakyRelu.with({ slope: 0.2 })` or plain data, `{ name: 'leakyRelu', slope: 0.2 }`.
 *
 * - bounded: `sigmoid`, `tanh`, `softsign`, `hardSigmoid`, `hardSigmoidFifth`, `sparseSigmoid`, `hardTanh({ minimum = -1,
 *   maximum = 1 })`, `rationalTanh`, `rectifiedTanh`
 * - rectifying: `relu`, `relu6`, `leakyRelu({ slope = 0.01 })`, `thresholdedRelu({ threshold = 1, value = 0 })`,
 *   `elu({ alpha = 1 })`, `selu`, `celu({ alpha = 1 })`
 * - smooth: `softplus({ beta = 1, threshold })`, `squareplus({ b = 4 })`, `sparsePlus`, `linearSigmoid`, `gelu`, `geluTanh`, `swish` (SiLU),
 *   `hardSwish`, `mish`, `logSigmoid`
 * - others: `identity`, `cube`, `exponential`, `tanhShrink`, `softShrink({ lambda = 0.5 })`, `hardShrink({ lambda = 0.5 })`
 *
 * Those that learn, draw or halve something are layers: `layers.parametricRelu`, `randomizedRelu` and `gatedLinearUnit`.
 * `'softmax'` and `'logSoftmax'`, which look at all
 * features of a step, are activations of `layers.dense` and `layers.activation` only.
 */
export const activations = { ...bounded, ...rectifying, ...smooth, ...unbounded } as const;

type Activations = typeof activations;
type Name = keyof Activations;
/** A name and settings as plain data. */
type Settings = {
  [N in Name]: { readonly name: N } & (Activations[N] extends AdjustableActivation<infer S> ? Partial<S> : unknown);
}[Name];

const functionsOfSteps = ['softmax', 'logSoftmax'] as const;
const names = Object.keys(activations) as Name[];

/** The schema of an activation in a layer's options: a name, what `activation` or `with` makes, or a name with settings. */
export const activationOption = v.pipe(
  v.custom<Name | Activation | Settings>((given) => isOneOf(names, given), expected(names)),
  v.transform(resolve),
);
export type ActivationOption = v.InferOutput<typeof activationOption>;

const outputNames = [...names, ...functionsOfSteps];
/** As `activationOption`, and what is no scalar function: it looks at all features of a step. */
export const outputActivationOption = v.pipe(
  v.custom<Name | (typeof functionsOfSteps)[number] | Activation | Settings>(
    (given) => isOneOf(outputNames, given),
    expected(outputNames),
  ),
  v.transform(resolve),
);
export type OutputActivationOption = v.InferOutput<typeof outputActivationOption>;

/** The activation that an option stands for. */
export const activationOf = (option: ActivationOption): Activation =>
  typeof option === 'string' ? activations[option] : option;

/** Whether a model file may hold an activation by its name: no other has that, or it is that one, whatever its settings. */
export function ownsItsName(value: Activation): boolean {
  if (!outputNames.some((name) => name === value.name)) return true;
  const builtIn: Activation | undefined = new Map<string, Activation>(Object.entries(activations)).get(value.name);
  return builtIn !== undefined && (builtIn === value || 'with' in value);
}

/** Whether it is what `activation` makes. */
export const isActivation = (given: unknown): given is Activation =>
  typeof given === 'object' && given !== null && 'expression' in given && 'name' in given;

function isOneOf(known: readonly string[], given: unknown): boolean {
  if (typeof given === 'string') return known.includes(given);
  if (isActivation(given)) return true;
  if (typeof given !== 'object' || given === null || !('name' in given)) return false;
  return names.some((name) => name === given.name);
}

/** Names in other libraries that are nearer to a wrong one of ours than to the right one. */
const elsewhere: ReadonlyMap<unknown, string> = new Map([
  ['silu', 'swish'],
  ['linear', 'identity'],
]);

/** What an option must be, with the nearest name. */
function expected(known: readonly string[]): (issue: v.CustomIssue) => string {
  return ({ input }) => {
    const name = typeof input === 'object' && input !== null && 'name' in input ? input.name : input;
    const isUnknown = typeof name === 'string' && !known.includes(name);
    const nearest = isUnknown ? ` (did you mean '${elsewhere.get(name) ?? nearestName(name, known)}'?)` : '';
    return `the name of an activation${nearest}, what activation() makes, or { name, ...settings }`;
  };
}

/** Plain data becomes the activation that it describes. */
function resolve<Named extends string>(given: Named | Activation | Settings): Named | Activation {
  if (typeof given === 'string' || isActivation(given)) return given;
  const { name, ...settings } = given;
  const found: Activation | AdjustableActivation<object> = activations[name];
  if ('with' in found) return found.with(settings);
  parseOptions(withoutSettings, settings, `activations.${name}`);
  return found;
}

const withoutSettings = v.strictObject({});
