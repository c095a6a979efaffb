// reduce: the sum or the largest of an expression's values, times a scale.
//
//   inputs   n values f32; the largest has the shape that is reduced, the others that shape or as in map
//   outputs  one value: [1] (axis 0: of everything), [columns] (axis 1: over the rows), [rows...] (axis 2: over the columns)
//   words    kind (0 sum, 1 maximum), axis, f(scale), expression code of n inputs and one output
//
// The order of additions is that of docs/architecture.md. A NaN anywhere gives NaN, for the maximum too.
#include <cstddef>

#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/broadcast.h"
#include "kernels/expression.h"
#include "simd/lanes16.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

constexpr int64_t chunkElements = 4096;
constexpr int64_t chunkRows = 256;

struct Sum {
  static constexpr float identity = 0.0f;
  static MNEME_INLINE Lanes16 combine(Lanes16 a, Lanes16 b) noexcept { return add(a, b); }
  static MNEME_INLINE Vector combine(Vector a, Vector b) noexcept { return add(a, b); }
  static float combine(float a, float b) noexcept { return a + b; }
  static float fold(Lanes16 lanes) noexcept { return foldSum(lanes); }
};
struct Maximum {
  static constexpr float identity = -__builtin_inff();
  static MNEME_INLINE Lanes16 combine(Lanes16 a, Lanes16 b) noexcept { return maximum(a, b); }
  static MNEME_INLINE Vector combine(Vector a, Vector b) noexcept { return maximum(a, b); }
  static float combine(float a, float b) noexcept { return a != a || a > b ? a : b; }
  static float fold(Lanes16 lanes) noexcept { return foldMaximum(lanes); }
};

struct Attributes {
  int32_t kind, axis;
  float scale;
  Expression code;
};

Attributes attributesOf(const Signature& signature) noexcept {
  Attributes attributes;
  attributes.kind = signature.words[0];
  attributes.axis = signature.words[1];
  std::memcpy(&attributes.scale, &signature.words[2], sizeof(float));
  attributes.code = viewExpression(signature.words.data + 3);
  return attributes;
}

// The type whose shape is reduced: of the inputs with most elements the one with most axes.
const OperandType& wholeOf(const Signature& signature) noexcept {
  const OperandType* whole = &signature.inputs[0];
  for (int64_t input = 1; input < signature.inputs.size; ++input) {
    const OperandType& type = signature.inputs[input];
    if (type.count() > whole->count() || (type.count() == whole->count() && type.rank > whole->rank)) whole = &type;
  }
  return *whole;
}

struct Pieces {
  float* partial;  // of all members: results of chunks
  void* evaluator;
  float* scratch;
};

Pieces piecesOf(const Signature& signature, const Attributes& attributes, int member, void* workspace, int64_t* bytes) noexcept {
  const OperandType& whole = wholeOf(signature);
  const int64_t count = whole.count(), columns = whole.columns();
  int64_t scratch = 0;
  for (int64_t input = 0; input < signature.inputs.size; ++input) {
    Spread spread = Spread::full;
    (void)spreadOf(signature.inputs[input], whole, input, &spread);
    scratch += spreadFloats(spread, columns);
  }
  Layout layout(workspace);
  Pieces pieces{};
  if (attributes.axis == 0) pieces.partial = layout.take<float>((count + chunkElements - 1) / chunkElements);
  if (attributes.axis == 1) pieces.partial = layout.take<float>((count / columns + chunkRows - 1) / chunkRows * columns);
  for (int before = 0; before <= member; ++before) {
    pieces.evaluator = layout.take<char>(evaluatorBytes(attributes.code));
    pieces.scratch = layout.take<float>(scratch);
  }
  if (bytes != nullptr) *bytes = layout.bytes();
  return pieces;
}

Status verify(const Signature& signature, Requirements* requirements) noexcept {
  Check check(signature, -1, 1, -1);
  check.that(signature.words.size >= 3, "the attribute words are cut off");
  if (check.failed()) return check.status();
  check.that(signature.words[0] == 0 || signature.words[0] == 1, "no kind of reduction has the number %d", signature.words[0]);
  check.that(signature.words[1] >= 0 && signature.words[1] <= 2, "axis %d is not 0, 1 or 2", signature.words[1]);
  Expression code;
  int64_t taken = 0;
  check.keep(verifyExpression({signature.words.data + 3, signature.words.size - 3}, &code, &taken));
  check.that(taken == signature.words.size - 3, "words follow the expression");
  check.that(code.outputs == 1, "the expression has %d outputs instead of one", code.outputs);
  check.that(code.inputs >= 1 && signature.inputs.size == code.inputs, "%lld inputs for an expression of %d",
             static_cast<long long>(signature.inputs.size), code.inputs);
  check.output(0, Dtype::f32);
  if (check.failed()) return check.status();
  for (int64_t input = 0; input < code.inputs; ++input) check.input(input, Dtype::f32);
  if (check.failed()) return check.status();
  const OperandType& whole = wholeOf(signature);
  for (int64_t input = 0; input < code.inputs; ++input) {
    Spread spread;
    check.keep(spreadOf(signature.inputs[input], whole, input, &spread));
  }
  const int32_t axis = signature.words[1];
  const int64_t expected = axis == 0 ? 1 : axis == 1 ? whole.columns() : whole.rows();
  check.that(signature.outputs[0].count() == expected, "the output has %lld elements, expected %lld",
             static_cast<long long>(signature.outputs[0].count()), static_cast<long long>(expected));
  if (check.failed()) return check.status();
  piecesOf(signature, attributesOf(signature), signature.threads - 1, nullptr, &requirements->workspaceBytes);
  return Status::ok();
}

// The expression's values, block by block, for one member.
class Values {
 public:
  Values(const Call& call, const Attributes& attributes, const Pieces& pieces) noexcept
      : reader_(call, wholeOf(*call.signature), pieces.scratch) {
    const uint64_t nothingShared = 0;
    evaluator_ = buildEvaluator(attributes.code, pieces.evaluator, {reader_.scalars(), &nothingShared});
  }
  const float* at(int64_t start, int64_t count) noexcept {
    const float* results[1];
    evaluateInside(*evaluator_, reader_.read(start, count), results, count);
    return results[0];
  }

 private:
  BlockReader reader_;
  Evaluator* evaluator_;
};

template <typename Kind>
Lanes16 accumulate(Lanes16 lanes, const float* x, int64_t count) noexcept {
  int64_t i = 0;
  for (; i + 16 <= count; i += 16) lanes = Kind::combine(lanes, load16(x + i));
  if (i == count) return lanes;
  float last[16];
  store16(last, broadcast16(Kind::identity));
  std::memcpy(last, x + i, static_cast<std::size_t>(count - i) * sizeof(float));
  return Kind::combine(lanes, load16(last));
}

// Of [start, start + count), at most one chunk.
template <typename Kind>
float reduceChunk(Values& values, int64_t start, int64_t count) noexcept {
  Lanes16 lanes = broadcast16(Kind::identity);
  for (int64_t i = 0; i < count; i += blockElements) {
    const int64_t length = count - i < blockElements ? count - i : blockElements;
    lanes = accumulate<Kind>(lanes, values.at(start + i, length), length);
  }
  return Kind::fold(lanes);
}

template <typename Kind>
float combineInOrder(const float* x, int64_t count, int64_t stride) noexcept {
  float total = x[0];
  for (int64_t i = 1; i < count; ++i) total = Kind::combine(total, x[i * stride]);
  return total;
}

template <typename Kind>
void reduceAll(Values& values, const Crew& crew, int64_t count, float* partial, float scale, float* output) noexcept {
  const int64_t chunks = (count + chunkElements - 1) / chunkElements;
  const Share share = crew.share(chunks);
  for (int64_t chunk = share.begin; chunk < share.end; ++chunk) {
    const int64_t start = chunk * chunkElements;
    partial[chunk] = reduceChunk<Kind>(values, start, count - start < chunkElements ? count - start : chunkElements);
  }
  crew.barrier();
  if (crew.member == 0) *output = scale * combineInOrder<Kind>(partial, chunks, 1);
}

// accumulator[c] = accumulator[c] + x[0][c] + x[1][c] + ..., in this order.
template <typename Kind>
void accumulateRows(float* accumulator, const float* x, int64_t rows, int64_t columns) noexcept {
  for (int64_t column = 0; column < columns; column += Vector::width) {
    const int left = static_cast<int>(columns - column < Vector::width ? columns - column : Vector::width);
    Vector total = loadFirst(accumulator + column, left);
    for (int64_t row = 0; row < rows; ++row) {
      const float* source = x + row * columns + column;
      total = Kind::combine(total, left == Vector::width ? load(source) : loadFirst(source, left));
    }
    storeFirst(accumulator + column, total, left);
  }
}

template <typename Kind>
void reduceRows(Values& values, const Crew& crew, int64_t rows, int64_t columns, float* partial, float scale, float* output) noexcept {
  const int64_t chunks = (rows + chunkRows - 1) / chunkRows;
  const int64_t strips = (columns + blockElements - 1) / blockElements;
  // As many whole rows to a block as fit; one row, or part of it, where columns are many.
  const int64_t rowsOfBlock = columns < blockElements ? blockElements / columns : 1;
  const Share share = crew.share(chunks * strips);
  for (int64_t task = share.begin; task < share.end; ++task) {
    const int64_t chunk = task / strips, first = task % strips * blockElements;
    const int64_t width = columns - first < blockElements ? columns - first : blockElements;
    const int64_t end = (chunk + 1) * chunkRows < rows ? (chunk + 1) * chunkRows : rows;
    float* accumulator = partial + chunk * columns + first;
    for (int64_t column = 0; column < width; ++column) accumulator[column] = Kind::identity;
    for (int64_t row = chunk * chunkRows; row < end; row += rowsOfBlock) {
      const int64_t together = end - row < rowsOfBlock ? end - row : rowsOfBlock;
      accumulateRows<Kind>(accumulator, values.at(row * columns + first, (together - 1) * columns + width), together, width);
    }
  }
  crew.barrier();
  const Share own = crew.share(columns, 16);
  for (int64_t column = own.begin; column < own.end; ++column) {
    output[column] = scale * combineInOrder<Kind>(partial + column, chunks, columns);
  }
}

template <typename Kind>
void reduceColumns(Values& values, const Crew& crew, int64_t rows, int64_t columns, float scale, float* output) noexcept {
  const int64_t rowsOfBlock = columns < blockElements ? blockElements / columns : 1;
  const Share share = crew.share(rows, rowsOfBlock);
  if (columns <= blockElements) {
    for (int64_t row = share.begin; row < share.end; row += rowsOfBlock) {
      const int64_t together = share.end - row < rowsOfBlock ? share.end - row : rowsOfBlock;
      const float* block = values.at(row * columns, together * columns);
      for (int64_t i = 0; i < together; ++i) {
        output[row + i] = scale * Kind::fold(accumulate<Kind>(broadcast16(Kind::identity), block + i * columns, columns));
      }
    }
    return;
  }
  for (int64_t row = share.begin; row < share.end; ++row) {
    float total = Kind::identity;
    for (int64_t column = 0; column < columns; column += chunkElements) {
      const int64_t length = columns - column < chunkElements ? columns - column : chunkElements;
      const float chunk = reduceChunk<Kind>(values, row * columns + column, length);
      total = column == 0 ? chunk : Kind::combine(total, chunk);
    }
    output[row] = scale * total;
  }
}

template <typename Kind>
void reduceWith(const Call& call, const Attributes& attributes, const Crew& crew) noexcept {
  const OperandType& whole = wholeOf(*call.signature);
  const Pieces pieces = piecesOf(*call.signature, attributes, crew.member, call.workspace, nullptr);
  Values values(call, attributes, pieces);
  float* output = call.output(0);
  if (attributes.axis == 0) reduceAll<Kind>(values, crew, whole.count(), pieces.partial, attributes.scale, output);
  if (attributes.axis == 1) reduceRows<Kind>(values, crew, whole.rows(), whole.columns(), pieces.partial, attributes.scale, output);
  if (attributes.axis == 2) reduceColumns<Kind>(values, crew, whole.rows(), whole.columns(), attributes.scale, output);
}

Status run(const Call& call) noexcept {
  const Attributes attributes = attributesOf(*call.signature);
  // As for map.
  const double perElement = 0.05 * (1 + attributes.code.instructions + attributes.code.inputs);
  shareWork(*call.team, perElement * static_cast<double>(wholeOf(*call.signature).count()), [&](const Crew& crew) {
    if (attributes.kind == 0) reduceWith<Sum>(call, attributes, crew);
    else reduceWith<Maximum>(call, attributes, crew);
  });
  return Status::ok();
}

}  // namespace

extern const Kernel reduce;
const Kernel reduce = {"reduce", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
