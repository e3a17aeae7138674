"""Cross-validation of long data, by whole cases and whole panels."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from sksoftmax._estimator import check_flag, check_integer
from sksoftmax.choice._long import (
    alternatives_of_rows,
    check_frame,
    chosen_positions,
    constant_within,
    find_cases,
    id_column,
    take_rows,
)
from sksoftmax.inference._clusters import number_groups


def cross_validate_long(
    estimator: Any,
    frame: Any,
    *,
    case: str,
    alternative: str,
    chosen: str,
    features: Sequence[str],
    weights: str | None = None,
    panel: str | None = None,
    cv: Any = 5,
    return_estimator: bool = False,
) -> dict[str, Any]:
    """Fit and judge a model on folds of long data that keep cases and panels whole.

    Parameters
    ----------
    estimator : ConditionalLogit
        With ``utilities=None``; it is cloned for each fold.
    frame : data frame (pandas or polars)
        One row per case and alternative, in any order.
    case, alternative, chosen, features, weights, panel
        Columns, as in `ConditionalLogit.fit_long`. Without `panel` that of the estimator counts.
    cv : int or splitter, default=5
        Number of folds, or an object with ``split(X, y, groups)`` over the cases, which is given
        the chosen alternatives and the panels (the cases, without panels).
    return_estimator : bool, default=False
        Whether to return the fitted models.

    Returns
    -------
    scores : dict of ndarray of shape (n_folds,)
        ``"test_loglik"``, ``"train_loglik"``: log-likelihood per case (per unit of weight), in
        nats; ``"test_accuracy"``: share of cases whose most probable alternative was chosen
        (by weight); ``"n_test_cases"``; ``"fit_time"`` in seconds; with `return_estimator`
        ``"estimator"``, a list.

    Raises
    ------
    ValueError
        The splitter puts cases of one panel on both sides, or the data are at fault as in
        `ConditionalLogit.fit_long`.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sksoftmax.choice import ConditionalLogit, cross_validate_long
    >>> rng = np.random.default_rng(0)
    >>> trips = pd.DataFrame({
    ...     "id": np.repeat(np.arange(200), 3), "mode": np.tile(["bus", "car", "train"], 200),
    ...     "time": rng.uniform(1, 3, 600)})
    >>> utility = -2 * trips["time"] + rng.gumbel(size=600)
    >>> trips["chosen"] = utility == utility.groupby(trips["id"]).transform("max")
    >>> scores = cross_validate_long(
    ...     ConditionalLogit(), trips, case="id", alternative="mode", chosen="chosen",
    ...     features=["time"])
    >>> bool(scores["test_loglik"].mean() > -np.log(3))  # more than by guessing one of three
    True
    """
    check_flag(return_estimator, "return_estimator")
    check_frame(frame)
    panel = estimator.panel if panel is None else panel
    cases = find_cases(frame, case)
    labels, number = alternatives_of_rows(frame, cases, alternative)
    y = labels[number[cases.row_ptr[:-1] + chosen_positions(frame, cases, chosen)]]
    groups = np.arange(len(y))
    if panel is not None:
        ids = constant_within(id_column(frame, panel, "panel"), cases, "panel", panel)
        groups = number_groups(ids, len(y), "panel")
    columns: dict[str, Any] = {
        "case": case,
        "alternative": alternative,
        "chosen": chosen,
        "features": features,
        "weights": weights,
        "panel": panel,
    }
    case_of_row = cases.put_back(cases.case_of_row)
    folds: dict[str, list[Any]] = {}
    for train, test in _splitter(cv).split(np.zeros((len(y), 1)), y, groups):
        split = np.intersect1d(groups[train], groups[test])
        if len(split):
            raise ValueError(
                f"cv splits {len(split)} panels between training and test; use GroupKFold, or an "
                "integer."
            )
        parts = [
            take_rows(frame, np.flatnonzero(np.isin(case_of_row, part))) for part in (train, test)
        ]
        for name, value in _fold(estimator, parts, columns).items():
            folds.setdefault(name, []).append(value)
    models = folds.pop("estimator")
    scores: dict[str, Any] = {name: np.array(values) for name, values in folds.items()}
    return scores | ({"estimator": models} if return_estimator else {})


def _splitter(cv: Any) -> Any:
    if hasattr(cv, "split"):
        return cv
    return GroupKFold(check_integer(cv, "cv", "an integer >= 2 or a splitter", at_least=2))


def _fold(estimator: Any, parts: list[Any], columns: dict[str, Any]) -> dict[str, Any]:
    train, test = parts
    start = time.perf_counter()
    model = clone(estimator).fit_long(train, **columns)
    seconds = time.perf_counter() - start
    observed = model._model.observe(test)
    objective = observed.objective
    theta = objective.pack(model.params_.values)
    gains = objective.utilities(theta)  # of entries on the chosen one
    best = np.maximum.reduceat(gains, objective.choices.row_ptr[:-1]) <= 0
    weight = objective.choices.weight
    n_train = model._model.observe(train).objective.weight_sum
    return {
        "test_loglik": -objective.loss(theta) / objective.weight_sum,
        "train_loglik": model.loglik_ / n_train,
        "test_accuracy": float(np.average(best, weights=weight)),
        "n_test_cases": objective.choices.n_cases,
        "fit_time": seconds,
        "estimator": model,
    }
