#include "../../_kernel/native/door.h"

namespace sksoftmax {

void bind_forest(nb::module_&) {}

}  // namespace sksoftmax
