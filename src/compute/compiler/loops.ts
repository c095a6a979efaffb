/** Loops: the instructions of a repeated program are put where its node stands, over the places of the node's operands. */
import { MnemeError } from '../../errors.js';
import type { MovingOperand, Repetition } from '../graph.js';
import type { BufferSpecification, Instruction, Loop, Port } from '../program.js';
import { elementCount, type Shape } from '../tensor.js';

/** The program that is being written. */
export interface Emission {
  readonly instructions: Instruction[];
  readonly loops: Loop[];
  /** The number of a buffer, which is added where it is new. */
  add(buffer: BufferSpecification, name: string): number;
}

/** Where an operand of the node lies, and its name. */
export interface OperandPlace {
  readonly buffer: BufferSpecification;
  readonly name: string;
}

/** The node's operands, and the scratch memory of one iteration. */
export interface LoopPlaces {
  readonly inputs: readonly (OperandPlace | undefined)[];
  readonly outputs: readonly (OperandPlace | undefined)[];
  readonly scratch: OperandPlace;
}

/** Copies what the loop begins with, then repeats its instructions. */
export function emitLoop(emission: Emission, repetition: Repetition, places: LoopPlaces): void {
  const { body, count, beginnings } = repetition;
  const { instructions, loops } = emission;
  for (const { input, output, offset } of beginnings) {
    const value = places.inputs[input]!;
    const whole = places.outputs[output]!;
    const target = part(whole, offset, value.buffer.shape);
    instructions.push({
      operation: 'assign',
      inputs: [emission.add(value.buffer, value.name), -1],
      outputs: [emission.add(target, whole.name)],
      attributes: {},
      words: [],
    });
  }
  const number = loops.length;
  const first = instructions.length;
  loops.push({ first, end: first + body.instructions.length, count });
  for (const loop of body.loops ?? []) {
    loops.push({ first: first + loop.first, end: first + loop.end, count: loop.count });
  }
  const moved = body.buffers.map((buffer, index) => {
    const { place, from, stride } = placeOf(repetition, places, buffer);
    const strides = [
      ...(stride === 0 ? [] : [{ loop: number, elements: stride }]),
      ...(buffer.strides ?? []).map(({ loop, elements }) => ({ loop: number + 1 + loop, elements })),
    ];
    const own = stride === 0 && from > 0 ? `${place.name}+${from}` : place.name;
    const name = buffer.arena === 'scratch' ? `${place.name}.${body.names[index]}` : own;
    return { buffer: { ...part(place, from, buffer.shape), dtype: buffer.dtype, strides }, name };
  });
  const numberOf = (index: number) => (index < 0 ? -1 : emission.add(moved[index]!.buffer, moved[index]!.name));
  for (const { operation, inputs, outputs, attributes, words } of body.instructions) {
    instructions.push({ operation, inputs: inputs.map(numberOf), outputs: outputs.map(numberOf), attributes, words });
  }
}

function part({ buffer }: OperandPlace, offset: number, shape: Shape): BufferSpecification {
  return { arena: buffer.arena, offset: buffer.offset + offset, shape, dtype: buffer.dtype };
}

/** The operand that a buffer of the body lies in, where in it in the first iteration, and how it moves. */
function placeOf(
  { body, inputs, outputs, state }: Repetition,
  places: LoopPlaces,
  buffer: BufferSpecification,
): { readonly place: OperandPlace; readonly from: number; readonly stride: number } {
  if (buffer.arena === 'scratch') return { place: places.scratch, from: buffer.offset, stride: 0 };
  if (buffer.arena === 'state' && state !== undefined) {
    return { place: places.outputs[state]!, from: buffer.offset, stride: 0 };
  }
  const ports: readonly Port[] = buffer.arena === 'input' ? body.inputs : body.outputs;
  const operands: readonly MovingOperand[] = buffer.arena === 'input' ? inputs : outputs;
  const port = ports.findIndex(({ buffer: number }) => {
    const { arena, offset, shape } = body.buffers[number]!;
    return arena === buffer.arena && buffer.offset >= offset && buffer.offset < offset + elementCount(shape);
  });
  if (port < 0) throw new MnemeError('internal', `The loop '${body.name}' uses memory that is not its own.`);
  const { of, index, offset, stride } = operands[port]!;
  const from = offset + buffer.offset - body.buffers[ports[port]!.buffer]!.offset;
  return { place: places[of][index]!, from, stride };
}
