"""Active learning: fewer labels for the same model.

======================  ==========================================================================
`EntropyActiveLearner`  which rows to label next, for any classifier; new rows; the loop
`compare_strategies`    learning curves over repetitions, always beside random labels
`BALD`                  disagreement of a committee as the criterion
`EntropyThreshold`      stop when the model is certain
`PredictionStability`   stop when new labels no longer change the predictions
`ExpectedGain`          stop when a label is expected to bring too little
======================  ==========================================================================
"""

from sksoftmax.active._comparison import StrategyComparison, compare_strategies
from sksoftmax.active._criteria import BALD
from sksoftmax.active._learner import EntropyActiveLearner
from sksoftmax.active._stopping import EntropyThreshold, ExpectedGain, PredictionStability

__all__ = [
    "BALD",
    "EntropyActiveLearner",
    "EntropyThreshold",
    "ExpectedGain",
    "PredictionStability",
    "StrategyComparison",
    "compare_strategies",
]
