/** Whole sequences at once, each from zero states. */
import * as v from 'valibot';
import { elementCount, isTensor, type Tensor, tensor } from '../compute/tensor.js';
import { checkLengths, clearedBehind } from '../data/lengths.js';
import { MnemeError, requireArgument } from '../errors.js';
import type { NetworkContract } from '../network/contract.js';
import { parseOptions, wholeNumber } from '../options.js';
import { readSteps } from './step-input.js';
import { stepProgram } from './step-program.js';

const isNumbers = (value: unknown): boolean =>
  isTensor(value) || (Array.isArray(value) && value.length > 0 && value.every((length) => typeof length === 'number'));

const predictSchema = v.strictObject({
  /** Rows computed at once: bounds the memory. */
  batch: v.optional(wholeNumber(1), 256),
  /** Steps of each row that are there, `[rows]` i32 or plain numbers, 0 to time. Default: all. */
  lengths: v.optional(v.custom<Tensor | readonly number[]>(isNumbers, 'a tensor or whole numbers')),
});
export type PredictOptions = v.InferInput<typeof predictSchema>;

/** @throws {MnemeError} as `Model.predict` says */
export async function predict(network: NetworkContract, inputs: Tensor, options: PredictOptions): Promise<Tensor> {
  const { batch: most, lengths: given } = parseOptions(predictSchema, options, 'predict');
  const lengths = given && lengthsOf(given, inputs, network);
  const known = lengths ? clearedBehind(inputs, lengths) : inputs;
  const steps = readSteps(known, network.inputSignal, { singleSteps: false, where: 'predict' });
  const rowLength = steps.time * steps.width;
  const outputs: Tensor[] = [];
  for (let row = 0; row < steps.batch; row += most) {
    const batch = Math.min(most, steps.batch - row);
    const time = network.inputSignal.sequence ? steps.time : undefined;
    const program = stepProgram(network, { batch, time, lengths: lengths !== undefined }, 'zero');
    const ends = lengths && tensor(lengths.data.subarray(row, row + batch), [batch]);
    const readsEnds = program.program.inputs.some(({ name }) => name === 'lengths');
    const { output } = await network.stream.submit({
      program,
      memories: { parameters: network.memory },
      inputs: {
        input: steps.data.subarray(row * rowLength, (row + batch) * rowLength),
        ...(ends && readsEnds ? { lengths: ends.data } : {}),
      },
    });
    outputs.push(ends && network.outputSignal.sequence ? clearedBehind(output!, ends) : output!);
  }
  return stacked(outputs);
}

/** @throws {MnemeError} `invalid-argument`, `invalid-shape`, `out-of-range`: which row */
function lengthsOf(given: Tensor | readonly number[], inputs: Tensor, { inputSignal }: NetworkContract): Tensor {
  requireArgument(isTensor(inputs), 'predict', 'a tensor', inputs);
  if (!inputSignal.sequence) {
    throw new MnemeError('invalid-option', "predict: option 'lengths' is for sequences, and this model reads none.");
  }
  const { data, shape } = isTensor(given) ? given : tensor(Float64Array.from(given), [given.length]);
  const wrong = data.findIndex((length) => !Number.isInteger(length));
  if (wrong >= 0) {
    throw new MnemeError('invalid-argument', `predict: the length of row ${wrong} is ${data[wrong]}, no whole number.`);
  }
  const lengths = tensor(Int32Array.from(data), shape);
  checkLengths('predict', lengths, inputs.shape[0] ?? 0, inputs.shape[1] ?? 0);
  return lengths;
}

/** Along the first axis. */
function stacked(parts: readonly Tensor[]): Tensor {
  const [first] = parts as [Tensor];
  if (parts.length === 1) return first;
  const shape = [parts.reduce((sum, part) => sum + part.shape[0]!, 0), ...first.shape.slice(1)];
  const data =
    first.data instanceof Float64Array ? new Float64Array(elementCount(shape)) : new Float32Array(elementCount(shape));
  let offset = 0;
  for (const part of parts) {
    data.set(part.data, offset);
    offset += part.data.length;
  }
  return tensor(data, shape);
}
