/** All operations: what builds graphs of them, and the table by which engines find them. */
import type { Operation } from '../graph.js';
import { assignOperation } from './assign.js';
import { concatenateOperation } from './concatenate.js';
import { mapOperation, reduceOperation } from './elementwise.js';
import { elementwiseRecurrenceOperation } from './elementwise-recurrence.js';
import { elementwiseRecurrenceGradientOperation } from './elementwise-recurrence-gradient.js';
import { embeddingGradientOperation, embeddingOperation } from './embedding.js';
import { finiteOperation } from './finite.js';
import { incrementOperation } from './increment.js';
import { matmulOperation } from './matmul.js';
import { normalizedRecurrentOperation } from './normalized-recurrent.js';
import { normalizedRecurrentGradientOperation } from './normalized-recurrent-gradient.js';
import { oneHotOperation } from './one-hot.js';
import { permuteRowsOperation } from './permute-rows.js';
import { randomOperation } from './random.js';
import { recurrentOperation } from './recurrent.js';
import { recurrentGradientOperation } from './recurrent-gradient.js';
import { reverseSequenceOperation } from './reverse-sequence.js';
import { sampleOperation } from './sample.js';
import { padOperation, sliceOperation } from './slice.js';
import { softmaxOperation } from './softmax.js';
import { softmaxCrossEntropyOperation } from './softmax-cross-entropy.js';
import { sortRowsOperation } from './sort-rows.js';
import { transposeOperation } from './transpose.js';

export { concatenate } from './concatenate.js';
export { detach } from './detach.js';
export { filled } from './elementwise.js';
export {
  type ElementwiseRecurrenceOptions,
  type ElementwiseRecurrenceResult,
  elementwiseRecurrence,
  type RecurrenceStep,
} from './elementwise-recurrence.js';
export { embedding } from './embedding.js';
export { finite } from './finite.js';
export { increment } from './increment.js';
export { logSoftmax } from './log-softmax.js';
export { guardedMap, map, provenMap } from './map.js';
export { type MatmulOptions, matmul } from './matmul.js';
export { type NormalizedRecurrentOptions, normalizedRecurrent } from './normalized-recurrent.js';
export { oneHot } from './one-hot.js';
export { type PermuteRowsOptions, permuteRows } from './permute-rows.js';
export { type RandomOptions, random } from './random.js';
export { recomputed } from './recomputed.js';
export { type CellActivation, type RecurrentOptions, type RecurrentResult, recurrent } from './recurrent.js';
export { type ReduceOptions, reduceMaximum, reduceSum } from './reduce.js';
export { reverseSequence } from './reverse-sequence.js';
export { sample } from './sample.js';
export { pad, slice } from './slice.js';
export { softmax } from './softmax.js';
export { type SoftmaxCrossEntropyOptions, softmaxCrossEntropy } from './softmax-cross-entropy.js';
export { type SortedRows, sortRows } from './sort-rows.js';
export { transpose } from './transpose.js';

/** One entry an operation, by its name in programs; in the order of docs/architecture.md. */
export const operations: ReadonlyMap<string, Operation> = new Map(
  [
    matmulOperation,
    recurrentOperation,
    recurrentGradientOperation,
    normalizedRecurrentOperation,
    normalizedRecurrentGradientOperation,
    elementwiseRecurrenceOperation,
    elementwiseRecurrenceGradientOperation,
    softmaxCrossEntropyOperation,
    softmaxOperation,
    embeddingOperation,
    embeddingGradientOperation,
    oneHotOperation,
    mapOperation,
    reduceOperation,
    transposeOperation,
    concatenateOperation,
    sliceOperation,
    padOperation,
    sortRowsOperation,
    permuteRowsOperation,
    reverseSequenceOperation,
    randomOperation,
    sampleOperation,
    incrementOperation,
    assignOperation,
    finiteOperation,
  ].map((operation) => [operation.name, operation]),
);
