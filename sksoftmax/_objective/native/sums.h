// What one part of a pass (a fixed range of rows) adds to; parts.h adds the parts up.
#pragma once

namespace sksoftmax {

struct PartSums {
  double loss = 0;
  double* sums = nullptr;
};

}  // namespace sksoftmax
