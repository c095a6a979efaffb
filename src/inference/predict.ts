/** Whole sequences at once, each from zero states. */
import * as v from 'valibot';
import { elementCount, type Tensor, tensor } from '../compute/tensor.js';
import type { NetworkContract } from '../network/contract.js';
import { parseOptions, wholeNumber } from '../options.js';
import { readSteps } from './step-input.js';
import { stepProgram } from './step-program.js';

const predictSchema = v.strictObject({
  /** Rows computed at once: bounds the memory. */
  batch: v.optional(wholeNumber(1), 256),
});
export type PredictOptions = v.InferInput<typeof predictSchema>;

/** @throws {MnemeError} as `Model.predict` says */
export async function predict(network: NetworkContract, inputs: Tensor, options: PredictOptions): Promise<Tensor> {
  const parsed = parseOptions(predictSchema, options, 'predict');
  const steps = readSteps(inputs, network.inputSignal, { singleSteps: false, where: 'predict' });
  const rowLength = steps.time * steps.width;
  const outputs: Tensor[] = [];
  for (let row = 0; row < steps.batch; row += parsed.batch) {
    const batch = Math.min(parsed.batch, steps.batch - row);
    const time = network.inputSignal.sequence ? steps.time : undefined;
    const { output } = await network.stream.submit({
      program: stepProgram(network, { batch, time }, 'zero'),
      memories: { parameters: network.memory },
      inputs: { input: steps.data.subarray(row * rowLength, (row + batch) * rowLength) },
    });
    outputs.push(output!);
  }
  return stacked(outputs);
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
