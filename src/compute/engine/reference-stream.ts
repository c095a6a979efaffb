/** A stream of the reference engine: a queue on the main thread that lets the event loop run between steps. */
import { MnemeError, printValue, requireArgument } from '../../errors.js';
import { operations } from '../operations/index.js';
import type { Arena, BufferSpecification, Instruction, Port, Program } from '../program.js';
import { elementCount, isNumericArray, type NumericArray, type Tensor } from '../tensor.js';
import type { Memory, Outputs, Stream, Submission } from './engine.js';
import { ReferenceMemory, ReferenceProgram, zeros } from './reference-handles.js';
import { checkDtype, checkInputs, checkRepeat, checkSubmission } from './submission.js';

type Precision = 'f32' | 'f64';
type Arenas = Readonly<Record<Arena, Float64Array>>;

export class ReferenceStream implements Stream {
  readonly threads: number;
  readonly #precision: Precision;
  #pending = 0;
  #tail: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor({ precision, threads }: { readonly precision: Precision; readonly threads: number }) {
    this.#precision = precision;
    this.threads = threads;
  }

  get pending(): number {
    return this.#pending;
  }

  async submit(submission: Submission): Promise<Outputs> {
    checkSubmission(submission);
    const { program: loaded, memories, inputs, repeat = 1 } = submission;
    this.#refuseClosed('submit');
    const own = checkProgram(loaded);
    const { program, scratch, input, output } = own;
    const memory = (arena: keyof typeof memories) => memoryFor(program, arena, memories[arena]);
    const persistent = { parameters: memory('parameters'), updater: memory('updater'), state: memory('state') };
    const times = checkRepeat(repeat);
    const real = this.#precision === 'f64' ? (['f64', 'f32'] as const) : (['f32'] as const);
    const given = checkInputs(program, inputs, real).map((array) => array.slice());
    return this.#enqueue(async () => {
      const all = { ...persistent, scratch, input, output };
      for (const [index, port] of program.inputs.entries()) rangeOf(all, bufferOf(program, port)).set(given[index]!);
      const results = program.outputs.map((port) => makeOutput(bufferOf(program, port), times, this.#precision));
      for (let repetition = 0; repetition < times; repetition++) {
        if (repetition > 0) await nextTurn();
        run(program, all, this.#precision);
        for (const [index, port] of program.outputs.entries()) {
          const range = rangeOf(all, bufferOf(program, port));
          results[index]!.data.set(range, repetition * range.length);
        }
      }
      return Object.fromEntries(program.outputs.map(({ name }, index) => [name, results[index]!]));
    });
  }

  async write(memory: Memory, offset: number, data: NumericArray): Promise<void> {
    this.#refuseClosed('write');
    const valid = isNumericArray(data) && (this.#precision === 'f64' || !(data instanceof Float64Array));
    requireArgument(valid, 'write: data', 'a Float32Array or an Int32Array', data);
    const range = checkRange('write', memory, offset, data.length);
    // A detached array has no elements and cannot be copied.
    const copy = data.length > 0 ? data.slice() : new Float32Array(0);
    return this.#enqueue(async () => range.set(copy));
  }

  async read(memory: Memory, offset: number, length: number, dtype: 'f32' | 'i32'): Promise<NumericArray> {
    this.#refuseClosed('read');
    const range = checkRange('read', memory, offset, length);
    checkDtype(dtype);
    return this.#enqueue(async () => makeArray(dtype, this.#precision, range));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#tail;
  }

  #enqueue<T>(task: () => Promise<T>): Promise<T> {
    this.#pending++;
    const result = this.#tail
      .then(nextTurn)
      .then(task)
      .finally(() => {
        this.#pending--;
      });
    this.#tail = result.catch(() => undefined);
    return result;
  }

  #refuseClosed(where: string): void {
    if (this.#closed) throw new MnemeError('disposed', `${where}: the stream is closed. Create another one.`);
  }
}

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Runs all instructions, loops again and again; in single precision, each one's results are rounded. */
function run(program: Program, all: Arenas, precision: Precision): void {
  const { instructions, buffers, loops = [] } = program;
  const iterations = loops.map(() => 0);
  const operand = (number: number) => {
    const buffer = buffers[number];
    return buffer && { dtype: buffer.dtype, shape: buffer.shape, data: rangeOf(all, buffer, iterations) };
  };
  const runOne = ({ operation, inputs, outputs, attributes }: Instruction) => {
    const results = outputs.map(operand);
    operations.get(operation)!.reference({ inputs: inputs.map(operand), outputs: results, attributes });
    if (precision === 'f64') return;
    for (const result of results) {
      if (result?.dtype !== 'f32') continue;
      for (let index = 0; index < result.data.length; index++) result.data[index] = Math.fround(result.data[index]!);
    }
  };
  for (let index = 0; index < instructions.length; ) {
    runOne(instructions[index]!);
    index++;
    // Of the loops that end here, the innermost that is not done begins anew.
    for (let loop = loops.length - 1; loop >= 0; loop--) {
      const { first, end, count } = loops[loop]!;
      if (end !== index) continue;
      iterations[loop]!++;
      if (iterations[loop]! < count) {
        index = first;
        break;
      }
      iterations[loop] = 0;
    }
  }
}

const bufferOf = (program: Program, port: Port): BufferSpecification => program.buffers[port.buffer]!;

function rangeOf(
  all: Arenas,
  { arena, offset, shape, strides = [] }: BufferSpecification,
  iterations: readonly number[] = [],
): Float64Array {
  const start = strides.reduce((place, { loop, elements }) => place + elements * iterations[loop]!, offset);
  return all[arena].subarray(start, start + elementCount(shape));
}

function makeOutput({ dtype, shape }: BufferSpecification, repeat: number, precision: Precision): Tensor {
  const full = repeat === 1 ? shape : [repeat, ...shape];
  return {
    dtype: dtype === 'f32' ? precision : dtype,
    shape: full,
    data: makeArray(dtype, precision, zeros(elementCount(full), 'an output')),
  };
}

function makeArray(dtype: 'f32' | 'i32', precision: Precision, values: Float64Array): NumericArray {
  if (dtype === 'i32') return Int32Array.from(values);
  return precision === 'f64' ? values.slice() : Float32Array.from(values);
}

function checkProgram(loaded: unknown): ReferenceProgram {
  if (!(loaded instanceof ReferenceProgram)) {
    throw new MnemeError('invalid-argument', 'submit: program must be one that the reference engine has loaded.');
  }
  if (!loaded.disposed) return loaded;
  throw new MnemeError('disposed', `submit: program '${loaded.program.name}' has been disposed of.`);
}

function memoryFor(program: Program, arena: Arena, memory: Memory | undefined): Float64Array {
  const needed = program.sizes[arena];
  if (needed === 0) return new Float64Array(0);
  const where = `program '${program.name}', ${arena} memory`;
  if (memory === undefined) {
    throw new MnemeError('invalid-argument', `${where} is missing: give one of at least ${needed} elements.`);
  }
  const { data, length } = checkMemory(where, memory);
  if (length >= needed) return data;
  throw new MnemeError('invalid-shape', `${where} must have at least ${needed} elements, got ${length}.`);
}

function checkMemory(where: string, memory: Memory): ReferenceMemory {
  if (!(memory instanceof ReferenceMemory)) {
    throw new MnemeError('invalid-argument', `${where}: the memory must be one that the reference engine allocated.`);
  }
  if (memory.disposed) throw new MnemeError('disposed', `${where}: the memory has been disposed of.`);
  return memory;
}

function checkRange(where: string, memory: Memory, offset: number, length: number): Float64Array {
  const { data } = checkMemory(where, memory);
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (whole && offset + length <= data.length) return data.subarray(offset, offset + length);
  throw new MnemeError(
    'out-of-range',
    `${where}: ${printValue(length)} elements from ${printValue(offset)} on do not lie in a memory of ${data.length}.`,
  );
}
