"""Linear models of classes: multinomial logistic regression, and one binary logit per class."""

from sksoftmax.linear._multinomial import MultinomialLogit
from sksoftmax.linear._one_vs_rest import OneVsRestLogit

__all__ = ["MultinomialLogit", "OneVsRestLogit"]
