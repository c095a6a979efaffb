/** The program as plain data. */
import type { Arena, BufferSpecification, Instruction, Loop, Port, Program } from '../program.js';
import { emitLoop, type OperandPlace } from './loops.js';
import { isPlacedConcatenation } from './placement.js';
import { type Plan, placeOf } from './plan.js';
import { behindViews, type StepNode, type StepValue } from './step-graph.js';

export function emitProgram(
  name: string,
  plan: Plan,
  ordered: readonly StepNode[],
  scratch: { readonly size: number; readonly withoutReuse: number },
): Program {
  const buffers: BufferSpecification[] = [];
  const names: string[] = [];
  const numbers = new Map<string, number>();
  const nameOf = namer(plan);
  const add = (buffer: BufferSpecification, label: string): number => {
    const key = JSON.stringify([buffer, label]);
    const known = numbers.get(key);
    if (known !== undefined) return known;
    buffers.push(buffer);
    names.push(label);
    numbers.set(key, buffers.length - 1);
    return buffers.length - 1;
  };
  const operandPlace = (value: StepValue): OperandPlace => {
    const { storage, offset } = placeOf(plan, value);
    const { shape, dtype } = value;
    return { buffer: { arena: storage.arena, offset: storage.offset + offset, shape, dtype }, name: nameOf(value) };
  };
  const bufferOf = (value: StepValue | undefined): number => {
    if (!value) return -1;
    const { buffer, name } = operandPlace(value);
    return add(buffer, name);
  };
  const inputs = plan.inputs.map((value): Port => {
    const { source } = value.node;
    const limit = source?.kind === 'input' && source.limit !== undefined ? { limit: source.limit } : {};
    return { name: value.name!, buffer: bufferOf(value), ...limit };
  });
  const instructions: Instruction[] = [];
  const loops: Loop[] = [];
  for (const node of ordered) {
    const operation = node.operation!;
    const loop = plan.repetitions.get(node);
    if (loop) {
      const places = (values: readonly (StepValue | undefined)[]) =>
        values.map((value) => value && operandPlace(value));
      emitLoop({ instructions, loops, add }, loop.repetition, {
        inputs: places(node.inputs),
        outputs: places(node.outputs),
        scratch: operandPlace(loop.scratch),
      });
      continue;
    }
    instructions.push({
      operation: operation.name,
      inputs: node.inputs.map(bufferOf),
      outputs: node.outputs.map(bufferOf),
      attributes: node.attributes,
      words: operation.words(node),
    });
  }
  const costs = ordered.map((node) => node.operation!.cost(node));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);
  const sizes: Record<Arena, number> = { ...plan.sizes, scratch: scratch.size };
  return {
    name,
    buffers,
    instructions,
    ...(loops.length > 0 ? { loops } : {}),
    inputs,
    outputs: plan.outputs.map((output) => ({ name: output.name, buffer: bufferOf(output.value) })),
    sizes,
    cost: {
      flops: sum(costs.map(({ flops }) => flops)),
      bytes: sum(costs.map(({ bytes }) => bytes)),
      scratchWithoutReuse: scratch.withoutReuse,
    },
    names,
  };
}

/**
 * Names for printing: that of a stored value or a port, else a number. A view, and what is made as a part of a whole, is
 * named after it, with where it begins.
 */
function namer(plan: Plan): (value: StepValue) => string {
  const known = new Map(plan.outputs.map(({ name, value }) => [behindViews(value).value, name]));
  const wholes = new Map(
    plan.nodes.filter(isPlacedConcatenation).map(({ outputs }) => [placeOf(plan, outputs[0]!).storage, outputs[0]!]),
  );
  let next = 0;
  const nameOf = (value: StepValue): string => {
    const { value: behind, offset } = behindViews(value);
    const place = placeOf(plan, value);
    const whole = wholes.get(place.storage);
    if (whole && whole !== behind) return `${nameOf(whole)}+${place.offset}`;
    const name = known.get(behind) ?? behind.name ?? `%${next++}`;
    known.set(behind, name);
    return offset === 0 ? name : `${name}+${offset}`;
  };
  return nameOf;
}
