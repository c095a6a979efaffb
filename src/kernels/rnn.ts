/** A fused simple RNN over whole sequences (Elman 1990): h' = a(x·W + h·U + b), a = activation. */
import { type KernelOptions, runKernel, runKernelAsync } from './call.js';
import {
  backwardCall,
  forwardCall,
  type SequenceGradientInputs,
  type SequenceGradientOutputs,
  type SequenceInputs,
  type SequenceOutputs,
} from './sequence.js';

/** No array that is filled may share memory with another one. */
export interface RnnForward extends SequenceInputs, SequenceOutputs {}

/** No array that is filled, nor the tape, may share memory with another one. */
export interface RnnBackward extends SequenceInputs, SequenceGradientInputs, SequenceGradientOutputs {}

/**
 * Runs a simple RNN over a sequence, on the calling thread and its team; nothing is copied.
 *
 * @throws {MnemeError} as `lstmForward`
 */
export function rnnForward(values: RnnForward, options?: KernelOptions): void {
  runKernel(forwardCall('rnnForward', 'simple', values), options);
}

/** As `rnnForward`, off the event loop: inputs are copied at once, outputs are filled when it resolves. */
export async function rnnForwardAsync(values: RnnForward, options?: KernelOptions): Promise<void> {
  await runKernelAsync(forwardCall('rnnForwardAsync', 'simple', values), options);
}

/**
 * The gradients of a simple RNN, from the tape that `rnnForward` filled with the same inputs.
 *
 * @throws {MnemeError} as `lstmForward`
 */
export function rnnBackward(values: RnnBackward, options?: KernelOptions): void {
  runKernel(backwardCall('rnnBackward', 'simple', values), options);
}

/** As `rnnBackward`, off the event loop; it leaves the tape as it was. */
export async function rnnBackwardAsync(values: RnnBackward, options?: KernelOptions): Promise<void> {
  await runKernelAsync(backwardCall('rnnBackwardAsync', 'simple', values), options);
}
