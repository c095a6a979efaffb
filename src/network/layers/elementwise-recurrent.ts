/** What the recurrent layers have in common whose units do not know each other: one product, then a recurrence unit by unit. */
import * as v from 'valibot';
import type { Value } from '../../compute/graph.js';
import {
  type ElementwiseRecurrenceOptions,
  elementwiseRecurrence,
  matmul,
  oneHot,
} from '../../compute/operations/index.js';
import { wholeNumber } from '../../options.js';
import { type InitializerOption, initializerOption } from '../initializers.js';
import type { Rate } from '../rates.js';
import { dropoutRate, dropped } from './dropout.js';
import type { Layer, LayerContext, ParameterSpecification, Signal } from './layer.js';
import { withRows } from './living-rows.js';
import { parameter } from './parameter.js';
import { checkInput, width } from './recurrent.js';

/** Options that each of these layers has. */
export const elementwiseRecurrentEntries = {
  units: wholeNumber(1),
  useBias: v.optional(v.boolean(), true),
  dropout: v.optional(dropoutRate, 0),
  dropConnect: v.optional(dropoutRate, 0),
  kernelInitializer: v.optional(initializerOption, 'xavierUniform'),
  biasInitializer: v.optional(initializerOption, 'zeros'),
} as const;

interface Description {
  readonly kind: 'indRnn' | 'minGru' | 'minLstm';
  readonly options: Readonly<{
    units: number;
    useBias: boolean;
    dropout: Rate;
    dropConnect: Rate;
    kernelInitializer: InitializerOption;
    biasInitializer: InitializerOption;
  }>;
  /** Blocks of `units` columns in the kernel: the sequences that the step reads. */
  readonly gates: number;
  /** A number a unit that the step reads, beside the sequences: how it starts. */
  readonly recurrent?: InitializerOption;
  /** How the bias starts, given how its initializer alone would start it. */
  readonly bias?: (bias: ParameterSpecification) => ParameterSpecification;
  readonly step: ElementwiseRecurrenceOptions['step'];
  /** Its number, where kernels know it by one. */
  readonly cell?: ElementwiseRecurrenceOptions['cell'];
}

/** A layer with one state, `hidden`, which is also its output. */
export function elementwiseRecurrentLayer(description: Description): Layer {
  const { kind, options, gates, recurrent, step, cell } = description;
  const { units, useBias, dropout, dropConnect } = options;
  return {
    kind,
    options,
    rates: { dropout, dropConnect },
    signal: (input) => {
      checkInput(input, [dropout]);
      return { kind: 'vectors', features: units, sequence: true };
    },
    parameters: (input) => {
      const bias = parameter('bias', [gates * units], options.biasInitializer, gates);
      return {
        kernel: parameter('kernel', [width(input), gates * units], options.kernelInitializer, gates),
        ...(recurrent ? { recurrentKernel: parameter('recurrent', [units], recurrent) } : {}),
        ...(useBias ? { bias: description.bias?.(bias) ?? bias } : {}),
      };
    },
    states: () => ({ hidden: [units] }),
    apply: (context, signal) => {
      const { recurrentKernel } = context.parameters;
      return withRows(context, dropped(context, context.input, 'dropout'), ({ input, states, lengths, keep }) => {
        const result = elementwiseRecurrence({
          input: inputProduct(context, input, signal),
          units,
          perUnit: recurrentKernel ? [recurrentKernel] : [],
          initialStates: [states.hidden],
          lengths,
          keep,
          cell,
          step,
        });
        const hidden = result.finalStates[0]!;
        return { output: result.states[0]!, states: { hidden }, last: hidden };
      });
    },
  };
}

/** x·W + b of all steps at once. */
function inputProduct(context: LayerContext, input: Value, signal: Signal): Value {
  const { kernel, bias } = context.parameters;
  const vectors = signal.kind === 'ids' ? oneHot(input, signal.vocabulary) : input;
  return matmul(vectors, dropped(context, kernel!, 'dropConnect'), bias ? { bias } : {});
}
