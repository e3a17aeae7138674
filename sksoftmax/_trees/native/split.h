// A split as a set of codes, and the orders of codes among which splits are sought.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>

#include "histogram.h"

namespace sksoftmax {

constexpr int kMostOrders = 8;  // of a categorical feature: by its first columns

// Categories are ordered by G / (D + smoothing): small ones cannot lead an order by chance.
// CatBoost's and LightGBM's (cat_smooth) default, in units of D.
constexpr double kCategorySmoothing = 10;

// Where a node may be split: feature, and what of its codes goes left.
struct Split {
  std::int32_t feature = -1;
  std::int32_t bin = 0;
  bool missing_left = false;
  bool is_categorical = false;
  std::array<std::uint8_t, kCodes> goes_left{};  // 1 or 0 for every code
};

// A histogram's slots as numbers.
struct Slots {
  const void* data = nullptr;  // of one feature
  int lanes = 0;
  bool wide = false;

  std::int64_t at(int code, int lane) const {
    const std::int64_t i = std::int64_t{code} * lanes + lane;
    return wide ? static_cast<const std::int64_t*>(data)[i]
                : static_cast<const std::int32_t*>(data)[i];
  }
  std::int64_t slot_bytes() const { return lanes * (wide ? 8 : 4); }
  const void* slot(int code) const {
    return static_cast<const char*>(data) + code * slot_bytes();
  }
  bool empty(int code) const {
    for (int lane = 0; lane < lanes; ++lane)
      if (at(code, lane) != 0) return false;
    return true;
  }
};

// The best split of one node among some features.
struct Candidate {
  double score = -1;  // below 0: none
  std::int32_t feature = -1;
  int position = 0;  // the last bin that goes left; of categories, its place in the order
  int order = -1;    // the column that orders the categories; -1: a numerical feature
  bool missing_left = false;

  // Among equals the first by feature, bin, missing right.
  bool beats(const Candidate& other) const {
    if (score != other.score) return score > other.score;
    if (feature != other.feature) return feature < other.feature;
    if (order != other.order) return order < other.order;
    if (position != other.position) return position < other.position;
    return missing_left < other.missing_left;
  }
};

// What a node's descendants still need to know of a feature: the codes that its rows can have.
// Slots outside low .. high and, without has_missing, the missing one are never read.
struct Range {
  std::uint8_t low, high;
  bool has_missing;
  bool live;  // allowed here, and not constant
};

// Some codes of a feature in the order in which cuts are sought.
struct CodeOrder {
  std::array<std::uint8_t, kCodes> codes;
  int n = 0;
};

// The categories that the node has (of low .. high and missing, -1: none), by G / (D + smoothing)
// of one column; equals by code.
inline CodeOrder category_order(const Slots& slots, int low, int high, int missing, int column,
                                int d_lane, double smoothing) {
  CodeOrder order;
  std::array<double, kCodes> key;
  const auto add = [&](int code) {
    if (slots.empty(code)) return;
    order.codes[order.n++] = static_cast<std::uint8_t>(code);
    key[code] = static_cast<double>(slots.at(code, column)) /
                (static_cast<double>(slots.at(code, d_lane)) + smoothing);
  };
  for (int code = low; code <= high; ++code) add(code);
  if (missing >= 0) add(missing);
  std::stable_sort(order.codes.begin(), order.codes.begin() + order.n,
                   [&](std::uint8_t a, std::uint8_t b) { return key[a] < key[b]; });
  return order;
}

// A pure function of its arguments (Steele, Lea & Flood 2014, "Fast splittable pseudorandom number
// generators").
inline std::uint64_t splitmix64(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace sksoftmax
