/**
 * The program of one training step: forward, loss, gradients, clipping, update, telemetry, and the states that the
 * next step starts from. Nothing of it takes effect unless every new parameter is finite and the step before it in
 * the queue took effect: a queue with a bad step in it stops at that step.
 */
import { compile } from '../compute/compiler.js';
import { constant, type Expression } from '../compute/expression.js';
import { gradients } from '../compute/gradients.js';
import { input, reshape, stored, type Value } from '../compute/graph.js';
import { concatenate, guardedMap, increment, map, reduceSum } from '../compute/operations/index.js';
import type { Program } from '../compute/program.js';
import { type Clip, clipped, largest } from '../network/clipping.js';
import type { Loss } from '../network/losses/loss.js';
import type { NetworkContract, Trace } from '../network/network.js';
import { swapLeading } from '../network/trace.js';
import type { Updater } from '../network/updaters/updater.js';
import type { BatchShape } from './batch-shape.js';

export interface TrainingRule {
  readonly loss: Loss;
  readonly updater: Updater;
  readonly clip: Clip | undefined;
}

/**
 * The updater arena: each state of the updater in the layout of the parameters, one after another, then the number of
 * steps that took effect (f32, modulo `sequenceModulus`), then that number as dropout's counter (i32).
 */
export function updaterLayout(parameters: number, updater: Updater) {
  const states = Object.entries(updater.states).map(([name, start], index) => ({
    name,
    start,
    offset: index * parameters,
  }));
  const completed = states.length * parameters;
  return { states, completed, draws: completed + 1, length: completed + 2 } as const;
}

/** Steps are counted in f32, where whole numbers up to 2^24 are exact. */
export const sequenceModulus = 2 ** 24;

/** The part of a step that its diagnosis shares: the loss of a traced network, and the gradient of each parameter. */
export interface Differentiated {
  readonly trace: Trace;
  readonly loss: Value;
  readonly gradients: readonly Value[];
}

/** Traces the network for training and extends the graph backwards from the loss. */
export function differentiated(network: NetworkContract, rule: TrainingRule, shape: BatchShape): Differentiated {
  const { draws } = updaterLayout(network.parameterCount, rule.updater);
  const trace = network.trace({
    batch: shape.batch,
    time: shape.time,
    training: true,
    initialStates: shape.initialStates,
    step: stored('updater', draws, [1], 'i32', 'draws'),
  });
  const loss = lossOf(rule.loss, trace.output, shape);
  return { trace, loss, gradients: gradients(loss, trace.parameters) };
}

/** The loss of an output against the ports `targets` and, where there is one, `mask`. */
export function lossOf(loss: Loss, output: Value, { targets, masked }: BatchShape): Value {
  const timeMajor = (port: Value) => (targets.sequence ? swapLeading(port) : port);
  const rows = targets.shape.slice(0, targets.sequence ? 2 : 1);
  return loss.apply({
    output,
    targets: timeMajor(input('targets', targets.shape, targets.dtype, { limit: targets.limit })),
    mask: masked ? timeMajor(input('mask', rows, 'f32')) : undefined,
    constants: Object.fromEntries(
      Object.entries(loss.constants ?? {}).map(([name, { shape }]) => [name, input(name, shape, 'f32')]),
    ),
  });
}

/**
 * Ports: `input`, `targets`, `sequence` (the number of steps that took effect before this one), and the updater's
 * scalars. Outputs: `loss`, `gradientNorm` (before clipping), `finite`.
 */
export function trainStep(network: NetworkContract, rule: TrainingRule, shape: BatchShape): Program {
  const { updater, clip } = rule;
  const count = network.parameterCount;
  const layout = updaterLayout(count, updater);
  const { trace, loss, gradients } = differentiated(network, rule, shape);

  const gradient = flat(gradients);
  const norm = map((sum) => sum.sqrt(), reduceSum([gradient], { axis: 'all', expression: (g) => g.square() }));
  const parameters = stored('parameters', 0, [count], 'f32', 'parameters');
  const states = layout.states.map(({ name, offset }) =>
    stored('updater', offset, [count], 'f32', `${updater.name}.${name}`),
  );
  const completed = stored('updater', layout.completed, [1], 'f32', 'completed');
  const sequence = input('sequence', [1], 'f32');
  const scalarNames = Object.keys(updater.scalars({ iteration: 1, epoch: 0, fraction: 0, losses: [] }, 1));
  const scalars = scalarNames.map((name) => input(name, [1], 'f32'));

  const { outputs, finite } = guardedMap(
    (...values: Expression[]) => {
      const [parameter, raw, size, lossValue, done, expected, ...rest] = values as Operands;
      const named = (names: readonly string[], from: number) =>
        Object.fromEntries(names.map((name, index) => [name, rest[from + index]!]));
      const { change, ...next } = updater.step({
        parameter,
        gradient: clipped(clip, raw, size, permission(done.equal(expected), lossValue.abs().less(largest))),
        ...named(Object.keys(updater.states), 0),
        ...named(scalarNames, states.length),
      });
      return [parameter.sub(change!), ...layout.states.map(({ name }) => next[name]!)];
    },
    parameters,
    gradient,
    norm,
    loss,
    completed,
    sequence,
    ...states,
    ...scalars,
  );

  const counted = map((done) => done.add(1).less(sequenceModulus).select(done.add(1), 0), completed);
  const draws = stored('updater', layout.draws, [1], 'i32', 'draws');
  return compile({
    name: `train step  batch ${shape.batch}${shape.time === undefined ? '' : `, time ${shape.time}`}`,
    outputs: { loss, gradientNorm: norm, finite },
    assignments: [
      { target: parameters, value: outputs[0]!, when: finite },
      ...states.map((target, index) => ({ target, value: outputs[index + 1]!, when: finite })),
      { target: completed, value: counted, when: finite },
      { target: draws, value: increment(draws, 1), when: finite },
      ...trace.states.map((target, index) => ({ target, value: trace.nextStates[index]!, when: finite })),
    ],
  });
}

type Operands = [
  parameter: Expression,
  gradient: Expression,
  norm: Expression,
  loss: Expression,
  completed: Expression,
  sequence: Expression,
  ...rest: Expression[],
];

/** 1 where both hold, else NaN: what the gradient is multiplied by. */
const permission = (first: Expression, second: Expression): Expression =>
  first.select(second.select(1, Number.NaN), constant(Number.NaN));

const flat = (values: readonly Value[]): Value =>
  concatenate(
    values.map((value) => reshape(value, [value.shape.reduce((product, extent) => product * extent, 1)])),
    0,
  );
