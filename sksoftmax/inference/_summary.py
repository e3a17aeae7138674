"""The table of a fitted model: how well it fits, and its coefficients."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtr

from sksoftmax._tables import Row, Table, import_pandas, p_text, plural

if TYPE_CHECKING:
    from sksoftmax.inference._statistics import FitStatistics

_MOST_DECIMALS = 6
COVARIANCES = {
    "hessian": "inverse information",
    "bhhh": "outer product of the scores (BHHH)",
    "robust": "robust (sandwich)",
    "cluster": "clustered sandwich",
}


class Summary:
    r"""Tables that print as text, show in notebooks as HTML, and go into papers as LaTeX.

    Parameters
    ----------
    tables : sequence of Table
        What `LogitResults.summary` or `compare` made.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sksoftmax import MultinomialLogit
    >>> X, y = load_iris(return_X_y=True)
    >>> results = MultinomialLogit(C=float("inf")).infer(X[50:, :2], y[50:])
    >>> print(results.summary().to_latex().splitlines()[-6])
    2:x0 & 1.9024 & 0.5169 & 3.68 & \textless{}.001 & 0.8892 & 2.9155 \\
    """

    def __init__(self, tables: Sequence[Table]) -> None:
        self._tables = tables

    def __str__(self) -> str:
        return "\n\n".join(table.text() for table in self._tables)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return "".join(table.html() for table in self._tables)

    def to_latex(self) -> str:
        r"""Return a ``tabular`` for each table; they need ``\usepackage{booktabs}``.

        Returns
        -------
        latex : str
        """
        return "\n\n".join(table.latex() for table in self._tables)


def coefficient_records(statistics: FitStatistics, quantile: float) -> list[dict[str, Any]]:
    """A dict for each parameter; NaN where there is no standard error."""
    error, z = statistics._standard_errors, statistics._z_values
    value = statistics._estimate.params
    columns = {
        "coef": value,
        "std_err": error,
        "z": z,
        "p_value": 2 * ndtr(-np.abs(z)),
        "low": value - quantile * error,
        "high": value + quantile * error,
    }
    rows = np.column_stack([*columns.values()]).tolist()
    return [dict(zip(columns, row, strict=True)) for row in rows]


def frame_of(statistics: FitStatistics, quantile: float) -> Any:
    """The same as a pandas DataFrame, by name."""
    pandas = import_pandas("LogitResults.to_frame")
    records = coefficient_records(statistics, quantile)
    return pandas.DataFrame(records, index=pandas.Index(statistics.names, name="parameter"))


def summarize(statistics: FitStatistics, quantile: float, confidence_level: float) -> Summary:
    """The table of the fit above that of the coefficients."""
    e = statistics._estimate
    title = f"{e.model.name}: {cases_text(e.n_cases)}, {plural(e.n_alternatives, 'alternative')}"
    facts = _facts(statistics)
    half = (len(facts) + 1) // 2
    left, right = facts[:half], facts[half:]
    rows = [Row([*a, "", *b]) for a, b in zip(left, right, strict=True)]
    fit = Table(title, [""] * 5, rows, left=(0, 3))
    return Summary([fit, _coefficients(statistics, quantile, confidence_level)])


def _facts(statistics: FitStatistics) -> list[tuple[str, str]]:
    """What the fit says of itself, name and value; criteria only where they mean something."""
    e, s = statistics._estimate, statistics
    likelihood = e.weight_type == "frequency"
    return [
        ("log-likelihood", f"{e.loglik:,.4f}"),
        ("of constants alone", _decimals(s.loglik_constants, 4)),
        ("of equal probabilities", f"{e.loglik_null:,.4f}"),
        ("cases", f"{e.n_cases:,.10g}"),
        ("of them without a choice", f"{e.n_forced:,.10g}"),
        ("estimated parameters", str(s.n_parameters)),
        ("iterations", str(e.n_iter) + ("" if e.converged else ", not converged")),
        ("McFadden R2, constants", _decimals(s.mcfadden_r2_constants, 5)),
        ("adjusted R2, constants", _decimals(s.adjusted_r2_constants, 5)),
        ("McFadden R2, equal", _decimals(s.mcfadden_r2, 5)),
        ("adjusted R2, equal", _decimals(s.adjusted_r2, 5)),
        ("AIC", _decimals(s._aic if likelihood else math.nan, 2)),
        ("BIC", _decimals(s._bic if likelihood else math.nan, 2)),
        ("largest gradient", f"{e.gradient_norm:.1e}"),
    ]


def _decimals(value: float, decimals: int) -> str:
    return "-" if math.isnan(value) else f"{value:,.{decimals}f}"


def _coefficients(statistics: FitStatistics, quantile: float, confidence_level: float) -> Table:
    records = coefficient_records(statistics, quantile)
    decimals = common_decimals([record["std_err"] for record in records])
    rows = []
    for name, free, record in zip(
        statistics.names, statistics._estimate.is_free, records, strict=True
    ):
        error = record["std_err"]
        own = decimals_of(error, decimals)
        cells = [name, coefficient(record["coef"], own)]
        if not free:
            cells += ["held", "", "", "", ""]
        elif math.isnan(error):
            cells += ["-", "-", "-", "-", "-"]
        else:
            cells += [coefficient(error, own), f"{record['z']:.2f}", p_text(record["p_value"])]
            cells += [coefficient(record["low"], own), coefficient(record["high"], own)]
        rows.append(Row(cells))
    tails = [f"{50 * (1 - confidence_level):.6g} %", f"{50 * (1 + confidence_level):.6g} %"]
    heads = ["", "coef", "std err", "z", "p", *tails]
    return Table("", heads, rows, _notes(statistics))


def _notes(statistics: FitStatistics) -> list[str]:
    e = statistics._estimate
    kind = f"Standard errors: {COVARIANCES[statistics.covariance_type]}"
    if statistics.covariance_type == "cluster":
        factor = "" if statistics._covariance.small_sample else ", without G/(G-1)"
        kind += f", {plural(e.n_clusters or 0, 'cluster')}{factor}"
    notes = [kind + (", sampling weights." if e.weight_type == "sampling" else ".")]
    if e.is_penalized:
        notes.append("Penalized fit: estimates are shrunken, and errors ignore the bias.")
    if not statistics.is_estimable.all():
        notes.append("-: the data do not determine this parameter.")
    if not e.converged:
        notes.append("The solver did not converge: do not report these numbers.")
    return notes


# Numbers as text


def cases_text(n: float) -> str:
    """1 case, 6,768 cases, 12.5 cases."""
    return f"{n:,.10g} case{'' if n == 1 else 's'}"


def common_decimals(errors: Sequence[float]) -> int:
    """Decimals that show three digits of the smallest standard error, from 4 to 6."""
    seen = [e for e in errors if e > 0 and math.isfinite(e)]
    if not seen:
        return 4
    return min(max(2 - math.floor(math.log10(min(seen))), 4), _MOST_DECIMALS)


def decimals_of(error: float, common: int) -> int:
    """Of one row: the common ones, -1 (scientific) where they would show no two digits of it."""
    return -1 if 0 < error < 10.0 ** (1 - common) else common


def coefficient(value: float, decimals: int) -> str:
    """A number with `decimals`, or in scientific notation."""
    if math.isnan(value):
        return "-"
    if decimals < 0 or abs(value) >= 1e9:
        return f"{value:.4g}" if decimals < 0 else f"{value:.4e}"
    text = f"{value:,.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text
