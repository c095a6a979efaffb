/** What the reference engine verifies when it loads a program: the same rules by which the native one refuses. */
import { MnemeError } from '../../errors.js';
import type { Operation, Specification } from '../graph.js';
import { operations } from '../operations/index.js';
import { arenas, type BufferSpecification, type Instruction, type Loop, type Program } from '../program.js';
import { printShape, sameShape } from '../tensor.js';
import { meeting, reachOf, verifyLoops } from './moving-buffers.js';

/**
 * Checks every buffer, operand and shape of a program.
 *
 * @throws {MnemeError} `invalid-program` with the instruction's number and the reason
 */
export function verifyProgram(program: Program): void {
  try {
    verifyLoops(program);
  } catch (error) {
    if (!(error instanceof MnemeError)) throw error;
    refuse(program, error.message);
  }
  for (const [index, buffer] of program.buffers.entries()) verifyBuffer(program, buffer, index);
  for (const port of [...program.inputs, ...program.outputs]) {
    const buffer = program.buffers[port.buffer];
    if (!buffer) refuse(program, `port '${port.name}' names buffer ${port.buffer}, which is none`);
    if (buffer.strides?.length) refuse(program, `port '${port.name}' names buffer ${port.buffer}, which moves`);
  }
  for (const [index, instruction] of program.instructions.entries()) {
    const where = `instruction ${index} (${instruction.operation})`;
    try {
      verifyInstruction(program, instruction, index);
    } catch (error) {
      if (!(error instanceof MnemeError)) throw error;
      refuse(program, `${where}: ${error.message}`);
    }
  }
}

function refuse(program: Program, reason: string): never {
  throw new MnemeError('invalid-program', `program '${program.name}': ${reason}`);
}

function verifyBuffer(program: Program, buffer: BufferSpecification, index: number): void {
  const { arena, offset, shape, dtype, strides = [] } = buffer;
  const { loops = [] } = program;
  const where = `buffer ${index}`;
  const whole = (number: number) => Number.isSafeInteger(number);
  if (!arenas.includes(arena)) refuse(program, `${where} lies in no arena: '${arena}'`);
  if (dtype !== 'f32' && dtype !== 'i32') refuse(program, `${where} has the dtype '${dtype}'`);
  if (shape.length < 1 || shape.length > 4 || shape.some((extent) => !whole(extent) || extent < 1)) {
    refuse(program, `${where} has the shape ${printShape(shape)}`);
  }
  for (const [place, { loop, elements }] of strides.entries()) {
    if (!loops[loop]) refuse(program, `${where} moves in loop ${loop}, which is none`);
    if (!whole(elements)) refuse(program, `${where} moves by ${elements} elements`);
    if (loop <= (strides[place - 1]?.loop ?? -1)) refuse(program, `${where}: its loops do not stand in order`);
  }
  const { low, high } = reachOf(buffer, loops);
  if (!whole(offset) || low < 0 || high > program.sizes[arena]) {
    refuse(program, `${where} reaches outside of the ${program.sizes[arena]} elements of ${arena}`);
  }
}

function verifyInstruction(program: Program, instruction: Instruction, index: number): void {
  const { loops = [] } = program;
  const operation = operations.get(instruction.operation);
  if (!operation) throw invalid('there is no such operation');
  const bufferOf = (number: number) => {
    const buffer = program.buffers[number];
    if (number !== -1 && !buffer) throw invalid(`there is no buffer ${number}`);
    for (const { loop } of buffer?.strides ?? []) {
      const { first, end } = loops[loop]!;
      if (index < first || index >= end) throw invalid(`buffer ${number} moves in loop ${loop}, which is another one`);
    }
    return buffer;
  };
  const inputs = instruction.inputs.map(bufferOf);
  const outputs = instruction.outputs.map(bufferOf);
  const expected = operation.shape(inputs, instruction.attributes);
  if (expected.length !== outputs.length) throw invalid(`expected ${expected.length} outputs, got ${outputs.length}`);
  for (const [index, output] of outputs.entries()) {
    const wanted = expected[index];
    const optional = operation.optionalOutputs?.includes(index);
    const fits = output ? wanted !== undefined && sameSpecification(output, wanted) : !wanted || optional;
    if (!fits) throw invalid(`output ${index} must be ${print(wanted)}, got ${print(output)}`);
  }
  verifyOverlaps(instruction, operation, inputs, outputs, loops);
}

/** An output overlaps nothing, but may lie exactly on an input where the operation says so. */
function verifyOverlaps(
  { attributes }: Instruction,
  operation: Operation,
  inputs: readonly (BufferSpecification | undefined)[],
  outputs: readonly (BufferSpecification | undefined)[],
  loops: readonly Loop[],
): void {
  const overlap = (a: BufferSpecification, b: BufferSpecification) => meeting(a, b, loops) !== 'never';
  for (const [index, output] of outputs.entries()) {
    if (!output) continue;
    if (output.arena === 'input') throw invalid(`output ${index} lies in the input arena`);
    for (const other of outputs.slice(index + 1)) {
      if (other && overlap(output, other)) throw invalid(`output ${index} overlaps another output`);
    }
    for (const [position, input] of inputs.entries()) {
      const met = input ? meeting(output, input, loops) : 'never';
      if (met === 'never') continue;
      if (met === 'exactly' && operation.inPlace?.(inputs, attributes, position, index)) continue;
      throw invalid(`output ${index} overlaps input ${position}`);
    }
  }
  for (const position of operation.consumes ?? []) {
    const consumed = inputs[position];
    const others = [...inputs.toSpliced(position, 1), ...outputs];
    if (consumed && others.some((other) => other && overlap(consumed, other))) {
      throw invalid(`input ${position}, which is overwritten, overlaps another operand`);
    }
  }
}

const invalid = (reason: string) => new MnemeError('invalid-program', reason);

const sameSpecification = (a: Specification, b: Specification) => a.dtype === b.dtype && sameShape(a.shape, b.shape);
const print = (specification: Specification | undefined) =>
  specification ? `${specification.dtype} ${printShape(specification.shape)}` : 'absent';
