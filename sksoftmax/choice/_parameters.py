"""Numbers with names: what a pandas Series is for, without pandas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np


class NamedValues:
    """Numbers in order, each with a name.

    They are read like a Series: ``values["b_time"]``, ``values[["b_time", "b_cost"]]``,
    ``"b_time" in values``, ``values.items()``, ``np.asarray(values)``, ``len(values)``; iteration
    is over the numbers. `to_series` makes the Series itself.

    Parameters
    ----------
    names : sequence of str or labels
        Each once.
    values : array-like of shape (n,)
        The numbers.
    name : str, default=""
        What they are, for `to_series` and when they are shown.

    Attributes
    ----------
    index : ndarray of shape (n,)
        The names.
    values : float64 ndarray of shape (n,)
        The numbers; read-only.

    Examples
    --------
    >>> from sksoftmax.choice import NamedValues
    >>> params = NamedValues(["b_time", "b_cost"], [-1.25, -0.5])
    >>> params["b_time"]
    -1.25
    >>> params.to_dict()
    {'b_time': -1.25, 'b_cost': -0.5}
    """

    def __init__(self, names: Sequence[Any], values: Any, name: str = "") -> None:
        self.index = np.empty(len(names), dtype=object)
        self.index[:] = list(names)
        self.values = np.array(values, dtype=np.float64)
        if self.values.shape != self.index.shape:
            raise ValueError(
                f"There are {len(self.index)} names for values of shape {self.values.shape}."
            )
        self.values.flags.writeable = False
        self.name = name
        self._position = {each: i for i, each in enumerate(self.index.tolist())}
        if len(self._position) < len(self.index):
            raise ValueError(f"The names must differ; got {self.index.tolist()}.")

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, list):
            return NamedValues(key, [self[each] for each in key], self.name)
        if key not in self._position:
            raise KeyError(f"{key!r}; there are {self.index.tolist()}")
        return float(self.values[self._position[key]])

    def __contains__(self, key: Any) -> bool:
        return key in self._position

    def __len__(self) -> int:
        return len(self.values)

    def __iter__(self) -> Iterator[float]:
        return iter(self.values.tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype) if copy or dtype else self.values

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NamedValues):
            return NotImplemented
        same = self.index.tolist() == other.index.tolist()
        return same and bool(np.array_equal(self.values, other.values, equal_nan=True))

    __hash__ = None  # type: ignore[assignment]  # compared by value

    def keys(self) -> list[Any]:
        """Return the names.

        Returns
        -------
        names : list
        """
        return self.index.tolist()

    def items(self) -> list[tuple[Any, float]]:
        """Return pairs of name and number.

        Returns
        -------
        items : list of tuple
        """
        return list(zip(self.index.tolist(), self.values.tolist(), strict=True))

    def to_dict(self) -> dict[Any, float]:
        """Return a dictionary.

        Returns
        -------
        values : dict of float
        """
        return dict(self.items())

    def to_series(self) -> Any:
        """Return a pandas Series (pandas must be installed).

        Returns
        -------
        series : pandas.Series
            Indexed by the names.
        """
        import pandas as pd  # the extra `pandas`

        return pd.Series(self.values.copy(), index=self.keys(), name=self.name or None)

    def __repr__(self) -> str:
        labels = [str(each) for each in self.keys()]
        width = max((len(label) for label in labels), default=0)
        numbers = [
            f"{value:.6f}" if 1e-4 <= abs(value) < 1e6 or value == 0 else f"{value:.6g}"
            for value in self
        ]
        right = max((len(number) for number in numbers), default=0)
        lines = [
            f"{label:<{width}}  {number:>{right}}"
            for label, number in zip(labels, numbers, strict=True)
        ]
        return "\n".join(lines) or "(none)"


def _shown(value: float) -> str:
    """Six decimals, or six digits where these would say too little or too much."""
    return f"{value:.6f}" if value == 0 or 1e-4 <= abs(value) < 1e6 else f"{value:.6g}"
