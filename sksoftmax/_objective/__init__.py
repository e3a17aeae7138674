"""First floor: what the kernel means for a model that is linear in its parameters."""

from sksoftmax._objective.centred import linear_logits
from sksoftmax._objective.linear import LinearObjective
from sksoftmax._objective.one_vs_rest import OneVsRestObjective
from sksoftmax._objective.utilities import Choices, Terms, UtilityObjective

__all__ = [
    "Choices",
    "LinearObjective",
    "OneVsRestObjective",
    "Terms",
    "UtilityObjective",
    "linear_logits",
]
