/** What the fused cells have in common: the operands of forward and backward, in the order of the operations. */
import { operations } from '../compute/operations/index.js';
import { type CellKind, cellOf, tapeLength as lengthOf } from '../compute/operations/recurrent-operands.js';
import { MnemeError, printValue, requireArgument } from '../errors.js';
import { nearestName } from '../options.js';
import { type ActivationName, activationOf } from './activations.js';
import type { KernelCall, Operand } from './call.js';

/** Extents. `inputs` is the number of features; with ids, the number of different ids. */
export interface SequenceExtents {
  readonly time: number;
  readonly batch: number;
  readonly inputs: number;
  readonly units: number;
}

/** What every cell reads, forward and backward. G is the number of gates: 1 simple, 4 LSTM (i, f, g, o), 3 GRU (r, z, n). */
export interface SequenceInputs extends SequenceExtents {
  /** `[time, batch, inputs]`, or ids `[time, batch]` as an Int32Array, each standing for a one-hot vector. */
  readonly input: Float32Array | Int32Array;
  /** `[inputs, G·units]` */
  readonly kernel: Float32Array;
  /** `[units, G·units]` */
  readonly recurrentKernel: Float32Array;
  /** `[G·units]`; zeros if absent */
  readonly bias?: Float32Array | undefined;
  /** `[batch, units]`; zeros if absent */
  readonly initialHidden?: Float32Array | undefined;
  /** Of the candidate (and of the cell on its way out in an LSTM). Default `tanh`. */
  readonly activation?: ActivationName | undefined;
}

/** What forward fills. */
export interface SequenceOutputs {
  /** `[time, batch, units]`: the hidden state after each step */
  readonly output: Float32Array;
  /** `[batch, units]` */
  readonly finalHidden?: Float32Array | undefined;
  /** `tapeLength` elements: give one where backward is to follow; what is in it is nobody else's business. */
  readonly tape?: Float32Array | undefined;
}

/** What backward reads beside the inputs of forward. */
export interface SequenceGradientInputs {
  /** As forward filled it. */
  readonly output: Float32Array;
  /** As forward filled it. The synchronous call overwrites it. */
  readonly tape: Float32Array;
  /** `[time, batch, units]`: of the loss by `output`; zeros if absent */
  readonly dOutput?: Float32Array | undefined;
  /** `[batch, units]`; zeros if absent */
  readonly dFinalHidden?: Float32Array | undefined;
}

/** What backward fills: nothing is added to what was there. */
export interface SequenceGradientOutputs {
  /** `[time, batch, inputs]`; not with ids */
  readonly dInput?: Float32Array | undefined;
  /** `[inputs, G·units]` */
  readonly dKernel: Float32Array;
  /** `[units, G·units]` */
  readonly dRecurrentKernel: Float32Array;
  /** `[G·units]`; where there is a bias */
  readonly dBias?: Float32Array | undefined;
  /** `[batch, units]`; where there is an initial hidden state */
  readonly dInitialHidden?: Float32Array | undefined;
}

/** Every name that the arguments of some cell have. */
export interface SequenceArguments
  extends SequenceInputs,
    Partial<SequenceOutputs>,
    Partial<Omit<SequenceGradientInputs, keyof SequenceOutputs>>,
    Partial<SequenceGradientOutputs> {
  readonly recurrentBias?: Float32Array | undefined;
  readonly initialCell?: Float32Array | undefined;
  readonly gateActivation?: ActivationName | undefined;
  readonly resetAfter?: boolean | undefined;
  readonly finalCell?: Float32Array | undefined;
  readonly dFinalCell?: Float32Array | undefined;
  readonly dRecurrentBias?: Float32Array | undefined;
  readonly dInitialCell?: Float32Array | undefined;
}

/**
 * Elements of the tape that forward fills for backward.
 *
 * @example
 * const tape = new Float32Array(tapeLength('lstm', { time, batch, inputs, units }));
 */
export function tapeLength(cell: 'simple' | 'lstm' | 'gru', extents: SequenceExtents): number {
  requireArgument(['simple', 'lstm', 'gru'].includes(cell), 'tapeLength', "'simple', 'lstm' or 'gru'", cell);
  requireArgument(typeof extents === 'object' && extents !== null, 'tapeLength', 'extents', extents);
  checkExtents('tapeLength', extents);
  return lengthOf({ ...extents, hiddenSize: extents.units, ...plain }, { cell });
}

const plain = { projected: false, masked: false, hiddenKept: false, cellKept: false } as const;

/** The call of `recurrent` for these arguments. */
export function forwardCall(where: string, cell: CellKind, values: SequenceArguments): KernelCall {
  checkNames(where, values, cell, forwardNames);
  const { batch, time, units } = checkExtents(where, values);
  const { operand, required } = operandsOf(where, values);
  return {
    where,
    operation: operations.get('recurrent')!,
    attributes: { ...settingsOf(where, cell, values), training: values.tape !== undefined },
    variant: variantOf(values),
    inputs: sharedInputs(where, cell, values),
    outputs: [
      required('output', [time, batch, units]),
      operand('finalHidden', [batch, units]),
      operand('finalCell', [batch, units]),
      operand('tape', [tapeLength(cell, values)]),
    ],
  };
}

/** The call of `recurrentGradient` for these arguments. */
export function backwardCall(where: string, cell: CellKind, values: SequenceArguments): KernelCall {
  checkNames(where, values, cell, backwardNames);
  const { batch, inputs, time, units } = checkExtents(where, values);
  const { operand, required } = operandsOf(where, values);
  const width = gatesOf(cell, values) * units;
  return {
    where,
    operation: operations.get('recurrentGradient')!,
    attributes: settingsOf(where, cell, values),
    variant: variantOf(values),
    inputs: [
      ...sharedInputs(where, cell, values),
      required('output', [time, batch, units]),
      required('tape', [tapeLength(cell, values)]),
      operand('dOutput', [time, batch, units]),
      operand('dFinalHidden', [batch, units]),
      operand('dFinalCell', [batch, units]),
    ],
    outputs: [
      operand('dInput', [time, batch, inputs]),
      required('dKernel', [inputs, width]),
      required('dRecurrentKernel', [units, width]),
      operand('dBias', [width]),
      operand('dRecurrentBias', [width]),
      operand('dInitialHidden', [batch, units]),
      operand('dInitialCell', [batch, units]),
      undefined,
      undefined,
    ],
  };
}

function sharedInputs(where: string, cell: CellKind, values: SequenceArguments): (Operand | undefined)[] {
  const { batch, inputs, time, units, input } = values;
  const { operand, required } = operandsOf(where, values);
  const width = gatesOf(cell, values) * units;
  return [
    required('input', input instanceof Int32Array ? [time, batch] : [time, batch, inputs]),
    required('kernel', [inputs, width]),
    required('recurrentKernel', [units, width]),
    operand('bias', [width]),
    operand('recurrentBias', [width]),
    operand('initialHidden', [batch, units]),
    operand('initialCell', [batch, units]),
    ...withoutOptions,
  ];
}

/** Peepholes, projection, mask, shares to keep and lengths. */
const withoutOptions = [undefined, undefined, undefined, undefined, undefined, undefined];

const gatesOf = (cell: CellKind, { resetAfter = false }: SequenceArguments): number =>
  cellOf({ cell, resetAfter, coupled: false, cellClip: 0 }).gates;

const settingsOf = (where: string, cell: CellKind, values: Partial<SequenceArguments>) => ({
  cell,
  resetAfter: values.resetAfter ?? false,
  coupled: false,
  cellClip: 0,
  gateActivation: activationOf(where, values.gateActivation ?? 'sigmoid'),
  candidateActivation: activationOf(where, values.activation ?? 'tanh'),
  outputActivation: activationOf(where, values.activation ?? 'tanh'),
});

const variantOf = ({ gateActivation, activation, resetAfter }: SequenceArguments): string =>
  `${gateActivation} ${activation} ${resetAfter}`;

type ArrayName = keyof {
  [Name in keyof SequenceArguments as NonNullable<SequenceArguments[Name]> extends ArrayBufferView ? Name : never]: 0;
};

function operandsOf(where: string, values: SequenceArguments) {
  const operand = (name: ArrayName, shape: readonly number[]): Operand | undefined => {
    const data = values[name];
    return data === undefined ? undefined : { name, data, shape };
  };
  const required = (name: ArrayName, shape: readonly number[]): Operand => {
    const given = operand(name, shape);
    if (!given) throw new MnemeError('invalid-argument', `${where}: '${name}' is missing.`);
    return given;
  };
  return { operand, required };
}

function checkExtents(where: string, values: SequenceExtents): SequenceExtents {
  for (const name of ['time', 'batch', 'inputs', 'units'] as const) {
    if (!Number.isSafeInteger(values[name]) || values[name] < 1) {
      throw new MnemeError(
        'invalid-argument',
        `${where}: '${name}' must be a whole number of at least 1, got ${printValue(values[name])}.`,
      );
    }
  }
  return values;
}

const sharedNames = [
  'time',
  'batch',
  'inputs',
  'units',
  'input',
  'kernel',
  'recurrentKernel',
  'bias',
  'initialHidden',
  'activation',
];
const forwardNames = [...sharedNames, 'output', 'finalHidden', 'tape'];
const backwardNames = [
  ...[...sharedNames, 'output', 'tape', 'dOutput', 'dFinalHidden'],
  ...['dInput', 'dKernel', 'dRecurrentKernel', 'dBias', 'dInitialHidden'],
];
/** What only one cell has: forward, and backward beside that. */
const ownNames: Record<CellKind, { forward: string[]; backward: string[] }> = {
  simple: { forward: [], backward: [] },
  lstm: {
    forward: ['gateActivation', 'initialCell', 'finalCell'],
    backward: ['gateActivation', 'initialCell', 'dFinalCell', 'dInitialCell'],
  },
  gru: {
    forward: ['gateActivation', 'resetAfter', 'recurrentBias'],
    backward: ['gateActivation', 'resetAfter', 'recurrentBias', 'dRecurrentBias'],
  },
};

function checkNames(where: string, values: SequenceArguments, cell: CellKind, names: readonly string[]): void {
  requireArgument(typeof values === 'object' && values !== null, where, 'an object of arrays and extents', values);
  const own = ownNames[cell][names === forwardNames ? 'forward' : 'backward'];
  for (const name of Object.keys(values)) {
    if (names.includes(name) || own.includes(name)) continue;
    const known = [...names, ...own];
    throw new MnemeError(
      'invalid-argument',
      `${where}: unknown argument '${name}'. Did you mean '${nearestName(name, known)}'? Known: ${known.join(', ')}.`,
    );
  }
}
