// What `recurrent` and `recurrentGradient` ask of their operands and words.
//
// To be included inside a target region, after kernels/operands.h.
#pragma once

#include "kernels/recurrent_problem.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// A state [batch, columns], given or wanted.
inline void checkState(Check& check, const OperandType& type, const RecurrentProblem& problem, int64_t columns, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(type.rank == 2 && type.shape[0] == problem.batch && type.shape[1] == columns, "%s is not [%lld, %lld]", name,
             static_cast<long long>(problem.batch), static_cast<long long>(columns));
}
inline void checkSequence(Check& check, const OperandType& type, const RecurrentProblem& problem, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(type.rank == 3 && type.shape[0] == problem.time && type.shape[1] == problem.batch && type.shape[2] == problem.hidden,
             "%s is not [%lld, %lld, %lld]", name, static_cast<long long>(problem.time), static_cast<long long>(problem.batch),
             static_cast<long long>(problem.hidden));
}
// [1], [time, batch] or [time, batch, columns].
inline void checkKeep(Check& check, const OperandType& type, const RecurrentProblem& problem, int64_t columns, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  const bool one = type.rank == 1 && type.shape[0] == 1;
  const bool byRow = (type.rank == 2 || type.rank == 3) && type.shape[0] == problem.time && type.shape[1] == problem.batch;
  check.that(one || (byRow && (type.rank == 2 || type.shape[2] == columns)), "%s is neither [1] nor [%lld, %lld] nor [%lld, %lld, %lld]", name,
             static_cast<long long>(problem.time), static_cast<long long>(problem.batch), static_cast<long long>(problem.time),
             static_cast<long long>(problem.batch), static_cast<long long>(columns));
}

// Checks the attribute words and the inputs both operations begin with.
inline void checkRecurrent(Check& check, const Signature& signature) noexcept {
  if (check.failed()) return;
  const Span<const int32_t> words = signature.words;
  check.that(words.size >= 3, "%lld attribute words", static_cast<long long>(words.size));
  if (check.failed()) return;
  check.that(words[0] >= 0 && words[0] <= 2, "there is no cell %d", words[0]).that(words[1] >= 0 && words[1] <= 3, "unknown flags %d", words[1]);
  checkActivations(check, words, 3);
  if (check.failed()) return;
  const bool ids = signature.inputs[inputX].present && signature.inputs[inputX].dtype == Dtype::i32;
  check.input(inputX, ids ? Dtype::i32 : Dtype::f32).input(inputKernel, Dtype::f32).input(inputRecurrentKernel, Dtype::f32);
  for (int input : {inputBias, inputRecurrentBias, inputInitialHidden, inputInitialCell, inputPeephole, inputProjection, inputRecurrentMask,
                    inputHiddenKeep, inputCellKeep})
    check.optionalInput(input, Dtype::f32);
  check.optionalInput(inputLengths, Dtype::i32);
  if (check.failed()) return;
  const OperandType &x = signature.inputs[inputX], &kernel = signature.inputs[inputKernel], &recurrent = signature.inputs[inputRecurrentKernel];
  check.that(x.rank == (ids ? 2 : 3), "x has the rank %d", x.rank).that(kernel.rank == 2, "the kernel has the rank %d", kernel.rank);
  check.that(recurrent.rank == 2, "the recurrent kernel has the rank %d", recurrent.rank);
  const OperandType& projection = signature.inputs[inputProjection];
  check.that(!projection.present || projection.rank == 2, "the projection has the rank %d", projection.rank);
  if (check.failed()) return;
  const RecurrentProblem problem = recurrentProblem(signature);
  check.that(ids || x.shape[2] == problem.inputs, "x has %d features, the kernel has rows for %lld", x.shape[2], static_cast<long long>(problem.inputs));
  check.that(kernel.shape[1] == problem.width() && recurrent.shape[1] == problem.width(), "the kernels have %d and %d columns where %lld belong",
             kernel.shape[1], recurrent.shape[1], static_cast<long long>(problem.width()));
  for (int input : {inputBias, inputRecurrentBias})
    if (signature.inputs[input].present)
      check.that(signature.inputs[input].count() == problem.width(), "the bias has %lld elements where %lld belong",
                 static_cast<long long>(signature.inputs[input].count()), static_cast<long long>(problem.width()));
  check.that(!signature.inputs[inputRecurrentBias].present || (problem.gru() && problem.resetAfter),
             "only a GRU that resets after the product has a recurrent bias");
  const bool ofCell = signature.inputs[inputInitialCell].present || signature.inputs[inputCellKeep].present || problem.cellClip != 0;
  check.that(!ofCell || problem.lstm(), "only an LSTM has a cell state");
  check.that(!(problem.coupled || problem.peepholes || problem.projected) || problem.lstm(), "only an LSTM has coupled gates, peepholes or a projection");
  check.that(!problem.resetAfter || problem.gru(), "only a GRU has a reset gate");
  check.that(problem.cellClip >= 0 && problem.cellClip <= std::numeric_limits<float>::max(), "the cell state cannot be clipped to %g", static_cast<double>(problem.cellClip));
  if (problem.projected)
    check.that(projection.shape[1] == problem.hidden, "the projection has %d columns, the recurrent kernel %lld rows", projection.shape[1],
               static_cast<long long>(problem.hidden));
  const OperandType& peephole = signature.inputs[inputPeephole];
  if (problem.peepholes)
    check.that(peephole.rank == 2 && peephole.shape[0] == problem.gates - 1 && peephole.shape[1] == problem.units,
               "the peephole weights are not [%lld, %lld]", static_cast<long long>(problem.gates - 1), static_cast<long long>(problem.units));
  checkState(check, signature.inputs[inputInitialHidden], problem, problem.hidden, "initialHidden");
  checkState(check, signature.inputs[inputInitialCell], problem, problem.units, "initialCell");
  checkState(check, signature.inputs[inputRecurrentMask], problem, problem.hidden, "recurrentMask");
  const OperandType& lengths = signature.inputs[inputLengths];
  if (lengths.present)
    check.that(lengths.rank == 1 && lengths.shape[0] == problem.batch, "there is not one length for each of the %lld rows", static_cast<long long>(problem.batch));
  checkKeep(check, signature.inputs[inputHiddenKeep], problem, problem.hidden, "hiddenKeep");
  checkKeep(check, signature.inputs[inputCellKeep], problem, problem.units, "cellKeep");
}

inline void checkForward(Check& check, const Signature& signature) noexcept {
  checkRecurrent(check, signature);
  check.output(outputY, Dtype::f32);
  for (int output : {outputFinalHidden, outputFinalCell, outputTape}) check.optionalOutput(output, Dtype::f32);
  if (check.failed()) return;
  const RecurrentProblem problem = recurrentProblem(signature);
  checkSequence(check, signature.outputs[outputY], problem, "y");
  checkState(check, signature.outputs[outputFinalHidden], problem, problem.hidden, "finalHidden");
  checkState(check, signature.outputs[outputFinalCell], problem, problem.units, "finalCell");
  check.that(!signature.outputs[outputFinalCell].present || problem.lstm(), "only an LSTM has a cell state");
  if (signature.outputs[outputTape].present)
    check.that(signature.outputs[outputTape].count() == problem.tapeFloats(), "the tape has %lld elements where %lld belong",
               static_cast<long long>(signature.outputs[outputTape].count()), static_cast<long long>(problem.tapeFloats()));
}

inline void checkGradient(Check& check, const OperandType& type, const OperandType& of, const char* name) noexcept {
  if (check.failed() || !type.present) return;
  check.that(of.present && sameShape(type, of), "%s has not the shape of what it is the gradient of", name);
}

inline void checkBackward(Check& check, const Signature& signature) noexcept {
  checkRecurrent(check, signature);
  check.input(inputY, Dtype::f32).input(inputTape, Dtype::f32);
  for (int input : {inputDy, inputDFinalHidden, inputDFinalCell}) check.optionalInput(input, Dtype::f32);
  check.output(inputKernel, Dtype::f32).output(inputRecurrentKernel, Dtype::f32);
  for (int output : {inputX, inputBias, inputRecurrentBias, inputInitialHidden, inputInitialCell, inputPeephole, inputProjection})
    check.optionalOutput(output, Dtype::f32);
  if (check.failed()) return;
  const RecurrentProblem problem = recurrentProblem(signature);
  const Span<const OperandType> inputs = signature.inputs, outputs = signature.outputs;
  checkSequence(check, inputs[inputY], problem, "y");
  checkSequence(check, inputs[inputDy], problem, "dy");
  checkState(check, inputs[inputDFinalHidden], problem, problem.hidden, "dFinalHidden");
  checkState(check, inputs[inputDFinalCell], problem, problem.units, "dFinalCell");
  check.that(!inputs[inputDFinalCell].present || problem.lstm(), "only an LSTM has a cell state");
  check.that(!outputs[inputInitialCell].present || problem.lstm(), "only an LSTM has a cell state");
  check.that(inputs[inputTape].count() == problem.tapeFloats(), "the tape has %lld elements where %lld belong",
             static_cast<long long>(inputs[inputTape].count()), static_cast<long long>(problem.tapeFloats()));
  check.that(!outputs[inputX].present || !problem.ids, "ids have no gradient");
  checkGradient(check, outputs[inputX], inputs[inputX], "dx");
  checkGradient(check, outputs[inputKernel], inputs[inputKernel], "dKernel");
  checkGradient(check, outputs[inputRecurrentKernel], inputs[inputRecurrentKernel], "dRecurrentKernel");
  checkGradient(check, outputs[inputPeephole], inputs[inputPeephole], "dPeephole");
  checkGradient(check, outputs[inputProjection], inputs[inputProjection], "dProjection");
  if (outputs[inputBias].present) check.that(outputs[inputBias].count() == problem.width(), "dBias has not one element a gate and unit");
  if (outputs[inputRecurrentBias].present)
    check.that(outputs[inputRecurrentBias].count() == problem.width() && problem.gru() && problem.resetAfter, "dRecurrentBias does not belong here or has another shape");
  checkState(check, outputs[inputInitialHidden], problem, problem.hidden, "dInitialHidden");
  checkState(check, outputs[inputInitialCell], problem, problem.units, "dInitialCell");
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
