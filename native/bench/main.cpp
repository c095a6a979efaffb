// Native benchmarks: layers and matrix products as a share of the multiply-add peak that is measured in the same run; general
// kernels in milliseconds.
//
//   mneme_bench [--threads N] [--rounds N] [--isa NAME] [--parts] [--updates FILE] [text that the names of cases contain]
//
// A layer is packing, forward and backward (all gradients), as in a training step. `--parts` shows forward and backward alone too.
// `--updates` runs nothing but the updates of parameters in that file (bench/updaters.mjs).
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include "bench/general_kernels.h"
#include "bench/measure.h"
#include "bench/recurrent_layer.h"
#include "bench/updates.h"
#include "kernels/calibrate.h"

namespace {

using namespace mneme;
using namespace mneme::bench;

struct Layer {
  const char* name;
  int32_t cell;
  bool resetAfter;
  int64_t time, batch, inputs, units;
  LayerOptions options = {};
};
const Layer layers[] = {
    {"lstm 64,32,128,128", 1, false, 64, 32, 128, 128}, {"lstm 64,32,256,256", 1, false, 64, 32, 256, 256},
    {"lstm 64,64,512,512", 1, false, 64, 64, 512, 512}, {"lstm 35,20,200,200", 1, false, 35, 20, 200, 200},
    {"lstm 35,20,650,650", 1, false, 35, 20, 650, 650}, {"lstm 200,16,64,64", 1, false, 200, 16, 64, 64},
    {"lstm 128,1,256,256", 1, false, 128, 1, 256, 256}, {"lstm 32,1,512,512", 1, false, 32, 1, 512, 512},
    {"lstm 50,1,128,128", 1, false, 50, 1, 128, 128},   {"lstm 32,16,8,32", 1, false, 32, 16, 8, 32},
    {"lstm 60,10,1,10", 1, false, 60, 10, 1, 10},       {"gru 64,32,128,128", 2, true, 64, 32, 128, 128},
    {"gru 64,32,256,256", 2, true, 64, 32, 256, 256},   {"gru 200,16,64,64", 2, true, 200, 16, 64, 64},
    {"gru 128,1,256,256", 2, true, 128, 1, 256, 256},   {"gru-before 64,32,256,256", 2, false, 64, 32, 256, 256},
    {"rnn 64,32,256,256", 0, false, 64, 32, 256, 256},
    {"lstm 64,32,128,128 peepholes", 1, false, 64, 32, 128, 128, {true}},
    {"lstm 64,32,128,128 coupled", 1, false, 64, 32, 128, 128, {false, true}},
    {"lstm 64,32,128,128 zoneout", 1, false, 64, 32, 128, 128, {false, false, true}},
    {"lstm 64,32,128,128 recurrent dropout", 1, false, 64, 32, 128, 128, {false, false, false, true}},
    {"lstm 64,32,128,128 projection 64", 1, false, 64, 32, 128, 128, {false, false, false, false, 64}},
    {"lstm 64,32,256,256 peepholes", 1, false, 64, 32, 256, 256, {true}},
    {"lstm 64,32,256,256 coupled", 1, false, 64, 32, 256, 256, {false, true}},
    {"lstm 64,32,256,256 zoneout", 1, false, 64, 32, 256, 256, {false, false, true}},
    {"lstm 64,32,256,256 recurrent dropout", 1, false, 64, 32, 256, 256, {false, false, false, true}},
    {"lstm 64,32,256,256 projection 128", 1, false, 64, 32, 256, 256, {false, false, false, false, 128}},
    {"lstm 64,32,128,128 ragged", 1, false, 64, 32, 128, 128, {false, false, false, false, 0, true}},
    {"lstm 64,32,256,256 ragged", 1, false, 64, 32, 256, 256, {false, false, false, false, 0, true}},
    {"lstm 200,16,64,64 ragged", 1, false, 200, 16, 64, 64, {false, false, false, false, 0, true}},
    {"gru 64,32,256,256 ragged", 2, true, 64, 32, 256, 256, {false, false, false, false, 0, true}},
    {"rnn 64,32,256,256 ragged", 0, false, 64, 32, 256, 256, {false, false, false, false, 0, true}},
};

struct Product {
  const char* name;
  int64_t rows, columns, terms;
  bool transposeA, transposeB;
};
const Product products[] = {
    {"matmul 2500x65x128", 2500, 65, 128, false, false}, {"matmul 1x65x128", 1, 65, 128, false, false},
    {"matmul 2048x512x512", 2048, 512, 512, false, false}, {"matmul 512x512x2048 a transposed", 512, 512, 2048, true, false},
    {"matmul 2048x512x512 b transposed", 2048, 512, 512, false, true},
};

struct Settings {
  int threads = 1, rounds = 11;
  const char* instructionSet = nullptr;
  const char* filter = "";
  const char* updates = nullptr;
  bool parts = false;
};

bool parse(int count, char** arguments, Settings* settings) {
  for (int i = 1; i < count; ++i) {
    const bool more = i + 1 < count;
    if (std::strcmp(arguments[i], "--threads") == 0 && more) settings->threads = std::atoi(arguments[++i]);
    else if (std::strcmp(arguments[i], "--rounds") == 0 && more) settings->rounds = std::atoi(arguments[++i]);
    else if (std::strcmp(arguments[i], "--isa") == 0 && more) settings->instructionSet = arguments[++i];
    else if (std::strcmp(arguments[i], "--updates") == 0 && more) settings->updates = arguments[++i];
    else if (std::strcmp(arguments[i], "--parts") == 0) settings->parts = true;
    else if (arguments[i][0] != '-') settings->filter = arguments[i];
    else return false;
  }
  return settings->threads >= 1 && settings->rounds >= 1;
}

}  // namespace

int main(int argumentCount, char** arguments) {
  Settings settings;
  if (!parse(argumentCount, arguments, &settings)) {
    std::fprintf(stderr, "mneme_bench [--threads N] [--rounds N] [--isa NAME] [--parts] [--updates FILE] [text that the names of cases contain]\n");
    return 2;
  }
  const KernelTable* table = nullptr;
  const Status status = selectKernelTable(settings.instructionSet, &table);
  if (!status.isOk()) {
    std::fprintf(stderr, "%s\n", status.message);
    return 1;
  }
  Team team(settings.threads);
  std::vector<std::unique_ptr<RecurrentLayer>> owned;
  std::vector<std::unique_ptr<MatrixProduct>> ownedProducts;
  std::vector<Case> cases;
  // A text that no name contains.
  if (settings.updates != nullptr) settings.filter = "\n";
  for (const Layer& one : layers) {
    if (std::strstr(one.name, settings.filter) == nullptr) continue;
    owned.push_back(std::make_unique<RecurrentLayer>(*table, one.cell, one.resetAfter, one.time, one.batch, one.inputs, one.units, team, one.options));
    RecurrentLayer* layer = owned.back().get();
    cases.push_back({one.name, 3 * layer->forwardOperations(), settings.threads, [layer] { layer->forward(), layer->backward(); }});
    if (!settings.parts) continue;
    cases.push_back({std::string(one.name) + " forward", layer->forwardOperations(), settings.threads, [layer] { layer->forward(); }});
    // Backward alone overwrites its tape again and again: the time is the same, the numbers are not.
    cases.push_back({std::string(one.name) + " backward", 2 * layer->forwardOperations(), settings.threads, [layer] { layer->backward(); }});
  }
  for (const Product& one : products) {
    if (std::strstr(one.name, settings.filter) == nullptr) continue;
    ownedProducts.push_back(std::make_unique<MatrixProduct>(*table, one.rows, one.columns, one.terms, one.transposeA, one.transposeB, team));
    MatrixProduct* product = ownedProducts.back().get();
    cases.push_back({one.name, 2.0 * static_cast<double>(one.rows * one.columns * one.terms), settings.threads, [product] { product->run(); }});
  }
  const GeneralCases general(*table, team, settings.filter, &cases);
  std::unique_ptr<UpdateCases> updates;
  if (settings.updates != nullptr) updates = std::make_unique<UpdateCases>(*table, team, settings.updates, &cases);
  const double peak = measure(cases, settings.rounds, 0.003, [table] { return 1e9 * table->calibration->multiplyAddRate(0.002); });
  std::printf("%s, %d thread%s, peak of one %.1f GFLOP/s\n", table->instructionSet, settings.threads, settings.threads == 1 ? "" : "s", peak * 1e-9);
  for (const Case& one : cases) {
    const double middle = median(one.seconds), best = *std::min_element(one.seconds.begin(), one.seconds.end());
    if (one.operations == 0) {
      std::printf("  %-52s %10.4f ms (best %10.4f)", one.name.c_str(), middle * 1e3, best * 1e3);
      for (const Case& other : cases)
        if (other.name == one.against) std::printf("  %5.2f times %s", middle / median(other.seconds), other.name.c_str());
      std::printf("\n");
      continue;
    }
    std::printf("  %-40s %10.3f ms (best %10.3f)  %5.1f %% of the peak (best %5.1f)\n", one.name.c_str(), middle * 1e3, best * 1e3,
                100 * one.operations / middle / peak / one.threads, 100 * one.operations / best / peak / one.threads);
  }
  return 0;
}
