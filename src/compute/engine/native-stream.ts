/** A stream of the native engine: checks and copies what is submitted, and settles promises in order. */
import { MnemeError, printGibibytes, printValue, requireArgument } from '../../errors.js';
import type { Program } from '../program.js';
import { type Dtype, elementCount, isNumericArray, type NumericArray, type Tensor } from '../tensor.js';
import { type Addon, callAddon, fromAddon } from './addon.js';
import type { Memory, Outputs, Stream, Submission } from './engine.js';
import { checkProgram, NativeMemory, whenAbandoned } from './native-handles.js';
import { checkDtype, checkInputs, checkRepeat, checkSubmission } from './submission.js';

/** Something in flight: where its results go, and what to do then. */
interface Pending {
  readonly arrays: readonly NumericArray[];
  resolve(): void;
  reject(error: MnemeError): void;
}

type Persistent = keyof Submission['memories'];
const persistent: readonly Persistent[] = ['parameters', 'updater', 'state'];

export class NativeStream implements Stream {
  readonly id: number;
  readonly threads: number;
  readonly #addon: Addon;
  readonly #queue: Pending[] = [];
  // Kept here because the addon itself holds it only while work is in flight.
  readonly #settle: (count: number) => void;
  #closing: Promise<void> | undefined;
  #drained: (() => void) | undefined;

  constructor(addon: Addon, threads: number) {
    this.#addon = addon;
    this.threads = threads;
    this.#settle = (count) => this.#settleOldest(count);
    const id = callAddon('createStream', () => addon.createStream(threads, this.#settle));
    this.id = id;
    whenAbandoned(this, giveBack(addon, id));
  }

  get pending(): number {
    return this.#queue.length;
  }

  submit(submission: Submission): Promise<Outputs> {
    return new Promise((resolve, reject) => {
      checkSubmission(submission);
      const { program } = checkProgram('submit', submission.program);
      const outputs = makeOutputs(program, checkRepeat(submission.repeat ?? 1));
      const arrays = Object.values(outputs).map(({ data }) => data);
      this.#send(submission, { arrays, resolve: () => resolve(outputs), reject });
    });
  }

  /** As `submit`; the outputs are copied into arrays of the caller's, in the order of the program's ports. */
  submitInto(submission: Submission, arrays: readonly NumericArray[]): Promise<void> {
    return new Promise((resolve, reject) => {
      checkSubmission(submission);
      this.#send(submission, { arrays, resolve, reject });
    });
  }

  write(memory: Memory, offset: number, data: NumericArray): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#refuseClosed('write');
      const valid = isNumericArray(data) && !(data instanceof Float64Array);
      requireArgument(valid, 'write: data', 'a Float32Array or an Int32Array', data);
      const { id } = checkRange('write', memory, offset, data.length);
      callAddon('write', () => this.#addon.write(this.id, id, offset, data));
      this.#queue.push({ arrays: [], resolve, reject });
    });
  }

  read(memory: Memory, offset: number, length: number, dtype: 'f32' | 'i32'): Promise<NumericArray> {
    return new Promise((resolve, reject) => {
      this.#refuseClosed('read');
      const { id } = checkRange('read', memory, offset, length);
      checkDtype(dtype);
      const array = makeArray(dtype, length);
      callAddon('read', () => this.#addon.read(this.id, id, offset, length));
      this.#queue.push({ arrays: [array], resolve: () => resolve(array), reject });
    });
  }

  close(): Promise<void> {
    this.#closing ??= new Promise<void>((resolve) => {
      this.#drained = resolve;
      if (this.#queue.length === 0) resolve();
    }).then(() => void this.#addon.disposeStream(this.id));
    return this.#closing;
  }

  #send({ program: loaded, memories, inputs, repeat = 1 }: Submission, pending: Pending): void {
    this.#refuseClosed('submit');
    const { id, program } = checkProgram('submit', loaded);
    const [parameters, updater, state] = persistent.map((arena) => memoryFor(program, arena, memories[arena]));
    const arrays = checkInputs(program, inputs, ['f32']);
    callAddon(`program '${program.name}'`, () =>
      this.#addon.submit(this.id, id, parameters!, updater!, state!, checkRepeat(repeat), arrays),
    );
    this.#queue.push(pending);
  }

  #settleOldest(count: number): void {
    for (let index = 0; index < count; index++) {
      const { arrays, resolve, reject } = this.#queue.shift()!;
      try {
        this.#addon.collect(this.id, arrays);
        resolve();
      } catch (error) {
        reject(fromAddon('step', error));
      }
    }
    if (this.#queue.length === 0) this.#drained?.();
  }

  #refuseClosed(where: string): void {
    if (this.#closing) throw new MnemeError('disposed', `${where}: the stream is closed. Create another one.`);
  }
}

/** Made outside of the constructor, whose other closure holds the stream: one that held both would never be collected. */
const giveBack = (addon: Addon, id: number) => () => void addon.disposeStream(id);

/** The memory's number, 0 where the program needs none. */
function memoryFor(program: Program, arena: Persistent, memory: Memory | undefined): number {
  const needed = program.sizes[arena];
  if (needed === 0) return 0;
  const where = `program '${program.name}', ${arena} memory`;
  if (memory === undefined) {
    throw new MnemeError('invalid-argument', `${where} is missing: give one of at least ${needed} elements.`);
  }
  const { id, length } = checkMemory(where, memory);
  if (length < needed) {
    throw new MnemeError('invalid-shape', `${where} must have at least ${needed} elements, got ${length}.`);
  }
  return id;
}

function checkMemory(where: string, memory: Memory): NativeMemory {
  if (!(memory instanceof NativeMemory)) {
    throw new MnemeError('invalid-argument', `${where}: the memory must be one that the native engine has allocated.`);
  }
  if (memory.disposed) throw new MnemeError('disposed', `${where}: the memory has been disposed of.`);
  return memory;
}

function checkRange(where: string, memory: Memory, offset: number, length: number): NativeMemory {
  const checked = checkMemory(where, memory);
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!whole || offset + length > checked.length) {
    throw new MnemeError(
      'out-of-range',
      `${where}: ${printValue(length)} elements from ${printValue(offset)} on do not lie in a memory of ${checked.length}.`,
    );
  }
  return checked;
}

function makeOutputs(program: Program, repeat: number): Record<string, Tensor> {
  const outputs: Record<string, Tensor> = {};
  for (const { name, buffer } of program.outputs) {
    const { dtype, shape } = program.buffers[buffer]!;
    const full = repeat === 1 ? shape : [repeat, ...shape];
    outputs[name] = { dtype, shape: full, data: makeArray(dtype, elementCount(full)) };
  }
  return outputs;
}

function makeArray(dtype: Dtype, length: number): NumericArray {
  try {
    return dtype === 'i32' ? new Int32Array(length) : new Float32Array(length);
  } catch (cause) {
    throw new MnemeError('out-of-memory', `an output of ${printGibibytes(length * 4)} cannot be allocated.`, { cause });
  }
}
