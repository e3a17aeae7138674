#include "../../_kernel/native/door.h"

namespace sksoftmax {

void bind_grow(nb::module_&) {}

}  // namespace sksoftmax
