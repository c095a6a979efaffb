/** What the reference engine verifies when it loads a program: the same rules by which the native one refuses. */
import { MnemeError } from '../../errors.js';
import type { Operation, Specification } from '../graph.js';
import { operations } from '../operations/index.js';
import { arenas, type BufferSpecification, type Instruction, type Program } from '../program.js';
import { elementCount, printShape, sameShape } from '../tensor.js';

/**
 * Checks every buffer, operand and shape of a program.
 *
 * @throws {MnemeError} `invalid-program` with the instruction's number and the reason
 */
export function verifyProgram(program: Program): void {
  for (const [index, buffer] of program.buffers.entries()) verifyBuffer(program, buffer, index);
  for (const port of [...program.inputs, ...program.outputs]) {
    if (!program.buffers[port.buffer])
      refuse(program, `port '${port.name}' names buffer ${port.buffer}, which is none`);
  }
  for (const [index, instruction] of program.instructions.entries()) {
    const where = `instruction ${index} (${instruction.operation})`;
    try {
      verifyInstruction(program, instruction);
    } catch (error) {
      if (!(error instanceof MnemeError)) throw error;
      refuse(program, `${where}: ${error.message}`);
    }
  }
}

function refuse(program: Program, reason: string): never {
  throw new MnemeError('invalid-program', `program '${program.name}': ${reason}`);
}

function verifyBuffer(program: Program, { arena, offset, shape, dtype }: BufferSpecification, index: number): void {
  const where = `buffer ${index}`;
  const whole = (number: number) => Number.isSafeInteger(number);
  if (!arenas.includes(arena)) refuse(program, `${where} lies in no arena: '${arena}'`);
  if (dtype !== 'f32' && dtype !== 'i32') refuse(program, `${where} has the dtype '${dtype}'`);
  if (shape.length < 1 || shape.length > 4 || shape.some((extent) => !whole(extent) || extent < 1)) {
    refuse(program, `${where} has the shape ${printShape(shape)}`);
  }
  if (!whole(offset) || offset < 0 || offset + elementCount(shape) > program.sizes[arena]) {
    refuse(program, `${where} reaches outside of the ${program.sizes[arena]} elements of ${arena}`);
  }
}

function verifyInstruction(program: Program, instruction: Instruction): void {
  const operation = operations.get(instruction.operation);
  if (!operation) throw invalid('there is no such operation');
  const bufferOf = (number: number) => {
    const buffer = program.buffers[number];
    if (number !== -1 && !buffer) throw invalid(`there is no buffer ${number}`);
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
  verifyOverlaps(instruction, operation, inputs, outputs);
}

/** An output overlaps nothing, but may lie exactly on an input where the operation says so. */
function verifyOverlaps(
  { attributes }: Instruction,
  operation: Operation,
  inputs: readonly (BufferSpecification | undefined)[],
  outputs: readonly (BufferSpecification | undefined)[],
): void {
  for (const [index, output] of outputs.entries()) {
    if (!output) continue;
    if (output.arena === 'input') throw invalid(`output ${index} lies in the input arena`);
    for (const other of outputs.slice(index + 1)) {
      if (other && rangesOverlap(output, other)) throw invalid(`output ${index} overlaps another output`);
    }
    for (const [position, input] of inputs.entries()) {
      if (!input || !rangesOverlap(output, input)) continue;
      const exact = output.offset === input.offset && elementCount(output.shape) === elementCount(input.shape);
      if (exact && operation.inPlace?.(inputs, attributes, position, index)) continue;
      throw invalid(`output ${index} overlaps input ${position}`);
    }
  }
  for (const position of operation.consumes ?? []) {
    const consumed = inputs[position];
    const others = [...inputs.toSpliced(position, 1), ...outputs];
    if (consumed && others.some((other) => other && rangesOverlap(consumed, other))) {
      throw invalid(`input ${position}, which is overwritten, overlaps another operand`);
    }
  }
}

const invalid = (reason: string) => new MnemeError('invalid-program', reason);

/** Whether two ranges have elements in common. */
function rangesOverlap(a: BufferSpecification, b: BufferSpecification): boolean {
  const end = ({ offset, shape }: BufferSpecification) => offset + elementCount(shape);
  return a.arena === b.arena && a.offset < end(b) && b.offset < end(a);
}

const sameSpecification = (a: Specification, b: Specification) => a.dtype === b.dtype && sameShape(a.shape, b.shape);
const print = (specification: Specification | undefined) =>
  specification ? `${specification.dtype} ${printShape(specification.shape)}` : 'absent';
