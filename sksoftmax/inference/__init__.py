"""Statistics of fitted logit models: covariances, tests, tables, elasticities, ratios."""

from sksoftmax.inference._comparison import Comparison, compare
from sksoftmax.inference._effects import Average, Effects
from sksoftmax.inference._hypotheses import HypothesisTest, IIATest
from sksoftmax.inference._ratios import Ratio
from sksoftmax.inference._results import LogitResults
from sksoftmax.inference._summary import Summary
from sksoftmax.inference._surplus import ConsumerSurplus

__all__ = [
    "Average",
    "Comparison",
    "ConsumerSurplus",
    "Effects",
    "HypothesisTest",
    "IIATest",
    "LogitResults",
    "Ratio",
    "Summary",
    "compare",
]
