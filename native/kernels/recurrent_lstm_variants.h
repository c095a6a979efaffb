// The LSTM cell with peepholes, coupled gates or a clipped cell state, in any combination; recurrent_cells.h has the plain one,
// and recurrent_expressions.h both for other activations.
//
// To be included inside a target region.
#pragma once

#include "kernels/recurrent_cells.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// c within the bound; NaN stays.
MNEME_INLINE Vector clipCell(Vector c, float bound) noexcept {
  if (bound == 0) return c;
  const Vector most = broadcast(bound), least = broadcast(-bound);
  return select(less(most, c), most, select(less(c, least), least, c));
}
// The gradient of c where it is inside the bound, by the clipped c.
MNEME_INLINE Vector clipCellBackward(Vector dc, Vector c, float bound) noexcept {
  return bound == 0 ? dc : select(less(absolute(c), broadcast(bound)), dc, zero());
}

// Rows of the peephole weights: of i, of f (not where it is coupled), of o.
template <bool whole>
MNEME_INLINE Vector peepholeLanes(const CellRows& rows, int index, int at) noexcept {
  return loadLanes<whole>(rows.peephole + index * rows.stride + at, rows.lanes - at);
}

template <bool training, bool whole, bool coupled, bool peepholes>
void lstmVariantForward(const float* tile, const CellRows& rows) noexcept {
  constexpr int candidateAt = coupled ? 16 : 32, outputAt = candidateAt + 16, lastPeephole = coupled ? 1 : 2;
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      const float* sums = tile + row * panelColumns + at;
      const int lanes = rows.lanes - at;
      const int64_t unit = row * rows.stride + at;
      const Vector before = loadLanes<whole>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes);
      // i, then f or o, then o: as many as can be told already.
      Vector gate[coupled && peepholes ? 1 : coupled || peepholes ? 2 : 3];
      gate[0] = load(sums);
      if constexpr (!coupled) gate[1] = load(sums + 16);
      if constexpr (peepholes) {
        gate[0] = fma(peepholeLanes<whole>(rows, 0, at), before, gate[0]);
        if constexpr (!coupled) gate[1] = fma(peepholeLanes<whole>(rows, 1, at), before, gate[1]);
      } else {
        gate[coupled ? 1 : 2] = load(sums + outputAt);
      }
      sigmoids(gate);
      const Vector i = gate[0], g = tanh(load(sums + candidateAt));
      Vector c;
      if constexpr (coupled) c = mixStates(i, before, g);
      else c = fma(gate[1], before, multiply(i, g));
      c = clipCell(c, rows.cellClip);
      Vector o;
      if constexpr (peepholes) o = sigmoid(fma(peepholeLanes<whole>(rows, lastPeephole, at), c, load(sums + outputAt)));
      else o = gate[coupled ? 1 : 2];
      const Vector activation = tanh(c);
      storeLanes<whole>(rows.cell + unit, c, lanes);
      storeLanes<whole>(rows.hidden + unit, multiply(o, activation), lanes);
      if constexpr (training) {
        float* gates = rows.gates + row * panelColumns + at;
        store(gates, i);
        if constexpr (!coupled) store(gates + 16, gate[1]);
        store(gates + candidateAt, g);
        store(gates + outputAt, o);
        storeLanes<whole>(rows.cellActivation + unit, activation, lanes);
      }
    }
  }
}

template <bool whole, bool coupled, bool peepholes>
void lstmVariantBackward(const float* tile, const CellRows& rows) noexcept {
  constexpr int candidateAt = coupled ? 16 : 32, outputAt = candidateAt + 16, lastPeephole = coupled ? 1 : 2;
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      const int lanes = rows.lanes - at;
      const int64_t unit = row * rows.stride + at;
      float* gates = rows.gates + row * panelColumns + at;
      float* carry = rows.carry + row * rows.carryStride + at;
      const Vector i = load(gates), g = load(gates + candidateAt), o = load(gates + outputAt);
      const Vector activation = loadLanes<whole>(rows.cellActivation + unit, lanes);
      const Vector before = loadLanes<whole>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes);
      const Vector dh = load(tile + row * panelColumns + at);
      const Vector dOutput = multiply(multiply(dh, activation), sigmoidSlope(o));
      Vector dc = fma(multiply(dh, o), tanhSlope(activation), load(carry));
      if constexpr (peepholes) dc = fma(dOutput, peepholeLanes<whole>(rows, lastPeephole, at), dc);
      if (rows.cellClip != 0) dc = clipCellBackward(dc, loadLanes<whole>(rows.cell + unit, lanes), rows.cellClip);
      Vector dInput, further;
      if constexpr (coupled) {
        dInput = multiply(multiply(dc, subtract(g, before)), sigmoidSlope(i));
        further = fnma(dc, i, dc);
      } else {
        const Vector f = load(gates + 16), dForget = multiply(multiply(dc, before), sigmoidSlope(f));
        dInput = multiply(multiply(dc, g), sigmoidSlope(i));
        further = multiply(dc, f);
        store(gates + 16, dForget);
        if constexpr (peepholes) further = fma(dForget, peepholeLanes<whole>(rows, 1, at), further);
      }
      if constexpr (peepholes) further = fma(dInput, peepholeLanes<whole>(rows, 0, at), further);
      store(gates, dInput);
      store(gates + candidateAt, multiply(multiply(dc, i), tanhSlope(g)));
      store(gates + outputAt, dOutput);
      store(carry, further);
    }
  }
}

// The function for what there is, by whether the panel is whole.
template <bool training, bool whole>
CellFunction chooseLstmForward(const RecurrentProblem& problem) noexcept {
  if (problem.plainCell()) return lstmForward<training, whole>;
  if (problem.coupled) return problem.peepholes ? lstmVariantForward<training, whole, true, true> : lstmVariantForward<training, whole, true, false>;
  return problem.peepholes ? lstmVariantForward<training, whole, false, true> : lstmVariantForward<training, whole, false, false>;
}
template <bool whole>
CellFunction chooseLstmBackward(const RecurrentProblem& problem) noexcept {
  if (problem.plainCell()) return lstmBackward<whole>;
  if (problem.coupled) return problem.peepholes ? lstmVariantBackward<whole, true, true> : lstmVariantBackward<whole, true, false>;
  return problem.peepholes ? lstmVariantBackward<whole, false, true> : lstmVariantBackward<whole, false, false>;
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
