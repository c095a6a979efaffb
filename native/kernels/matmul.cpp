// Matrix product: c = op(a) op(b) + bias, where op transposes if so said.
//
//   inputs   a [M, K] (or [K, M] transposed), b [K, N] (or [N, K] transposed), bias? [N]
//   outputs  c [M, N]
//   words    transposeA, transposeB
//
// b is packed into panels of 64 columns by `prepare`, which the engine repeats only when b changes. Every output is one chain of
// fused multiply-adds in ascending order of K, starting from the bias or zero.
#include <algorithm>

#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"

#include "kernels/matmul_packing.h"
#include "kernels/matmul_tile.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

// Terms and rows in one go: 256 terms of a panel are 64 KB and of 256 rows of A 256 KB, which together stay in the second-level
// cache while the panel's tiles pass.
constexpr int64_t termBlock = 256;
constexpr int64_t rowBlock = 256;

struct Shape {
  int64_t rows, columns, terms;
  bool transposeA, transposeB;
  int64_t panels() const noexcept { return (columns + panelColumns - 1) / panelColumns; }
  // Floats of a packed panel. Transposing writes whole blocks of 16 terms.
  int64_t panelFloats() const noexcept { return (terms + segmentColumns - 1) / segmentColumns * segmentColumns * panelColumns; }
};

Shape shapeOf(const Signature& signature) noexcept {
  const OperandType &a = signature.inputs[0], &b = signature.inputs[1];
  const bool transposeA = signature.words[0] != 0, transposeB = signature.words[1] != 0;
  return {transposeA ? a.columns() : a.rows(), transposeB ? b.rows() : b.columns(), transposeA ? a.rows() : a.columns(), transposeA, transposeB};
}

bool hasBias(const Signature& signature) noexcept { return signature.inputs.size > 2 && signature.inputs[2].present; }

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, -1, 1, 2);
  check.that(signature.inputs.size == 2 || signature.inputs.size == 3, "%lld inputs where a, b and perhaps a bias belong",
             static_cast<long long>(signature.inputs.size));
  check.input(0, Dtype::f32).input(1, Dtype::f32).output(0, Dtype::f32);
  if (signature.inputs.size > 2) check.optionalInput(2, Dtype::f32);
  if (check.failed()) return check.status();
  const Shape shape = shapeOf(signature);
  const OperandType &b = signature.inputs[1], &c = signature.outputs[0];
  const int64_t termsOfB = shape.transposeB ? b.columns() : b.rows();
  check.that(termsOfB == shape.terms, "a has %lld terms to multiply, b has %lld", static_cast<long long>(shape.terms), static_cast<long long>(termsOfB));
  check.that(c.rows() == shape.rows && c.columns() == shape.columns, "c is [%lld, %lld], expected [%lld, %lld]", static_cast<long long>(c.rows()),
             static_cast<long long>(c.columns()), static_cast<long long>(shape.rows), static_cast<long long>(shape.columns));
  if (hasBias(signature))
    check.that(signature.inputs[2].count() == shape.columns, "the bias has %lld elements, expected %lld",
               static_cast<long long>(signature.inputs[2].count()), static_cast<long long>(shape.columns));
  requirements->preparedBytes = (shape.panels() * shape.panelFloats() + shape.panels() * panelColumns) * static_cast<int64_t>(sizeof(float));
  requirements->preparedInputs = hasBias(signature) ? 0b110u : 0b010u;
  return check.status();
}

float* packedBias(const Call& call, const Shape& shape) noexcept { return static_cast<float*>(call.prepared) + shape.panels() * shape.panelFloats(); }

void packPanel(const Call& call, const Shape& shape, int64_t panel) noexcept {
  const int64_t first = panel * panelColumns;
  const int64_t columns = std::min<int64_t>(panelColumns, shape.columns - first);
  float* to = static_cast<float*>(call.prepared) + panel * shape.panelFloats();
  Segment segments[panelSegments];
  if (!shape.transposeB) {
    const int count = plainSegments(first, columns, segments);
    packRows(call.input(1), shape.columns, shape.terms, segments, count, to);
  } else {
    const int64_t width = (columns + segmentColumns - 1) / segmentColumns * segmentColumns;
    for (int64_t term = 0; term < shape.terms; term += panelColumns) {
      const int count = plainSegments(term, shape.terms - term, segments);
      packTransposed(call.input(1) + first * shape.terms, shape.terms, static_cast<int>(columns), segments, count, to + term * width);
    }
  }
}

void prepare(const Call& call) noexcept {
  const Shape shape = shapeOf(*call.signature);
  // Packing moves 8 bytes a float at some 20 GB/s.
  shareWork(*call.team, 0.4 * static_cast<double>(shape.terms * shape.columns), [&](const Crew& crew) {
    const Share panels = crew.share(shape.panels());
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) packPanel(call, shape, panel);
  });
  if (hasBias(*call.signature)) {
    float* bias = packedBias(call, shape);
    std::memset(bias, 0, static_cast<std::size_t>(shape.panels() * panelColumns) * sizeof(float));
    std::memcpy(bias, call.input(2), static_cast<std::size_t>(shape.columns) * sizeof(float));
  }
}

// Rows [rows.begin, rows.end) of panels [panels.begin, panels.end).
template <typename Kind>
void multiply(const Call& call, const Shape& shape, Share rows, Share panels) noexcept {
  const bool biased = hasBias(*call.signature);
  TileOperands operands;
  operands.aStride = shape.transposeA ? shape.rows : shape.terms;
  operands.toStride = shape.columns;
  for (int64_t block = rows.begin; block < rows.end; block += rowBlock) {
    const int64_t blockEnd = std::min(rows.end, block + rowBlock);
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int columns = static_cast<int>(std::min<int64_t>(panelColumns, shape.columns - panel * panelColumns));
      const int segments = (columns + segmentColumns - 1) / segmentColumns;
      const float* packed = static_cast<const float*>(call.prepared) + panel * shape.panelFloats();
      float* output = call.output(0) + panel * panelColumns;
      operands.bStride = segments * segmentColumns;
      for (int64_t term = 0; term == 0 || term < shape.terms; term += termBlock) {
        operands.terms = std::min(termBlock, shape.terms - term);
        operands.b = packed + term * operands.bStride;
        forTiles(block, blockEnd, tileRowsOf(segments), [&](int64_t row, int count) {
          operands.a = shape.transposeA ? call.input(0) + term * shape.rows + row : call.input(0) + row * shape.terms + term;
          operands.to = output + row * shape.columns;
          operands.start = term > 0 ? operands.to : nullptr;
          operands.startStride = shape.columns;
          if (term == 0 && biased) {
            // Packed, hence whole: the tile may read beyond the last column.
            operands.start = packedBias(call, shape) + panel * panelColumns;
            operands.startStride = 0;
          }
          runClippedTile<Kind>(operands, count, columns);
        });
      }
    }
  }
}

Status run(const Call& call) noexcept {
  const Shape shape = shapeOf(*call.signature);
  // A multiply-add takes 0.01 to 0.1 ns, by instruction set and shape.
  shareWork(*call.team, 0.02 * static_cast<double>(shape.rows * shape.columns * shape.terms), [&](const Crew& crew) {
    Share rows = {0, shape.rows}, panels = {0, shape.panels()};
    // Many rows are shared out by rows, so that each member's part of A stays in its own cache.
    if (shape.rows >= 16 * crew.members || shape.panels() < crew.members) rows = crew.share(shape.rows);
    else panels = crew.share(shape.panels());
    if (shape.transposeA) multiply<TransposedTile>(call, shape, rows, panels);
    else multiply<PlainTile>(call, shape, rows, panels);
  });
  return Status::ok();
}

}  // namespace

extern const Kernel matmul;
const Kernel matmul = {"matmul", verify, prepare, run};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
