// The cells: what happens to the rows of one panel between the products, forward and backward.
//
// A cell is called through a pointer on a tile that its product has just left in the first-level cache: measured as fast as a
// cell compiled into the product, and the two stay separate. Here are the usual activations (gates sigmoid, cell tanh), computed
// in registers; recurrent_expressions.h has any others.
//
// To be included inside a target region.
#pragma once

#include "kernels/recurrent_problem.h"
#include "simd/functions.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

struct ExpressionCells;

// Some rows of the batch at one time step, in one panel. Pointers are to the first row's first unit of the panel; those that a
// cell has no use for may be null.
struct CellRows {
  int rows = 0;
  int lanes = 0;  // units of the panel
  int64_t stride = 0;  // of dense rows: the number of units
  float* gates = nullptr;  // gate buffer; rows of 64
  // The states before the step; a stride of 0 repeats a row of zeros.
  const float* hiddenBefore = nullptr;
  int64_t hiddenBeforeStride = 0;
  const float* fedBefore = nullptr;  // what the products read of it: times the mask, if there is one
  int64_t fedBeforeStride = 0;
  const float* cellBefore = nullptr;
  int64_t cellBeforeStride = 0;
  float* hidden = nullptr;
  float* cell = nullptr;            // LSTM
  float* cellActivation = nullptr;  // LSTM: act(c'), kept for the way back; null if there is none
  float* resetHidden = nullptr;     // GRU with reset before the product: r h
  // Backward: what of dh (GRU) or dc (LSTM) goes to the step before without passing a product; rows of `carryStride`.
  float* carry = nullptr;
  int64_t carryStride = 0;
  const float* dyBefore = nullptr;  // GRU: dy of the step before, or null
  const float* recurrentMask = nullptr;  // GRU with reset before the product, backward: the mask or null
  // LSTM: rows of peephole weights `stride` apart, or null; the bound of c, or 0.
  const float* peephole = nullptr;
  float cellClip = 0;
  bool coupled = false;
  const ExpressionCells* expressions = nullptr;

  // From the step's first row and unit to `count` rows from `row` on, in the panel that begins at `unit` and whose gates lie
  // `panelOffset` further on.
  CellRows at(int64_t row, int count, int64_t unit, int unitsOfPanel, int64_t panelOffset) const noexcept {
    CellRows part = *this;
    part.rows = count;
    part.lanes = unitsOfPanel;
    part.gates += panelOffset + row * panelColumns;
    const int64_t dense = row * stride + unit;
    const auto advance = [](auto& pointer, int64_t offset) {
      if (pointer != nullptr) pointer += offset;
    };
    advance(part.hiddenBefore, row * hiddenBeforeStride + unit);
    advance(part.fedBefore, row * fedBeforeStride + unit);
    advance(part.cellBefore, row * cellBeforeStride + unit);
    advance(part.hidden, dense);
    advance(part.cell, dense);
    advance(part.cellActivation, dense);
    advance(part.resetHidden, dense);
    advance(part.carry, row * carryStride + unit);
    advance(part.dyBefore, dense);
    advance(part.recurrentMask, dense);
    advance(part.peephole, unit);
    return part;
  }
};

// Forward: `tile` holds the sums, rows of 64. Backward: `tile` holds dh.
using CellFunction = void (*)(const float* tile, const CellRows& rows) noexcept;

// The first `lanes` lanes of a vector of a dense array; all of them where the panel is whole.
template <bool whole>
MNEME_INLINE Vector loadLanes(const float* p, int lanes) noexcept {
  if constexpr (whole) return load(p);
  else return loadFirst(p, lanes < 0 ? 0 : lanes < Vector::width ? lanes : Vector::width);
}
template <bool whole>
MNEME_INLINE void storeLanes(float* p, Vector x, int lanes) noexcept {
  if constexpr (whole) store(p, x);
  else if (lanes > 0) storeFirst(p, x, lanes < Vector::width ? lanes : Vector::width);
}

// The gradient of what the products read becomes that of the hidden state.
template <bool whole>
MNEME_INLINE Vector maskedLanes(Vector d, const CellRows& rows, int row, int at) noexcept {
  return rows.recurrentMask == nullptr ? d : multiply(d, loadLanes<whole>(rows.recurrentMask + row * rows.stride + at, rows.lanes - at));
}

// x (1 - x): the derivative of a sigmoid by its value.
MNEME_INLINE Vector sigmoidSlope(Vector x) noexcept { return fnma(x, x, x); }
// 1 - x^2: the derivative of a hyperbolic tangent by its value.
MNEME_INLINE Vector tanhSlope(Vector x) noexcept { return fnma(x, x, broadcast(1.0f)); }

// act(c') of each vector runs in lockstep with the next one's gates, and the first one's with nothing that counts. (One vector
// after the other takes 13.3 ns for 16 units, this way 10.)
template <bool training, bool whole>
void lstmForward(const float* tile, const CellRows& rows) noexcept {
  float unused[2 * Vector::width];
  // Of the vector before: c', o, and where h' and act(c') go.
  Vector before = zero(), output = zero();
  float *hidden = unused, *cellActivation = unused + Vector::width;
  int lanesBefore = Vector::width;
  const auto finish = [&](Vector activation) {
    storeLanes<whole>(hidden, multiply(output, activation), lanesBefore);
    if (training) storeLanes<whole>(cellActivation, activation, lanesBefore);
  };
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      const float* sums = tile + row * panelColumns + at;
      const int lanes = rows.lanes - at;
      const int64_t unit = row * rows.stride + at;
      Vector gate[3] = {load(sums), load(sums + 16), load(sums + 48)}, activation[2] = {load(sums + 32), before};
      sigmoids(gate);
      tanhs(activation);
      const Vector i = gate[0], f = gate[1], o = gate[2], g = activation[0];
      const Vector c = fma(f, loadLanes<whole>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes), multiply(i, g));
      storeLanes<whole>(rows.cell + unit, c, lanes);
      if (training) {
        float* gates = rows.gates + row * panelColumns + at;
        store(gates, i);
        store(gates + 16, f);
        store(gates + 32, g);
        store(gates + 48, o);
      }
      finish(activation[1]);
      before = c;
      output = o;
      lanesBefore = lanes;
      hidden = rows.hidden + unit;
      if (training) cellActivation = rows.cellActivation + unit;
    }
  }
  finish(tanh(before));
}

template <bool whole>
void lstmBackward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      const int lanes = rows.lanes - at;
      const int64_t unit = row * rows.stride + at;
      float* gates = rows.gates + row * panelColumns + at;
      float* carry = rows.carry + row * rows.carryStride + at;
      const Vector i = load(gates), f = load(gates + 16), g = load(gates + 32), o = load(gates + 48);
      const Vector activation = loadLanes<whole>(rows.cellActivation + unit, lanes);
      const Vector before = loadLanes<whole>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes);
      const Vector dh = load(tile + row * panelColumns + at);
      const Vector dc = fma(multiply(dh, o), tanhSlope(activation), load(carry));
      store(gates, multiply(multiply(dc, g), sigmoidSlope(i)));
      store(gates + 16, multiply(multiply(dc, before), sigmoidSlope(f)));
      store(gates + 32, multiply(multiply(dc, i), tanhSlope(g)));
      store(gates + 48, multiply(multiply(dh, activation), sigmoidSlope(o)));
      store(carry, multiply(dc, f));
    }
  }
}

// n + z (h - n) = (1 - z) n + z h
MNEME_INLINE Vector mixStates(Vector z, Vector n, Vector before) noexcept { return fma(z, subtract(before, n), n); }

// The tile holds z | r | n_h; n_x waits in the gate buffer.
template <bool training, bool whole>
void gruForward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      const float* sums = tile + row * panelColumns + at;
      float* gates = rows.gates + row * panelColumns + at;
      const int lanes = rows.lanes - at;
      Vector gate[2] = {load(sums), load(sums + 16)};
      sigmoids(gate);
      const Vector z = gate[0], r = gate[1], fromState = load(sums + 32);
      const Vector n = tanh(fma(r, fromState, load(gates)));
      const Vector before = loadLanes<whole>(rows.hiddenBefore + row * rows.hiddenBeforeStride + at, lanes);
      storeLanes<whole>(rows.hidden + row * rows.stride + at, mixStates(z, n, before), lanes);
      if (training) {
        store(gates, n);
        store(gates + 16, z);
        store(gates + 32, r);
        store(gates + 48, fromState);
      }
    }
  }
}

// What both kinds of GRU do first: dn, dz, and the part of dh that goes straight on.
template <bool whole>
MNEME_INLINE Vector gruCandidateBackward(const float* tile, const CellRows& rows, int row, int at) noexcept {
  const int lanes = rows.lanes - at;
  float* gates = rows.gates + row * panelColumns + at;
  const Vector n = load(gates), z = load(gates + 16), dh = load(tile + row * panelColumns + at);
  const Vector before = loadLanes<whole>(rows.hiddenBefore + row * rows.hiddenBeforeStride + at, lanes);
  const Vector dn = multiply(fnma(dh, z, dh), tanhSlope(n));
  store(gates, dn);
  store(gates + 16, multiply(multiply(dh, subtract(before, n)), sigmoidSlope(z)));
  Vector carry = multiply(dh, z);
  if (rows.dyBefore != nullptr) carry = add(carry, loadLanes<whole>(rows.dyBefore + row * rows.stride + at, lanes));
  store(rows.carry + row * rows.carryStride + at, carry);
  return dn;
}

template <bool whole>
void gruBackward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      float* gates = rows.gates + row * panelColumns + at;
      const Vector r = load(gates + 32), fromState = load(gates + 48);
      const Vector dn = gruCandidateBackward<whole>(tile, rows, row, at);
      store(gates + 32, multiply(multiply(dn, fromState), sigmoidSlope(r)));
      store(gates + 48, multiply(dn, r));
    }
  }
}

// Reset before the product. First the gates (the tile holds z | r), then the candidate (the tile holds n's sums).
template <bool whole>
void gruGatesForward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      const float* sums = tile + row * panelColumns + at;
      float* gates = rows.gates + row * panelColumns + at;
      const int lanes = rows.lanes - at;
      const Vector r = sigmoid(load(sums + 16));
      const Vector before = loadLanes<whole>(rows.fedBefore + row * rows.fedBeforeStride + at, lanes);
      store(gates + 16, sigmoid(load(sums)));
      store(gates + 32, r);
      storeLanes<whole>(rows.resetHidden + row * rows.stride + at, multiply(r, before), lanes);
    }
  }
}
template <bool whole>
void gruCandidateForward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      float* gates = rows.gates + row * panelColumns + at;
      const int lanes = rows.lanes - at;
      const Vector n = tanh(load(tile + row * panelColumns + at));
      const Vector before = loadLanes<whole>(rows.hiddenBefore + row * rows.hiddenBeforeStride + at, lanes);
      store(gates, n);
      storeLanes<whole>(rows.hidden + row * rows.stride + at, mixStates(load(gates + 16), n, before), lanes);
    }
  }
}
// First dn and dz; then, with d(r h) in the tile, dr and the way of r h to h. r h is kept for the gradient of its weights.
template <bool whole>
void gruCandidateBackwardOnly(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row)
    for (int at = 0; at < segmentColumns; at += Vector::width) gruCandidateBackward<whole>(tile, rows, row, at);
}
template <bool whole>
void gruResetBackward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row) {
    for (int at = 0; at < segmentColumns; at += Vector::width) {
      float* gates = rows.gates + row * panelColumns + at;
      float* carry = rows.carry + row * rows.carryStride + at;
      const int lanes = rows.lanes - at;
      const Vector r = load(gates + 32), dResetHidden = load(tile + row * panelColumns + at);
      const Vector before = loadLanes<whole>(rows.fedBefore + row * rows.fedBeforeStride + at, lanes);
      store(gates + 32, multiply(multiply(dResetHidden, before), sigmoidSlope(r)));
      const Vector direct = maskedLanes<whole>(dResetHidden, rows, row, at);
      store(carry, fma(direct, r, load(carry)));
      storeLanes<whole>(rows.resetHidden + row * rows.stride + at, multiply(r, before), lanes);
    }
  }
}

template <ActivationKind kind>
MNEME_INLINE Vector activate(Vector x) noexcept {
  if constexpr (kind == ActivationKind::sigmoid) return sigmoid(x);
  else if constexpr (kind == ActivationKind::tanh) return tanh(x);
  else if constexpr (kind == ActivationKind::relu) return maximum(x, zero());
  else return x;
}
// The derivative times d, by the activation's value.
template <ActivationKind kind>
MNEME_INLINE Vector activationBackward(Vector d, Vector value) noexcept {
  if constexpr (kind == ActivationKind::sigmoid) return multiply(d, sigmoidSlope(value));
  else if constexpr (kind == ActivationKind::tanh) return multiply(d, tanhSlope(value));
  else if constexpr (kind == ActivationKind::relu) return select(less(zero(), value), d, zero());
  else return d;
}

// A panel of a simple RNN has up to 64 units; its last segments may be missing.
template <ActivationKind kind>
void simpleForward(const float* tile, const CellRows& rows) noexcept {
  for (int row = 0; row < rows.rows; ++row)
    for (int at = 0; at < rows.lanes; at += Vector::width) {
      const Vector h = activate<kind>(load(tile + row * panelColumns + at));
      float* to = rows.hidden + row * rows.stride + at;
      if (at + Vector::width <= rows.lanes) store(to, h);
      else storeFirst(to, h, rows.lanes - at);
    }
}
template <ActivationKind kind>
void simpleBackward(const float* tile, const CellRows& rows) noexcept {
  const int columns = (rows.lanes + segmentColumns - 1) / segmentColumns * segmentColumns;
  for (int row = 0; row < rows.rows; ++row)
    for (int at = 0; at < columns; at += Vector::width) {
      const float* h = rows.hidden + row * rows.stride + at;
      const Vector value = at + Vector::width <= rows.lanes ? load(h) : loadLanes<false>(h, rows.lanes - at);
      store(rows.gates + row * panelColumns + at, activationBackward<kind>(load(tile + row * panelColumns + at), value));
    }
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
