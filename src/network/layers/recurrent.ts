/** What the recurrent layers have in common. */
import * as v from 'valibot';
import { map, type RecurrentOptions, recurrent } from '../../compute/operations/index.js';
import type { Shape } from '../../compute/tensor.js';
import { MnemeError } from '../../errors.js';
import { wholeNumber } from '../../options.js';
import { type Activation, activationOption } from '../activations.js';
import { type InitializerOption, initializerOption } from '../initializers.js';
import type { Rate } from '../rates.js';
import { dropoutRate, dropped } from './dropout.js';
import { type Layer, type ParameterSpecification, printSignal, type Signal } from './layer.js';
import { begun, begunState, learnedParameters, startingStates } from './learned-states.js';
import { keptWhole, withRows, withStandingRows } from './living-rows.js';
import {
  type LayerNormalizationOption,
  layerNormalizationOption,
  normalizationParameters,
  normalizedCell,
  refuseBesideNormalization,
} from './normalized-cell.js';
import { parameter } from './parameter.js';
import { recurrentInPieces } from './recomputation.js';
import {
  dropoutMask,
  maskedSequence,
  type NoiseOptions,
  noiseEntries,
  noiseRates,
  zoneoutKeep,
} from './recurrent-noise.js';

/** Options that every recurrent layer has. */
export const recurrentEntries = {
  units: wholeNumber(1),
  activation: v.optional(activationOption, 'tanh'),
  useBias: v.optional(v.boolean(), true),
  recompute: v.optional(v.boolean(), false),
  dropout: v.optional(dropoutRate, 0),
  dropConnect: v.optional(dropoutRate, 0),
  recurrentDropConnect: v.optional(dropoutRate, 0),
  kernelInitializer: v.optional(initializerOption, 'xavierUniform'),
  recurrentInitializer: v.optional(initializerOption, 'orthogonal'),
  biasInitializer: v.optional(initializerOption, 'zeros'),
  initialStates: v.optional(v.picklist(['zeros', 'learned']), 'zeros'),
  layerNormalization: layerNormalizationOption,
  ...noiseEntries,
} as const;

/** What an LSTM may have besides. */
interface Variants {
  readonly peepholes: boolean;
  readonly coupled: boolean;
  readonly cellClip?: number | undefined;
  /** Columns of the hidden state. */
  readonly projection?: number | undefined;
  readonly peepholeInitializer: InitializerOption;
  readonly projectionInitializer: InitializerOption;
  readonly outputActivation: Activation;
}

interface Description {
  readonly kind: 'simpleRnn' | 'lstm' | 'gravesLstm' | 'gru';
  readonly cell: 'simple' | 'lstm' | 'gru';
  /** Blocks of `units` columns in the kernels. */
  readonly gates: number;
  readonly options: Readonly<{
    units: number;
    useBias: boolean;
    recompute: boolean;
    dropout: Rate;
    dropConnect: Rate;
    recurrentDropConnect: Rate;
    kernelInitializer: InitializerOption;
    recurrentInitializer: InitializerOption;
    biasInitializer: InitializerOption;
    initialStates: 'zeros' | 'learned';
    layerNormalization: LayerNormalizationOption;
  }> &
    NoiseOptions;
  readonly activation: Activation;
  readonly gateActivation: Activation;
  /** The GRU whose reset gate acts after the recurrent product has a bias of its own on that product. */
  readonly resetAfter?: boolean;
  readonly variants?: Variants;
  /** How the bias starts, given how its initializer alone would start it. */
  readonly bias?: (bias: ParameterSpecification) => ParameterSpecification;
}

/** A layer around the fused operation. */
export function recurrentLayer(description: Description): Layer {
  const { kind, cell, gates, options, resetAfter, variants } = description;
  const { units, useBias, dropout, dropConnect, recurrentDropConnect, layerNormalization } = options;
  if (layerNormalization) refuseBesideNormalization(kind, { ...options, resetAfter });
  const plain = options.recompute ? recurrentInPieces : recurrent;
  const hidden = variants?.projection ?? units;
  const ownStates: Record<string, Shape> = cell === 'lstm' ? { hidden: [hidden], cell: [units] } : { hidden: [hidden] };
  const learned = options.initialStates === 'learned';
  return {
    kind,
    options,
    rates: { dropout, dropConnect, recurrentDropConnect, ...noiseRates(options) },
    signal: (input) => {
      checkInput(input, [dropout, options.variationalDropout?.input ?? 0]);
      return { kind: 'vectors', features: hidden, sequence: true };
    },
    parameters: (input) => {
      const columns = gates * units;
      const bias = parameter('bias', [columns], options.biasInitializer, gates);
      return {
        kernel: parameter('kernel', [width(input), columns], options.kernelInitializer, gates),
        recurrentKernel: parameter('recurrent', [hidden, columns], options.recurrentInitializer, gates),
        ...(useBias ? { bias: description.bias?.(bias) ?? bias } : {}),
        ...(useBias && resetAfter ? { recurrentBias: bias } : {}),
        ...(layerNormalization ? normalizationParameters({ cell, gates, units, useBias }) : {}),
        ...(variants?.peepholes
          ? { peephole: parameter('recurrent', [gates - 1, units], variants.peepholeInitializer) }
          : {}),
        ...(variants?.projection
          ? { projection: parameter('projection', [units, hidden], variants.projectionInitializer) }
          : {}),
        ...(learned ? learnedParameters(ownStates) : {}),
      };
    },
    states: () => (learned ? { ...ownStates, ...begunState } : ownStates),
    apply: (context) => {
      const { kernel, recurrentKernel, bias, recurrentBias, peephole, projection } = context.parameters;
      const undropped = context.input;
      const batch = undropped.shape[1]!;
      const maskOf = (rate: string, features: number) => dropoutMask(context, rate, [batch, features]);
      const seen = maskedSequence(
        dropped(context, undropped, 'dropout'),
        options.variationalDropout && maskOf('variationalDropout.input', undropped.shape[2]!),
      );
      // Pieces have no lengths of their own, and normalised cells sort their rows themselves.
      const go = options.recompute || layerNormalization ? withStandingRows : withRows;
      return go(context, seen, ({ input, states, lengths, keep: standing }) => {
        const time = input.shape[0]!;
        const initial = learned ? startingStates(context, states, ownStates, batch) : states;
        const keep = (of: 'hidden' | 'cell', columns: number) =>
          keptWhole(zoneoutKeep(context, options.zoneout?.[of], `zoneout.${of}`, [time, batch, columns]), standing);
        const run = layerNormalization
          ? (given: RecurrentOptions) => normalizedCell(given, context, layerNormalization)
          : plain;
        const { output, finalHidden, finalCell } = run({
          ...{ cell, input, bias, recurrentBias, peephole, projection, resetAfter, lengths },
          ...{ coupled: variants?.coupled, cellClip: variants?.cellClip },
          kernel: dropped(context, kernel!, 'dropConnect'),
          recurrentKernel: dropped(context, recurrentKernel!, 'recurrentDropConnect'),
          initialHidden: initial.hidden,
          initialCell: initial.cell,
          recurrentMask: maskOf('recurrentDropout', hidden),
          hiddenKeep: keep('hidden', hidden),
          cellKeep: cell === 'lstm' ? keep('cell', units) : undefined,
          gateActivation: description.gateActivation,
          activation: description.activation,
          outputActivation: variants?.outputActivation,
          training: context.training,
        });
        const outputMask = options.variationalDropout && maskOf('variationalDropout.output', hidden);
        return {
          output: maskedSequence(output, outputMask),
          states: { hidden: finalHidden, ...(finalCell ? { cell: finalCell } : {}), ...(learned ? begun(batch) : {}) },
          last: outputMask ? map((h, m) => h.mul(m), finalHidden, outputMask) : finalHidden,
        };
      });
    },
  };
}

/** Features of a sequence, of ids as if one-hot. */
export const width = (input: Signal): number => (input.kind === 'ids' ? input.vocabulary : input.features);

/** @throws {MnemeError} `invalid-shape` unless the layer can take it */
export function checkInput(input: Signal, dropouts: readonly Rate[]): void {
  if (!input.sequence) throw new MnemeError('invalid-shape', `expected a sequence, got ${printSignal(input)}.`);
  if (input.kind === 'ids' && dropouts.some((rate) => rate !== 0)) {
    throw new MnemeError('invalid-shape', 'ids cannot be dropped: put layers.embedding or layers.oneHot before it.');
  }
}
