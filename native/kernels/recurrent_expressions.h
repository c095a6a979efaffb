// The cells of recurrent_cells.h for activations that are given as expressions.
//
// Forward keeps the sums the activations are taken of in the gate buffer, and the way back computes values and derivatives
// anew: so any function serves, also where its derivative does not follow from its value. Lanes beyond the last unit must
// not reach the products (a function may be infinite at 0), so their gradients are set to zero.
//
// To be included inside a target region.
#pragma once

#include "kernels/recurrent_lstm_variants.h"

namespace mneme::MNEME_TARGET_NAMESPACE {

// The evaluators of one member of the team, and arrays for the rows of one tile: eight of up to 64 columns.
struct ExpressionCells {
  Evaluator* gate = nullptr;
  Evaluator* candidate = nullptr;
  Evaluator* output = nullptr;
  float* arrays[8] = {};

  static constexpr int64_t arrayFloats = maximumTileRows * panelColumns;

  ExpressionCells() = default;
  ExpressionCells(const RecurrentProblem& problem, Layout& layout, bool build) noexcept {
    const struct {
      Evaluator*& evaluator;
      const int32_t* code;
    } activations[] = {{gate, problem.gate.code}, {candidate, problem.candidate.code}, {output, problem.output.code}};
    for (const auto& [evaluator, code] : activations) {
      const Expression expression = viewExpression(code);
      char* memory = layout.take<char>(evaluatorBytes(expression));
      if (build) evaluator = buildEvaluator(expression, memory, {});
    }
    for (float*& array : arrays) array = layout.take<float>(arrayFloats);
  }
};

// One for each member, in the workspace.
inline ExpressionCells* buildExpressionCells(const RecurrentProblem& problem, int members, Layout& layout, bool build) noexcept {
  ExpressionCells* cells = layout.take<ExpressionCells>(members);
  for (int member = 0; member < members; ++member) {
    const ExpressionCells own(problem, layout, build);
    if (build) cells[member] = own;
  }
  return cells;
}

// Some columns of every row, side by side: rows of `columns`.
inline void gatherColumns(const float* rows, int count, int first, int columns, float* to, int toStride) noexcept {
  for (int row = 0; row < count; ++row)
    for (int at = 0; at < columns; at += segmentColumns) store16(to + row * toStride + at, load16(rows + row * panelColumns + first + at));
}
inline void scatterColumns(const float* from, int fromStride, int count, int first, int columns, float* rows) noexcept {
  for (int row = 0; row < count; ++row)
    for (int at = 0; at < columns; at += segmentColumns) store16(rows + row * panelColumns + first + at, load16(from + row * fromStride + at));
}

// Calls body(row, at, lanes) for the vectors of every row of 16 units.
template <typename Body>
MNEME_INLINE void forVectors(const CellRows& rows, Body&& body) noexcept {
  for (int row = 0; row < rows.rows; ++row)
    for (int at = 0; at < segmentColumns; at += Vector::width) body(row, at, rows.lanes - at);
}
// x where there is a unit, zero beyond.
MNEME_INLINE Vector onlyLanes(Vector x, int lanes) noexcept {
  if (lanes >= Vector::width) return x;
  float all[Vector::width];
  store(all, x);
  return loadFirst(all, lanes < 0 ? 0 : lanes);
}

// Where the segments of an LSTM's gates begin: first i and f, or i alone, then g, then o.
struct LstmSegments {
  int ahead, candidate, output, lastPeephole;
  explicit LstmSegments(const CellRows& rows) noexcept
      : ahead(rows.coupled ? 16 : 32), candidate(ahead), output(ahead + 16), lastPeephole(rows.coupled ? 1 : 2) {}
};

inline void lstmForwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  const LstmSegments segments(rows);
  const int ahead = segments.ahead;
  const bool training = rows.cellActivation != nullptr;
  float *gates = own.arrays[0], *candidates = own.arrays[1], *outputs = own.arrays[2], *cells = own.arrays[3];
  gatherColumns(tile, rows.rows, 0, ahead, gates, ahead);
  gatherColumns(tile, rows.rows, segments.candidate, 16, candidates, 16);
  gatherColumns(tile, rows.rows, segments.output, 16, outputs, 16);
  if (rows.peephole != nullptr)
    forVectors(rows, [&](int row, int at, int lanes) {
      const Vector before = loadLanes<false>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes);
      for (int segment = 0; segment < ahead; segment += segmentColumns) {
        float* sum = gates + row * ahead + segment + at;
        store(sum, fma(peepholeLanes<false>(rows, segment / segmentColumns, at), before, load(sum)));
      }
    });
  if (training) {
    scatterColumns(gates, ahead, rows.rows, 0, ahead, rows.gates);
    scatterColumns(candidates, 16, rows.rows, segments.candidate, 16, rows.gates);
  }
  evaluateActivation(*own.gate, gates, gates, nullptr, rows.rows * ahead);
  evaluateActivation(*own.candidate, candidates, candidates, nullptr, rows.rows * 16);
  forVectors(rows, [&](int row, int at, int lanes) {
    const float* value = gates + row * ahead + at;
    const Vector before = loadLanes<false>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes);
    const Vector i = load(value), g = load(candidates + row * 16 + at);
    const Vector c = clipCell(rows.coupled ? mixStates(i, before, g) : fma(load(value + 16), before, multiply(i, g)), rows.cellClip);
    storeLanes<false>(rows.cell + row * rows.stride + at, c, lanes);
    store(cells + row * 16 + at, c);
    float* sum = outputs + row * 16 + at;
    if (rows.peephole != nullptr) store(sum, fma(peepholeLanes<false>(rows, segments.lastPeephole, at), c, load(sum)));
  });
  if (training) scatterColumns(outputs, 16, rows.rows, segments.output, 16, rows.gates);
  evaluateActivation(*own.gate, outputs, outputs, nullptr, rows.rows * 16);
  evaluateActivation(*own.output, cells, cells, nullptr, rows.rows * 16);
  forVectors(rows, [&](int row, int at, int lanes) {
    storeLanes<false>(rows.hidden + row * rows.stride + at, multiply(load(outputs + row * 16 + at), load(cells + row * 16 + at)), lanes);
  });
}

inline void lstmBackwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  const LstmSegments segments(rows);
  const int ahead = segments.ahead;
  float *gates = own.arrays[0], *gateSlopes = own.arrays[1], *candidates = own.arrays[2], *candidateSlopes = own.arrays[3];
  float *outputs = own.arrays[4], *outputSlopes = own.arrays[5], *cells = own.arrays[6], *cellSlopes = own.arrays[7];
  gatherColumns(rows.gates, rows.rows, 0, ahead, gates, ahead);
  gatherColumns(rows.gates, rows.rows, segments.candidate, 16, candidates, 16);
  gatherColumns(rows.gates, rows.rows, segments.output, 16, outputs, 16);
  forVectors(rows, [&](int row, int at, int lanes) { store(cells + row * 16 + at, loadLanes<false>(rows.cell + row * rows.stride + at, lanes)); });
  evaluateActivation(*own.gate, gates, gates, gateSlopes, rows.rows * ahead);
  evaluateActivation(*own.candidate, candidates, candidates, candidateSlopes, rows.rows * 16);
  evaluateActivation(*own.gate, outputs, outputs, outputSlopes, rows.rows * 16);
  evaluateActivation(*own.output, cells, cells, cellSlopes, rows.rows * 16);
  forVectors(rows, [&](int row, int at, int lanes) {
    const int64_t place = row * 16 + at;
    const float *value = gates + row * ahead + at, *slope = gateSlopes + row * ahead + at;
    float* to = rows.gates + row * panelColumns + at;
    float* carry = rows.carry + row * rows.carryStride + at;
    const Vector i = load(value), g = load(candidates + place);
    const Vector before = loadLanes<false>(rows.cellBefore + row * rows.cellBeforeStride + at, lanes);
    const Vector dh = load(tile + row * panelColumns + at);
    const Vector dOutput = multiply(multiply(dh, load(cells + place)), load(outputSlopes + place));
    Vector dc = fma(multiply(dh, load(outputs + place)), load(cellSlopes + place), load(carry));
    if (rows.peephole != nullptr) dc = fma(dOutput, peepholeLanes<false>(rows, segments.lastPeephole, at), dc);
    dc = clipCellBackward(dc, loadLanes<false>(rows.cell + row * rows.stride + at, lanes), rows.cellClip);
    const Vector dInput = multiply(multiply(dc, rows.coupled ? subtract(g, before) : g), load(slope));
    Vector further = rows.coupled ? fnma(dc, i, dc) : multiply(dc, load(value + 16));
    if (!rows.coupled) {
      const Vector dForget = multiply(multiply(dc, before), load(slope + 16));
      store(to + 16, onlyLanes(dForget, lanes));
      if (rows.peephole != nullptr) further = fma(dForget, peepholeLanes<false>(rows, 1, at), further);
    }
    if (rows.peephole != nullptr) further = fma(dInput, peepholeLanes<false>(rows, 0, at), further);
    store(to, onlyLanes(dInput, lanes));
    store(to + segments.candidate, onlyLanes(multiply(multiply(dc, i), load(candidateSlopes + place)), lanes));
    store(to + segments.output, onlyLanes(dOutput, lanes));
    store(carry, onlyLanes(further, lanes));
  });
}

// Both kinds of GRU: h' from z, n and h.
inline void gruMixExpression(const CellRows& rows, const float* z, int zStride, const float* n) noexcept {
  forVectors(rows, [&](int row, int at, int lanes) {
    const Vector before = loadLanes<false>(rows.hiddenBefore + row * rows.hiddenBeforeStride + at, lanes);
    storeLanes<false>(rows.hidden + row * rows.stride + at, mixStates(load(z + row * zStride + at), load(n + row * 16 + at), before), lanes);
  });
}

inline void gruForwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  float *gates = own.arrays[0], *candidates = own.arrays[1];
  gatherColumns(tile, rows.rows, 0, 32, gates, 32);
  evaluateActivation(*own.gate, gates, gates, nullptr, rows.rows * 32);
  forVectors(rows, [&](int row, int at, int) {
    const Vector fromState = load(tile + row * panelColumns + 32 + at);
    store(candidates + row * 16 + at, fma(load(gates + row * 32 + 16 + at), fromState, load(rows.gates + row * panelColumns + at)));
  });
  evaluateActivation(*own.candidate, candidates, candidates, nullptr, rows.rows * 16);
  gruMixExpression(rows, gates, 32, candidates);
  scatterColumns(tile, panelColumns, rows.rows, 16, 48, rows.gates);
}

// dn and dz into the buffer, the carry; `z` and `zSlopes` of rows `zStride`, `n` and `nSlopes` of rows 16.
inline void gruMixBackwardExpression(const float* tile, const CellRows& rows, const float* z, const float* zSlopes, int zStride, const float* n,
                                     const float* nSlopes) noexcept {
  forVectors(rows, [&](int row, int at, int lanes) {
    float* to = rows.gates + row * panelColumns + at;
    const Vector dh = load(tile + row * panelColumns + at), keep = load(z + row * zStride + at), candidate = load(n + row * 16 + at);
    const Vector before = loadLanes<false>(rows.hiddenBefore + row * rows.hiddenBeforeStride + at, lanes);
    store(to, onlyLanes(multiply(fnma(dh, keep, dh), load(nSlopes + row * 16 + at)), lanes));
    store(to + 16, onlyLanes(multiply(multiply(dh, subtract(before, candidate)), load(zSlopes + row * zStride + at)), lanes));
    Vector carry = multiply(dh, keep);
    if (rows.dyBefore != nullptr) carry = add(carry, loadLanes<false>(rows.dyBefore + row * rows.stride + at, lanes));
    store(rows.carry + row * rows.carryStride + at, onlyLanes(carry, lanes));
  });
}

inline void gruBackwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  float *gates = own.arrays[0], *gateSlopes = own.arrays[1], *candidates = own.arrays[2], *candidateSlopes = own.arrays[3];
  gatherColumns(rows.gates, rows.rows, 16, 32, gates, 32);
  evaluateActivation(*own.gate, gates, gates, gateSlopes, rows.rows * 32);
  forVectors(rows, [&](int row, int at, int) {
    const float* buffer = rows.gates + row * panelColumns + at;
    store(candidates + row * 16 + at, fma(load(gates + row * 32 + 16 + at), load(buffer + 48), load(buffer)));
  });
  evaluateActivation(*own.candidate, candidates, candidates, candidateSlopes, rows.rows * 16);
  gruMixBackwardExpression(tile, rows, gates, gateSlopes, 32, candidates, candidateSlopes);
  forVectors(rows, [&](int row, int at, int lanes) {
    float* to = rows.gates + row * panelColumns + at;
    const Vector dn = load(to), fromState = load(to + 48);
    store(to + 32, onlyLanes(multiply(multiply(dn, fromState), load(gateSlopes + row * 32 + 16 + at)), lanes));
    store(to + 48, onlyLanes(multiply(dn, load(gates + row * 32 + 16 + at)), lanes));
  });
}

// Reset before the product: as in recurrent_cells.h, with z's value waiting for the candidate in the fourth segment.
inline void gruGatesForwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  float* gates = own.arrays[0];
  gatherColumns(tile, rows.rows, 0, 32, gates, 32);
  scatterColumns(gates, 32, rows.rows, 16, 32, rows.gates);
  evaluateActivation(*own.gate, gates, gates, nullptr, rows.rows * 32);
  scatterColumns(gates, 32, rows.rows, 48, 16, rows.gates);
  forVectors(rows, [&](int row, int at, int lanes) {
    const Vector before = loadLanes<false>(rows.fedBefore + row * rows.fedBeforeStride + at, lanes);
    storeLanes<false>(rows.resetHidden + row * rows.stride + at, multiply(load(gates + row * 32 + 16 + at), before), lanes);
  });
}
inline void gruCandidateForwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  float* candidates = own.arrays[0];
  gatherColumns(tile, rows.rows, 0, 16, candidates, 16);
  scatterColumns(candidates, 16, rows.rows, 0, 16, rows.gates);
  evaluateActivation(*own.candidate, candidates, candidates, nullptr, rows.rows * 16);
  gruMixExpression(rows, rows.gates + 48, panelColumns, candidates);
}
inline void gruCandidateBackwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  float *z = own.arrays[0], *zSlopes = own.arrays[1], *candidates = own.arrays[2], *candidateSlopes = own.arrays[3];
  gatherColumns(rows.gates, rows.rows, 16, 16, z, 16);
  gatherColumns(rows.gates, rows.rows, 0, 16, candidates, 16);
  evaluateActivation(*own.gate, z, z, zSlopes, rows.rows * 16);
  evaluateActivation(*own.candidate, candidates, candidates, candidateSlopes, rows.rows * 16);
  gruMixBackwardExpression(tile, rows, z, zSlopes, 16, candidates, candidateSlopes);
}
inline void gruResetBackwardExpression(const float* tile, const CellRows& rows) noexcept {
  const ExpressionCells& own = *rows.expressions;
  float *r = own.arrays[0], *rSlopes = own.arrays[1];
  gatherColumns(rows.gates, rows.rows, 32, 16, r, 16);
  evaluateActivation(*own.gate, r, r, rSlopes, rows.rows * 16);
  forVectors(rows, [&](int row, int at, int lanes) {
    float* carry = rows.carry + row * rows.carryStride + at;
    const Vector reset = load(r + row * 16 + at), dResetHidden = load(tile + row * panelColumns + at);
    const Vector before = loadLanes<false>(rows.fedBefore + row * rows.fedBeforeStride + at, lanes);
    store(rows.gates + row * panelColumns + 32 + at, onlyLanes(multiply(multiply(dResetHidden, before), load(rSlopes + row * 16 + at)), lanes));
    store(carry, onlyLanes(fma(maskedLanes<false>(dResetHidden, rows, row, at), reset, load(carry)), lanes));
    storeLanes<false>(rows.resetHidden + row * rows.stride + at, multiply(reset, before), lanes);
  });
}

inline void simpleForwardExpression(const float* tile, const CellRows& rows) noexcept {
  float* values = rows.expressions->arrays[0];
  evaluateActivation(*rows.expressions->candidate, tile, values, nullptr, rows.rows * panelColumns);
  copyRows(values, panelColumns, rows.rows, rows.lanes, rows.hidden, rows.stride);
  scatterColumns(tile, panelColumns, rows.rows, 0, panelColumns, rows.gates);
}
inline void simpleBackwardExpression(const float* tile, const CellRows& rows) noexcept {
  float *values = rows.expressions->arrays[0], *slopes = rows.expressions->arrays[1];
  const int columns = (rows.lanes + segmentColumns - 1) / segmentColumns * segmentColumns;
  evaluateActivation(*rows.expressions->candidate, rows.gates, values, slopes, rows.rows * panelColumns);
  for (int row = 0; row < rows.rows; ++row)
    for (int at = 0; at < columns; at += Vector::width) {
      const Vector d = multiply(load(tile + row * panelColumns + at), load(slopes + row * panelColumns + at));
      store(rows.gates + row * panelColumns + at, onlyLanes(d, rows.lanes - at));
    }
}

}  // namespace mneme::MNEME_TARGET_NAMESPACE
