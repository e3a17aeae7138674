"""The parameters of a SoftmaxBoostingClassifier, checked, and what an engine takes of them."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.utils import check_random_state

from sksoftmax import _kernel
from sksoftmax._estimator import (
    check_choice,
    check_flag,
    check_integer,
    check_n_jobs,
    check_number,
    check_verbose,
)
from sksoftmax._interactions import interaction_groups
from sksoftmax._trees import MOST_BINS, Growth

_LARGEST = 1e30  # of a factor: what it multiplies stays finite in float32

_LARGEST_RATE = 1e15  # of learning: leaf values stay on their grid

STRATEGIES = ("multi_output_tree", "one_output_per_tree")


@dataclass(frozen=True)
class Settings:
    """The parameters of the estimator that an engine takes, checked."""

    learning_rate: float
    max_iter: int
    max_leaf_nodes: int | None
    max_depth: int | None
    min_samples_leaf: int
    l2_regularization: float
    subsample: float
    max_features: float
    max_bins: int
    sketch: int | str | None
    label_smoothing: float
    logit_l2: float
    interaction_groups: list[list[int]] | None
    seed: int
    n_threads: int

    def growth(self, n_samples: int) -> Growth:
        """Return what the growers of vector leaves take."""
        groups = self.interaction_groups
        return Growth(
            learning_rate=self.learning_rate,
            max_leaf_nodes=n_samples if self.max_leaf_nodes is None else self.max_leaf_nodes,
            max_depth=0 if self.max_depth is None else min(self.max_depth, n_samples),
            min_samples_leaf=self.min_samples_leaf,
            l2_regularization=self.l2_regularization,
            subsample=self.subsample,
            max_features=self.max_features,
            sketch=self.sketch,
            label_smoothing=self.label_smoothing,
            logit_l2=self.logit_l2,
            groups=None if groups is None else tuple(tuple(group) for group in groups),
        )


def settings_of(model: Any, n_features: int, seed: int, total_weight: float) -> Settings:
    """Return what the engines take of a model whose parameters were checked."""
    return Settings(
        learning_rate=float(model.learning_rate),
        max_iter=int(model.max_iter),
        max_leaf_nodes=None if model.max_leaf_nodes is None else int(model.max_leaf_nodes),
        max_depth=None if model.max_depth is None else int(model.max_depth),
        min_samples_leaf=_least_of_leaf(model.min_samples_leaf, total_weight),
        l2_regularization=float(model.l2_regularization),
        subsample=float(model.subsample),
        max_features=float(model.max_features),
        max_bins=int(model.max_bins),
        sketch=model.sketch,
        label_smoothing=float(model.label_smoothing),
        logit_l2=float(model.logit_l2),
        interaction_groups=interaction_groups(model.interaction_cst, n_features),
        seed=seed,
        n_threads=_kernel.effective_n_threads(check_n_jobs(model.n_jobs)),
    )


def _least_of_leaf(min_samples_leaf: int | str, total_weight: float) -> int:
    """Return the least weight of a leaf; "auto": a hundredth of all, but from 20 to 40."""
    if min_samples_leaf != "auto":
        return int(min_samples_leaf)
    return int(min(max(total_weight / 100, 20), 40))


def check_parameters(model: Any) -> None:
    """Raise an error that names the first parameter out of its range."""
    _check_growth(model)
    check_flag(model.warm_start, "warm_start")
    if not isinstance(model.early_stopping, str) or model.early_stopping != "auto":
        check_flag(model.early_stopping, "early_stopping, unless it is 'auto',")
    if not (model.scoring is None or isinstance(model.scoring, str) or callable(model.scoring)):
        raise ValueError(
            "scoring must be 'loss', the name of a scorer, a callable or None; "
            f"got {model.scoring!r}."
        )
    _check_validation_fraction(model.validation_fraction)
    check_integer(model.n_iter_no_change, "n_iter_no_change", "an integer >= 1", at_least=1)
    check_number(model.tol, "tol", "a finite number >= 0", at_least=0)
    check_random_state(model.random_state)
    _kernel.effective_n_threads(check_n_jobs(model.n_jobs))
    check_verbose(model.verbose)


def _check_growth(model: Any) -> None:
    accepted = f"a positive number below {_LARGEST_RATE:g}"
    check_number(model.learning_rate, "learning_rate", accepted, above=0, below=_LARGEST_RATE)
    check_integer(model.max_iter, "max_iter", "an integer >= 1", at_least=1)
    if model.max_leaf_nodes is not None:
        accepted = "None or an integer >= 2"
        check_integer(model.max_leaf_nodes, "max_leaf_nodes", accepted, at_least=2)
    if model.max_depth is not None:
        check_integer(model.max_depth, "max_depth", "None or an integer >= 1", at_least=1)
    if not isinstance(model.min_samples_leaf, str) or model.min_samples_leaf != "auto":
        accepted = "'auto' or an integer >= 1"
        check_integer(model.min_samples_leaf, "min_samples_leaf", accepted, at_least=1)
    for name in ("l2_regularization", "logit_l2"):
        accepted = f"a number >= 0 and below {_LARGEST:g}"
        check_number(getattr(model, name), name, accepted, at_least=0, below=_LARGEST)
    for name in ("subsample", "max_features"):
        share = check_number(getattr(model, name), name, "a number in (0, 1]", above=0)
        if share > 1:
            raise ValueError(f"{name} must be a number in (0, 1]; got {share!r}.")
    accepted = f"an integer from 2 to {MOST_BINS}"
    if check_integer(model.max_bins, "max_bins", accepted, at_least=2) > MOST_BINS:
        raise ValueError(f"max_bins must be {accepted}; got {model.max_bins!r}.")
    if model.sketch is not None and model.sketch != "auto":
        if isinstance(model.sketch, str):
            raise ValueError(f"sketch must be 'auto', None or an integer; got {model.sketch!r}.")
        check_integer(model.sketch, "sketch", "'auto', None or an integer >= 1", at_least=1)
    check_choice(model.multi_strategy, "multi_strategy", STRATEGIES)
    share = model.label_smoothing
    check_number(share, "label_smoothing", "a number in [0, 1)", at_least=0, below=1)


def _check_validation_fraction(fraction: Any) -> None:
    accepted = "a number in (0, 1), an integer >= 1 or None"
    if fraction is None:
        return
    if isinstance(fraction, Integral):
        check_integer(fraction, "validation_fraction", accepted, at_least=1)
    else:
        check_number(fraction, "validation_fraction", accepted, above=0, below=1)


def fixed_seed(random_state: Any) -> int:
    """Return an integer as it is; of a generator, or of NumPy's own for None, one drawn number."""
    if isinstance(random_state, Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
