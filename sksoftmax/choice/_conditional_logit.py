"""The conditional logit as a scikit-learn estimator."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import validate_data

from sksoftmax import _kernel
from sksoftmax._estimator import (
    TellsItsVersion,
    check_choice,
    check_features,
    check_features_and_labels,
    check_finite,
    check_flag,
    check_integer,
    check_label_column,
    check_n_jobs,
    check_number,
    check_verbose,
    iteration_progress,
    restores_on_failure,
    warn_of_problems,
)
from sksoftmax._solvers import ChoiceFit, Problem
from sksoftmax._targets import label_text
from sksoftmax.choice._columns import as_table, check_availability, column_names
from sksoftmax.choice._estimate import Observed
from sksoftmax.choice._long_fit import FitsLongData
from sksoftmax.choice._model import ChoiceModel, Settings
from sksoftmax.choice._parameters import NamedValues
from sksoftmax.choice._scenarios import PredictsScenarios
from sksoftmax.choice._specification import linear_utilities, parse_utilities
from sksoftmax.inference import LogitResults
from sksoftmax.inference._estimate import Estimate

COVARIANCES = ("hessian", "bhhh", "robust", "cluster")


class ConditionalLogit(
    PredictsScenarios, FitsLongData, ClassifierMixin, TellsItsVersion, BaseEstimator
):
    r"""Conditional logit (McFadden's): choices between alternatives with attributes of their own.

    In case n the alternatives j that are available have the utilities

    .. math::

        U_{nj} = V_{nj} + \varepsilon_{nj}, \qquad V_{nj} = x_{nj}' \beta

    with independent standard Gumbel :math:`\varepsilon`, and the one with the largest is chosen, so
    that :math:`P_{nj} = \exp V_{nj} / \sum_k \exp V_{nk}`, the sum over the available ones
    [1]_. `fit` maximizes the log-likelihood :math:`\sum_n w_n \log P_{n, y_n}`, less
    :math:`\frac{1}{2 C} \sum_k \beta_k^2` over the parameters that stand beside a column.

    One row of `X` is one case ("wide" data), and `y` names the chosen alternative. For data with
    one row per case and alternative there are `fit_long` and `long_to_wide`.

    Parameters
    ----------
    utilities : dict or None, default=None
        The model as it is written on paper: alternative -> {parameter: term}. A term that is a
        string is always a column of `X`, one that is a number always a constant. A parameter of
        the same name in several utilities is one parameter. Columns of an `X` without names are
        called x0, x1, ...; `linear_utilities` writes the usual specifications. None is the
        multinomial logit: constants and all columns of `X` for every alternative but the first.
    availability : dict or None, default=None
        Alternative -> column that holds 1 where it is available to the case, and 0 elsewhere. An
        alternative that is not named is always available.
    panel : str or None, default=None
        Column of `X` that tells whose case it is. The cases of one person are then one unit of
        estimation: scores are summed over them in ``covariance="bhhh"``, ``"robust"`` and
        ``"cluster"``. The estimates do not change.
    fixed : dict or None, default=None
        Parameter -> value at which it is held.
    C : float, default=np.inf
        Inverse strength of a ridge penalty on all parameters but those attached only to numbers,
        with the meaning that it has in `MultinomialLogit`. ``np.inf`` is maximum likelihood.
    covariance : {"hessian", "bhhh", "robust", "cluster"}, default="hessian"
        The covariance that `results_` shows first; ``results_.with_covariance`` has the others
        without a new fit.
    weight_type : {"frequency", "sampling"}, default="frequency"
        What weights mean: a weight of 2 is a row that occurs twice, or a row that stands for twice
        as many as others. Sampling weights allow ``covariance="robust"`` and ``"cluster"`` only.
    class_weight : dict, "balanced" or None, default=None
        Weight of the cases that chose an alternative; multiplies `sample_weight`.
    tol : float, default=1e-8
        Accuracy at which to stop, positive: the largest entry of the gradient of the mean
        log-likelihood in variables that do not depend on the units of the columns.
    max_iter : int, default=100
        Largest number of iterations of Newton's method; six are usual.
    warm_start : bool, default=False
        Whether to start at the parameters of the fit before, matched by name.
    n_jobs : int or None, default=None
        Number of threads; -1 means all processors. None lets the kernel choose (it honors
        ``OMP_NUM_THREADS`` and threadpoolctl). The result does not depend on it.
    verbose : int, default=0
        If positive, show each iteration: in a tqdm bar if tqdm is installed, else in plain lines.

    Attributes
    ----------
    classes_ : ndarray of shape (n_alternatives,)
        The alternatives: the keys of `utilities`, sorted (the sorted labels of `y` if it is None).
    params_ : NamedValues of length n_parameters
        The parameters, in order of first appearance in `utilities`.
    parameter_names_ : ndarray of str of shape (n_parameters,)
        Their names.
    loglik_ : float
        Log-likelihood in nats, weighted, without penalty.
    results_ : LogitResults
        Standard errors, tests, tables, elasticities, willingness to pay.
    n_iter_ : int
        Number of iterations.
    n_features_in_ : int
        Number of columns seen in `fit`.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if all are strings.

    See Also
    --------
    linear_utilities : Writes the usual utilities.
    long_to_wide : Turns one row per alternative into one row per case.
    sksoftmax.MultinomialLogit : For attributes of cases only, larger and sparse data.
    sksoftmax.metrics.log_loss_scorer : The log-likelihood as a score for model selection.

    Notes
    -----
    A :class:`~sklearn.exceptions.ConvergenceWarning` names the parameters that the data do not
    determine: collinear ones (those of smallest norm are taken) and separated ones, whose
    estimates are infinite (the last finite fit is kept), such as the constant of an alternative
    that nobody chose. Their standard errors are NaN; the others keep theirs.

    Only columns that are used become numbers, so identifiers and text may stay in `X`. A missing
    value is an error only where an available alternative of the row uses it.

    References
    ----------
    .. [1] D. McFadden (1974). Conditional logit analysis of qualitative choice behavior. In
       P. Zarembka (ed.), Frontiers in Econometrics, 105-142. Academic Press.

    Examples
    --------
    >>> import numpy as np
    >>> from sksoftmax.choice import ConditionalLogit
    >>> rng = np.random.default_rng(0)
    >>> X = rng.uniform(1, 3, size=(500, 4))  # times and costs of train and car
    >>> V_train, V_car = -X[:, 0] - 2 * X[:, 1], 1 - X[:, 2] - 2 * X[:, 3]
    >>> y = np.where(V_car + rng.logistic(size=500) > V_train, "car", "train")
    >>> utilities = {
    ...     "train": {"time": "x0", "cost": "x1"},
    ...     "car": {"asc_car": 1, "time": "x2", "cost": "x3"},
    ... }
    >>> model = ConditionalLogit(utilities).fit(X, y)
    >>> model.params_
    time     -0.895516
    cost     -2.172942
    asc_car   1.062195
    >>> model.predict(X[:3])
    array(['car', 'car', 'car'], dtype='<U5')
    >>> model.results_.willingness_to_pay("time", "cost").value
    -0.412...
    """

    def __init__(
        self,
        utilities: Mapping[Any, Mapping[str, Any]] | None = None,
        *,
        availability: Mapping[Any, str] | None = None,
        panel: str | None = None,
        fixed: Mapping[str, float] | None = None,
        C: float = np.inf,
        covariance: str = "hessian",
        weight_type: str = "frequency",
        class_weight: dict[Any, float] | str | None = None,
        tol: float = 1e-8,
        max_iter: int = 100,
        warm_start: bool = False,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.utilities = utilities
        self.availability = availability
        self.panel = panel
        self.fixed = fixed
        self.C = C
        self.covariance = covariance
        self.weight_type = weight_type
        self.class_weight = class_weight
        self.tol = tol
        self.max_iter = max_iter
        self.warm_start = warm_start
        self.n_jobs = n_jobs
        self.verbose = verbose

    @restores_on_failure
    def fit(self, X: Any, y: Any, sample_weight: Any = None, *, groups: Any = None) -> Self:
        """Estimate the parameters.

        Parameters
        ----------
        X : data frame (pandas, polars) or array-like of shape (n_samples, n_features)
            One row per case.
        y : array-like of shape (n_samples,)
            The chosen alternative of each case.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights, not all zero; `weight_type` says what they mean.
        groups : array-like of shape (n_samples,), default=None
            Whose case it is, as labels of any type; overrides `panel`.

        Returns
        -------
        self : ConditionalLogit
            The fitted model.

        Raises
        ------
        ValueError
            An argument is out of its range, a column is missing or holds no numbers, a value is
            missing where it is used, or an unavailable alternative was chosen: the message names
            it and the first rows at fault. A `fit` that fails, or is interrupted by Ctrl-C, leaves
            the model as it was.
        """
        settings = self._check_parameters()
        X, y = self._check_data(X, y)
        model = self._specify(X, y, settings)
        self._check_covariance(model.settings, groups)
        observed = model.observe(X, y, sample_weight, groups)
        return self._unpack(model, observed, *self._solve(model, observed))

    def utility(self, X: Any) -> np.ndarray:
        """Return the utilities V.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case, with the columns that the utilities and the availability use.

        Returns
        -------
        utility : float64 ndarray of shape (n_samples, n_alternatives)
            In the order of `classes_`; -inf where an alternative is unavailable.
        """
        model = self._wide_model("utility")
        return model.utility(self._check_rows(X), self.params_.values)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the utilities, or with two alternatives that of the second less the first's.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case.

        Returns
        -------
        decision : float64 ndarray of shape (n_samples, n_alternatives) or (n_samples,)
            Utilities, -inf where unavailable; with two alternatives V1 - V0, which is -inf or inf
            where only one is available.
        """
        utility = self.utility(X)
        return utility[:, 1] - utility[:, 0] if len(self.classes_) == 2 else utility

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable available alternative of each case.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case.

        Returns
        -------
        labels : ndarray of shape (n_samples,)
            Labels from `classes_`; of tied alternatives the first.
        """
        best = self.utility(X).argmax(axis=1)
        return self.classes_[best]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the choice probabilities.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case.

        Returns
        -------
        proba : float64 ndarray of shape (n_samples, n_alternatives)
            In the order of `classes_`; exactly 0 where an alternative is unavailable.
        """
        return _kernel.softmax(self.utility(X), n_threads=self.n_jobs)

    def predict_log_proba(self, X: Any) -> np.ndarray:
        """Return the logarithms of the choice probabilities.

        Computed from the utilities, so they are finite where ``log(predict_proba)`` is -inf.

        Parameters
        ----------
        X : data frame or array-like of shape (n_samples, n_features)
            One row per case.

        Returns
        -------
        log_proba : float64 ndarray of shape (n_samples, n_alternatives)
            In nats, in the order of `classes_`; -inf where an alternative is unavailable.
        """
        return _kernel.log_softmax(self.utility(X), n_threads=self.n_jobs)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = self.utilities is not None
        tags.input_tags.string = self.utilities is not None
        return tags

    # The steps of fit

    def _check_parameters(self) -> Settings:
        check_number(self.C, "C", "a positive number (np.inf: no penalty)", above=0, infinite=True)
        check_choice(self.covariance, "covariance", COVARIANCES)
        check_choice(self.weight_type, "weight_type", ("frequency", "sampling"))
        check_number(self.tol, "tol", "a positive number", above=0)
        check_integer(self.max_iter, "max_iter", "an integer >= 1", at_least=1)
        check_flag(self.warm_start, "warm_start")
        _kernel.effective_n_threads(check_n_jobs(self.n_jobs))  # raises where it makes no sense
        check_verbose(self.verbose)
        if self.panel is not None and not isinstance(self.panel, str):
            raise TypeError(f"panel must be None or the name of a column; got {self.panel!r}.")
        return Settings(
            fixed=_check_fixed(self.fixed),
            C=float(self.C),
            weight_type=self.weight_type,
            class_weight=copy.copy(self.class_weight),
            panel=self.panel,
            tol=float(self.tol),
            max_iter=int(self.max_iter),
            n_jobs=self.n_jobs,
        )

    def _check_covariance(self, settings: Settings, groups: Any) -> None:
        if self.covariance == "cluster" and settings.panel is None and groups is None:
            raise ValueError(
                "covariance='cluster' needs clusters: pass groups= to fit, or name a column in "
                "panel=."
            )
        if self.weight_type == "sampling" and self.covariance in ("hessian", "bhhh"):
            raise ValueError(
                f"covariance={self.covariance!r} does not go with weight_type='sampling'; accepted "
                "are 'robust' and 'cluster'."
            )

    def _check_data(self, X: Any, y: Any) -> tuple[Any, np.ndarray]:
        """Return X as a table, or as an array of floats where all its columns are used; and y."""
        if self.utilities is None:
            X, y = check_features_and_labels(self, X, y)
            return X.astype(np.float64, copy=False), y
        X = as_table(X)
        validate_data(self, X, skip_check_array=True)
        return X, check_label_column(self, y, X.shape[0])

    def _specify(self, X: Any, y: np.ndarray, settings: Settings) -> ChoiceModel:
        utilities, names = self.utilities, None
        if utilities is None:
            labels = _sorted_labels(y)
            names = tuple(getattr(self, "feature_names_in_", column_names(X)))
            utilities = linear_utilities(labels, case=names, base=labels[0])
        specification = parse_utilities(utilities)
        unknown = [name for name in settings.fixed if name not in specification.parameters]
        if unknown:
            raise ValueError(
                f"fixed: {unknown} are no parameters of the utilities, which have "
                f"{list(specification.parameters)}."
            )
        availability = check_availability(self.availability, specification.classes)
        return ChoiceModel(specification, availability, settings, array_names=names)

    def _solve(self, model: Any, observed: Observed) -> tuple[ChoiceFit, Estimate]:
        start = self.params_.to_dict() if self.warm_start and hasattr(self, "params_") else None
        with iteration_progress(self.verbose, type(self).__name__, int(self.max_iter)) as progress:
            return model.fit(observed, start, progress)

    def _unpack(self, model: Any, observed: Observed, fit: ChoiceFit, estimate: Estimate) -> Self:
        check_finite(params_=fit.params, loglik_=estimate.loglik, information=estimate.information)
        self._model = model
        self.classes_ = model.classes
        self.parameter_names_ = np.array(model.names, dtype=object)
        self.params_ = NamedValues(model.names, fit.params, "coefficient")
        self.loglik_ = float(estimate.loglik)
        self.n_iter_ = fit.n_iter
        self.results_ = LogitResults(estimate, covariance=self.covariance)
        problems = [_name_unchosen(problem, model, observed) for problem in fit.problems]
        warn_of_problems(self, problems, stacklevel=4)  # the line that called fit
        return self

    # The step before prediction

    def _check_rows(self, X: Any) -> Any:
        if self._model.array_names is None:
            return as_table(X)
        return check_features(self, X, reset=False).astype(np.float64, copy=False)


def _sorted_labels(y: np.ndarray) -> list[Any]:
    try:
        labels = np.unique(y).tolist()
    except TypeError:
        kinds = sorted({type(label).__name__ for label in y.tolist()})
        raise ValueError(
            f"y mixes labels that cannot be sorted ({', '.join(kinds)}); "
            "make them all strings or all numbers."
        ) from None
    if len(labels) < 2:
        raise ValueError(
            f"At least two classes are needed, but there is one class only: {labels}. If others "
            "are possible, name all of them in utilities=."
        )
    return labels


def _check_fixed(fixed: Any) -> dict[str, float]:
    if fixed is None:
        return {}
    if not isinstance(fixed, Mapping):
        raise TypeError(f"fixed must be None or a dictionary {{parameter: value}}; got {fixed!r}.")
    return {
        name: check_number(value, f"fixed[{name!r}]", "a finite number")
        for name, value in fixed.items()
    }


def _name_unchosen(problem: Problem, model: Any, observed: Observed) -> Problem:
    """Say which alternatives nobody chose, if parameters of theirs have run away."""
    if problem.kind != "separation":
        return problem
    counts = np.bincount(
        observed.chosen, weights=observed.weight, minlength=observed.n_alternatives
    )
    lost = problem.parameters or ()
    unchosen = [j for j in np.flatnonzero(counts == 0) if model.has_parameter(int(j), lost)]
    if not unchosen:
        return problem
    labels = ", ".join(label_text(model.classes[j]) for j in unchosen)
    return replace(problem, message=f"{problem.message} Nobody chose {labels}.")
