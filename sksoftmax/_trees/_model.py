"""Trees with vector leaves over values rather than bins: what is left of a fit."""

import numpy as np

from sksoftmax._trees._forest import Forest


class VectorForest:
    """One tree per iteration. Categories are codes; NaN is missing.

    Parameters
    ----------
    mapper : BinMapper
        Fitted.
    n_classes : int
    """

    n_trees_per_iteration = 1

    def __init__(self, mapper, n_classes):
        self.mapper = mapper
        self.trees = Forest(n_classes, mapper.n_bins_)

    @property
    def n_classes(self):
        """Length of a leaf's vector."""
        return self.trees.n_classes

    @property
    def n_iter(self):
        """Number of trees."""
        return len(self.trees)

    def truncate(self, n_iter):
        """Keep the first `n_iter` trees."""
        self.trees.truncate(n_iter)

    def logits_from(self, baseline_logits, X, *, n_threads):
        """Baseline plus all trees, (n_samples, n_classes) float32."""
        codes = self.mapper.transform(X, n_threads=n_threads)
        return self.trees.logits(codes, baseline_logits, n_threads=n_threads)

    def staged_from(self, baseline_logits, X, *, n_threads):
        """The logits after each tree: one array, which the next stage changes."""
        codes = self.mapper.transform(X, n_threads=n_threads)
        return self.trees.staged(codes, baseline_logits, n_threads=n_threads)

    def apply(self, X, *, n_threads):
        """The leaf of each row in each tree, int32 (n_samples, n_iter)."""
        return self.trees.apply(self.mapper.transform(X, n_threads=n_threads), n_threads=n_threads)

    def gain_importances(self):
        """Sum of the gains of each feature's splits, (n_features,)."""
        return self.trees.gain_importances()

    def split_values(self):
        """Thresholds of each numerical feature's splits, codes of each categorical feature."""
        return [
            np.sort(self.mapper.cuts_of(feature)) if categorical else thresholds
            for feature, (categorical, thresholds) in enumerate(
                zip(self.is_categorical, self.trees.thresholds(), strict=True)
            )
        ]

    @property
    def cuts(self):
        """The cuts of each numerical feature, the categories of each categorical one."""
        return [self.mapper.cuts_of(feature) for feature in range(len(self.mapper.n_bins_))]

    @property
    def is_categorical(self):
        """Which features hold category codes, bool (n_features,)."""
        return np.asarray(self.mapper.is_categorical_)
