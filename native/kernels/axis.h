// An array seen along one of its axes: [outer, extent, inner].
#pragma once

#include <cstdint>

#include "kernels/operands.h"

namespace mneme {

struct AxisView {
  int64_t outer = 1, extent = 1, inner = 1;
};

inline AxisView viewAlong(const OperandType& type, int32_t axis) noexcept {
  AxisView view;
  for (int32_t i = 0; i < axis; ++i) view.outer *= type.shape[i];
  view.extent = type.shape[axis];
  for (int32_t i = axis + 1; i < type.rank; ++i) view.inner *= type.shape[i];
  return view;
}

// Whether two types have the same dtype and the same shape but for that axis.
inline bool agreeBeside(const OperandType& a, const OperandType& b, int32_t axis) noexcept {
  if (a.rank != b.rank || a.dtype != b.dtype) return false;
  for (int32_t i = 0; i < a.rank; ++i)
    if (i != axis && a.shape[i] != b.shape[i]) return false;
  return true;
}

}  // namespace mneme
