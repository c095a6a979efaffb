/**
 * A fused GRU over whole sequences (Cho et al. 2014). With gates r, z, n in the columns of the kernels,
 * a = activation, s = gateActivation, b the bias and d the recurrent bias:
 *
 *     r, z = s(x·W + h·U + b + d)   h' = z·h + (1 − z)·n
 *     n = a(x·W + (r·h)·U + b)      reset before the product
 *     n = a(x·W + r·(h·U + d) + b)  reset after it: `resetAfter`, as in cuDNN, PyTorch and Keras
 */
import type { ActivationName } from './activations.js';
import { type KernelOptions, runKernel, runKernelAsync } from './call.js';
import {
  backwardCall,
  forwardCall,
  type SequenceGradientInputs,
  type SequenceGradientOutputs,
  type SequenceInputs,
  type SequenceOutputs,
} from './sequence.js';

interface GruInputs extends SequenceInputs {
  /** `[3·units]`, with `resetAfter` only; zeros if absent */
  readonly recurrentBias?: Float32Array | undefined;
  /** Default false. */
  readonly resetAfter?: boolean | undefined;
  /** Default `sigmoid`. */
  readonly gateActivation?: ActivationName | undefined;
}

/** No array that is filled may share memory with another one. */
export interface GruForward extends GruInputs, SequenceOutputs {}

/** No array that is filled, nor the tape, may share memory with another one. */
export interface GruBackward extends GruInputs, SequenceGradientInputs, SequenceGradientOutputs {
  /** `[3·units]`, filled; where there is a recurrent bias */
  readonly dRecurrentBias?: Float32Array | undefined;
}

/**
 * Runs a GRU over a sequence, on the calling thread and its team; nothing is copied.
 *
 * @throws {MnemeError} as `lstmForward`
 */
export function gruForward(values: GruForward, options?: KernelOptions): void {
  runKernel(forwardCall('gruForward', 'gru', values), options);
}

/** As `gruForward`, off the event loop: inputs are copied at once, outputs are filled when it resolves. */
export async function gruForwardAsync(values: GruForward, options?: KernelOptions): Promise<void> {
  await runKernelAsync(forwardCall('gruForwardAsync', 'gru', values), options);
}

/**
 * The gradients of a GRU, from the tape that `gruForward` filled with the same inputs.
 *
 * @throws {MnemeError} as `lstmForward`
 */
export function gruBackward(values: GruBackward, options?: KernelOptions): void {
  runKernel(backwardCall('gruBackward', 'gru', values), options);
}

/** As `gruBackward`, off the event loop; it leaves the tape as it was. */
export async function gruBackwardAsync(values: GruBackward, options?: KernelOptions): Promise<void> {
  await runKernelAsync(backwardCall('gruBackwardAsync', 'gru', values), options);
}
