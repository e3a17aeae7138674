"""FIRST FLOOR: trees whose leaves hold a vector, from bins to forests."""

from sksoftmax._trees._baseline import baseline_logits
from sksoftmax._trees._binning import MOST_BINS, BinMapper
from sksoftmax._trees._booster import Booster, Growth, TrainingRows, total_weight, training_bytes
from sksoftmax._trees._draws import Purpose, generator
from sksoftmax._trees._model import VectorForest

__all__ = [
    "MOST_BINS",
    "BinMapper",
    "Booster",
    "Growth",
    "Purpose",
    "TrainingRows",
    "VectorForest",
    "baseline_logits",
    "generator",
    "total_weight",
    "training_bytes",
]
