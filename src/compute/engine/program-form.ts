/**
 * That a program has the form of one, before an engine verifies what it means. What comes out is a frozen copy: whoever changes
 * the program later, or lets it answer differently when it is read twice, changes nothing of what was verified.
 */
import { isTypedArray, MnemeError, printValue } from '../../errors.js';
import {
  arenas,
  type BufferSpecification,
  type Instruction,
  type Loop,
  type Port,
  type Program,
  type Stride,
} from '../program.js';

/** @throws {MnemeError} `invalid-program`: which part has another form, expected and got */
export function copyOfProgram(program: Program): Program {
  const { name, buffers, instructions, loops, inputs, outputs, sizes, cost, names } = objectOf(program, 'a program');
  const own = stringOf(name, 'its name');
  const where = (what: string) => `program '${own}': ${what}`;
  const known = objectOf(sizes, where('sizes'));
  return frozen({
    name: own,
    buffers: listOf(buffers, where('buffers'), bufferOf),
    instructions: listOf(instructions, where('instructions'), instructionOf),
    ...(loops === undefined ? {} : { loops: listOf(loops, where('loops'), loopOf) }),
    inputs: listOf(inputs, where('inputs'), portOf),
    outputs: listOf(outputs, where('outputs'), portOf),
    sizes: Object.fromEntries(
      arenas.map((arena) => [arena, wholeOf(known[arena], where(`the size of ${arena}`), 0, Number.MAX_SAFE_INTEGER)]),
    ) as Program['sizes'],
    cost: { ...cost },
    names: listOf(names ?? [], where('names'), stringOf),
  });
}

/** With everything in it, which may go in circles; the elements of typed arrays alone cannot be frozen. */
function frozen<Kind extends object>(value: Kind): Kind {
  const found: unknown[] = [value];
  for (const part of found) {
    if (typeof part !== 'object' || part === null || ArrayBuffer.isView(part) || Object.isFrozen(part)) continue;
    found.push(...Object.values(Object.freeze(part)));
  }
  return value;
}

function bufferOf(value: unknown, where: string): BufferSpecification {
  const { arena, offset, dtype, shape, strides } = objectOf(value as BufferSpecification, where);
  return {
    arena: stringOf(arena, `${where}, arena`) as BufferSpecification['arena'],
    offset: wordOf(offset, `${where}, offset`),
    dtype: stringOf(dtype, `${where}, dtype`) as BufferSpecification['dtype'],
    shape: listOf(shape, `${where}, shape`, wordOf),
    ...(strides === undefined ? {} : { strides: listOf(strides, `${where}, strides`, strideOf) }),
  };
}

function strideOf(value: unknown, where: string): Stride {
  const { loop, elements } = objectOf(value as Stride, where);
  return { loop: wordOf(loop, `${where}, loop`), elements: wordOf(elements, `${where}, elements`) };
}

function loopOf(value: unknown, where: string): Loop {
  const { first, end, count } = objectOf(value as Loop, where);
  return {
    first: wordOf(first, `${where}, first`),
    end: wordOf(end, `${where}, end`),
    count: wordOf(count, `${where}, count`),
  };
}

function instructionOf(value: unknown, where: string): Instruction {
  const { operation, inputs, outputs, attributes, words } = objectOf(value as Instruction, where);
  return {
    operation: stringOf(operation, `${where}, operation`),
    inputs: listOf(inputs, `${where}, inputs`, wordOf),
    outputs: listOf(outputs, `${where}, outputs`, wordOf),
    attributes: cloneOf(objectOf(attributes, `${where}, attributes`), `${where}, attributes`),
    // Bits of floats and seeds may be written without a sign.
    words: listOf(words, `${where}, words`, (word, place) => wholeOf(word, place, -(2 ** 31), 2 ** 32 - 1)),
  };
}

function portOf(value: unknown, where: string): Port {
  const { name, buffer, limit } = objectOf(value as Port, where);
  const port = { name: stringOf(name, `${where}, name`), buffer: wordOf(buffer, `${where}, buffer`) };
  return limit === undefined ? port : { ...port, limit: wholeOf(limit, `${where}, limit`, 0, Number.MAX_SAFE_INTEGER) };
}

const wordOf = (value: unknown, where: string): number => wholeOf(value, where, -(2 ** 31), 2 ** 31 - 1);

function wholeOf(value: unknown, where: string, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && (value as number) >= minimum && (value as number) <= maximum) return value as number;
  throw refused(where, `a whole number from ${minimum} to ${maximum}`, value);
}

function stringOf(value: unknown, where: string): string {
  if (typeof value === 'string') return value;
  throw refused(where, 'a string', value);
}

function objectOf<Kind extends object>(value: Kind, where: string): Kind {
  if (typeof value === 'object' && value !== null && !isTypedArray(value)) return value;
  throw refused(where, 'an object', value);
}

function listOf<To>(value: unknown, where: string, convert: (item: unknown, where: string) => To): To[] {
  if (!Array.isArray(value)) throw refused(where, 'a list', value);
  return Array.from(value, (item, index) => convert(item, `${where}, ${index}`));
}

function cloneOf<Kind extends object>(value: Kind, where: string): Kind {
  try {
    return structuredClone(value);
  } catch (cause) {
    throw new MnemeError('invalid-program', `${where}: must be plain data.`, { cause });
  }
}

const refused = (where: string, expected: string, got: unknown): MnemeError =>
  new MnemeError('invalid-program', `${where}: must be ${expected}, got ${printValue(got)}.`);
