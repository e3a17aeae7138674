// The door of the verbs over probabilities, a part of the kernel's module.
#pragma once

#include "door.h"

namespace sksoftmax {

void bind_proba(nb::module_& m);

}  // namespace sksoftmax
