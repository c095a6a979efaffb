/** A network with its averaged weights in place of those that are trained. */
import type { NumericArray } from '../compute/tensor.js';
import type { NetworkContract } from '../network/network.js';
import type { TrainedParameter } from './rule.js';

/** All parameters of a network, with the given numbers in place of the trained ones. */
export async function withTrained(
  network: NetworkContract,
  trained: readonly TrainedParameter[],
  numbers: Promise<NumericArray>,
): Promise<NumericArray> {
  const [all, own] = await Promise.all([readAll(network), numbers]);
  for (const { offset, start, length } of trained) all.set(own.subarray(start, start + length), offset);
  return all;
}

export const readAll = ({ stream, memory, parameterCount }: NetworkContract): Promise<NumericArray> =>
  stream.read(memory, 0, parameterCount, 'f32');

export async function writeAll(network: NetworkContract, values: NumericArray): Promise<void> {
  const { stream, memory } = network;
  network.touch();
  await stream.write(memory, 0, values);
}
