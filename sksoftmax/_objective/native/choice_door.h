#pragma once

#include <nanobind/nanobind.h>

namespace sksoftmax {

// Adds the choice passes to the module.
void bind_choice(nanobind::module_& m);

}  // namespace sksoftmax
