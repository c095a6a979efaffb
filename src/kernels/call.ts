/**
 * One kernel on typed arrays: an operation with its operands becomes a program of one instruction, which the engine
 * verifies once for each shape and keeps.
 */

import type { NativeEngine } from '../compute/engine/native.js';
import type { NativeProgram } from '../compute/engine/native-handles.js';
import type { NativeStream } from '../compute/engine/native-stream.js';
import { defaultNativeEngine } from '../compute/engine/select.js';
import { type Attributes, makeNode, type Operation, type Specification, type Value } from '../compute/graph.js';
import type { Arena, BufferSpecification, Port, Program } from '../compute/program.js';
import { elementCount, isNumericArray, type NumericArray, printShape, type Shape } from '../compute/tensor.js';
import { MnemeError, printKind, printValue, requireArgument } from '../errors.js';
import { Recent } from './recent.js';

/** How a kernel runs. */
export interface KernelOptions {
  /** 1 to 256. Default: MNEME_THREADS, or the cores this process may use. The result has the same bits for any number. */
  readonly threads?: number;
}

/** An array with the shape it is taken to have, and the name it has in messages. */
export interface Operand {
  readonly name: string;
  readonly data: NumericArray;
  readonly shape: Shape;
}

export interface KernelCall {
  /** The public function, for messages. */
  readonly where: string;
  readonly operation: Operation;
  readonly attributes: Attributes;
  /** What the attributes say, as a key. */
  readonly variant: string;
  readonly inputs: readonly (Operand | undefined)[];
  readonly outputs: readonly (Operand | undefined)[];
}

/** Runs the kernel on the calling thread and its team, on the arrays themselves. */
export function runKernel(call: KernelCall, options: KernelOptions = {}): void {
  const { engine, program, threads } = prepare(call, options);
  engine.execute(program, threads, call.inputs.map(arrayOf), call.outputs.map(arrayOf));
}

/** Runs the kernel on a stream: inputs are copied before it returns, outputs are written when it settles. */
export async function runKernelAsync(call: KernelCall, options: KernelOptions = {}): Promise<void> {
  const { host, program, threads } = prepare(call, options);
  const inputs = Object.fromEntries(present(call.inputs).map(({ name, data }) => [name, data]));
  const outputs = present(call.outputs).map(({ data }) => data);
  await host.stream(threads).submitInto({ program, memories: {}, inputs }, outputs);
}

function prepare(call: KernelCall, options: KernelOptions) {
  requireArgument(typeof options === 'object' && options !== null, call.where, 'options', options);
  const { threads: asked } = options;
  const host = theHost();
  const threads = asked ?? host.engine.defaultThreads;
  if (!Number.isSafeInteger(threads) || threads < 1 || threads > mostThreads) {
    const message = `${call.where}: threads must be a whole number from 1 to ${mostThreads}, got ${printValue(threads)}.`;
    throw new MnemeError('invalid-option', message);
  }
  for (const operand of [...call.inputs, ...call.outputs]) if (operand) checkOperand(call.where, operand);
  return { host, engine: host.engine, program: host.program(call), threads };
}

const mostThreads = 256;
/** Shapes, and numbers of threads, in use at the same time: more are forgotten, the oldest first. */
const keptPrograms = 64;
const keptStreams = 4;

/** The engine with the programs and streams that were needed last. */
class Host {
  readonly engine: NativeEngine;
  private readonly programs = new Recent<string, NativeProgram>(keptPrograms, (program) => program.dispose());
  private readonly streams = new Recent<number, NativeStream>(keptStreams, (stream) => void stream.close());

  constructor(engine: NativeEngine) {
    this.engine = engine;
  }

  program(call: KernelCall): NativeProgram {
    return this.programs.get(keyOf(call), () => this.engine.load(programOf(call)));
  }

  stream(threads: number): NativeStream {
    return this.streams.get(threads, () => this.engine.createStream({ threads }));
  }
}

const hosts = new WeakMap<NativeEngine, Host>();

/** Looked for at each call, so that importing this module loads nothing. */
function theHost(): Host {
  const engine = defaultNativeEngine();
  const host = hosts.get(engine) ?? new Host(engine);
  hosts.set(engine, host);
  return host;
}

const keyOf = ({ where, variant, inputs, outputs }: KernelCall): string =>
  `${where} ${variant} ${[...inputs, ...outputs].map((operand) => operand?.shape ?? '-').join(' ')} ${inputs[0]?.data instanceof Int32Array}`;

function checkOperand(where: string, { name, data, shape }: Operand): void {
  if (!isNumericArray(data) || data instanceof Float64Array) {
    throw new MnemeError(
      'invalid-argument',
      `${where}: '${name}' must be a Float32Array or an Int32Array, got ${printKind(data)}.`,
    );
  }
  if (shape.some((extent) => !Number.isSafeInteger(extent) || extent < 1)) {
    throw new MnemeError('invalid-shape', `${where}: '${name}' cannot have the shape ${printShape(shape)}.`);
  }
  const expected = elementCount(shape);
  if (data.length !== expected) {
    const detached = data.buffer.byteLength === 0 ? ' (is its buffer detached?)' : '';
    throw new MnemeError(
      'invalid-shape',
      `${where}: '${name}' must have ${expected} elements ${printShape(shape)}, got ${data.length}${detached}.`,
    );
  }
}

/** The program of one instruction; every operand is a port of its own. */
function programOf({ where, operation, attributes, inputs, outputs }: KernelCall): Program {
  const values = inputs.map((operand) => operand && symbolOf(operand));
  const node = makeNode(operation, values, attributes);
  const sizes: Record<Arena, number> = { parameters: 0, updater: 0, state: 0, scratch: 0, input: 0, output: 0 };
  const buffers: BufferSpecification[] = [];
  const ports = { input: [] as Port[], output: [] as Port[] };
  const place = (arena: 'input' | 'output', name: string, { dtype, shape }: Specification): number => {
    const buffer = buffers.push({ arena, offset: sizes[arena], dtype, shape }) - 1;
    sizes[arena] += Math.ceil(elementCount(shape) / 16) * 16;
    ports[arena].push({ name, buffer });
    return buffer;
  };
  const inputBuffers = inputs.map((operand) => (operand ? place('input', operand.name, symbolOf(operand)) : -1));
  const outputBuffers = outputs.map((operand, index) => {
    if (!operand) return -1;
    const expected = node.outputs[index];
    if (!expected) throw new MnemeError('invalid-argument', `${where}: there is no '${operand.name}' to compute here.`);
    if (elementCount(expected.shape) !== elementCount(operand.shape)) {
      throw new MnemeError(
        'invalid-shape',
        `${where}: '${operand.name}' must be ${printShape(expected.shape)}, got ${printShape(operand.shape)}.`,
      );
    }
    return place('output', operand.name, expected);
  });
  return {
    name: where,
    buffers,
    instructions: [
      {
        operation: operation.name,
        inputs: inputBuffers,
        outputs: outputBuffers,
        attributes,
        words: operation.words(node),
      },
    ],
    inputs: ports.input,
    outputs: ports.output,
    sizes,
    cost: { ...operation.cost(node), scratchWithoutReuse: 0 },
    names: [...ports.input, ...ports.output].map(({ name }) => name),
  };
}

function symbolOf({ name, data, shape }: Operand): Value {
  const dtype = data instanceof Int32Array ? 'i32' : 'f32';
  const node = { depth: 0, inputs: [], attributes: {}, outputs: [] };
  return { name, dtype, shape, node, output: 0 };
}

const arrayOf = (operand: Operand | undefined): NumericArray | null => operand?.data ?? null;
const present = (operands: readonly (Operand | undefined)[]): Operand[] =>
  operands.filter((operand) => operand !== undefined);
