/** Long short-term memory with peepholes under its classic name. */
import type * as v from 'valibot';
import { parseOptions } from '../../options.js';
import type { Layer } from './layer.js';
import { lstmLayer, schemas } from './lstm.js';

export type GravesLstmOptions = v.InferInput<typeof schemas.gravesLstm>;

/**
 * `layers.lstm` with `peepholes: true`, as Graves (2013) has it and DL4J's GravesLSTM: `[batch, time, features]`, or ids as if
 * one-hot, become `[batch, time, units]`.
 *
 * Parameters: `kernel [features, 4·units]`, `recurrentKernel [units, 4·units]`, `bias [4·units]`, `peephole [3, units]`; DL4J
 * keeps the peepholes as the last three columns of its recurrent weights.
 *
 * @param options those of `layers.lstm`, without `peepholes`
 * @throws {MnemeError} `invalid-option`
 * @example
 * layers.gravesLstm({ units: 200 });
 */
export const gravesLstm = (options: GravesLstmOptions): Layer =>
  lstmLayer('gravesLstm', parseOptions(schemas.gravesLstm, options, 'layers.gravesLstm'));
