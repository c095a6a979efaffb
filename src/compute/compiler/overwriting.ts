/**
 * Overwriting: new values of stored ones. They are made on top of the old where the operation allows it and nobody needs
 * the old value later; otherwise they are copied at the end of the step.
 */
import { MnemeError } from '../../errors.js';
import { printShape, sameShape } from '../tensor.js';
import {
  addCopy,
  isFree,
  isView,
  overlap,
  type Plan,
  type Range,
  rangeOf,
  readersOfStored,
  storedRange,
} from './plan.js';
import { behindViews, type StepAssignment, type StepGraph, type StepNode, type StepValue } from './step-graph.js';

export function placeAssignments(plan: Plan, { assignments }: StepGraph): void {
  checkAssignments(plan, assignments);
  const targets = assignments.map(({ target }) => rangeOf(plan, target));
  for (const assignment of assignments) {
    if (assignment.value === assignment.target || placeOnTop(plan, assignment)) continue;
    const { target, value, when } = assignment;
    // What is read of memory that this step overwrites is saved before.
    const safe = (read: StepValue) => {
      const old = storedRange(plan, read);
      return old && targets.some((range) => overlap(old, range)) ? addCopy(plan, read) : read;
    };
    const written = addCopy(plan, safe(value), { when: when && safe(when), name: target.name });
    plan.places.set(written, plan.places.get(target)!);
  }
}

/** Whoever overwrites comes after everyone who reads what was there before, and after everyone who may fail. */
export function orderOverwriting(plan: Plan): void {
  const fallible = plan.nodes.filter((node) => node.operation!.canFail?.(node));
  for (const writer of plan.nodes) {
    if (isView(writer)) continue;
    for (const output of writer.outputs) {
      if (!output || !isPersistent(rangeOf(plan, output))) continue;
      comeBefore(plan, writer, readersOfStored(plan, rangeOf(plan, output)));
      const earlier = fallible.filter((node) => !plan.dependencies.someAfter(writer, [node]));
      comeBefore(plan, writer, earlier);
    }
    for (const index of writer.operation!.consumes ?? []) {
      const consumed = behindViews(writer.inputs[index]!).value;
      const reads = (input: StepValue | undefined) => input && behindViews(input).value === consumed;
      const others = plan.nodes.filter((node) => node !== writer && !isView(node) && node.inputs.some(reads));
      if (plan.dependencies.someAfter(writer, others)) {
        throw new MnemeError(
          'invalid-argument',
          'compile: gradients of one recurrent operation were taken twice. Add the losses and take them once.',
        );
      }
      comeBefore(plan, writer, others);
    }
  }
}

function comeBefore(plan: Plan, writer: StepNode, nodes: readonly StepNode[]): void {
  for (const node of nodes) if (node !== writer) plan.dependencies.add(node, writer);
}

const isPersistent = ({ arena }: Range): boolean => arena === 'parameters' || arena === 'updater' || arena === 'state';

/** True if the new value can be made where the old one lies. */
function placeOnTop(plan: Plan, { target, value, when }: StepAssignment): boolean {
  const { value: made } = behindViews(value);
  const { node } = made;
  if (!isFree(plan, value) || !node.operation) return false;
  // A guarded map leaves the old value itself where a result is not finite; any other condition needs a copy.
  const guard = node.attributes.guard ? node.outputs.at(-1) : undefined;
  if (when && when !== guard) return false;
  const range = rangeOf(plan, target);
  if (readsStored(plan, node, range) ? !liesOnTop(plan, made, range) : when || canFailAfter(plan, node)) return false;
  const readers = readersOfStored(plan, range).filter((reader) => reader !== node);
  if (plan.dependencies.someAfter(node, readers)) return false;
  plan.places.set(made, plan.places.get(target)!);
  made.name ??= target.name!;
  comeBefore(plan, node, readers);
  return true;
}

const readsStored = (plan: Plan, node: StepNode, range: Range): boolean => readersOfStored(plan, range).includes(node);

/** Whether a node that comes after this one may fail, so that this one must not write what lasts. */
const canFailAfter = (plan: Plan, node: StepNode): boolean =>
  plan.nodes.some((other) => other.operation!.canFail?.(other) && plan.dependencies.someAfter(node, [other]));

/** Whether a node that reads the range reads it as a whole only, and may write this output onto it. */
function liesOnTop(plan: Plan, { node, output }: StepValue, range: Range): boolean {
  for (const [index, input] of node.inputs.entries()) {
    const old = input && storedRange(plan, input);
    if (!old || !overlap(old, range)) continue;
    if (old.start !== range.start || old.end !== range.end) return false;
    if (!node.operation!.inPlace?.(node.inputs, node.attributes, index, output)) return false;
  }
  return true;
}

function checkAssignments(plan: Plan, assignments: readonly StepAssignment[]): void {
  for (const [index, { target, value }] of assignments.entries()) {
    if (target.node.source?.kind !== 'stored') {
      throw new MnemeError('invalid-argument', `compile: assignment ${index} has a target that is not a stored value.`);
    }
    if (target.dtype !== value.dtype || !sameShape(target.shape, value.shape)) {
      throw new MnemeError(
        'invalid-shape',
        `compile: assignment to '${target.name}' expected ${target.dtype} ${printShape(target.shape)}, got ${value.dtype} ${printShape(value.shape)}.`,
      );
    }
    const twice = assignments
      .slice(0, index)
      .find((other) => overlap(rangeOf(plan, target), rangeOf(plan, other.target)));
    if (twice) {
      throw new MnemeError(
        'invalid-argument',
        `compile: '${target.name}' and '${twice.target.name}' share memory; assign once.`,
      );
    }
  }
}
