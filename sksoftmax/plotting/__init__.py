"""Pictures, by scikit-learn's Display convention; matplotlib is imported when one is drawn.

=======================  ==========================================================================
`ActiveLearningDisplay`  score against labels, beside random labels
`ReliabilityDisplay`     accuracy against confidence, with intervals and a histogram
`SubgroupDisplay`        the metrics of groups of rows, a dot and a whisker each
=======================  ==========================================================================
"""

from sksoftmax.plotting._active_learning import ActiveLearningDisplay
from sksoftmax.plotting._reliability import ReliabilityCurve, ReliabilityDisplay
from sksoftmax.plotting._subgroups import SubgroupDisplay

__all__ = ["ActiveLearningDisplay", "ReliabilityCurve", "ReliabilityDisplay", "SubgroupDisplay"]
