/**
 * The program of one training step: forward, loss, gradients, clipping, update, telemetry, and the states that the
 * next step starts from. Nothing of it takes effect unless every new parameter is finite and the step before it in
 * the queue took effect: a queue with a bad step in it stops at that step.
 */
import { compile } from '../compute/compiler.js';
import { gradients } from '../compute/gradients.js';
import { input, stored, type Value } from '../compute/graph.js';
import { increment, map } from '../compute/operations/index.js';
import type { Program } from '../compute/program.js';
import type { Loss } from '../network/losses/loss.js';
import type { NetworkContract, Trace } from '../network/network.js';
import { swapLeading } from '../network/trace.js';
import type { BatchShape } from './batch-shape.js';
import { constantPort } from './engine-numbers.js';
import { joined } from './parts.js';
import type { TrainingRule } from './rule.js';
import type { StepKind } from './rule-scalars.js';
import { accumulation, update } from './update.js';
import { sequenceModulus, updaterLayout } from './updater-arena.js';

/** The part of a step that its diagnosis shares: the loss of a traced network, and the gradient of each trained parameter. */
export interface Differentiated {
  readonly trace: Trace;
  readonly loss: Value;
  readonly gradients: readonly Value[];
}

/** Traces the network for training and extends the graph backwards from the loss. */
export function differentiated(network: NetworkContract, rule: TrainingRule, shape: BatchShape): Differentiated {
  const { draws } = updaterLayout(rule);
  const trace = network.trace({
    batch: shape.batch,
    time: shape.time,
    lengths: shape.lengths,
    inputMask: shape.inputMask,
    reset: shape.reset,
    parts: shape.parts,
    carry: shape.carry,
    training: true,
    initialStates: shape.initialStates,
    step: stored('updater', draws, [1], 'i32', 'draws'),
  });
  const loss = lossOf(rule.loss, trace.output, shape);
  const trained = rule.trained.map(({ index }) => trace.parameters[index]!);
  return { trace, loss, gradients: gradients(loss, trained) };
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
      Object.entries(loss.constants ?? {}).map(([name, { shape }]) => [name, input(constantPort(name), shape, 'f32')]),
    ),
  });
}

/**
 * Ports: `input`, `targets`, `mask` and `lengths` where there are such, `sequence` (the number of steps that took effect before this one), the updater's scalars
 * and those of `ruleScalars`. Outputs: `loss`, `gradientNorm` (before clipping), `finite`.
 */
export function trainStep(
  network: NetworkContract,
  rule: TrainingRule,
  shape: BatchShape,
  kind: StepKind = 'update',
): Program {
  const layout = updaterLayout(rule);
  const { trace, loss, gradients } = differentiated(network, rule, shape);
  const completed = stored('updater', layout.completed, [1], 'f32', 'completed');
  const draws = stored('updater', layout.draws, [1], 'i32', 'draws');
  const step = {
    parameters: trace.parameters,
    gradient: joined(gradients),
    loss,
    completed,
    sequence: input('sequence', [1], 'f32'),
    draws,
    seed: network.seed,
  };
  const { gradientNorm, finite, assignments } =
    kind === 'accumulation' ? accumulation(rule, step) : update(rule, step, { averaging: kind === 'averaged update' });

  const counted = map((done) => done.add(1).less(sequenceModulus).select(done.add(1), 0), completed);
  return compile({
    name: `train step  batch ${shape.batch}${shape.time === undefined ? '' : `, time ${shape.time}`}`,
    outputs: { loss, gradientNorm, finite },
    assignments: [
      ...assignments,
      { target: completed, value: counted },
      { target: draws, value: increment(draws, 1) },
      ...trace.states.map((target, index) => ({ target, value: trace.nextStates[index]! })),
    ].map((assignment) => ({ ...assignment, when: finite })),
  });
}
