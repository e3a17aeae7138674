"""The data that the boosting parts learn from: real sets where present, synthetic ones."""

import re
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split

TABULAR = Path(__file__).parents[2] / "shared" / "data" / "tabular"  # not part of the project
FILES = {
    "letter": "letter",
    "pendigits": "pendigits",
    "satimage": "satimage",
    "soybean": "soybean",
    "omniglot": "omniglot_small_15x15",
}
_SYNTHETIC = re.compile(r"classes-(\d+)-of-(\d+)x(\d+)")


@dataclass(frozen=True)
class Split:
    """Rows to learn from, rows to stop by, rows to judge on: 60, 20 and 20 of 100, stratified."""

    name: str
    n_classes: int
    X: np.ndarray
    y: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray

    @property
    def prior_loss(self):
        """Test log-loss of the class frequencies: a model above it has learnt nothing."""
        share = np.bincount(self.y, minlength=self.n_classes) / len(self.y)
        return float(-np.log(share)[self.y_test].mean())


def split(name, seed):
    """The set `name`, cut in three by `seed`; the rows themselves are the same for every seed."""
    X, y = rows(name)
    parts = partial(train_test_split, random_state=seed, test_size=0.2)
    X, X_test, y, y_test = parts(X, y, stratify=y)
    X, X_val, y, y_val = parts(X, y, stratify=y, test_size=0.25)
    return Split(name, int(y.max()) + 1, X, y, X_val, y_val, X_test, y_test)


def rows(name):
    """X in float32 and y in 0 .. n_classes - 1."""
    if name == "digits":
        X, y = load_digits(return_X_y=True)
    elif name in FILES:
        with np.load(_path(name)) as file:
            X, y = file["X"], file["y"]
    else:
        X, y = synthetic(*map(int, _SYNTHETIC.fullmatch(name).groups()))
    return np.ascontiguousarray(X, dtype=np.float32), np.asarray(y, dtype=np.int64)


def named(n_classes, n_samples=50_000, n_features=50):
    """The name of a synthetic set."""
    return f"classes-{n_classes}-of-{n_samples}x{n_features}"


def synthetic(n_classes, n_samples, n_features):
    """`make_classification` with half of the columns informative, in small ones 15."""
    return make_classification(
        n_samples,
        n_features,
        n_informative=max(n_features // 2, min(15, n_features - 2)),
        n_classes=n_classes,
        n_clusters_per_class=1 if n_classes > 100 else 2,
        random_state=0,
    )


def n_classes(name):
    """How many classes a set has."""
    match = _SYNTHETIC.fullmatch(name)
    return int(match[1]) if match else len(np.unique(rows(name)[1]))


def seeds(name, size):
    """Which splits are measured: three where a fit is short, or time does not matter."""
    few = n_classes(name) >= 100 if size == "long" else _SYNTHETIC.fullmatch(name)
    return range(1 if few or size in ("quick", "tiny") else 3)


def missing(names):
    """Those of `names` whose file is not here."""
    return [name for name in names if name in FILES and not _path(name).exists()]


def _path(name):
    return TABULAR / f"{FILES[name]}.npz"
