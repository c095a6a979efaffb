/**
 * A fused LSTM over whole sequences (Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000). With gates
 * i, f, g, o in the columns of the kernels, a = activation, s = gateActivation:
 *
 *     i, f, o = s(x·W + h·U + b)   g = a(x·W + h·U + b)   c' = f·c + i·g   h' = o·a(c')
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

interface LstmInputs extends SequenceInputs {
  /** `[batch, units]`; zeros if absent */
  readonly initialCell?: Float32Array | undefined;
  /** Default `sigmoid`. */
  readonly gateActivation?: ActivationName | undefined;
}

/** No array that is filled may share memory with another one. */
export interface LstmForward extends LstmInputs, SequenceOutputs {
  /** `[batch, units]`, filled */
  readonly finalCell?: Float32Array | undefined;
}

/** No array that is filled, nor the tape, may share memory with another one. */
export interface LstmBackward extends LstmInputs, SequenceGradientInputs, SequenceGradientOutputs {
  /** `[batch, units]`; zeros if absent */
  readonly dFinalCell?: Float32Array | undefined;
  /** `[batch, units]`, filled; where there is an initial cell state */
  readonly dInitialCell?: Float32Array | undefined;
}

/**
 * Runs an LSTM over a sequence, on the calling thread and its team; nothing is copied.
 *
 * @throws {MnemeError} `invalid-argument` (missing, misspelt, detached, overlapping or shared arrays), `invalid-shape`
 *   (which array, expected and got), `out-of-range` (an id), `engine-unavailable` (the addon does not load)
 * @example
 * const [time, batch, inputs, units] = [2, 1, 3, 4];
 * const output = new Float32Array(time * batch * units);
 * lstmForward({
 *   time, batch, inputs, units,
 *   input: new Float32Array(time * batch * inputs).fill(1),
 *   kernel: new Float32Array(inputs * 4 * units).fill(0.1),
 *   recurrentKernel: new Float32Array(units * 4 * units),
 *   output,
 * });
 */
export function lstmForward(values: LstmForward, options?: KernelOptions): void {
  runKernel(forwardCall('lstmForward', 'lstm', values), options);
}

/** As `lstmForward`, off the event loop: inputs are copied at once, outputs are filled when it resolves. */
export async function lstmForwardAsync(values: LstmForward, options?: KernelOptions): Promise<void> {
  await runKernelAsync(forwardCall('lstmForwardAsync', 'lstm', values), options);
}

/**
 * The gradients of an LSTM, from the tape that `lstmForward` filled with the same inputs.
 *
 * @throws {MnemeError} as `lstmForward`
 */
export function lstmBackward(values: LstmBackward, options?: KernelOptions): void {
  runKernel(backwardCall('lstmBackward', 'lstm', values), options);
}

/** As `lstmBackward`, off the event loop; it leaves the tape as it was. */
export async function lstmBackwardAsync(values: LstmBackward, options?: KernelOptions): Promise<void> {
  await runKernelAsync(backwardCall('lstmBackwardAsync', 'lstm', values), options);
}
