from typing import Any

# forest_door.cpp: values to bins, bins to leaves and logits

def bin_columns(
    *, X: Any, cuts: Any, cut_ptr: Any, is_categorical: Any, codes: Any, n_threads: int
) -> None: ...
def cut_column(*, values: Any, weight: Any, max_bins: int, cuts: Any) -> int: ...
def walk(
    *,
    nodes: Any,
    bitsets: Any,
    codes: Any,
    n_features: int,
    n_bins: Any,
    rows: Any,
    leaf_of_row: Any,
    n_threads: int,
) -> None: ...
def predict(
    *,
    nodes: Any,
    tree_ptr: Any,
    bitsets: Any,
    bitset_ptr: Any,
    values: Any,
    value_ptr: Any,
    n_bins: Any,
    codes: Any,
    n_features: int,
    n_classes: int,
    first_tree: int,
    last_tree: int,
    logits: Any,
    n_threads: int,
) -> None: ...
def apply(
    *,
    nodes: Any,
    tree_ptr: Any,
    bitsets: Any,
    bitset_ptr: Any,
    n_bins: Any,
    codes: Any,
    n_features: int,
    leaves: Any,
    n_threads: int,
) -> None: ...
def check_forest(
    *,
    nodes: Any,
    tree_ptr: Any,
    bitsets: Any,
    bitset_ptr: Any,
    value_ptr: Any,
    n_leaves: int,
    n_bins: Any,
    n_features: int,
) -> None: ...
