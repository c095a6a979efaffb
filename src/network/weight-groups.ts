/** Options that hold for all weights, or are given by weight group. */
import * as v from 'valibot';
import { parseOptions } from '../options.js';
import type { WeightGroup } from './layers/layer.js';

/** One for kernels, recurrent kernels, projections and embedding tables, but not for biases; or one for each group that is named. */
export type ByGroup<Option> = Option | { readonly [Group in WeightGroup]?: Option | undefined };

/** By group; absent: the option does not apply to it. */
export type Groups<Option> = { readonly [Group in WeightGroup]?: Option };

/**
 * Sorts an option out by group.
 *
 * @param isOne tells one for all from an object of groups
 * @param where the option as the user wrote it, such as `createTrainer: regularization`, and its name
 * @throws {MnemeError} `invalid-option`, naming the nearest right group
 */
export function byGroup<Schema extends v.GenericSchema>(
  option: unknown,
  schema: Schema,
  isOne: (option: unknown) => boolean,
  [where, name]: readonly [where: string, name: string],
): Groups<v.InferOutput<Schema>> {
  type Option = v.InferOutput<Schema>;
  if (option === undefined) return {};
  if (isOne(option)) {
    const parsed = parseOptions(v.strictObject({ [name]: schema }), { [name]: option }, where);
    const one = parsed[name] as Option;
    return { kernel: one, recurrent: one, projection: one, embedding: one };
  }
  const one = v.optional(schema);
  const groups = v.strictObject({ kernel: one, recurrent: one, projection: one, bias: one, embedding: one });
  return parseOptions(groups, option, `${where}: ${name}`) as Groups<Option>;
}
