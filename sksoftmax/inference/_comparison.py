"""Several models side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sksoftmax._tables import Row, Table, import_pandas
from sksoftmax.inference._statistics import FitStatistics
from sksoftmax.inference._summary import (
    COVARIANCES,
    Summary,
    coefficient,
    common_decimals,
    decimals_of,
)
from sksoftmax.inference._warnings import warn_of_penalty

_FACTS = {
    "cases": 0,
    "parameters": 0,
    "log-likelihood": 3,
    "McFadden R2, equal": 4,
    "McFadden R2, constants": 4,
    "AIC": 2,
    "BIC": 2,
}


class Comparison(Summary):
    """Models side by side; `compare` makes it.

    Parameters
    ----------
    tables : sequence of Table
        As they are shown.
    columns : dict of str to dict
        The numbers of each model.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.inference import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MultinomialLogit(C=float("inf"))
    >>> small, large = model.infer(X[50:, :2], y[50:]), model.infer(X[50:, :3], y[50:])
    >>> frame = compare({"small": small, "large": large}).to_frame()
    >>> frame.loc["log-likelihood"].round(2).to_dict()
    {'small': -55.16, 'large': -11.89}
    """

    def __init__(self, tables: Sequence[Table], columns: Mapping[str, Mapping[str, float]]) -> None:
        super().__init__(tables)
        self._columns = columns

    def to_frame(self) -> Any:
        """Return the numbers as a pandas DataFrame.

        Returns
        -------
        frame : pandas.DataFrame
            A column for each model; coefficients by name, each with ``se(name)`` below it, then the
            statistics of the fit. NaN where a model has none.
        """
        return import_pandas("Comparison.to_frame").DataFrame(self._columns)


def compare(models: Mapping[str, FitStatistics]) -> Comparison:
    """Set models side by side: coefficients, standard errors below them, statistics of the fit.

    Parameters
    ----------
    models : dict of str to LogitResults
        The models and what to call them, in the order of the columns.

    Returns
    -------
    comparison : Comparison
        Prints as text and shows in notebooks as HTML; it has ``to_latex()`` and ``to_frame()``.

    Raises
    ------
    ValueError
        There is no model.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> from sksoftmax.inference import compare
    >>> X, y = load_iris(return_X_y=True)
    >>> model = MultinomialLogit(C=float("inf"))
    >>> small, large = model.infer(X[50:, :2], y[50:]), model.infer(X[50:, :3], y[50:])
    >>> print(compare({"small": small, "large": large}))
                               small      large
    -------------------------------------------
    2:x0                      1.9024    -3.8524
                            (0.5169)   (1.7092)
    2:x1                      0.4047    -0.6385
                            (0.8628)   (2.2906)
    2:intercept             -13.0460   -38.2154
                            (3.0974)  (14.0544)
    2:x2                                13.1475
                                       (3.9061)
    -------------------------------------------
    cases                        100        100
    parameters                     3          4
    log-likelihood           -55.163    -11.886
    McFadden R2, equal        0.2042     0.8285
    McFadden R2, constants    0.2042     0.8285
    AIC                       116.33      31.77
    BIC                       124.14      42.19
    <BLANKLINE>
    Standard errors in parentheses: inverse information.
    """
    if not isinstance(models, Mapping) or not models:
        raise ValueError("models must be a dict of names to results, with at least one in it.")
    for name, model in models.items():
        if not isinstance(model, FitStatistics):
            raise TypeError(f"models: {name!r} must be LogitResults; got {type(model).__name__}.")
    models = {str(name): model for name, model in models.items()}
    for model in models.values():
        warn_of_penalty(model._estimate)
    numbers = {shown: _numbers(model) for shown, model in models.items()}
    names = list(dict.fromkeys(name for model in models.values() for name in model.names))
    keys = [key for name in names for key in (name, _error_of(name))] + list(_FACTS)
    columns = {
        shown: {key: own.get(key, math.nan) for key in keys} for shown, own in numbers.items()
    }
    decimals = common_decimals([own[_error_of(n)] for own in columns.values() for n in names])
    rows = [_coefficient_row(name, models, columns, decimals) for name in names]
    for fact, places in _FACTS.items():
        cells = [coefficient(own[fact], places) for own in columns.values()]
        rows.append(Row([fact, *cells], begins=fact == "cases"))
    return Comparison([Table("", ["", *models], rows, _notes(models))], columns)


def _error_of(name: str) -> str:
    return f"se({name})"


def _numbers(model: FitStatistics) -> dict[str, float]:
    """What is shown of a model, by name."""
    e, likelihood = model._estimate, model._estimate.weight_type == "frequency"
    numbers: dict[str, float] = {}
    for name, value, error in zip(e.names, e.params, model._standard_errors, strict=True):
        numbers |= {name: float(value), _error_of(name): float(error)}
    return numbers | {
        "cases": e.n_cases,
        "parameters": model.n_parameters,
        "log-likelihood": e.loglik,
        "McFadden R2, equal": model.mcfadden_r2,
        "McFadden R2, constants": model.mcfadden_r2_constants,
        "AIC": model._aic if likelihood else math.nan,
        "BIC": model._bic if likelihood else math.nan,
    }


def _coefficient_row(
    name: str,
    models: Mapping[str, FitStatistics],
    columns: Mapping[str, Mapping[str, float]],
    decimals: int,
) -> Row:
    """Estimates and, below them in parentheses, their standard errors."""
    cells = []
    for shown, model in models.items():
        value, error = columns[shown][name], columns[shown][_error_of(name)]
        places = decimals_of(error, decimals)
        if name not in model.names:
            cells.append("")
        elif not model.is_free[model.names.index(name)]:
            cells.append(f"{coefficient(value, places)}\n(held)")
        else:
            cells.append(f"{coefficient(value, places)}\n({coefficient(error, places)})")
    return Row([name, *cells])


def _notes(models: Mapping[str, FitStatistics]) -> list[str]:
    kinds = {shown: COVARIANCES[model.covariance_type] for shown, model in models.items()}
    if len(set(kinds.values())) == 1:
        notes = [f"Standard errors in parentheses: {next(iter(kinds.values()))}."]
    else:
        each = "; ".join(f"{shown}: {kind}" for shown, kind in kinds.items())
        notes = [f"Standard errors in parentheses: {each}."]
    if len({model._estimate.data_key for model in models.values()}) > 1:
        notes.append("Fitted to different data: do not compare their log-likelihoods.")
    for shown, model in models.items():
        if model._estimate.is_penalized:
            notes.append(f"{shown}: a penalized fit, whose estimates are shrunken.")
    return notes
