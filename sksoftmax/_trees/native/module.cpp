// The door of the trees: a table of contents.

#include <nanobind/nanobind.h>

namespace nb = nanobind;

namespace sksoftmax {
void bind_grow(nb::module_&);    // grow_door.cpp: one tree from records
void bind_passes(nb::module_&);  // passes_door.cpp: from logits to records, from leaves to values
void bind_forest(nb::module_&);  // forest_door.cpp: values to bins, bins to leaves and logits
}  // namespace sksoftmax

NB_MODULE(_core, m) {
  sksoftmax::bind_grow(m);
  sksoftmax::bind_passes(m);
  sksoftmax::bind_forest(m);
}
