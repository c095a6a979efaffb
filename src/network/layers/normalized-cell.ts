/** Layer normalisation within the recurrent layers: their option, its parameters, and the cell in the place of the plain one. */
import * as v from 'valibot';
import { reshape, type Value } from '../../compute/graph.js';
import {
  embedding,
  map,
  matmul,
  normalizedRecurrent,
  permuteRows,
  type RecurrentOptions,
  type RecurrentResult,
  sortRows,
} from '../../compute/operations/index.js';
import { MnemeError } from '../../errors.js';
import { finiteNumber } from '../../options.js';
import type { LayerContext, ParameterSpecification } from './layer.js';
import { livingSteps } from './living-rows.js';
import { parameter } from './parameter.js';

const settings = v.strictObject({
  epsilon: v.optional(finiteNumber({ above: 0 }), 1e-5),
  separateGates: v.optional(v.boolean(), false),
});
/** `false`, `true` for the defaults, or settings. */
export const layerNormalizationOption = v.optional(
  // Not a union, whose complaint about settings would not say which of them.
  v.lazy((given) => (typeof given === 'object' ? settings : v.boolean())),
  false,
);
export type LayerNormalizationOption = v.InferOutput<typeof layerNormalizationOption>;

/** What a recurrent layer has besides; gains start with 1, and what decays kernels leaves them alone. */
export function normalizationParameters({
  cell,
  gates,
  units,
  useBias,
}: {
  readonly cell: 'simple' | 'lstm' | 'gru';
  readonly gates: number;
  readonly units: number;
  readonly useBias: boolean;
}): Record<string, ParameterSpecification> {
  const gain = parameter('bias', [gates * units], 'ones');
  return {
    ...(cell === 'simple' ? {} : { inputGain: gain }),
    recurrentGain: gain,
    ...(cell === 'lstm' ? { cellGain: parameter('bias', [units], 'ones') } : {}),
    ...(cell === 'lstm' && useBias ? { cellBias: parameter('bias', [units], 'zeros') } : {}),
  };
}

/** @throws {MnemeError} `invalid-option` where an option of the layer asks for another cell than those that are normalised */
export function refuseBesideNormalization(kind: string, options: Readonly<Record<string, unknown>>): void {
  const reasons: Readonly<Record<string, (value: unknown) => boolean>> = {
    'resetAfter: false': () => options.resetAfter === false,
    coupled: () => options.coupled === true,
    peepholes: () => options.peepholes === true || kind === 'gravesLstm',
    cellClip: () => options.cellClip !== undefined,
    projection: () => options.projection !== undefined,
    recurrentDropout: () => options.recurrentDropout !== undefined && options.recurrentDropout !== 0,
    zoneout: () => options.zoneout !== undefined,
    recompute: () => options.recompute === true,
  };
  for (const [name, applies] of Object.entries(reasons)) {
    if (applies(options)) {
      throw new MnemeError(
        'invalid-option',
        `layers.${kind}: layerNormalization and ${name} do not go together. Leave one of them out, or write the cell with layers.scan.`,
      );
    }
  }
}

/**
 * What `recurrent` takes, through the normalised cell. Rows of unequal length are sorted for it.
 *
 * @throws {MnemeError} `invalid-argument` for masks with holes
 */
export function normalizedCell(
  given: RecurrentOptions,
  { parameters, lengths, mask }: Pick<LayerContext, 'parameters' | 'lengths' | 'mask'>,
  option: LayerNormalizationOption,
): RecurrentResult {
  if (mask) {
    throw new MnemeError(
      'invalid-argument',
      'layerNormalization: expected rows without holes, got an input mask. Give lengths instead, or leave layerNormalization out.',
    );
  }
  const { epsilon, separateGates } = v.parse(settings, typeof option === 'object' ? option : {});
  const { cell, recurrentKernel, bias, recurrentBias, gateActivation, activation, outputActivation, training } = given;
  const { inputGain, recurrentGain, cellGain, cellBias } = parameters;
  const fixed = {
    ...{ cell, recurrentKernel, bias, recurrentBias, gateActivation, activation, outputActivation, training },
    ...{ inputGain, recurrentGain: recurrentGain!, cellGain, cellBias, epsilon, separate: separateGates },
  };
  const { initialHidden, initialCell } = given;
  const input = inputProducts(given, lengths);
  if (!lengths) return normalizedRecurrent({ ...fixed, input, initialHidden, initialCell });
  const sorted = sortRows(lengths, input.shape[0]!);
  const sort = (state: Value | undefined) => state && permuteRows(state, sorted.order, { axis: 0 });
  const { output, finalHidden, finalCell } = normalizedRecurrent({
    ...fixed,
    input: permuteRows(input, sorted.order, { axis: 1 }),
    initialHidden: sort(initialHidden),
    initialCell: sort(initialCell),
    lengths: sorted.lengths,
  });
  const back = (state: Value) => permuteRows(state, sorted.inverse, { axis: 0 });
  return {
    output: permuteRows(output, sorted.inverse, { axis: 1 }),
    finalHidden: back(finalHidden),
    ...(finalCell ? { finalCell: back(finalCell) } : {}),
  };
}

/** x·W of all steps; padding, whatever it holds, counts as zero. */
function inputProducts({ input, kernel }: RecurrentOptions, lengths: Value | undefined): Value {
  if (input.dtype === 'i32') return embedding(input, kernel);
  if (!lengths) return matmul(input, kernel);
  const [time, batch] = input.shape as [number, number];
  const lives = reshape(livingSteps({ lengths }, time)!, [time, batch, 1]);
  return matmul(
    map((x, alive) => alive.select(x, 0), input, lives),
    kernel,
  );
}
