// What the doors of all native modules share: typed arrays, and errors that name an argument.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/optional.h>

#include <optional>
#include <string>

#include "kernel.h"

namespace sksoftmax {

namespace nb = nanobind;

template <class T>
using In = std::optional<nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>>;
template <class T>
using Out = std::optional<nb::ndarray<T, nb::ndim<1>, nb::c_contig, nb::device::cpu>>;

inline void require(bool condition, const char* message) {
  if (!condition) throw nb::value_error(message);
}

// The array's data, or null; an array of another size is an error.
template <class Array>
auto data_of(const Array& array, const char* name, std::int64_t size) {
  if (array && static_cast<std::int64_t>(array->size()) != size)
    throw nb::value_error((std::string(name) + ": expected " + std::to_string(size) +
                           " entries, got " + std::to_string(array->size()))
                              .c_str());
  return array ? array->data() : nullptr;
}

// The name of the active body; an ImportError where SKSOFTMAX_KERNEL names none that runs here.
inline std::string active_isa() {
  const char* error = nullptr;
  int count = 0;
  const Isa* list = isa_list(&count);
  const int chosen = choose_isa(&error);
  if (chosen < 0) throw nb::import_error(error);
  return list[chosen].name;
}

}  // namespace sksoftmax

// Of the tables <prefix>_<isa>, the one of that name.
#if defined(SKSOFTMAX_HAVE_avx512)
#define SKSOFTMAX_TABLE_OF(prefix, name) \
  ((name) == "avx512" ? prefix##_avx512 : (name) == "avx2" ? prefix##_avx2 : prefix##_baseline)
#else
#define SKSOFTMAX_TABLE_OF(prefix, name) ((void)(name), prefix##_baseline)
#endif
