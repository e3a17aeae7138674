"""First floor: what the kernel means for a model that is linear in its parameters."""

from sksoftmax._objective.linear import LinearObjective, linear_logits
from sksoftmax._objective.utilities import Choices, Terms, UtilityObjective

__all__ = ["Choices", "LinearObjective", "Terms", "UtilityObjective", "linear_logits"]
