/** What the recurrent layers have in common. */
import * as v from 'valibot';
import { recurrent } from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { wholeNumber } from '../../options.js';
import { type Activation, activationOption } from '../activations.js';
import { type InitializerOption, initializerOption } from '../initializers.js';
import type { Rate } from '../rates.js';
import { dropoutRate, dropped } from './dropout.js';
import { type Layer, type ParameterSpecification, printSignal, type Signal } from './layer.js';
import { withRows } from './living-rows.js';
import { parameter } from './parameter.js';

/** Options that every recurrent layer has. */
export const recurrentEntries = {
  units: wholeNumber(1),
  activation: v.optional(activationOption, 'tanh'),
  useBias: v.optional(v.boolean(), true),
  dropout: v.optional(dropoutRate, 0),
  dropConnect: v.optional(dropoutRate, 0),
  recurrentDropConnect: v.optional(dropoutRate, 0),
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
    dropout: Rate;
    dropConnect: Rate;
    recurrentDropConnect: Rate;
    kernelInitializer: InitializerOption;
    recurrentInitializer: InitializerOption;
    biasInitializer: InitializerOption;
  }>;
  readonly activation: Activation;
  readonly gateActivation: Activation;
  /** The GRU whose reset gate acts after the recurrent product has a bias of its own on that product. */
  readonly resetAfter?: boolean;
  /** How the bias starts, given how its initializer alone would start it. */
  readonly bias?: (bias: ParameterSpecification) => ParameterSpecification;
}

/** A layer around the fused operation. */
export function recurrentLayer(description: Description): Layer {
  const { kind, cell, gates, options, resetAfter } = description;
  const { units, useBias, dropout, dropConnect, recurrentDropConnect } = options;
  const lstm = cell === 'lstm';
  return {
    kind,
    options,
    rates: { dropout, dropConnect, recurrentDropConnect },
    signal: (input) => {
      checkInput(input, dropout);
      return { kind: 'vectors', features: units, sequence: true };
    },
    parameters: (input) => {
      const columns = gates * units;
      const bias = parameter('bias', [columns], options.biasInitializer, gates);
      return {
        kernel: parameter('kernel', [width(input), columns], options.kernelInitializer, gates),
        recurrentKernel: parameter('recurrent', [units, columns], options.recurrentInitializer, gates),
        ...(useBias ? { bias: description.bias?.(bias) ?? bias } : {}),
        ...(useBias && resetAfter ? { recurrentBias: bias } : {}),
      };
    },
    states: () => (lstm ? { hidden: [units], cell: [units] } : { hidden: [units] }),
    apply: (context) => {
      const { kernel, recurrentKernel, bias, recurrentBias } = context.parameters;
      return withRows(context, dropped(context, context.input, 'dropout'), ({ input, states }) => {
        const { output, finalHidden, finalCell } = recurrent({
          cell,
          input,
          kernel: dropped(context, kernel!, 'dropConnect'),
          recurrentKernel: dropped(context, recurrentKernel!, 'recurrentDropConnect'),
          bias,
          recurrentBias,
          initialHidden: states.hidden,
          initialCell: states.cell,
          resetAfter,
          gateActivation: description.gateActivation,
          activation: description.activation,
          training: context.training,
        });
        const finals = { hidden: finalHidden, ...(finalCell ? { cell: finalCell } : {}) };
        return { output, states: finals, last: finalHidden };
      });
    },
  };
}

const width = (input: Signal): number => (input.kind === 'ids' ? input.vocabulary : input.features);

function checkInput(input: Signal, dropout: Rate): void {
  if (!input.sequence) throw new MnemeError('invalid-shape', `expected a sequence, got ${printSignal(input)}.`);
  if (input.kind === 'ids' && dropout !== 0) {
    throw new MnemeError('invalid-shape', 'ids cannot be dropped: put layers.embedding or layers.oneHot before it.');
  }
}
