"""Discrete choice: the conditional logit, its data, and what it says about other situations."""

from sksoftmax.choice._conditional_logit import ConditionalLogit
from sksoftmax.choice._cross_validation import cross_validate_long
from sksoftmax.choice._long import long_to_wide
from sksoftmax.choice._parameters import NamedValues
from sksoftmax.choice._scenarios import Simulation
from sksoftmax.choice._specification import linear_utilities

__all__ = [
    "ConditionalLogit",
    "NamedValues",
    "Simulation",
    "cross_validate_long",
    "linear_utilities",
    "long_to_wide",
]
