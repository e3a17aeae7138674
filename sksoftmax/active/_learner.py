"""Active learning: which rows to label next."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax._estimator import TellsItsVersion, restores_on_failure
from sksoftmax.active._loop import Costs, Oracle, run_loop
from sksoftmax.active._predictions import Predictions
from sksoftmax.active._state import LearnerState
from sksoftmax.active._synthesis import synthesize

__all__ = ["EntropyActiveLearner"]


class EntropyActiveLearner(
    LearnerState,
    Predictions,
    ClassifierMixin,
    MetaEstimatorMixin,
    TellsItsVersion,
    BaseEstimator,
):
    r"""Active learning: ask for the labels of the rows about which the model is least certain.

    The rows of `fit` whose label is missing are the *pool*. `query` says which of them to label
    next, `teach` takes their labels and fits again, and `run` does both until a budget is spent or
    a rule says stop. By default the row with the largest predictive entropy comes first,

    .. math:: H(x) = -\sum_k p_k(x) \log p_k(x) \text{ nats}, \qquad p(x) = \mathrm{softmax}(z(x)),

    computed from the logits in one pass, without a matrix of probabilities. In between, the learner
    is a classifier like any other: `predict`, `score` and pipelines work.

    Parameters
    ----------
    estimator : classifier or None, default=None
        Any classifier with ``predict_proba`` or ``decision_function``; None stands for
        `MultinomialLogit`. It is fitted on the labeled rows only. While all labels are of one
        class, a constant takes its place.
    criterion : str or BALD, default="entropy"
        How much the label of a row would tell: "entropy", "margin" (1 minus the difference of the
        two largest probabilities), "least_confident" (1 minus the largest), "bald" (disagreement of
        a committee of five, see `BALD`), or "random", the baseline. Chance decides between equal
        rows.
    batch_size : int, default=1
        Rows of a query.
    diversity : {"kcenter", "density"} or None, default=None
        How a batch is made out of the best candidates (ten times its size, at least 200): "kcenter"
        takes rows far from each other and from the labeled ones, "density" rows with many like them
        in the pool and none like them in the batch. None takes the best. Distances count columns in
        standard deviations.
    n_initial : int, default=10
        Rows of a query before there are any labels: drawn at random, or centers of the pool with
        ``diversity="kcenter"``.
    stopping : str, rule or list of these, default=None
        Rules that end a `run` before its budget: "entropy", "stability", "gain", or
        `EntropyThreshold`, `PredictionStability`, `ExpectedGain` with their parameters.
    unlabeled : object, default=None
        A value of `y` that means "no label", beside None, NaN and NA, which always do. -1 is a
        label unless ``unlabeled=-1``.
    calibrate : bool, default=False
        Whether a temperature is fitted, out of fold, to the estimator's logits (see
        `TemperatureScaling`), as soon as a class has two labels.
    refit : {"warm", "cold"}, default="warm"
        Whether a linear model (with a parameter `warm_start`), or a pipeline that ends in one,
        starts at its old coefficients. Other estimators, and `calibrate`, always start afresh: the
        ``warm_start`` of ensembles keeps members that never see the new labels.
    random_state : int, RandomState instance or None, default=None
        Seed of first rows, ties, bootstraps and folds. With an integer, the same labels lead to the
        same queries.
    n_jobs : int or None, default=None
        Members of a committee fitted at once, in joblib's meaning.
    verbose : int, default=0
        If positive, `run` shows its rounds: in a tqdm bar if tqdm is installed, else in lines.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels seen so far, sorted. More may come.
    estimator_ : classifier
        The estimator fitted on the labeled rows. Missing while there are no labels.
    history_ : list of dict
        A record for each round since `fit`: "indices" (rows asked about, -1: from outside),
        "labels" (None: no answer), "scores", "n_labels" and "cost" in all, "n_classes",
        "query_seconds", "fit_seconds"; "temperature" with `calibrate`, "test_score" with `X_test`,
        and what `stopping` looks at: "pool_entropy_max" and "pool_entropy_mean" (nats),
        "pool_error", "agreement", "gain".
    stop_reason_ : str or None
        Why the last `run` ended: "budget", "pool" (nothing left to ask), the name of a rule, or
        "interrupted" (the oracle, a fit or Ctrl-C raised). None before.
    pool_indices_ : ndarray
        Rows that can still be asked about.
    labeled_indices_ : ndarray
        Rows with a label in the order in which they got it; -1 for rows from outside.
    n_labels_ : int
        How many labels there are.
    cost_ : float
        What was spent since `fit`: the labels asked for, or their costs.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    compare_strategies : Is it worth it? Learning curves, always beside random labels.
    sksoftmax.plotting.ActiveLearningDisplay : The picture.

    Notes
    -----
    Entropy can lose to random labels: early, when the model is wrong about what it does not know,
    and where rows are uncertain because they are noise. See the user guide for measurements.

    References
    ----------
    .. [1] B. Settles (2009). Active learning literature survey. Computer Sciences Technical Report
       1648, University of Wisconsin-Madison.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from sksoftmax import EntropyActiveLearner
    >>> X, answers = load_digits(return_X_y=True)
    >>> y = [None] * len(X)
    >>> learner = EntropyActiveLearner(batch_size=10, random_state=0).fit(X, y)
    >>> for _ in range(20):
    ...     rows = learner.query()
    ...     learner = learner.teach(rows, answers[rows])  # a person would look at X[rows]
    >>> learner.n_labels_, round(learner.score(X, answers), 2)
    (200, 0.98)

    The same in one call, from an array of labels or a function of row numbers:

    >>> learner = EntropyActiveLearner(batch_size=10, random_state=0)
    >>> learner = learner.run(X, lambda rows: answers[rows], budget=200)
    >>> learner.stop_reason_
    'budget'
    """

    def __init__(
        self,
        estimator: Any = None,
        *,
        criterion: Any = "entropy",
        batch_size: int = 1,
        diversity: str | None = None,
        n_initial: int = 10,
        stopping: Any = None,
        unlabeled: Any = None,
        calibrate: bool = False,
        refit: str = "warm",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.estimator = estimator
        self.criterion = criterion
        self.batch_size = batch_size
        self.diversity = diversity
        self.n_initial = n_initial
        self.stopping = stopping
        self.unlabeled = unlabeled
        self.calibrate = calibrate
        self.refit = refit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    @restores_on_failure
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        mask: Any = None,
        classes: Any = None,
        **params: Any,
    ) -> Self:
        """Take a pool, and fit the estimator on the rows that have labels.

        Parameters
        ----------
        X : {array-like, sparse matrix, data frame} of shape (n_samples, n_features)
            All rows, labeled or not; anything that the estimator takes.
        y : array-like of shape (n_samples,), default=None
            Labels of any type. None, NaN, NaT and NA (and the value `unlabeled`) have none: these
            rows are the pool. None instead of an array: no row has a label.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of all rows; they count once a row has its label.
        mask : array-like of bool of shape (n_samples, n_classes) or (n_classes,), default=None
            True where a class is possible for the row: the others have no part in its score, nor
            in the fit of an estimator whose `fit` takes a mask. Columns are those of `classes`; of
            a data frame they are matched by name.
        classes : array-like of shape (n_classes,), default=None
            All labels there can be: the columns of `mask`, sorted unless that is a data frame. By
            default those of `y`.
        **params : dict
            Metadata for the estimator's `fit`, with an entry for each row.

        Returns
        -------
        self : EntropyActiveLearner
            The learner.

        Raises
        ------
        ValueError
            An argument is out of its range. A `fit` that fails leaves the learner as it was.
        """
        self._check_parameters()
        X = self._check_rows(X, reset=True)
        fit_params = self._fit_params(X, sample_weight, params)
        self._start(X, y, fit_params, mask, classes)
        self._refit()
        return self

    def query(
        self,
        X_pool: Any = None,
        n_queries: int | None = None,
        *,
        mask: Any = None,
        return_scores: bool = False,
        **params: Any,
    ) -> Any:
        """Say which rows to label next.

        The learner does not change: the same query gives the same rows until it is taught.

        Parameters
        ----------
        X_pool : {array-like, sparse matrix, data frame}, default=None
            Rows to choose from, by default the pool.
        n_queries : int, default=None
            How many, by default `batch_size`, or `n_initial` while there are no labels. If fewer
            are left, all of them.
        mask : array-like of bool of shape (n_rows, n_classes), default=None
            Possible classes of the rows of `X_pool`, as in `fit`.
        return_scores : bool, default=False
            Whether to return the scores too.
        **params : dict
            Metadata for the estimator's response method, with an entry for each row.

        Returns
        -------
        indices : ndarray of shape (n_queries,)
            Row numbers in `X_pool`, or in the `X` of `fit`; the best first, none twice.
        scores : ndarray of shape (n_queries,)
            Their scores (nats for "entropy" and "bald"); NaN while there are no labels. Only with
            ``return_scores=True``.

        Raises
        ------
        ValueError
            Nothing is left to ask about, or an argument is out of its range.
        """
        check_is_fitted(self, "history_")
        indices, scores = self._query(X_pool, n_queries, mask, params)
        return (indices, scores) if return_scores else indices

    @restores_on_failure
    def teach(
        self,
        indices: Any = None,
        y: Any = None,
        *,
        X: Any = None,
        sample_weight: Any = None,
        mask: Any = None,
        **params: Any,
    ) -> Self:
        """Take labels, and fit again.

        Parameters
        ----------
        indices : array-like of int of shape (n_new,), default=None
            Rows of the pool that get a label; they leave it.
        y : array-like of shape (n_new,)
            Their labels. A missing one says that nobody knows: the row leaves the pool without.
        X : {array-like, sparse matrix, data frame} of shape (n_new, n_features), default=None
            Instead of `indices`: rows from outside, synthesized ones for example.
        sample_weight : array-like of shape (n_new,), default=None
            Weights of rows from outside, 1 by default. Rows of the pool have those of `fit`.
        mask : array-like of bool of shape (n_new, n_classes), default=None
            Possible classes of rows from outside, all by default.
        **params : dict
            Metadata of rows from outside, the same that `fit` was given.

        Returns
        -------
        self : EntropyActiveLearner
            The learner.

        Raises
        ------
        ValueError
            A row is not in the pool, or an argument is out of its range. A `teach` that fails
            leaves the learner as it was.
        """
        check_is_fitted(self, "history_")
        self._check_parameters()
        if (indices is None) == (X is None):
            raise ValueError("teach takes either the indices of pool rows, or rows X; not both.")
        if X is None:
            if sample_weight is not None or mask is not None or params:
                raise ValueError("sample_weight, mask and metadata of pool rows are those of fit.")
            self._learn(indices, y)
        else:
            self._learn_outside(X, y, sample_weight, mask, params)
        self._refit()
        self._complete_record({})
        return self

    def run(
        self,
        X_pool: Any = None,
        oracle: Any = None,
        *,
        budget: float,
        X_test: Any = None,
        y_test: Any = None,
        costs: Any = None,
    ) -> Self:
        """Query, label and teach, until the budget is spent or a rule of `stopping` says stop.

        If it is interrupted, by Ctrl-C or because the oracle raised, every label that was given is
        kept, and the same call goes on where it stopped (also after pickling).

        Parameters
        ----------
        X_pool : {array-like, sparse matrix, data frame}, default=None
            The pool, by default that of `fit`. Another one takes its place; labels are kept. An
            unfitted learner starts with it.
        oracle : callable or array-like of shape (n_rows,)
            A function of an array of row numbers that returns their labels, in order; a missing
            label says that nobody knows. A generator may yield them one by one. Or all labels.
        budget : float
            What may be spent in all since `fit`, not only in this call: a number of labels, or the
            sum of their `costs`. ``np.inf`` ends with the pool.
        X_test, y_test : array-like, default=None
            Rows on which each round is scored, "test_score" in `history_`.
        costs : array-like of shape (n_rows,), default=None
            What the label of each row costs, positive. Rows are then ranked by score per cost, and
            those that cost more than what is left are not asked about.

        Returns
        -------
        self : EntropyActiveLearner
            The learner, with `history_` and `stop_reason_`.

        Raises
        ------
        ValueError
            An argument is out of its range.
        """
        self._check_parameters()
        if oracle is None:
            raise ValueError("oracle must be a function of row numbers, or the labels of all rows.")
        if (X_test is None) != (y_test is None):
            raise ValueError("X_test and y_test belong together; got one of them.")
        self._take_pool(X_pool)
        n_rows = len(self._pool)
        test = None if X_test is None else (X_test, y_test)
        run_loop(self, Oracle(oracle, n_rows), Costs(costs, n_rows, budget), test)
        return self

    def synthesize(
        self,
        n_queries: int = 1,
        *,
        bounds: Any = None,
        plausibility: float = 1.0,
        X_reference: Any = None,
    ) -> Any:
        """Make new rows about which the model is uncertain, not far from the data.

        Each maximizes entropy - `plausibility` * d^2, with d the distance to the nearest row of the
        data: the root mean square over the columns of differences in standard deviations (1 where
        categories differ), over the median of the same distance of a row to its nearest neighbor.
        So d is 1 where a row is as near to the data as they are to each other. If logits are linear
        in the features, by L-BFGS-B with the gradient dH/dz = -p (log p + H), also from the point
        nearest to a row at which all classes are equally probable; with
        `SoftmaxBoostingClassifier`, by coordinate ascent over the intervals between its splits;
        else on segments between neighbors that are predicted to be of different classes.

        Parameters
        ----------
        n_queries : int, default=1
            How many rows.
        bounds : pair of float or array-like of shape (n_features,), default=None
            Smallest and largest values (low, high) of numerical features, by default those of the
            data. ``(-np.inf, np.inf)`` allows all.
        plausibility : float, default=1.0
            Nats that a squared distance of 1 costs. At 0 only the entropy counts: such rows are
            bad queries, see the user guide.
        X_reference : {array-like, data frame} of shape (n_rows, n_features), default=None
            The data, by default the rows of the learner.

        Returns
        -------
        X_new : ndarray or data frame of shape (n_queries, n_features)
            As the data: the same columns, categories that occur, whole numbers in columns that hold
            no others. The most uncertain first. Ask for their labels and ``teach(y=y, X=X_new)``.

        Raises
        ------
        ValueError
            Fewer than two classes have labels, or an argument is out of its range.
        """
        check_is_fitted(self, "estimator_")
        return synthesize(self, n_queries, bounds, plausibility, X_reference)
