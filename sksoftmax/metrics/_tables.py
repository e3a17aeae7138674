"""Estimates as text."""

from __future__ import annotations

import numpy as np

from sksoftmax._tables import number
from sksoftmax.metrics._estimates import Estimate


def interval(estimate: Estimate, decimals: int = 3) -> str:
    """[low, high], or nothing where there is no interval."""
    if np.isnan(estimate.low) or np.isnan(estimate.high):
        return ""
    end = ")" if np.isinf(estimate.high) else "]"
    return f"[{number(estimate.low, decimals)}, {number(estimate.high, decimals)}{end}"


def percent(estimate: Estimate) -> Estimate:
    """A share in per cent."""
    return Estimate(*(100 * part for part in estimate))
