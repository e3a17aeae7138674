"""Gradient boosting of the softmax cross-entropy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax import _kernel
from sksoftmax._boosting_engines import to_lightgbm
from sksoftmax._boosting_fit import Rows, fit_model
from sksoftmax._boosting_settings import check_parameters
from sksoftmax._estimator import TellsItsVersion, restores_on_failure

__all__ = ["SoftmaxBoostingClassifier"]


class SoftmaxBoostingClassifier(ClassifierMixin, TellsItsVersion, BaseEstimator):
    r"""Gradient boosting with softmax and cross-entropy, one tree with vector leaves per iteration.

    The logits of a row are :math:`z(x) = b + \sum_t v_{t, \ell_t(x)}`: a baseline plus, for each
    tree, the vector of the leaf that the row falls in. Trees are added one by one; each lowers

    .. math::

        \sum_i w_i \Big[ -\sum_k q_{ik} \log p_{ik} + \frac{\lambda}{2} \sum_k z_{ik}^2 \Big],
        \qquad p_i = \mathrm{softmax}(z(x_i))

    with weights :math:`w_i` (`sample_weight` times `class_weight`), targets :math:`q_i` (one-hot,
    or rows of `y_proba`, smoothed by `label_smoothing`) and :math:`\lambda` = `logit_l2`. With the
    residuals :math:`r_{ik} = p_{ik} - q_{ik} + \lambda z_{ik}`, a leaf holds a regularized diagonal
    Newton step [1]_ with a curvature that does not vanish for rare classes, and sums to zero over
    the classes:

    .. math::

        v_k = u_k - \frac{1}{K} \sum_j u_j, \quad u_k = -\eta \, \frac{G_k}{H_k + \alpha}, \quad
        G_k = \sum_i w_i r_{ik}, \quad
        H_k = \sum_i w_i (p_{ik} + q_{ik} - 2 p_{ik} q_{ik} + \lambda)

    where :math:`\eta` is `learning_rate` and :math:`\alpha` is `l2_regularization`; for a label,
    :math:`p + q - 2 p q = |p - q|`. A split is scored by :math:`\|G P\|^2 / (D + \alpha)` of its
    sides, with :math:`D = \sum_i w_i (1 - \sum_k p_{ik} q_{ik})` and a few random combinations
    :math:`P` of the classes, drawn afresh for every tree [2]_: that costs about the same for 10
    classes and for 1000. Names and meanings of parameters are those of
    :class:`~sklearn.ensemble.HistGradientBoostingClassifier` where it has them.

    Parameters
    ----------
    learning_rate : float, default=0.1
        Share :math:`\eta` of each step that is taken, positive.
    max_iter : int, default=300
        Largest number of iterations.
    max_leaf_nodes : int or None, default=63
        Most leaves of a tree, at least 2. The leaf whose split gains most is split next.
    max_depth : int or None, default=None
        Most splits between the root and a leaf.
    min_samples_leaf : int or "auto", default="auto"
        Least sum of the weights of the rows of a leaf: without weights, the number of rows. "auto"
        is a hundredth of the sum of all weights, rounded down, but no less than 20 and no more
        than 40: the vectors of small leaves are noise where there are rows enough for larger ones.
    l2_regularization : float, default=1.0
        :math:`\alpha \ge 0`, on the values of the leaves, in units of weight.
    subsample : float, default=0.8
        Probability, in (0, 1], that a tree sees a row.
    max_features : float, default=1.0
        Share in (0, 1] of the features that each split may choose from, drawn for every node.
    max_bins : int, default=255
        Most bins of the values of a feature, 2 to 255; missing values have one of their own.
    sketch : int, "auto" or None, default="auto"
        Columns on which splits are scored. An integer is a number of random combinations of the
        residuals of the classes; ``n_classes - 1`` or more, and None, are exact and cost time and
        memory in proportion to the classes. "auto" is exact for up to 7 classes, else 6.
    multi_strategy : {"multi_output_tree", "one_output_per_tree"}, default="multi_output_tree"
        "one_output_per_tree" lets LightGBM grow one tree per class and iteration on the same loss:
        slower with many classes, and a comparison.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, ``{label: weight}``; labels left out weigh 1. ``"balanced"`` weighs a
        class by ``total / (n_classes * count)``, where counts are sums of `sample_weight`. With
        soft targets a row weighs :math:`\sum_k q_{ik} c_k`, taken before smoothing.
    label_smoothing : float, default=0.0
        Share :math:`\epsilon` in [0, 1) of each target that is spread evenly over the classes.
    logit_l2 : float, default=0.0
        Strength :math:`\lambda \ge 0` of a penalty on the logits of each row.
    categorical_features : array-like, "from_dtype" or None, default="from_dtype"
        Features whose values are categories: those of a categorical dtype of a pandas or polars
        frame ("from_dtype"), or a mask, indices or names. Numbers must be integers; negative ones
        are missing. A split sends any set of categories left. Categories that `fit` did not see are
        missing, and so are, with more than 254 categories (or `max_bins`), all but the most
        frequent.
    interaction_cst : {"pairwise", "no_interactions"}, list of lists of int, or None, default=None
        Groups of features that may occur on one path from the root to a leaf. Features that no
        group names form one more.
    warm_start : bool, default=False
        Whether to add iterations to the fit before, up to `max_iter` in all. On the same data, with
        ``early_stopping=False``, the result is the same, bit for bit, as of one long fit.
    early_stopping : "auto" or bool, default="auto"
        Whether to stop when the score of rows that are kept aside gets no better, and to keep the
        iterations up to the best one. "auto" is True with more than 10000 rows, or with `X_val`.
    scoring : str, callable or None, default="loss"
        What early stopping looks at: "loss" is the mean cross-entropy (without `label_smoothing`
        and `logit_l2`), other names are scikit-learn's; None is the accuracy.
    validation_fraction : float, int or None, default=0.1
        Share or number of rows to keep aside, stratified by class, unless `X_val` is given. None
        looks at the training rows.
    n_iter_no_change : int, default=10
        Stop when none of so many iterations beats the score before them.
    tol : float, default=1e-7
        By how much a score must be better to count.
    random_state : int, RandomState instance or None, default=None
        Seed of the rows kept aside, the rows and features that trees see, and the sketches.
    n_jobs : int or None, default=None
        Number of threads; -1 means all processors. None lets the kernel choose (it honors
        ``OMP_NUM_THREADS`` and threadpoolctl). The result does not depend on it.
    verbose : int, default=0
        If positive, show each iteration: in a tqdm bar if tqdm is installed, else in plain lines.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    n_iter_ : int
        Number of iterations of the model, at least 1.
    n_trees_per_iteration_ : int
        1, or with ``multi_strategy="one_output_per_tree"`` the number of classes.
    baseline_logits_ : ndarray of shape (n_classes,)
        Where boosting starts: the log of the share of each class, of mean zero. A class without
        rows counts as one of probability 1e-6.
    train_score_, validation_score_ : ndarray
        Scores, higher is better, after each iteration that ran; entry 0 belongs to the baseline.
        The loss is negated. `train_score_` has the objective for ``scoring="loss"``; else the
        scores of at most 10000 rows, with early stopping. Empty where nothing was scored.
    feature_importances_ : ndarray of shape (n_features,)
        Share of each feature in the gains of all splits.
    do_early_stopping_ : bool
        Whether early stopping was on.
    is_categorical_ : ndarray of bool of shape (n_features,), or None
        The categorical features; None if there are none.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    sklearn.ensemble.HistGradientBoostingClassifier : Boosting with one tree per class.

    Notes
    -----
    A weight of 2 equals the row twice, exactly, with ``subsample=1`` and ``early_stopping=False``.
    Equal seeds give equal models, whatever `n_jobs`.

    Memory, in bytes beside `X` and `y`: for each row ``n_features`` (bins) + ``4 n_classes``
    (logits); for each training row 4 for each column of the sketch, 4 for each of the 4, 8 or 16
    lanes that hold it with curvature and weight, and 16; histograms of at most 256 MiB (at least
    two); ``4 n_classes`` for each leaf of the model. A `fit` that needs more than there is raises
    before it starts.

    References
    ----------
    .. [1] J. H. Friedman (2001). Greedy function approximation: a gradient boosting machine. Annals
       of Statistics 29, 1189-1232 (section 4.6).
    .. [2] L. Iosipoi, A. Vakhrushev (2022). SketchBoost: fast gradient boosted decision tree for
       multioutput problems. NeurIPS 35.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import SoftmaxBoostingClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = SoftmaxBoostingClassifier(max_iter=20, random_state=0).fit(X, y)
    >>> model.predict(X[::50])
    array([0, 1, 2])

    Missing values need no preparation, and soft targets take the place of labels:

    >>> shares = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]]
    >>> model = SoftmaxBoostingClassifier(min_samples_leaf=1, subsample=1.0)
    >>> model = model.fit([[0], [1], [2], [None]], y_proba=shares, classes=["bus", "car"])
    >>> model.predict([[0], [float("nan")]])
    array(['bus', 'car'], dtype='<U3')
    """

    def __init__(
        self,
        *,
        learning_rate: float = 0.1,
        max_iter: int = 300,
        max_leaf_nodes: int | None = 63,
        max_depth: int | None = None,
        min_samples_leaf: int | str = "auto",
        l2_regularization: float = 1.0,
        subsample: float = 0.8,
        max_features: float = 1.0,
        max_bins: int = 255,
        sketch: int | str | None = "auto",
        multi_strategy: str = "multi_output_tree",
        class_weight: dict[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        logit_l2: float = 0.0,
        categorical_features: Any = "from_dtype",
        interaction_cst: Any = None,
        warm_start: bool = False,
        early_stopping: bool | str = "auto",
        scoring: Any = "loss",
        validation_fraction: float | int | None = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-7,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.learning_rate = learning_rate
        self.max_iter = max_iter
        self.max_leaf_nodes = max_leaf_nodes
        self.max_depth = max_depth
        self.min_samples_leaf = min_samples_leaf
        self.l2_regularization = l2_regularization
        self.subsample = subsample
        self.max_features = max_features
        self.max_bins = max_bins
        self.sketch = sketch
        self.multi_strategy = multi_strategy
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.logit_l2 = logit_l2
        self.categorical_features = categorical_features
        self.interaction_cst = interaction_cst
        self.warm_start = warm_start
        self.early_stopping = early_stopping
        self.scoring = scoring
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        y_proba: Any = None,
        classes: Any = None,
        X_val: Any = None,
        y_val: Any = None,
        y_proba_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features: an array of float32 or float64 (used as it is), or a pandas or polars frame.
            NaN (None, NA) is missing.
        y : array-like of shape (n_samples,), default=None
            Labels of any type. May be None if `y_proba` is given.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero. Rows of weight zero are left out.
        y_proba : array-like of shape (n_samples, n_classes), default=None
            Soft targets: rows of probabilities, of sum 1 within 1e-6 (float32: 1e-4, float16: 1e-2;
            they are then divided by their sum). If given, this is what is fitted; `y`, if given
            too, serves scorers. The columns of a data frame are named by its columns; those of an
            array by `classes`, else by the sorted labels of `y`, else 0, 1, ..., n_classes - 1.
        classes : array-like of shape (n_classes,), default=None
            All labels there are, needed if the data may lack one. Sorted, unless `y_proba` is a
            data frame, whose columns are matched by name.
        X_val : array-like of shape (n_validation, n_features), default=None
            Rows for early stopping, instead of a share of `X`.
        y_val, y_proba_val, sample_weight_val : array-like, default=None
            Labels, soft targets and weights of `X_val`, as of `X`.

        Returns
        -------
        self : SoftmaxBoostingClassifier
            The fitted model.

        Raises
        ------
        ValueError
            An argument is out of its range: the message names it. A `fit` that fails leaves the
            model as it was.
        MemoryError
            The fit would need more memory than there is; the message says how much. Raised before
            the first tree.
        KeyboardInterrupt
            Ctrl-C between two trees: the trees so far are the fitted model, and `n_iter_` says how
            many. Before the first tree the model is left as it was.
        """
        given, kept = (X, y, y_proba, sample_weight), (X_val, y_val, y_proba_val, sample_weight_val)
        if self._fit(given, classes, kept):
            raise KeyboardInterrupt
        return self

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the logits, or with two classes their difference.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logits in nats, of mean zero. With two classes the second less the first.
        """
        return _decision(self._logits(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`; of tied classes the first.
        """
        codes = self._logits(X).argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; float32 for float32 `X`.
        """
        return _kernel.softmax(self._logits(X), n_threads=self.n_jobs)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the log of the probability of each class.

        Computed from the logits, so it is finite where ``log(predict_proba)`` underflows to -inf.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Log-probabilities in nats, in the order of `classes_`.
        """
        return _kernel.log_softmax(self._logits(X), n_threads=self.n_jobs)

    def staged_decision_function(self, X: Any) -> Iterator[np.ndarray]:
        """Yield `decision_function` after each iteration.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Yields
        ------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logits, or with two classes their difference.
        """
        for logits in self._staged_logits(X):
            yield _decision(logits)

    def staged_predict(self, X: Any) -> Iterator[np.ndarray]:
        """Yield `predict` after each iteration.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Yields
        ------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`.
        """
        for logits in self._staged_logits(X):
            yield self.classes_[logits.argmax(axis=1)]

    def staged_predict_proba(self, X: Any) -> Iterator[np.ndarray]:
        """Yield `predict_proba` after each iteration.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Yields
        ------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`.
        """
        for logits in self._staged_logits(X):
            yield _kernel.softmax(logits, n_threads=self.n_jobs)

    def apply(self, X: Any) -> np.ndarray:
        """Return the leaf of each row in each tree.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Features.

        Returns
        -------
        leaves : int32 ndarray of shape (n_samples, n_trees) or (n_samples, n_iter, n_classes)
            Numbers of leaves, from 0 in each tree. With ``multi_strategy="one_output_per_tree"``
            there is one tree per class and iteration.
        """
        X = self._check_rows(X)
        return self._forest.apply(X, n_threads=self._threads())

    def split_values(self) -> list[np.ndarray]:
        """Return where the trees split each feature.

        Returns
        -------
        values : list of n_features float arrays
            Sorted. Distinct thresholds, where values up to the threshold go left; of a categorical
            feature all codes that `fit` knew.
        """
        check_is_fitted(self)
        return self._forest.split_values()

    @property
    def feature_importances_(self) -> np.ndarray:
        """Share of each feature in the gains of all splits, zeros if nothing was split."""
        check_is_fitted(self)
        gains = self._forest.gain_importances()
        total = gains.sum()
        return gains / total if total > 0 else gains

    def to_lightgbm(self) -> Any:
        """Return a ``lightgbm.Booster`` that predicts the same probabilities.

        It has one tree per class and iteration (of the same splits, for vector leaves), and the
        baseline in the first. Encoded categories are the positions in their list of categories.

        Returns
        -------
        booster : lightgbm.Booster
            Its ``predict`` gives probabilities (n_samples, n_classes), within 1e-6.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return to_lightgbm(
            self._forest,
            self.baseline_logits_,
            None if names is None else names.tolist(),
            self._encoder.pandas_categorical(),
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    @restores_on_failure
    def _fit(self, given: Rows, classes: Any, given_validation: Rows) -> bool:
        """Fit, and return whether Ctrl-C ended it."""
        check_parameters(self)
        return fit_model(self, given, classes, given_validation)

    def _threads(self) -> int:
        return _kernel.effective_n_threads(self.n_jobs)

    def _check_rows(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return self._encoder.transform(self, X, reset=False)

    def _logits(self, X: Any) -> np.ndarray:
        """Return the logits, (n_samples, n_classes), in the dtype of X."""
        X = self._check_rows(X)
        logits = self._forest.logits_from(self.baseline_logits_, X, n_threads=self._threads())
        return logits.astype(X.dtype, copy=False)

    def _staged_logits(self, X: Any) -> Iterator[np.ndarray]:
        X = self._check_rows(X)
        for logits in self._forest.staged_from(self.baseline_logits_, X, n_threads=self._threads()):
            yield logits.astype(X.dtype)


def _decision(logits: np.ndarray) -> np.ndarray:
    return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits
