from typing import Any

def temperature_survey(
    *,
    logits: Any,
    n_classes: int,
    target: Any,
    weight: Any,
    factor: float,
    row_maximum: Any,
    row_target: Any,
    n_threads: int,
) -> tuple[float, float, float, float]: ...
def temperature_pass(
    *,
    logits: Any,
    n_classes: int,
    weight: Any,
    factor: float,
    inverse_temperature: float,
    row_maximum: Any,
    row_target: Any,
    n_threads: int,
) -> tuple[float, float, float, float]: ...
