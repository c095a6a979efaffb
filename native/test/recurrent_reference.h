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
  const ActivationFunction *gate, *activation;
  std::vector<float> x, kernel, recurrentKernel, bias, recurrentBias, initialHidden, initialCell, dy, dFinalHidden, dFinalCell;
  std::vector<int32_t> ids;

  int64_t gates() const { return cell == Cell::simple ? 1 : cell == Cell::lstm ? 4 : 3; }
  int64_t width() const { return gates() * units; }
};

// What comes out, in double precision or from a kernel.
template <typename Number>
struct RecurrentResult {
  using Array = std::vector<Number>;
  Array y, finalHidden, finalCell, dx, dKernel, dRecurrentKernel, dBias, dRecurrentBias, dInitialHidden, dInitialCell;

  std::vector<std::pair<const char*, const Array*>> all() const {
    return {{"y", &y}, {"finalHidden", &finalHidden}, {"finalCell", &finalCell}, {"dx", &dx}, {"dKernel", &dKernel},
            {"dRecurrentKernel", &dRecurrentKernel}, {"dBias", &dBias}, {"dRecurrentBias", &dRecurrentBias},
            {"dInitialHidden", &dInitialHidden}, {"dInitialCell", &dInitialCell}};
  }
};

class RecurrentReference {
 public:
  explicit RecurrentReference(const RecurrentData& data) : d(data), H(data.units), N(data.width()), rows(data.time * data.batch) {}

  RecurrentResult<double> run() {
    forward();
    backward();
    return r;
  }

 private:
  using Array = std::vector<double>;
  static double at(const std::vector<float>& array, int64_t index) { return array.empty() ? 0 : array[index]; }
  double input(int64_t row, int64_t i) const { return d.ids.empty() ? d.x[row * d.inputs + i] : d.ids[row] == i; }
  double hiddenBefore(int64_t row, int64_t unit) const { return row < d.batch ? at(d.initialHidden, row * H + unit) : r.y[(row - d.batch) * H + unit]; }
  double cellBefore(int64_t row, int64_t unit) const { return row < d.batch ? at(d.initialCell, row * H + unit) : c[(row - d.batch) * H + unit]; }
  double recurrentSum(const Array& h, int64_t column) const {
    double sum = 0;
    for (int64_t k = 0; k < H; ++k) sum += h[k] * d.recurrentKernel[k * N + column];
    return sum;
  }

  void forward() {
    r.y.resize(rows * H);
    c.resize(rows * H);
    sums.assign(rows * N, 0);
    fromState.assign(rows * H, 0);
    for (int64_t row = 0; row < rows; ++row) {
      Array h(H);
      for (int64_t k = 0; k < H; ++k) h[k] = hiddenBefore(row, k);
      double* s = &sums[row * N];
      for (int64_t column = 0; column < N; ++column) {
        s[column] = at(d.bias, column);
        for (int64_t i = 0; i < d.inputs; ++i) s[column] += input(row, i) * d.kernel[i * N + column];
        const bool candidate = d.gates() == 3 && column >= 2 * H;
        if (!candidate) s[column] += recurrentSum(h, column) + (d.gates() == 3 ? at(d.recurrentBias, column) : 0);
        else if (d.cell == Cell::gruAfter) fromState[row * H + column - 2 * H] = recurrentSum(h, column) + at(d.recurrentBias, column);
      }
      if (d.gates() == 3) {
        Array reset(H);
        for (int64_t u = 0; u < H; ++u) reset[u] = d.gate->value(s[u]) * h[u];
        for (int64_t u = 0; u < H; ++u)
          s[2 * H + u] += d.cell == Cell::gruAfter ? d.gate->value(s[u]) * fromState[row * H + u] : recurrentSum(reset, 2 * H + u);
      }
      for (int64_t u = 0; u < H; ++u) {
        double& y = r.y[row * H + u];
        switch (d.cell) {
          case Cell::simple: y = d.activation->value(s[u]); break;
          case Cell::lstm:
            c[row * H + u] = d.gate->value(s[H + u]) * cellBefore(row, u) + d.gate->value(s[u]) * d.activation->value(s[2 * H + u]);
            y = d.gate->value(s[3 * H + u]) * d.activation->value(c[row * H + u]);
            break;
          default: {
            const double z = d.gate->value(s[H + u]);
            y = (1 - z) * d.activation->value(s[2 * H + u]) + z * h[u];
          }
        }
      }
    }
    r.finalHidden.assign(r.y.end() - d.batch * H, r.y.end());
    if (d.cell == Cell::lstm) r.finalCell.assign(c.end() - d.batch * H, c.end());
  }

  void backward() {
    Array dSums(rows * N), dStateSums(rows * N), dh(d.batch * H), dc(d.batch * H);
    for (int64_t i = 0; i < d.batch * H; ++i) dh[i] = at(d.dFinalHidden, i), dc[i] = at(d.dFinalCell, i);
    r.dRecurrentKernel.assign(H * N, 0);
    for (int64_t row = rows - 1; row >= 0; --row) {
      const int64_t b = row % d.batch;
      const double* s = &sums[row * N];
      double *ds = &dSums[row * N], *dr = &dStateSums[row * N];
      Array before(H), next(H), reset(H), dReset(H);
      for (int64_t u = 0; u < H; ++u) before[u] = hiddenBefore(row, u);
      for (int64_t u = 0; u < H; ++u) {
        const double dOut = dh[b * H + u] + at(d.dy, row * H + u);
        const ActivationFunction &gate = *d.gate, &act = *d.activation;
        if (d.cell == Cell::simple) {
          dr[u] = ds[u] = dOut * act.derivative(s[u]);
        } else if (d.cell == Cell::lstm) {
          const double i = gate.value(s[u]), f = gate.value(s[H + u]), g = act.value(s[2 * H + u]), o = gate.value(s[3 * H + u]);
          const double cell = c[row * H + u], dCell = dc[b * H + u] + dOut * o * act.derivative(cell);
          ds[u] = dCell * g * gate.derivative(s[u]);
          ds[H + u] = dCell * cellBefore(row, u) * gate.derivative(s[H + u]);
          ds[2 * H + u] = dCell * i * act.derivative(s[2 * H + u]);
          ds[3 * H + u] = dOut * act.value(cell) * gate.derivative(s[3 * H + u]);
          for (int64_t g4 = 0; g4 < 4; ++g4) dr[g4 * H + u] = ds[g4 * H + u];
          dc[b * H + u] = dCell * f;
        } else {
          const double z = gate.value(s[H + u]), n = act.value(s[2 * H + u]);
          ds[2 * H + u] = dOut * (1 - z) * act.derivative(s[2 * H + u]);
          dr[H + u] = ds[H + u] = dOut * (before[u] - n) * gate.derivative(s[H + u]);
          next[u] += dOut * z;
        }
      }
      if (d.gates() == 3)
        for (int64_t u = 0; u < H; ++u) {
          const double gateR = d.gate->value(s[u]);
          if (d.cell == Cell::gruAfter) {
            dr[u] = ds[u] = ds[2 * H + u] * fromState[row * H + u] * d.gate->derivative(s[u]);
            dr[2 * H + u] = ds[2 * H + u] * gateR;
          } else {
            for (int64_t k = 0; k < H; ++k) dReset[u] += ds[2 * H + k] * d.recurrentKernel[u * N + 2 * H + k];
            reset[u] = gateR * before[u];
            dr[u] = ds[u] = dReset[u] * before[u] * d.gate->derivative(s[u]);
            next[u] += dReset[u] * gateR;
          }
        }
      for (int64_t k = 0; k < H; ++k)
        for (int64_t column = 0; column < N; ++column) {
          if (d.cell == Cell::gruBefore && column >= 2 * H) {
            r.dRecurrentKernel[k * N + column] += reset[k] * ds[column];
          } else {
            next[k] += dr[column] * d.recurrentKernel[k * N + column];
            r.dRecurrentKernel[k * N + column] += before[k] * dr[column];
          }
        }
      for (int64_t u = 0; u < H; ++u) dh[b * H + u] = next[u];
    }
    r.dInitialHidden = dh;
    if (d.cell == Cell::lstm) r.dInitialCell = dc;
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
  const int64_t H, N, rows;
  Array c, sums, fromState;
  RecurrentResult<double> r;
};

}  // namespace mneme::test
