"""The native passes over X, as verbs: one read of X each, sums in float64.

`Rows` holds what a pass reads; each verb names what it wants. Coefficients are (n_outputs,
n_columns) float64 arrays, the intercept's column last when there is one.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from sksoftmax._kernel import effective_n_threads
from sksoftmax._objective import _core

_PASSES = (
    "logits",
    "loss_gradient",
    "hessian_product",
    "moments",
    "gram",
    "class_curvature",
    "pair_curvature",
)
_PASS_NUMBER = {name: number for number, name in enumerate(_PASSES)}
_PER_ROW = ("offset", "mask", "weight", "target")
_PER_CLASS = ("positive_weight", "negative_weight")
# Rows of a sparse X that are made dense at once for the passes that need products of columns.
_DENSE_ENTRIES = 1 << 21


@dataclass(frozen=True)
class Rows:
    """What the passes read: X (dense C-ordered or CSR) and what belongs to its rows.

    Without `outputs` the head is a softmax over the classes. With them it is a sigmoid for each:
    they are the classes that are held against their rests, each with a loss of its own, and
    `positive_weight` and `negative_weight` weigh a class and its rest, (n_classes,) or None.
    """

    X: Any
    n_classes: int
    fit_intercept: bool
    center: np.ndarray | None = None
    offset: np.ndarray | None = None
    mask: np.ndarray | None = None
    weight: np.ndarray | None = None
    target: Any = None
    label_smoothing: float = 0.0
    logit_l2: float = 0.0
    n_threads: int | None = None
    outputs: np.ndarray | None = None
    positive_weight: np.ndarray | None = None
    negative_weight: np.ndarray | None = None

    @property
    def n_outputs(self) -> int:
        if self.outputs is not None:
            return len(self.outputs)
        return 1 if self.n_classes == 2 else self.n_classes

    @property
    def n_columns(self) -> int:
        return self.X.shape[1] + self.fit_intercept

    @cached_property
    def is_sparse(self) -> bool:
        return sparse.issparse(self.X)

    def with_X(self, X) -> "Rows":
        """The same rows of another X, not centred, all in its dtype."""
        values = {name: getattr(self, name) for name in _PER_ROW + _PER_CLASS}
        return replace(self, X=X, center=None, **_in_dtype(values, X.dtype))

    def logits(self, coef) -> np.ndarray:
        """X~ coef', shape (n_samples, n_outputs), dtype of X."""
        out = np.empty((self.X.shape[0], self.n_outputs), dtype=self.X.dtype)
        self._run("logits", coef=coef, rows_out=out.reshape(-1))
        return out

    def loss_gradient(self, coef) -> tuple[np.ndarray, np.ndarray]:
        """Summed losses, inf where a logit overflows, and their gradients.

        Softmax has one loss, (1,), whose gradient is (n_outputs, n_columns); of the sigmoids every
        output has one, (n_outputs,), with its row of gradients.
        """
        return self._run("loss_gradient", coef=coef)

    def hessian_product(self, coef, direction) -> np.ndarray:
        return self._run("hessian_product", coef=coef, direction=direction)[1]

    def moments(self) -> np.ndarray:
        """Weighted column sums, shape (n_columns,)."""
        return self._dense("moments")[0]

    def gram(self, in_float64=False) -> np.ndarray:
        """Weighted products of columns, shape (n_columns, n_columns)."""
        return _symmetric(self._dense("gram", in_float64=in_float64))

    def class_curvature(self, coef) -> np.ndarray:
        """Diagonal blocks of the Hessian, shape (n_outputs, n_columns, n_columns)."""
        d = self.n_columns
        return _symmetric(self._dense("class_curvature", coef).reshape(self.n_outputs, d, d))

    def hessian(self, coef) -> np.ndarray:
        """The whole Hessian, shape (n_outputs * n_columns,) twice, class by class.

        Blocks k != l are -S_kl with S_kl = X~' diag(w p_k p_l) X~; probabilities sum to one, so
        the diagonal blocks are the sums of the S_kl of their row.
        """
        if self.n_outputs == 1:
            return self.class_curvature(coef)[0]
        products = self._unpack(self._dense("pair_curvature", coef))
        K, d = self.n_outputs, self.n_columns
        blocks = np.zeros((K, K, d, d))
        first, second = np.triu_indices(K, 1)
        blocks[first, second] = blocks[second, first] = -products[: len(first)]
        diagonal = np.arange(K)
        blocks[diagonal, diagonal] = -blocks.sum(axis=1)
        blocks[diagonal, diagonal] += products[len(first) :] if self.logit_l2 > 0 else 0.0
        return blocks.transpose(0, 2, 1, 3).reshape(K * d, K * d)

    def _unpack(self, packed) -> np.ndarray:
        d = self.n_columns
        full = np.empty((len(packed), d, d))
        i, j = np.triu_indices(d)
        full[:, i, j] = packed
        full[:, j, i] = packed
        return full

    def _dense(self, name, coef=None, in_float64=False) -> np.ndarray:
        """Sums of a pass that needs dense rows; a sparse X is made dense a few rows at a time, and
        so is a float32 X made float64."""
        in_float64 = in_float64 and self.X.dtype != np.float64
        if not self.is_sparse and not in_float64:
            return self._run(name, coef=coef)[1]
        step = max(1, _DENSE_ENTRIES // self.X.shape[1])
        total = np.zeros(self._sums_shape(name))
        for start in range(0, self.X.shape[0], step):
            total += self._slice(start, start + step, in_float64)._run(name, coef=coef)[1]
        return total

    def _slice(self, start, stop, in_float64) -> "Rows":
        rows = slice(start, stop)
        X = self.X[rows].toarray() if self.is_sparse else self.X[rows]
        parts: dict[str, Any] = {"X": X, "center": self.center}
        parts |= {name: getattr(self, name) for name in _PER_CLASS}
        for name in _PER_ROW:
            value = getattr(self, name)
            parts[name] = None if value is None else value[rows]
        if in_float64:
            parts = _in_dtype(parts, np.float64)
        return replace(self, **parts)

    def _sums_shape(self, name) -> tuple[int, int]:
        K, d = self.n_classes, self.n_columns
        ridge = K if self.logit_l2 > 0 else 0
        return {
            "moments": (1, d),
            "gram": (d, d),
            "class_curvature": (self.n_outputs * d, d),
            "pair_curvature": (K * (K - 1) // 2 + ridge, d * (d + 1) // 2),
        }.get(name, (self.n_outputs, d))

    def _run(self, name, coef=None, direction=None, rows_out=None):
        X, dtype = self.X, self.X.dtype
        feature_major = self.is_sparse
        shape = self._sums_shape(name)
        has_own_losses = self.outputs is not None and name == "loss_gradient"
        n_losses = self.n_outputs if has_own_losses else 0
        sums = None if rows_out is not None else np.zeros(math.prod(shape) + n_losses)
        hard = self.target is not None and self.target.ndim == 1
        loss = _core.run(
            pass_=_PASS_NUMBER[name],
            sigmoid=self.outputs is not None,
            n_rows=X.shape[0],
            n_features=X.shape[1],
            intercept=self.fit_intercept,
            n_classes=self.n_classes,
            n_outputs=self.n_outputs,
            center=None if feature_major else self.center,
            coef=_packed_coef(coef, dtype, feature_major),
            direction=_packed_coef(direction, dtype, feature_major),
            offset=_flat(self.offset),
            mask=None if self.mask is None else self.mask.reshape(-1).view(np.uint8),
            weight=self.weight,
            target_index=self.target if hard else None,
            target_proba=None if hard else _flat(self.target),
            label_smoothing=self.label_smoothing,
            logit_l2=self.logit_l2,
            classes=self.outputs,
            positive_weight=self.positive_weight,
            negative_weight=self.negative_weight,
            sums=sums,
            rows_out=rows_out,
            n_threads=effective_n_threads(self.n_threads),
            **_matrix(X, self.is_sparse),
        )
        if sums is None:
            return loss, None
        losses = sums[-n_losses:] if has_own_losses else np.array([loss])
        sums = sums[: math.prod(shape)]
        return losses, sums.reshape(shape[::-1]).T if feature_major else sums.reshape(shape)


def _in_dtype(arrays, dtype) -> dict[str, Any]:
    """Floating-point arrays in a dtype; others, and None, as they are."""
    is_float = {name: a is not None and a.dtype.kind == "f" for name, a in arrays.items()}
    return {
        name: array.astype(dtype, copy=False) if is_float[name] else array
        for name, array in arrays.items()
    }


def _symmetric(upper) -> np.ndarray:
    """Matrices from their upper triangles (what is below them is ignored)."""
    upper = np.triu(upper)
    return upper + np.swapaxes(np.triu(upper, 1), -1, -2)


def _packed_coef(coef, dtype, feature_major):
    if coef is None:
        return None
    return np.ascontiguousarray(coef.T if feature_major else coef, dtype=dtype).reshape(-1)


def _flat(array):
    return None if array is None else array.reshape(-1)


def _matrix(X, is_sparse) -> dict:
    names = ("X", "values", "columns32", "columns64", "row_ptr")
    if not is_sparse:
        return dict.fromkeys(names) | {"X": X.reshape(-1)}
    wide = X.indices.dtype == np.int64
    return dict.fromkeys(names) | {
        "values": X.data,
        "columns64" if wide else "columns32": X.indices,
        "row_ptr": X.indptr.astype(np.int64, copy=False),
    }
