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

class Trees:
    def __init__(
        self,
        *,
        nodes: Any,
        tree_ptr: Any,
        bitsets: Any,
        bitset_ptr: Any,
        values: Any,
        value_ptr: Any,
        n_classes: int,
        n_bins: Any,
        n_features: int,
    ) -> None: ...

def predict(
    *, trees: Trees, codes: Any, first_tree: int, last_tree: int, logits: Any, n_threads: int
) -> None: ...
def apply(*, trees: Trees, codes: Any, leaves: Any, n_threads: int) -> None: ...

# passes_door.cpp: from logits to records, from leaves to values

def advance(
    *,
    n_classes: int,
    logits: Any,
    leaf_of_row: Any,
    leaf_values: Any,
    target_index: Any,
    target_proba: Any,
    sample_weight: Any,
    label_smoothing: float,
    logit_l2: float,
    projection: Any,
    n_columns: int,
    has_curvature: bool,
    gradient: Any,
    loss: Any,
    n_threads: int,
) -> tuple[float, float]: ...
def records(
    *,
    gradient: Any,
    n_columns: int,
    has_curvature: bool,
    sample_weight: Any,
    lanes: int,
    gradient_scale: float,
    curvature_scale: float,
    weight_scale: float,
    records: Any,
    n_threads: int,
) -> None: ...
def leaf_values(
    *,
    n_classes: int,
    logits: Any,
    target_index: Any,
    target_proba: Any,
    sample_weight: Any,
    label_smoothing: float,
    logit_l2: float,
    rows: Any,
    leaf_ptr: Any,
    l2: float,
    learning_rate: float,
    n_threads: int,
    values: Any,
) -> None: ...

# grow_door.cpp: bins and records to a tree

def grow(
    *,
    codes: Any,
    n_features: int,
    n_bins: Any,
    is_categorical: Any,
    records: Any,
    lanes: int,
    n_columns: int,
    has_curvature: bool,
    wide: bool,
    gradient_scale: float,
    curvature_scale: float,
    weight_scale: float,
    rows: Any,
    max_leaf_nodes: int,
    max_depth: int,
    min_weight: float,
    l2: float,
    min_gain: float,
    max_features: int,
    seed: int,
    group_ptr: Any,
    groups: Any,
    workspace: Any,
    n_threads: int,
    nodes: Any,
    bitsets: Any,
    leaf_ptr: Any,
) -> tuple[int, int, int]: ...
def grow_workspace_size(
    *,
    n_bins: Any,
    lanes: int,
    wide: bool,
    max_leaf_nodes: int,
    n_rows: int,
    n_threads: int,
    histogram_budget_bytes: int,
) -> int: ...
