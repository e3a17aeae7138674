"""What is left of a LightGBM training: trees as text that predicts, pickles and is exported."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from sksoftmax._lightgbm_export import assembled_model, lightgbm_names


class LightGBMForest:
    """The iterations of a fit, K trees each. X has categories as integers; NaN is missing.

    Parameters
    ----------
    n_classes : int
    infos : list of str
        What LightGBM says of each feature (``feature_infos``).
    trees : list of str
        The text of each tree, without its number; those of an iteration are neighbours.
    """

    def __init__(self, n_classes: int, infos: list[str], trees: list[str]) -> None:
        self.n_classes = n_classes
        self._infos = infos
        self._trees = trees
        self._booster: Any = None

    @classmethod
    def empty(cls, n_features: int, n_classes: int) -> Self:
        """Return a forest without trees."""
        return cls(n_classes, ["none"] * n_features, [])

    def extended_by(self, model: str) -> Self:
        """Return these iterations, followed by those of a model in LightGBM's text."""
        head, *trees = re.split(r"^Tree=\d+\n", model.partition("end of trees\n")[0], flags=re.M)
        (infos,) = re.findall(r"^feature_infos=(.*)$", head, flags=re.M)
        return type(self)(self.n_classes, infos.split(" "), self._trees + trees)

    @property
    def n_iter(self) -> int:
        """Number of iterations."""
        return len(self._trees) // self.n_classes

    @property
    def n_trees_per_iteration(self) -> int:
        """One for each class."""
        return self.n_classes

    @property
    def n_features(self) -> int:
        """Number of features."""
        return len(self._infos)

    @property
    def has_ranges(self) -> bool:
        """Whether LightGBM found a feature with more than one value."""
        return any(info != "none" for info in self._infos)

    def truncate(self, n_iter: int) -> None:
        """Keep the first `n_iter` iterations."""
        self._trees = self._trees[: n_iter * self.n_classes]
        self._booster = None

    def logits(
        self, X: np.ndarray, first: int = 0, last: int | None = None, *, n_threads: int
    ) -> np.ndarray:
        """Return the sum of the trees of iterations first to last - 1, (n_samples, n_classes)."""
        last = self.n_iter if last is None else last
        if last <= first:
            return np.zeros((len(X), self.n_classes))
        return self._loaded().predict(
            X,
            raw_score=True,
            start_iteration=first,
            num_iteration=last - first,
            num_threads=n_threads,
        )

    def terms(self, X: np.ndarray, *, n_threads: int) -> Iterator[np.ndarray]:
        """Yield what each iteration adds to the logits, (n_samples, n_classes)."""
        for i in range(self.n_iter):
            yield self.logits(X, i, i + 1, n_threads=n_threads)

    def staged_from(
        self, baseline_logits: np.ndarray, X: np.ndarray, *, n_threads: int
    ) -> Iterator[np.ndarray]:
        """Yield baseline + trees after each iteration: one array, which the next stage changes."""
        logits = np.tile(np.asarray(baseline_logits, dtype=np.float64), (len(X), 1))
        for term in self.terms(X, n_threads=n_threads):
            logits += term
            yield logits

    def logits_from(
        self, baseline_logits: np.ndarray, X: np.ndarray, *, n_threads: int
    ) -> np.ndarray:
        """Return baseline + all trees, (n_samples, n_classes) float64."""
        return self.logits(X, n_threads=n_threads) + np.asarray(baseline_logits, np.float64)

    def apply(self, X: np.ndarray, *, n_threads: int) -> np.ndarray:
        """Return the leaf of each row in each tree, int32 (n_samples, n_iter, n_classes)."""
        shape = len(X), self.n_iter, self.n_classes
        if not self.n_iter:
            return np.zeros(shape, dtype=np.int32)
        leaves = self._loaded().predict(X, pred_leaf=True, num_threads=n_threads)
        return leaves.reshape(shape).astype(np.int32)

    def gain_importances(self) -> np.ndarray:
        """Return the gain of each feature, summed over splits, (n_features,)."""
        if not self.n_iter:
            return np.zeros(self.n_features)
        return self._loaded().feature_importance("gain")

    def split_values(self) -> list[np.ndarray]:
        """Return thresholds of numerical features' splits, and codes of categorical features."""
        text = "\n".join(self._trees)
        features, kinds, thresholds = (
            np.array(" ".join(re.findall(rf"^{name}=(.*)$", text, flags=re.M)).split(), float)
            for name in ("split_feature", "decision_type", "threshold")
        )
        numerical = kinds.astype(int) % 2 == 0  # the lowest bit: a set of categories
        found = []
        for feature, info in enumerate(self._infos):
            codes = [] if info == "none" or info.startswith("[") else info.split(":")
            mine = thresholds[numerical & (features == feature)]
            known = np.unique(np.array(codes, dtype=float))
            found.append(known[known >= 0] if codes else np.unique(mine))
        return found

    def to_booster(
        self,
        baseline_logits: np.ndarray,
        *,
        feature_names: Sequence[str] | None = None,
        pandas_categorical: list[list[Any]] | None = None,
    ) -> Any:
        """Return a ``lightgbm.Booster`` that predicts probabilities, the baseline included."""
        import lightgbm

        baseline = np.asarray(baseline_logits, dtype=np.float64).tolist()
        trees = self._trees or [_CONSTANT] * self.n_classes
        first = [_raised(tree, by) for tree, by in zip(trees, baseline, strict=False)]
        names = lightgbm_names(feature_names, self.n_features)
        text = assembled_model(
            self.n_classes, names, self._infos, first + trees[self.n_classes :], pandas_categorical
        )
        return lightgbm.Booster(model_str=text)

    def _loaded(self) -> Any:
        if self._booster is None:
            import lightgbm

            names = lightgbm_names(None, self.n_features)
            text = assembled_model(self.n_classes, names, self._infos, self._trees, None)
            self._booster = lightgbm.Booster(model_str=text)
        return self._booster

    def __getstate__(self) -> dict[str, Any]:
        """Return the text compressed, without the loaded model."""
        packed = zlib.compress("\0".join(self._trees).encode("ascii"))
        return {"n_classes": self.n_classes, "infos": self._infos, "trees": packed}

    def __setstate__(self, state: dict[str, Any]) -> None:
        text = zlib.decompress(state["trees"]).decode("ascii")
        self.__init__(state["n_classes"], state["infos"], text.split("\0") if text else [])  # type: ignore[misc]


_CONSTANT = "num_leaves=1\nnum_cat=0\nleaf_value=0\nleaf_count=1\nis_linear=0\nshrinkage=1\n\n\n"


def _raised(tree: str, by: float) -> str:
    """Return the tree with its values raised by a constant."""

    def raised(line: re.Match[str]) -> str:
        values = [repr(float(value) + by) for value in line[2].split()]
        return line[1] + " ".join(values)

    return re.sub(r"^((?:leaf|internal)_value=)(.*)$", raised, tree, flags=re.M)
