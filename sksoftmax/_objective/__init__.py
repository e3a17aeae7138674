"""First floor: what the kernel means for a model that is linear in its parameters."""

from sksoftmax._objective.linear import LinearObjective, linear_logits

__all__ = ["LinearObjective", "linear_logits"]
