from typing import Any

def run(
    verb: int,
    logits: Any,
    n_classes: int,
    row_ptr: Any,
    mask: Any,
    temperature: Any,
    target_index: Any,
    target_proba: Any,
    weight: Any,
    label_smoothing: float,
    logit_l2: float,
    direction: Any,
    out: Any,
    row_out: Any,
    n_threads: int,
) -> tuple[int, int]: ...
def look_at_proba(
    proba: Any, n_classes: int, argmax: Any, largest: Any, total: Any, n_threads: int
) -> float: ...
def spread_of_proba(
    proba: Any, n_classes: int, entropy: Any, square: Any, n_threads: int
) -> None: ...
def bin_proba(
    proba: Any,
    n_classes: int,
    hit: Any,
    weight: Any,
    edges: Any,
    n_bins: int,
    sums: Any,
    n_threads: int,
) -> None: ...
def exp_(x: Any) -> Any: ...
def log_(x: Any) -> Any: ...
def log1p_(x: Any) -> Any: ...
def active_body() -> str: ...
def runnable_bodies() -> list[str]: ...
def max_threads() -> int: ...
