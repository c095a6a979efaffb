// random: numbers that depend on nothing but a seed, a step, a purpose and their place.
//
//   inputs   step [1] i32
//   outputs  f32 values
//   words    seed low, seed high, purpose, kind (0 uniform in [0, 1), 1 normal)
//
// Element 4i + j comes from word j of the counter i (docs/architecture.md, "Layout").
#include "kernels/kernel.h"
#include "kernels/operands.h"
#include "kernels/parallel.h"

#include "simd/target_begin.h"
#include "kernels/philox.h"
#include "simd/functions.h"

namespace mneme::MNEME_TARGET_NAMESPACE {
namespace {

constexpr int64_t elementsAtOnce = 4 * Vector::width;
constexpr int64_t grain = 64;  // a multiple of it at every width

Status verify(const Signature& signature, Requirements*) noexcept {
  Check check(signature, 1, 1, 4);
  check.input(0, Dtype::i32).output(0, Dtype::f32);
  if (check.failed()) return check.status();
  check.that(signature.inputs[0].count() == 1, "the step has more than one element");
  check.that(signature.words[3] == 0 || signature.words[3] == 1, "no kind of distribution has the number %d", signature.words[3]);
  return check.status();
}

struct SineCosine {
  Vector sine, cosine;
};

// Of 2 pi v for v in [0, 1). 4v is a whole number q of quarter turns and a rest between -1/2 and 1/2, whose angle of at most
// pi/4 is left to the Taylor series: what follows its last term is below half an ulp.
SineCosine sineCosine(Vector v) noexcept {
  const Vector quarters = floor(fma(v, broadcast(4.0f), broadcast(0.5f)));
  const Vector angle = multiply(fnma(quarters, broadcast(0.25f), v), broadcast(6.28318530717958648f));
  const Vector square = multiply(angle, angle);
  Vector s = broadcast(2.7557319223985893e-06f);
  s = fma(s, square, broadcast(-0.0001984126984126984f));
  s = fma(s, square, broadcast(0.008333333333333333f));
  s = fma(s, square, broadcast(-0.16666666666666666f));
  s = fma(multiply(s, square), angle, angle);
  Vector c = broadcast(-2.7557319223985894e-07f);
  c = fma(c, square, broadcast(2.48015873015873e-05f));
  c = fma(c, square, broadcast(-0.001388888888888889f));
  c = fma(c, square, broadcast(0.041666666666666664f));
  c = fma(c, square, broadcast(-0.5f));
  c = fma(c, square, broadcast(1.0f));
  // By odd quarters the two change places; their signs follow the second bit of q (sine) and of q + 1 (cosine).
  const Integers q = truncate(quarters), one = broadcastInteger(1);
  const Mask odd = equalIntegers(bitAnd(q, one), one);
  const Integers signBit = broadcastInteger(INT32_MIN);
  const Integers sineSign = bitAnd(shiftLeft<30>(q), signBit);
  const Integers cosineSign = bitAnd(shiftLeft<30>(addIntegers(q, one)), signBit);
  const Vector sine = select(odd, c, s), cosine = select(odd, s, c);
  return {fromBits(bitXor(bitsOf(sine), sineSign)), fromBits(bitXor(bitsOf(cosine), cosineSign))};
}

// Two normal numbers from two words (G. Box, M. Muller, "A note on the generation of random normal deviates", 1958). The
// radius takes u in (0, 1], so that its logarithm is finite.
SineCosine normalPair(Integers first, Integers second) noexcept {
  const Vector u = multiply(add(upperBits(first), broadcast(1.0f)), broadcast(0x1p-24f));
  const Vector radius = squareRoot(multiply(log(u), broadcast(-2.0f)));
  const SineCosine direction = sineCosine(uniform(second));
  return {multiply(radius, direction.sine), multiply(radius, direction.cosine)};
}

// Elements [start, start + elementsAtOnce), start a multiple of grain.
void generate(const PhiloxStream& stream, bool normal, int64_t start, float* out) noexcept {
  const uint64_t index = static_cast<uint64_t>(start) / 4;
  int32_t lanes[Vector::width];
  for (int lane = 0; lane < Vector::width; ++lane) lanes[lane] = static_cast<int32_t>(static_cast<uint32_t>(index) + static_cast<uint32_t>(lane));
  const PhiloxWords words = philox(stream, loadIntegers(lanes), static_cast<uint32_t>(index >> 32));
  Vector values[4];
  if (normal) {
    for (int pair = 0; pair < 4; pair += 2) {
      const SineCosine both = normalPair(words.word[pair], words.word[pair + 1]);
      values[pair] = both.cosine;
      values[pair + 1] = both.sine;
    }
  } else {
    for (int j = 0; j < 4; ++j) values[j] = uniform(words.word[j]);
  }
  float columns[4][Vector::width];
  for (int j = 0; j < 4; ++j) store(columns[j], values[j]);
  for (int lane = 0; lane < Vector::width; ++lane)
    for (int j = 0; j < 4; ++j) out[4 * lane + j] = columns[j][lane];
}

Status run(const Call& call) noexcept {
  const int32_t* words = call.signature->words.data;
  const PhiloxStream stream = {static_cast<uint32_t>(words[0]), static_cast<uint32_t>(words[1]), static_cast<uint32_t>(*call.inputIds(0)),
                               static_cast<uint32_t>(words[2])};
  const bool normal = words[3] == 1;
  const int64_t count = call.signature->outputs[0].count();
  shareWork(*call.team, (normal ? 2.0 : 1.0) * static_cast<double>(count), [&](const Crew& crew) {
    const Share share = crew.share(count, grain);
    float* out = call.output(0);
    int64_t i = share.begin;
    for (; i + elementsAtOnce <= share.end; i += elementsAtOnce) generate(stream, normal, i, out + i);
    if (i < share.end) {
      float last[elementsAtOnce];
      generate(stream, normal, i, last);
      std::memcpy(out + i, last, static_cast<std::size_t>(share.end - i) * sizeof(float));
    }
  });
  return Status::ok();
}

}  // namespace

extern const Kernel random;
const Kernel random = {"random", verify, nullptr, run, 0, 0};

}  // namespace mneme::MNEME_TARGET_NAMESPACE

#include "simd/target_end.h"
