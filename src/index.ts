/** The public names of mneme. */

export type { Engine } from './compute/engine/engine.js';
export { createReferenceEngine } from './compute/engine/reference.js';
export { defaultEngine } from './compute/engine/select.js';
export { constant, type Expression, lerp } from './compute/expression.js';
export { type Dtype, type NumericArray, type Shape, type Tensor, tensor } from './compute/tensor.js';
export { type ArraysOptions, arrays } from './data/arrays.js';
export type { Batch, Batches } from './data/batch.js';
export type { Examples, MaskedExamples } from './data/generators/examples.js';
export { generators } from './data/generators/index.js';
export { openText, type Text, type TextOptions, type TextPart, textFromString } from './data/text.js';
export type { TextBatchesOptions } from './data/text-batches.js';
export {
  byteVocabulary,
  characterVocabulary,
  type SymbolDecoder,
  type TextUnit,
  type Vocabulary,
  type VocabularyData,
  vocabularyFromJson,
} from './data/vocabulary.js';
export { type ErrorCode, MnemeError } from './errors.js';
export type { ModelFileOptions } from './formats/model-file.js';
export {
  type NamedTensors,
  parseSafetensors,
  readSafetensors,
  type Safetensors,
  writeSafetensors,
} from './formats/safetensors.js';
export { type StoredDtype, type StoredTensor, tensorOfStored } from './formats/stored-tensor.js';
export type { GenerateOptions } from './inference/generation.js';
export type { PredictOptions } from './inference/predict.js';
export type { States } from './inference/recurrent-state.js';
export type { Session, SessionOptions } from './inference/session.js';
export type { StepInput } from './inference/step-input.js';
export type { Stop } from './inference/stop.js';
export type { Model, ModelSummaryOptions } from './model/model.js';
export { loadModel, type SequentialOptions, sequential } from './model/sequential.js';
export { type Activation, type AdjustableActivation, activation, activations } from './network/activations.js';
export { type Cell, type CellDescription, type CellParameter, cell } from './network/cell.js';
export { CellValue, elementwise, join, one, sigmoid, split, tanh } from './network/cell-value.js';
export type { ClipOptions } from './network/clipping.js';
export { type Constraint, constraints } from './network/constraints.js';
export type { GradientNoiseOptions } from './network/gradient-noise.js';
export { type Initializer, initializers } from './network/initializers.js';
export { layers } from './network/layers/index.js';
export type { Layer, Signal } from './network/layers/layer.js';
export { type ElementwiseOptions, loss } from './network/losses/elementwise.js';
export { losses } from './network/losses/index.js';
export type { Loss } from './network/losses/loss.js';
export { createNetwork, type Network, type NetworkContract, type NetworkOptions } from './network/network.js';
export { type Rate, type RateData, type Scheduled, scheduled } from './network/rates.js';
export type { PenaltyOptions, RegularizationOptions } from './network/regularization.js';
export { type Progress, type Schedule, type ScheduleData, schedules } from './network/schedules.js';
export type { Summary } from './network/summary.js';
export { updaters } from './network/updaters/index.js';
export { type Updater, type UpdaterRule, updater } from './network/updaters/updater.js';
export type { AveragingOptions } from './network/weight-averaging.js';
export type { ByGroup } from './network/weight-groups.js';
export type { CheckpointOptions } from './training/checkpoint-options.js';
export { type EvaluateOptions, evaluate } from './training/evaluate.js';
export type { FitOptions } from './training/fit.js';
export type {
  CheckpointRecord,
  EpochRecord,
  History,
  Listener,
  ResumeRecord,
  StartRecord,
  StepRecord,
} from './training/listener.js';
export { type ProgressDisplay, type ProgressOptions, showProgress } from './training/progress.js';
export type { LayerTrainingOptions } from './training/rule.js';
export type { StepResult } from './training/stepper.js';
export type { Trainable } from './training/trainable.js';
export { createTrainer, type Trainer, type TrainerOptions } from './training/trainer.js';
