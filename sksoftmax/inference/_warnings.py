"""What a reader of statistics has to be told before reading them."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from sksoftmax.inference._estimate import Estimate

_PACKAGE = str(Path(__file__).parents[1])


def warn_of_penalty(estimate: Estimate) -> None:
    """Warn that a penalized estimate is biased, if it is one."""
    if estimate.is_penalized:
        warn(
            "The fit has a penalty (a finite C): its estimates are shrunken, and standard errors, "
            "tests and intervals ignore that bias. Fit with C=np.inf for inference."
        )


def warn_of_sampling_weights(estimate: Estimate, what: str) -> None:
    """Warn that the log-likelihood is not one, if weights are sampling weights."""
    if estimate.weight_type == "sampling":
        warn(
            f"{what} rest on the log-likelihood, which with weight_type='sampling' is only a "
            "weighted sum: its differences have no chi-square distribution. Use wald_test with a "
            "robust covariance."
        )


def warn(message: str) -> None:
    """Warn about the line of the user's that called into the package."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
