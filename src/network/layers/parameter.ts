/** A layer's parameter and how it starts. */
import type { Shape } from '../../compute/tensor.js';
import { type InitializerOption, initializer } from '../initializers.js';
import type { ParameterSpecification, WeightGroup } from './layer.js';

/**
 * @param gates the blocks of columns that it consists of
 * @throws {MnemeError} `invalid-shape` where the option gives values of another shape
 */
export const parameter = (
  group: WeightGroup,
  shape: Shape,
  option: InitializerOption,
  gates = 1,
): ParameterSpecification => ({ group, shape, initializer: initializer(option, { gates, shape }) });
