// Recurrent cells in plain double precision, forward and backward, one number at a time: what the kernels are tested against.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace mneme::test {

struct ActivationFunction {
  const char* name;
  int32_t kind;
  double (*value)(double);
  double (*derivative)(double);
  std::vector<int32_t> code;  // as docs/architecture.md has it: x -> value, derivative
};

inline int32_t floatWord(float x) {
  int32_t word;
  std::memcpy(&word, &x, sizeof word);
  return word;
}

inline const std::vector<ActivationFunction>& activationFunctions() {
  const int32_t one = floatWord(1.0f);
  static const std::vector<ActivationFunction> all = {
      {"sigmoid", 1, [](double x) { return 1 / (1 + std::exp(-x)); },
       [](double x) { return std::exp(-x) / ((1 + std::exp(-x)) * (1 + std::exp(-x))); },
       {1, 2, 0, 2, 2, 7, 1, 0, 0, 0, 0, 23, 2, 1, 1, 1, 0, 1, 2}},
      {"tanh", 2, [](double x) { return std::tanh(x); }, [](double x) { return 1 - std::tanh(x) * std::tanh(x); },
       {1, 2, 1, 2, 2, one, 6, 2, 0, 0, 0, 0, 23, 3, 2, 2, 1, 0, 2, 3}},
      {"relu", 3, [](double x) { return x > 0 ? x : 0; }, [](double x) { return x > 0 ? 1.0 : 0.0; },
       {1, 2, 1, 2, 2, 0, 15, 2, 0, 1, 0, 0, 16, 3, 1, 0, 0, 0, 2, 3}},
      {"identity", 4, [](double x) { return x; }, [](double) { return 1.0; }, {1, 2, 1, 2, 2, one, 0, 2, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0, 2, 3}},
      {"softsign", 5, [](double x) { return x / (1 + std::fabs(x)); }, [](double x) { return 1 / ((1 + std::fabs(x)) * (1 + std::fabs(x))); },
       {1, 2, 1, 4, 5, one, 2, 2, 0, 0, 0, 0, 10, 2, 2, 1, 0, 0, 13, 3, 0, 2, 0, 0, 12, 4, 2, 2, 0, 0, 13, 5, 1, 4, 0, 0, 3, 5}},
      // x where it is defined: x x / x. What lanes without a unit hold must not spread from there.
      {"undefinedAtZero", 0, [](double x) { return x; }, [](double) { return 1.0; },
       {1, 2, 0, 2, 3, 12, 1, 0, 0, 0, 0, 13, 1, 1, 0, 0, 0, 13, 2, 0, 0, 0, 0, 1, 2}},
  };
  return all;
}
inline const ActivationFunction& activationFunction(const std::string& name) {
  for (const ActivationFunction& one : activationFunctions())
    if (name == one.name) return one;
  return activationFunctions()[0];
}

enum class Cell : int32_t { simple = 0, lstm = 1, gruAfter = 2, gruBefore = 3 };

// All arrays in the operands' layouts; an empty one is absent.
struct RecurrentData {
  Cell cell;
  int64_t time, batch, inputs, units;
  int64_t hidden;  // columns of the hidden state
  const ActivationFunction *gate, *candidate, *output;
  bool coupled = false;
  float cellClip = 0;
  std::vector<float> x, kernel, recurrentKernel, bias, recurrentBias, initialHidden, initialCell, peephole, projection, recurrentMask, hiddenKeep, cellKeep;
  std::vector<float> dy, dFinalHidden, dFinalCell;
  std::vector<int32_t> ids, lengths;

  int64_t gates() const { return cell == Cell::simple ? 1 : cell == Cell::lstm && !coupled ? 4 : 3; }
  bool gru() const { return cell == Cell::gruAfter || cell == Cell::gruBefore; }
  int64_t width() const { return gates() * units; }
};

// What comes out, in double precision or from a kernel.
template <typename Number>
struct RecurrentResult {
  using Array = std::vector<Number>;
  Array y, finalHidden, finalCell, dx, dKernel, dRecurrentKernel, dBias, dRecurrentBias, dInitialHidden, dInitialCell, dPeephole, dProjection;

  std::vector<std::pair<const char*, const Array*>> all() const {
    return {{"y", &y}, {"finalHidden", &finalHidden}, {"finalCell", &finalCell}, {"dx", &dx}, {"dKernel", &dKernel},
            {"dRecurrentKernel", &dRecurrentKernel}, {"dBias", &dBias}, {"dRecurrentBias", &dRecurrentBias},
            {"dInitialHidden", &dInitialHidden}, {"dInitialCell", &dInitialCell}, {"dPeephole", &dPeephole},
            {"dProjection", &dProjection}};
  }
};

class RecurrentReference {
 public:
  explicit RecurrentReference(const RecurrentData& data) : d(data), H(data.units), P(data.hidden), N(data.width()), rows(data.time * data.batch) {}

  RecurrentResult<double> run() {
    forward();
    backward();
    return r;
  }

 private:
  using Array = std::vector<double>;
  static double at(const std::vector<float>& array, int64_t index) { return array.empty() ? 0 : array[index]; }
  double input(int64_t row, int64_t i) const { return d.ids.empty() ? d.x[row * d.inputs + i] : d.ids[row] == i; }
  double hiddenBefore(int64_t row, int64_t p) const { return row < d.batch ? at(d.initialHidden, row * P + p) : r.y[(row - d.batch) * P + p]; }
  double cellBefore(int64_t row, int64_t unit) const { return row < d.batch ? at(d.initialCell, row * H + unit) : c[(row - d.batch) * H + unit]; }
  double mask(int64_t row, int64_t p) const { return d.recurrentMask.empty() ? 1 : d.recurrentMask[row % d.batch * P + p]; }
  double keep(const std::vector<float>& keeps, int64_t row, int64_t column, int64_t columns) const {
    const auto size = static_cast<int64_t>(keeps.size());
    return size == 0 ? 0 : size == 1 ? keeps[0] : size == rows ? keeps[row] : keeps[row * columns + column];
  }
  double hiddenKeep(int64_t row, int64_t p) const { return keep(d.hiddenKeep, row, p, P); }
  double cellKeep(int64_t row, int64_t unit) const { return keep(d.cellKeep, row, unit, H); }
  static double mix(double share, double old, double candidate) { return share == 1 ? old : share * old + (1 - share) * candidate; }
  double recurrentSum(const Array& h, int64_t column) const {
    double sum = 0;
    for (int64_t k = 0; k < P; ++k) sum += h[k] * d.recurrentKernel[k * N + column];
    return sum;
  }
  // Columns of the gates in the kernels: i, f (not where it is coupled), g, o.
  int64_t candidateColumn() const { return (d.coupled ? 1 : 2) * H; }
  int64_t outputColumn() const { return candidateColumn() + H; }
  double peephole(int64_t row, int64_t unit) const { return at(d.peephole, row * H + unit); }

  void forward() {
    r.y.resize(rows * P);
    c.resize(rows * H);
    newCell.resize(rows * H);
    cellHidden.resize(rows * H);
    sums.assign(rows * N, 0);
    fromState.assign(rows * H, 0);
    for (int64_t row = 0; row < rows; ++row) {
      Array h(P);
      for (int64_t k = 0; k < P; ++k) h[k] = hiddenBefore(row, k) * mask(row, k);
      double* s = &sums[row * N];
      for (int64_t column = 0; column < N; ++column) {
        s[column] = at(d.bias, column);
        for (int64_t i = 0; i < d.inputs; ++i) s[column] += input(row, i) * d.kernel[i * N + column];
        const bool ofCandidate = d.gru() && column >= 2 * H;
        if (!ofCandidate) s[column] += recurrentSum(h, column) + (d.gru() ? at(d.recurrentBias, column) : 0);
        else if (d.cell == Cell::gruAfter) fromState[row * H + column - 2 * H] = recurrentSum(h, column) + at(d.recurrentBias, column);
      }
      if (d.gru()) {
        Array reset(H);
        for (int64_t u = 0; u < H; ++u) reset[u] = d.gate->value(s[u]) * h[u];
        for (int64_t u = 0; u < H; ++u)
          s[2 * H + u] += d.cell == Cell::gruAfter ? d.gate->value(s[u]) * fromState[row * H + u] : recurrentSum(reset, 2 * H + u);
      }
      for (int64_t u = 0; u < H; ++u) cellHidden[row * H + u] = stepUnit(row, u, s);
      for (int64_t p = 0; p < P; ++p) {
        double candidate = 0;
        if (d.projection.empty()) candidate = cellHidden[row * H + p];
        else for (int64_t u = 0; u < H; ++u) candidate += cellHidden[row * H + u] * d.projection[u * P + p];
        r.y[row * P + p] = mix(hiddenKeep(row, p), hiddenBefore(row, p), candidate);
      }
    }
    r.finalHidden.assign(r.y.end() - d.batch * P, r.y.end());
    if (d.cell == Cell::lstm) r.finalCell.assign(c.end() - d.batch * H, c.end());
  }

  // h of a unit before any projection.
  double stepUnit(int64_t row, int64_t u, double* s) {
    if (d.cell == Cell::simple) return d.candidate->value(s[u]);
    if (d.gru()) {
      const double z = d.gate->value(s[H + u]);
      return (1 - z) * d.candidate->value(s[2 * H + u]) + z * hiddenBefore(row, u);
    }
    const double before = cellBefore(row, u);
    s[u] += peephole(0, u) * before;
    if (!d.coupled) s[H + u] += peephole(1, u) * before;
    const double i = d.gate->value(s[u]), f = d.coupled ? 1 - i : d.gate->value(s[H + u]);
    double next = f * before + i * d.candidate->value(s[candidateColumn() + u]);
    if (d.cellClip != 0) next = std::fmax(-d.cellClip, std::fmin(static_cast<double>(d.cellClip), next));
    newCell[row * H + u] = next;
    c[row * H + u] = mix(cellKeep(row, u), before, next);
    s[outputColumn() + u] += peephole(d.coupled ? 1 : 2, u) * next;
    return d.gate->value(s[outputColumn() + u]) * d.output->value(next);
  }

  void backward() {
    Array dSums(rows * N), dStateSums(rows * N), dh(d.batch * P), dc(d.batch * H);
    for (int64_t i = 0; i < d.batch * P; ++i) dh[i] = at(d.dFinalHidden, i);
    for (int64_t i = 0; i < d.batch * H; ++i) dc[i] = at(d.dFinalCell, i);
    r.dRecurrentKernel.assign(P * N, 0);
    if (!d.peephole.empty()) r.dPeephole.assign(d.peephole.size(), 0);
    if (!d.projection.empty()) r.dProjection.assign(H * P, 0);
    for (int64_t row = rows - 1; row >= 0; --row) {
      const int64_t b = row % d.batch;
      const double* s = &sums[row * N];
      double *ds = &dSums[row * N], *dr = &dStateSums[row * N];
      // `next` is the gradient of the old hidden state, `fed` that of what the products read of it.
      Array before(P), next(P), fed(P), reset(H), dReset(H), dOuts(H);
      for (int64_t p = 0; p < P; ++p) {
        before[p] = hiddenBefore(row, p) * mask(row, p);
        const double dOut = dh[b * P + p] + at(d.dy, row * P + p), share = hiddenKeep(row, p), dNew = (1 - share) * dOut;
        next[p] += share * dOut;
        if (d.projection.empty()) dOuts[p] = dNew;
        else for (int64_t u = 0; u < H; ++u) {
          dOuts[u] += dNew * d.projection[u * P + p];
          r.dProjection[u * P + p] += dNew * cellHidden[row * H + u];
        }
      }
      for (int64_t u = 0; u < H; ++u) {
        const double dOut = dOuts[u];
        const ActivationFunction &gate = *d.gate, &act = *d.candidate;
        if (d.cell == Cell::simple) {
          dr[u] = ds[u] = dOut * act.derivative(s[u]);
        } else if (d.cell == Cell::lstm) {
          lstmUnitBackward(row, u, dOut, s, ds, dc[b * H + u]);
          for (int64_t g = 0; g < d.gates(); ++g) dr[g * H + u] = ds[g * H + u];
        } else {
          const double z = gate.value(s[H + u]), n = act.value(s[2 * H + u]);
          ds[2 * H + u] = dOut * (1 - z) * act.derivative(s[2 * H + u]);
          dr[H + u] = ds[H + u] = dOut * (hiddenBefore(row, u) - n) * gate.derivative(s[H + u]);
          next[u] += dOut * z;
        }
      }
      if (d.gru())
        for (int64_t u = 0; u < H; ++u) {
          const double gateR = d.gate->value(s[u]);
          if (d.cell == Cell::gruAfter) {
            dr[u] = ds[u] = ds[2 * H + u] * fromState[row * H + u] * d.gate->derivative(s[u]);
            dr[2 * H + u] = ds[2 * H + u] * gateR;
          } else {
            for (int64_t k = 0; k < H; ++k) dReset[u] += ds[2 * H + k] * d.recurrentKernel[u * N + 2 * H + k];
            reset[u] = gateR * before[u];
            dr[u] = ds[u] = dReset[u] * before[u] * d.gate->derivative(s[u]);
            fed[u] += dReset[u] * gateR;
          }
        }
      for (int64_t k = 0; k < P; ++k)
        for (int64_t column = 0; column < N; ++column) {
          if (d.cell == Cell::gruBefore && column >= 2 * H) {
            r.dRecurrentKernel[k * N + column] += reset[k] * ds[column];
          } else {
            fed[k] += dr[column] * d.recurrentKernel[k * N + column];
            r.dRecurrentKernel[k * N + column] += before[k] * dr[column];
          }
        }
      for (int64_t p = 0; p < P; ++p) dh[b * P + p] = next[p] + fed[p] * mask(row, p);
    }
    r.dInitialHidden = dh;
    if (d.cell == Cell::lstm) r.dInitialCell = dc;
    productsBackward(dSums, dStateSums);
  }

  // `dCell`: of the c after the step, then of the c before it.
  void lstmUnitBackward(int64_t row, int64_t u, double dOut, const double* s, double* ds, double& dCell) {
    const ActivationFunction& gate = *d.gate;
    const int64_t g = candidateColumn() + u, o = outputColumn() + u, lastPeephole = d.coupled ? 1 : 2;
    const double before = cellBefore(row, u), next = newCell[row * H + u], share = cellKeep(row, u);
    const double i = gate.value(s[u]), f = d.coupled ? 1 - i : gate.value(s[H + u]), candidate = d.candidate->value(s[g]);
    ds[o] = dOut * d.output->value(next) * gate.derivative(s[o]);
    double dNext = (1 - share) * dCell + dOut * gate.value(s[o]) * d.output->derivative(next) + ds[o] * peephole(lastPeephole, u);
    if (d.cellClip != 0 && std::fabs(next) >= d.cellClip) dNext = 0;
    ds[u] = dNext * (d.coupled ? candidate - before : candidate) * gate.derivative(s[u]);
    if (!d.coupled) ds[H + u] = dNext * before * gate.derivative(s[H + u]);
    ds[g] = dNext * i * d.candidate->derivative(s[g]);
    dCell = share * dCell + dNext * f + ds[u] * peephole(0, u) + (d.coupled ? 0 : ds[H + u] * peephole(1, u));
    if (d.peephole.empty()) return;
    r.dPeephole[u] += ds[u] * before;
    if (!d.coupled) r.dPeephole[H + u] += ds[H + u] * before;
    r.dPeephole[lastPeephole * H + u] += ds[o] * next;
  }

  void productsBackward(const Array& dSums, const Array& dStateSums) {
    r.dx.assign(rows * d.inputs, 0);
    r.dKernel.assign(d.inputs * N, 0);
    r.dBias.assign(N, 0);
    r.dRecurrentBias.assign(N, 0);
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t column = 0; column < N; ++column) {
        const double gradient = dSums[row * N + column];
        r.dBias[column] += gradient;
        r.dRecurrentBias[column] += dStateSums[row * N + column];
        for (int64_t i = 0; i < d.inputs; ++i) {
          r.dx[row * d.inputs + i] += gradient * d.kernel[i * N + column];
          r.dKernel[i * N + column] += gradient * input(row, i);
        }
      }
  }

  const RecurrentData& d;
  const int64_t H, P, N, rows;
  Array c, newCell, cellHidden, sums, fromState;
  RecurrentResult<double> r;
};

}  // namespace mneme::test
