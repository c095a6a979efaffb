/** Initial states of a recurrent layer that are parameters. */
import type { Value } from '../../compute/graph.js';
import { filled, map } from '../../compute/operations/index.js';
import type { Shape } from '../../compute/tensor.js';
import type { LayerContext, ParameterSpecification } from './layer.js';
import { parameter } from './parameter.js';

/** `initialHidden` for `hidden`: zeros at first, and in the group of biases, so that nothing pulls them to zero. */
export const learnedParameters = (states: Readonly<Record<string, Shape>>): Record<string, ParameterSpecification> =>
  Object.fromEntries(
    Object.entries(states).map(([name, shape]) => [parameterOf(name), parameter('bias', shape, 'zeros')]),
  );

/** A state more: whether the row has begun, 0 or 1, so that stored states of zero stand for the learned ones. */
export const begunState = { begun: [1] } as const;

/** What the layer starts from: a row that has begun from what is stored, any other from what was learned. */
export function startingStates(
  { parameters }: Pick<LayerContext, 'parameters'>,
  stored: LayerContext['states'],
  states: Readonly<Record<string, Shape>>,
  batch: number,
): Record<string, Value> {
  return Object.fromEntries(
    Object.entries(states).map(([name, shape]) => {
      const learned = parameters[parameterOf(name)]!;
      const { begun, [name]: state } = stored;
      const start =
        begun && state
          ? map((row, own, first) => row.less(0.5).select(first, own), begun, state, learned)
          : map((zero, first) => zero.add(first), filled(0, [batch, ...shape]), learned);
      return [name, start];
    }),
  );
}

/** The value of that state after any step. */
export const begun = (batch: number): Record<string, Value> => ({ begun: filled(1, [batch, 1]) });

const parameterOf = (state: string): string => `initial${state[0]!.toUpperCase()}${state.slice(1)}`;
