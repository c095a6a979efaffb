/** A program as the words that the native engine reads; `native/engine/program.h` has the layout. */
import { MnemeError, printGibibytes } from '../../errors.js';
import { arenas, type BufferSpecification, type Instruction, type Loop, type Program } from '../program.js';

const magic = 0x6d6e656d;
const version = 2;
const nameBytes = 64;
const largestArena = 2 ** 31 - 1;
const dtypes = { f32: 0, i32: 1 } as const;

/**
 * Encodes a program. Only what words can hold is checked here; the engine verifies the rest.
 *
 * @throws {MnemeError} `out-of-memory` if an arena has more than 2^31 - 1 elements (8 GiB), `invalid-program` if a name
 *   does not fit
 */
export function encodeProgram(program: Program): Int32Array {
  for (const arena of arenas) {
    const elements = program.sizes[arena];
    if (elements > largestArena) {
      throw new MnemeError(
        'out-of-memory',
        `program '${program.name}' needs ${printGibibytes(elements * 4)} of ${arena} memory in one piece, the engine takes at most ` +
          '8 GiB. Use smaller batches or shorter sequences.',
      );
    }
  }
  const { loops = [] } = program;
  const names = [...new Set(program.instructions.map((instruction) => instruction.operation))];
  return Int32Array.from([
    magic,
    version,
    names.length,
    program.buffers.length,
    program.instructions.length,
    loops.length,
    program.inputs.length,
    program.outputs.length,
    ...arenas.map((arena) => program.sizes[arena]),
    ...names.flatMap(nameWords),
    ...program.buffers.flatMap(bufferWords),
    ...program.instructions.flatMap((instruction) =>
      instructionWords(instruction, names.indexOf(instruction.operation)),
    ),
    ...loops.flatMap(loopWords),
    ...program.inputs.map((port) => port.buffer),
    ...program.outputs.map((port) => port.buffer),
  ]);
}

function nameWords(name: string): number[] {
  const bytes = new Uint8Array(nameBytes);
  const { read, written } = new TextEncoder().encodeInto(name, bytes);
  if (read < name.length || written >= nameBytes) {
    throw new MnemeError(
      'invalid-program',
      `'${name}' is too long for the name of an operation (${nameBytes - 1} bytes).`,
    );
  }
  const view = new DataView(bytes.buffer);
  return Array.from({ length: nameBytes / 4 }, (_, word) => view.getInt32(4 * word, true));
}

function bufferWords({ arena, offset, dtype, shape, strides = [] }: BufferSpecification): number[] {
  const moves = strides.flatMap(({ loop, elements }) => [loop, elements]);
  return [arenas.indexOf(arena), offset, dtypes[dtype], shape.length, strides.length, ...shape, ...moves];
}

const loopWords = ({ first, end, count }: Loop): number[] => [first, end, count];

function instructionWords({ inputs, outputs, words }: Instruction, name: number): number[] {
  return [name, inputs.length, outputs.length, words.length, ...inputs, ...outputs, ...words];
}
