// What the trees' native units agree on: bins, records, nodes.
//
//   bins      (n_rows, n_features) uint8, row-major. Feature f has codes 0 .. n_bins[f] - 1 for its
//             values (or categories), n_bins[f] <= 255, and the code n_bins[f] for a missing one.
//   records   (n_rows, lanes) int32: what a row adds to every histogram bin it falls in. First
//             n_columns projected gradients, then, if there is one, the curvature, then the
//             weight; the rest is 0. lanes is 4, 8, or a multiple of 16.
//   nodes     a tree in one array, root first; the children of a node are neighbours.
//
// Records are integers (fixed point, power-of-two scales): sums are exact, so they depend neither on
// the order of the rows nor on the number of threads, the sibling of a node is exactly its parent
// minus the other child, and a row of weight 2 is the row twice.
#pragma once

#include <cstdint>

namespace sksoftmax {

constexpr int kMostBins = 255;  // of values; one more for missing

struct Bins {
  const std::uint8_t* codes = nullptr;
  std::int64_t n_rows = 0;
  std::int32_t n_features = 0;
  const std::int32_t* n_bins = nullptr;            // per feature
  const std::uint8_t* is_categorical = nullptr;    // per feature
};

struct Records {
  const std::int32_t* data = nullptr;
  int lanes = 0;
  int n_columns = 0;
  bool has_curvature = false;  // then lane n_columns is the curvature and the weight follows it
  bool wide = false;           // sums need 64 bits (else every sum stays below 2^31)
  double gradient_scale = 1;   // real value = integer / scale
  double curvature_scale = 1;
  double weight_scale = 1;
  int weight_lane() const { return n_columns + (has_curvature ? 1 : 0); }
};

// Where a split sends a code:
//   numerical    left if code <= bin, or if it is missing and missing_left
//   categorical  left if its bit is set; the bit of n_bins[f] and of all codes that the node has not
//                seen says where missing goes
// A leaf has left == 0.
struct Node {
  double threshold;            // of the values, for numerical splits: left if value <= threshold
  double weight;               // sum of the sample weights of its rows
  float gain;                  // of its split; 0 for a leaf
  std::int32_t feature;        // -1 for a leaf
  std::int32_t left;           // right is left + 1
  std::int32_t index;          // a leaf's number in its tree; a categorical split's row of bitsets
  std::uint8_t bin;
  std::uint8_t missing_left;
  std::uint8_t is_categorical;
  std::uint8_t unused[5];      // the same size in NumPy: NODE in _trees/_nodes.py
};
static_assert(sizeof(Node) == 40, "Node and its NumPy dtype must agree");

constexpr int kBitsetWords = 8;  // 256 codes

inline bool bit_is_set(const std::uint32_t* bitset, int code) {
  return (bitset[code >> 5] >> (code & 31)) & 1;
}

}  // namespace sksoftmax
