/** What the recurrent layers have in common. */
import * as v from 'valibot';
import { recurrent } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { wholeNumber } from '../../options.js';
import { type Activation, activationOption } from '../activations.js';
import {
  gateBlocks,
  type Initializer,
  type InitializerOption,
  initializer,
  initializerOption,
} from '../initializers.js';
import { dropoutRate, dropped } from './dropout.js';
import { type Layer, type ParameterSpecification, printSignal, type Signal } from './layer.js';

/** Options that every recurrent layer has. */
export const recurrentEntries = {
  units: wholeNumber(1),
  activation: v.optional(activationOption, 'tanh'),
  useBias: v.optional(v.boolean(), true),
  dropout: v.optional(dropoutRate, 0),
  kernelInitializer: v.optional(initializerOption, 'xavierUniform'),
  recurrentInitializer: v.optional(initializerOption, 'orthogonal'),
  biasInitializer: v.optional(initializerOption, 'zeros'),
} as const;

interface Description {
  readonly kind: 'simpleRnn' | 'lstm' | 'gru';
  readonly cell: 'simple' | 'lstm' | 'gru';
  /** Blocks of `units` columns in the kernels. */
  readonly gates: number;
  readonly options: Readonly<{
    units: number;
    useBias: boolean;
    dropout: number;
    kernelInitializer: InitializerOption;
    recurrentInitializer: InitializerOption;
    biasInitializer: InitializerOption;
  }>;
  readonly activation: Activation;
  readonly gateActivation: Activation;
  /** The GRU whose reset gate acts after the recurrent product has a bias of its own on that product. */
  readonly resetAfter?: boolean;
  /** What the bias starts with, given what its initializer drew. */
  readonly bias?: (values: Float64Array) => Float64Array;
}

/** A layer around the fused operation. */
export function recurrentLayer(description: Description): Layer {
  const { kind, cell, gates, options, resetAfter } = description;
  const { units, useBias } = options;
  const lstm = cell === 'lstm';
  return {
    kind,
    options,
    signal: (input) => {
      checkInput(input, options.dropout);
      return { kind: 'vectors', features: units, sequence: true };
    },
    parameters: (input) => {
      const columns = gates * units;
      const kernel = (rows: number, group: 'kernel' | 'recurrent', option: InitializerOption) => ({
        shape: [rows, columns],
        group,
        initializer: gateBlocks(initializer(option), gates),
      });
      const bias = (start: Initializer): ParameterSpecification => ({
        shape: [columns],
        group: 'bias',
        initializer: start,
      });
      const drawn = initializer(options.biasInitializer);
      const adjust = description.bias ?? ((values: Float64Array) => values);
      return {
        kernel: kernel(width(input), 'kernel', options.kernelInitializer),
        recurrentKernel: kernel(units, 'recurrent', options.recurrentInitializer),
        ...(useBias ? { bias: bias((shape, random) => adjust(drawn(shape, random))) } : {}),
        ...(useBias && resetAfter ? { recurrentBias: bias(drawn) } : {}),
      };
    },
    states: () => (lstm ? { hidden: [units], cell: [units] } : { hidden: [units] }),
    apply: (context) => {
      const { kernel, recurrentKernel, bias, recurrentBias } = context.parameters;
      const { hidden, cell: initialCell } = context.states;
      const result = recurrent({
        cell,
        input: dropped(context, options.dropout),
        kernel: kernel!,
        recurrentKernel: recurrentKernel!,
        ...(bias ? { bias } : {}),
        ...(recurrentBias ? { recurrentBias } : {}),
        ...(hidden ? { initialHidden: hidden } : {}),
        ...(initialCell ? { initialCell } : {}),
        ...(resetAfter === undefined ? {} : { resetAfter }),
        gateActivation: description.gateActivation,
        activation: description.activation,
        training: context.training,
      });
      const states = { hidden: result.finalHidden, ...(result.finalCell ? { cell: result.finalCell } : {}) };
      return { output: result.output, states };
    },
  };
}

const width = (input: Signal): number => (input.kind === 'ids' ? input.vocabulary : input.features);

function checkInput(input: Signal, dropout: number): void {
  if (!input.sequence) throw new MnemeError('invalid-shape', `expected a sequence, got ${printSignal(input)}.`);
  if (input.kind === 'ids' && dropout > 0) {
    throw new MnemeError('invalid-shape', 'ids cannot be dropped: put layers.embedding or layers.oneHot before it.');
  }
}
