#include "../../_kernel/native/simd.h"
#include "tree.h"
