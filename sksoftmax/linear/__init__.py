"""Linear softmax models."""

from sksoftmax.linear._multinomial import MultinomialLogit

__all__ = ["MultinomialLogit"]
