/**
 * The fused kernels on typed arrays, for those who build their own thing. Each function comes in two kinds:
 *
 * - **synchronous**: works on your arrays directly, on the calling thread and a team of `threads`; blocks the event loop.
 * - **`…Async`**: copies the inputs before it returns, runs on threads of its own, first in first out, and fills the
 *   outputs on the event loop when the promise resolves. Inputs may be changed in the meantime.
 *
 * Buffer contracts: every array is a whole Float32Array or Int32Array in row-major order, of exactly the elements that
 * its shape says; a shape is verified once and remembered. Sequences are time-major, `[time, batch, feature]`. Arrays
 * that are filled need no initial content and may share memory with no other argument. Results have the same bits for any
 * number of threads and on every instruction set.
 */
export type { ActivationName } from './activations.js';
export type { KernelOptions } from './call.js';
export {
  type GruBackward,
  type GruForward,
  gruBackward,
  gruBackwardAsync,
  gruForward,
  gruForwardAsync,
} from './gru.js';
export {
  type LstmBackward,
  type LstmForward,
  lstmBackward,
  lstmBackwardAsync,
  lstmForward,
  lstmForwardAsync,
} from './lstm.js';
export { type Matmul, matmul, matmulAsync } from './matmul.js';
export {
  type RnnBackward,
  type RnnForward,
  rnnBackward,
  rnnBackwardAsync,
  rnnForward,
  rnnForwardAsync,
} from './rnn.js';
export { type SequenceExtents, tapeLength } from './sequence.js';
