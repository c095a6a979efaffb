/** Numbers in the precision of an engine, and the inputs that a program asks for. */
import type { Engine, LoadedProgram } from '../compute/engine/engine.js';
import type { NumericArray, Tensor } from '../compute/tensor.js';
import { within } from '../data/lengths.js';
import type { Loss } from '../network/losses/loss.js';
import { partPort, type TracePart } from '../network/trace.js';
import type { Chunk } from './chunks.js';

/** Real numbers as the engine takes them. */
export const reals = ({ precision }: Engine, values: ArrayLike<number>): NumericArray =>
  precision === 'f64' ? Float64Array.from(values) : Float32Array.from(values);

/** A batch, and what its loss needs beside it, by the ports they go to. */
export const portsOf = (
  { inputs, targets, mask, lengths, inputMask, reset, parts = [] }: Chunk,
  loss: Loss,
): Readonly<Record<string, Tensor>> => ({
  input: inputs,
  targets: mask && targets.data instanceof Int32Array ? countedIds(targets, targets.data, mask) : targets,
  ...(mask ? { mask } : {}),
  ...(lengths ? { lengths, ...lengthsOfParts(lengths, parts) } : {}),
  ...(inputMask ? { inputMask } : {}),
  ...(reset ? { reset: { ...reset, data: Float32Array.from(reset.data) } } : {}),
  ...Object.fromEntries(Object.entries(loss.constants ?? {}).map(([name, value]) => [constantPort(name), value])),
});

/** What of each row lies in each part of its time. */
function lengthsOfParts(lengths: Tensor, parts: readonly TracePart[]): Record<string, Tensor> {
  const starts = parts.map((_, number) => parts.slice(0, number).reduce((sum, { time }) => sum + time, 0));
  return Object.fromEntries(
    parts.map(({ time }, number) => [partPort('lengths', number), within(lengths, starts[number]!, time)]),
  );
}

/** The port of a loss's constant: whatever its name, no other port has it. */
export const constantPort = (name: string): string => `loss/${name}`;

/** Ids that the mask leaves out may be anything, -100 above all: 0 stands for them, which every loss can look up. */
const countedIds = (targets: Tensor, ids: Int32Array, mask: Tensor): Tensor => ({
  ...targets,
  data: ids.map((id, place) => (mask.data[place] === 0 ? 0 : id)),
});

/** Of the given inputs those that the program has ports for: a port that nothing depends on is not in it. */
export function inputsFor(
  engine: Engine,
  { program }: LoadedProgram,
  given: Readonly<Record<string, NumericArray | Tensor>>,
): Record<string, NumericArray> {
  return Object.fromEntries(
    program.inputs.map(({ name }) => {
      const value = given[name]!;
      const data = ArrayBuffer.isView(value) ? value : value.data;
      return [name, engine.precision === 'f32' && data instanceof Float64Array ? Float32Array.from(data) : data];
    }),
  );
}
