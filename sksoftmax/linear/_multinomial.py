"""Multinomial logistic regression."""

from __future__ import annotations

from typing import Any, Self

from sksoftmax._estimator import restores_on_failure
from sksoftmax._objective import LinearObjective
from sksoftmax._solvers import solve_linear
from sksoftmax._targets import Targets
from sksoftmax.linear._base import LinearClassifier
from sksoftmax.linear._inference import InfersByLikelihood

__all__ = ["MultinomialLogit"]


class MultinomialLogit(InfersByLikelihood, LinearClassifier):
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
    OneVsRestLogit : A binary logit for each class instead; also for rows with several labels.
    sksoftmax.OneVsRestComparator : Both on the same data, and what the difference is.
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
        X, targets = self._encode(
            X,
            y,
            self.class_weight,
            y_proba=y_proba,
            sample_weight=sample_weight,
            offset=offset,
            mask=mask,
            classes=classes,
        )
        return self._unpack(self._solve(X, targets), targets.classes, X.dtype)

    def _solve(self, X: Any, targets: Targets) -> Any:
        options = self._objective_options(targets)
        objective = LinearObjective(X, targets.target, **options)
        kept = getattr(self, "_curvature", None)
        solution = self._run(solve_linear, objective, targets.classes, curvature=kept)
        self._curvature = solution.curvature  # for the next warm start
        return solution
