"""Multinomial logistic regression."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted

from sksoftmax import _kernel
from sksoftmax._estimator import (
    TellsItsVersion,
    check_choice,
    check_features,
    check_features_and_labels,
    check_finite,
    check_flag,
    check_integer,
    check_n_jobs,
    check_number,
    check_verbose,
    iteration_progress,
    restores_on_failure,
    warn_of_problems,
)
from sksoftmax._objective import LinearObjective, linear_logits
from sksoftmax._solvers import SOLVERS, solve_linear
from sksoftmax._targets import Targets, check_mask, check_offset, encode_targets
from sksoftmax.linear._inference import InfersByLikelihood

__all__ = ["MultinomialLogit"]


class MultinomialLogit(InfersByLikelihood, ClassifierMixin, TellsItsVersion, BaseEstimator):
    r"""Multinomial logistic regression: linear logits, softmax, cross-entropy and a ridge penalty.

    The logits of a row are :math:`z = W x + b + o`, and `fit` minimizes, with p = softmax(z),

    .. math::

        \frac{1}{\sum_i w_i} \sum_i w_i \Big[ -\sum_k q_{ik} \log p_{ik}
        + \frac{\lambda}{2} \sum_k z_{ik}^2 \Big] + \frac{1}{2 C \sum_i w_i} \|W\|^2

    with weights :math:`w_i` (`sample_weight` times `class_weight`), targets :math:`q_i` (one-hot,
    or rows of `y_proba`, smoothed by `label_smoothing`), offsets :math:`o` and :math:`\lambda` =
    `logit_l2`. Sums over classes run over the classes available to the row (`mask`). The intercept
    :math:`b` is not penalized. This is the objective of
    :class:`~sklearn.linear_model.LogisticRegression`, with the same `C`.

    Two classes have one row of coefficients: a score s means the logits (-s/2, s/2).

    Parameters
    ----------
    C : float, default=1.0
        Inverse strength of the ridge penalty, positive. ``np.inf`` is maximum likelihood; with
        three or more classes the coefficients then sum to zero over the classes.
    fit_intercept : bool, default=True
        Whether to fit an (unpenalized) intercept.
    class_weight : dict, "balanced" or None, default=None
        Weight of each class, ``{label: weight}``; labels left out weigh 1. ``"balanced"`` weighs a
        class by ``total / (n_classes * count)``, where counts are sums of `sample_weight`. With
        soft targets a row weighs :math:`\sum_k q_{ik} c_k`, taken before smoothing, and counts are
        sums of probabilities.
    label_smoothing : float, default=0.0
        Share :math:`\epsilon` in [0, 1) of each target that is spread evenly over the available
        classes [2]_: :math:`(1 - \epsilon) q + \epsilon / K`, with K the number of classes
        available to the row.
    logit_l2 : float, default=0.0
        Strength :math:`\lambda \ge 0` of a penalty on the logits (offset included) of each row.
    solver : {"auto", "lbfgs", "newton-cholesky", "newton-cg"}, default="auto"
        All reach the same optimum and none minds the scales of the features; they differ in speed:

        - "auto" picks "newton-cholesky" if ``n_classes * n_features`` is small, else "lbfgs", which
          hands over to "newton-cg" if it converges slowly. `solver_` says what ran.
        - "lbfgs" is L-BFGS in whitened coordinates: best for many rows, many classes, sparse `X`.
        - "newton-cholesky" factorizes the exact Hessian: best for small ``n_classes * n_features``
          and high precision. Memory grows with the square of that product.
        - "newton-cg" is truncated Newton with a preconditioner per class: best when the penalty is
          weak or the classes are nearly separable.
    tol : float, default=1e-6
        Accuracy at which to stop, positive; it does not depend on the scales of the features.
    max_iter : int, default=200
        Largest number of iterations.
    warm_start : bool, default=False
        Whether to start at the fit before, if it had the same classes and number of features. With
        ``solver="auto"`` and dense data the first refit also keeps the Hessian (if `n_classes *
        n_features` is moderate), so that further refits to nearly the same data take a few passes.
    n_jobs : int or None, default=None
        Number of threads; -1 means all processors. None lets the kernel choose (it honors
        ``OMP_NUM_THREADS`` and threadpoolctl). The result does not depend on it.
    verbose : int, default=0
        If positive, show each iteration: in a tqdm bar if tqdm is installed, else in plain lines.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted.
    coef_ : ndarray of shape (1, n_features) or (n_classes, n_features)
        Coefficients, in the dtype of `X`; one row if there are two classes.
    intercept_ : ndarray of shape (1,) or (n_classes,)
        Intercepts, zero without `fit_intercept`.
    n_iter_ : ndarray of shape (1,)
        Number of iterations.
    solver_ : str
        The solver that ran, of interest for ``solver="auto"``.
    objective_ : float
        The minimum of the objective above, in nats per unit of weight.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the features, if all are strings.

    See Also
    --------
    sklearn.linear_model.LogisticRegression : The same model for labels, with L1 penalties too.
    sksoftmax.metrics.LogLossScorer : Log-loss for model selection, with offsets and masks.
    sksoftmax.functional.cross_entropy : The loss as a function of arrays.

    Notes
    -----
    A :class:`~sklearn.exceptions.ConvergenceWarning` means that something is wrong with the problem
    and says what: classes that are perfectly separated, so that without penalty no maximum exists
    [1]_; a class without any weight, whose intercept has no finite optimum at any `C`; linearly
    dependent features without penalty, of which the minimum-norm solution is returned; or too
    small a `max_iter`.

    C-ordered float and canonical CSR `X` are not copied, unless ``C=np.inf`` finds dependent
    features or float32 data (then in part, or to float64, for its checks). Float32 data give
    float32 coefficients; sums are taken in float64. Offsets and masks are not remembered: in
    prediction a missing `offset` means zero, and a missing `mask` that all classes are available.

    References
    ----------
    .. [1] A. Albert, J. A. Anderson (1984). On the existence of maximum likelihood estimates in
       logistic regression models. Biometrika 71, 1-10.
    .. [2] C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna (2016). Rethinking the Inception
       architecture for computer vision. CVPR, 2818-2826.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MultinomialLogit(C=10.0).fit(X, y)
    >>> model.predict(X[:2])
    array([0, 0])
    >>> model.score(X, y)
    0.98

    Fit shares instead of labels; the columns of `y_proba` are named by `classes`:

    >>> shares = [[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.2, 0.8]]
    >>> model = MultinomialLogit(C=100.0)
    >>> model = model.fit([[0], [1], [2], [3]], y_proba=shares, classes=["bus", "car"])
    >>> model.predict([[0], [3]])
    array(['bus', 'car'], dtype='<U3')

    A class that is unavailable to a row has probability exactly zero there:

    >>> model.predict_proba([[3]], mask=[[True, False]])
    array([[1., 0.]])
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        fit_intercept: bool = True,
        class_weight: dict[Any, float] | str | None = None,
        label_smoothing: float = 0.0,
        logit_l2: float = 0.0,
        solver: str = "auto",
        tol: float = 1e-6,
        max_iter: int = 200,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.C = C
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.logit_l2 = logit_l2
        self.solver = solver
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose

    @restores_on_failure
    def fit(
        self,
        X: Any,
        y: Any = None,
        sample_weight: Any = None,
        *,
        y_proba: Any = None,
        offset: Any = None,
        mask: Any = None,
        classes: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,), default=None
            Labels of any type. May be None if `y_proba` is given.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero; a weight of 2 equals a duplicated row.
        y_proba : array-like of shape (n_samples, n_classes), default=None
            Soft targets: rows of probabilities, of sum 1 within 1e-6 (float32: 1e-4, float16: 1e-2;
            they are then divided by their sum). If given, this is what is fitted; `y`, if given
            too, serves splitting and scoring. The columns of a data frame are named by its columns;
            those of an array by `classes`, else by the sorted labels of `y`, else 0, 1, ...,
            n_classes - 1.
        offset : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits. Finite for available classes. One row stands for all rows.
        mask : array-like of bool of shape (n_samples, n_classes) or (n_classes,), default=None
            True where a class was available to the row. Unavailable classes have probability
            exactly zero. The target must be available.
        classes : array-like of shape (n_classes,), default=None
            All labels there are, needed if the data may lack one. Sorted, unless the arguments with
            one column per class are data frames, whose columns are matched by name.

        Returns
        -------
        self : MultinomialLogit
            The fitted model.

        Raises
        ------
        ValueError
            An argument is out of its range: the message names it, and the first row at fault.
            A `fit` that fails, or is interrupted by Ctrl-C, leaves the model as it was.
        """
        self._check_parameters()
        if y is None and y_proba is not None:
            X = check_features(self, X, reset=True)
        else:
            X, y = check_features_and_labels(self, X, y)
        targets = encode_targets(
            X,
            y,
            y_proba=y_proba,
            sample_weight=sample_weight,
            class_weight=self.class_weight,
            offset=offset,
            mask=mask,
            classes=classes,
        )
        return self._unpack(self._solve(X, targets), targets.classes, X.dtype)

    def decision_function(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the logits, or with two classes the score of the second class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples, n_classes) or (n_samples,)
            Logits, -inf for unavailable classes. With two classes the difference of the two logits,
            in favor of ``classes_[1]``: -inf if that class is unavailable, inf if only that one is
            available.
        """
        X, offset, mask = self._check_rows(X, offset, mask)
        scores = self._scores(X, offset, mask)
        if len(self.classes_) == 2:
            scores = scores[:, 0]
            if mask is not None:
                scores[~mask[:, 1]] = -np.inf
                scores[~mask[:, 0]] = np.inf
        elif mask is not None:
            scores[~mask] = -np.inf
        return scores

    def predict(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the most probable available class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`; of tied classes the first.
        """
        decision = self.decision_function(X, offset=offset, mask=mask)
        codes = (decision > 0).astype(np.intp) if decision.ndim == 1 else decision.argmax(axis=1)
        return self.classes_[codes]

    def predict_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Probabilities, in the order of `classes_`; exactly 0 for unavailable classes.
        """
        return self._apply(_kernel.softmax, X, offset, mask)

    def predict_log_proba(self, X: Any, *, offset: Any = None, mask: Any = None) -> np.ndarray:
        """Return the log of the probability of each class.

        Computed from the logits, so it is finite where ``log(predict_proba)`` underflows to -inf.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Log-probabilities in nats, in the order of `classes_`; -inf for unavailable classes.
        """
        return self._apply(_kernel.log_softmax, X, offset, mask)

    def score(
        self, X: Any, y: Any, sample_weight: Any = None, *, offset: Any = None, mask: Any = None
    ) -> float:
        """Return the accuracy of `predict` on (X, y).

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Features.
        y : array-like of shape (n_samples,)
            Labels.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.
        offset, mask : array-like of shape (n_samples, n_classes) or (n_classes,), default=None
            Added to the logits, and True where a class is available, as in `fit`.

        Returns
        -------
        accuracy : float
            Weighted share of rows whose label is predicted.
        """
        from sklearn.metrics import accuracy_score

        labels = self.predict(X, offset=offset, mask=mask)
        return float(accuracy_score(y, labels, sample_weight=sample_weight))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    # The steps of fit

    def _check_parameters(self) -> None:
        check_number(self.C, "C", "a positive number (np.inf: no penalty)", above=0, infinite=True)
        check_flag(self.fit_intercept, "fit_intercept")
        share = self.label_smoothing
        check_number(share, "label_smoothing", "a number in [0, 1)", at_least=0, below=1)
        check_number(self.logit_l2, "logit_l2", "a finite number >= 0", at_least=0)
        check_choice(self.solver, "solver", SOLVERS)
        check_number(self.tol, "tol", "a positive number", above=0)
        check_integer(self.max_iter, "max_iter", "an integer >= 1", at_least=1)
        check_flag(self.warm_start, "warm_start")
        _kernel.effective_n_threads(
            check_n_jobs(self.n_jobs)
        )  # raises where a number of threads makes no sense
        check_verbose(self.verbose)

    def _solve(self, X: Any, targets: Targets) -> Any:
        objective = LinearObjective(
            X,
            targets.target,
            n_classes=len(targets.classes),
            sample_weight=targets.sample_weight,
            label_smoothing=float(self.label_smoothing),
            logit_l2=float(self.logit_l2),
            alpha=targets.ridge(float(self.C)),
            offset=targets.offset,
            mask=targets.mask,
            fit_intercept=bool(self.fit_intercept),
            n_threads=self.n_jobs,
        )
        with iteration_progress(self.verbose, type(self).__name__, int(self.max_iter)) as progress:
            return solve_linear(
                objective,
                solver=self.solver,
                tol=float(self.tol),
                max_iter=int(self.max_iter),
                start=self._start(targets.classes, X.shape[1]),
                curvature=getattr(self, "_curvature", None),
                progress=progress,
            )

    def _start(self, classes: np.ndarray, n_features: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Return the coefficients of the fit before, if they fit this one; None starts cold."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        if not np.array_equal(self.classes_, classes) or self.coef_.shape[1] != n_features:
            return None
        coef, intercept = self.coef_.astype(np.float64), self.intercept_.astype(np.float64)
        return coef, intercept if self.fit_intercept else 0.0 * intercept

    def _unpack(self, solution: Any, classes: np.ndarray, dtype: np.dtype) -> Self:
        self.classes_ = classes
        with np.errstate(over="ignore"):  # of float32: reported below
            self.coef_ = solution.coef.astype(dtype, copy=False)
            self.intercept_ = solution.intercept.astype(dtype, copy=False)
        self.n_iter_ = np.array([solution.n_iter], dtype=np.int32)
        self.solver_ = solution.solver
        self._curvature = solution.curvature  # for the next warm start
        self.objective_ = float(solution.value)
        check_finite(coef_=self.coef_, intercept_=self.intercept_, objective_=self.objective_)
        warn_of_problems(self, solution.problems, stacklevel=4)  # the line that called fit
        return self

    # The steps of prediction

    def _check_rows(
        self, X: Any, offset: Any, mask: Any
    ) -> tuple[Any, np.ndarray | None, np.ndarray | None]:
        check_is_fitted(self)
        X = check_features(self, X, reset=False)
        mask = check_mask(mask, self.classes_, X.shape[0])
        return X, check_offset(offset, self.classes_, X.shape[0], X.dtype, mask), mask

    def _scores(self, X: Any, offset: np.ndarray | None, mask: np.ndarray | None) -> np.ndarray:
        """Return linear scores plus offset, (n_samples, n_classes), or (n_samples, 1) for two."""
        with np.errstate(over="ignore", invalid="ignore"):  # reported below
            coef = self.coef_.astype(X.dtype, copy=False)
            intercept = self.intercept_.astype(X.dtype, copy=False)
            scores = linear_logits(X, coef, intercept, n_threads=self.n_jobs)
            if offset is not None:
                scores += offset if len(self.classes_) > 2 else offset[:, 1:] - offset[:, :1]
            if np.isfinite(scores.sum()):
                return scores
        wrong = ~np.isfinite(scores)
        harmful = wrong
        if mask is not None:
            harmful = wrong & (mask if scores.shape[1] > 1 else mask.all(axis=1, keepdims=True))
        if harmful.any():
            row = int(np.argmax(harmful.any(axis=1)))
            raise ValueError(
                f"X: the score of row {row} overflows {scores.dtype}: X, the coefficients or "
                "offset are too large."
            )
        scores[wrong] = 0  # of unavailable classes
        return scores

    def _apply(self, verb: Any, X: Any, offset: Any, mask: Any) -> np.ndarray:
        """Apply a verb of the kernel to the logits; of two classes these are (-s/2, s/2)."""
        X, offset, mask = self._check_rows(X, offset, mask)
        logits = self._scores(X, offset, mask)
        if len(self.classes_) == 2:
            logits = np.concatenate([-logits / 2, logits / 2], axis=1)
        return verb(logits, mask=mask, n_threads=self.n_jobs)
