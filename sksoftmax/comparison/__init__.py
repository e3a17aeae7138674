"""Softmax and one-vs-rest on the same data, and what the difference is."""

from sksoftmax.comparison._comparator import OneVsRestComparator
from sksoftmax.comparison._report import ComparisonReport

__all__ = ["ComparisonReport", "OneVsRestComparator"]
