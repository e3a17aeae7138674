#include "../../_kernel/native/door.h"

namespace sksoftmax {

void bind_passes(nb::module_&) {}

}  // namespace sksoftmax
