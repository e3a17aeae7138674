"""The loop: ask, label, fit, look; until the budget is spent or a rule says stop."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

import numpy as np

from sksoftmax._estimator import check_number, shown_progress
from sksoftmax.active._labels import split_labels
from sksoftmax.active._stopping import check_stopping, observe


class Oracle:
    """What gives labels: a function of row numbers, or the labels of all rows.

    A function may return an iterator (be a generator): then labels are taken one by one, and those
    that came before it raised are kept.
    """

    def __init__(self, given: Any, n_rows: int) -> None:
        self.ask = given if callable(given) else None
        if self.ask is None:
            frame = hasattr(given, "columns") and len(given.columns) == 1
            given = given[given.columns[0]] if frame else given
            self.labels = given if hasattr(given, "shape") else list(given)
            if len(self.labels) != n_rows:
                raise ValueError(
                    f"oracle has {len(self.labels)} labels, but the pool has {n_rows} rows."
                )

    def __call__(self, indices: np.ndarray) -> tuple[Any, BaseException | None]:
        """Return the labels that came, and what ended them early."""
        if self.ask is None:
            labels: Any = self.labels
            labels = labels.iloc if hasattr(labels, "iloc") else labels  # pandas: by position
            return [labels[i] for i in indices.tolist()], None
        answer = self.ask(indices.copy())  # it may sort them
        if not isinstance(answer, Iterator):
            if not hasattr(answer, "__len__") or isinstance(answer, (str, dict)):
                raise ValueError(
                    f"oracle must return a list of labels, one for each of the {len(indices)} rows "
                    f"that it was asked about; got {answer!r}."
                )
            if len(answer) != len(indices):
                raise ValueError(
                    f"oracle was asked about {len(indices)} rows and returned {len(answer)} labels."
                )
            return answer, None
        came: list[Any] = []
        try:
            came.extend(islice(answer, len(indices)))  # keeps what came before an error
        except BaseException as error:  # Ctrl-C too: raised again once the labels are kept
            return came, error
        if len(came) == len(indices):
            return came, None
        return came, ValueError(
            f"oracle was asked about {len(indices)} rows and gave {len(came)} labels."
        )


class Costs:
    """What a label of each row costs, and what may be spent in all."""

    def __init__(self, costs: Any, n_rows: int, budget: Any) -> None:
        self.budget = check_number(budget, "budget", "a number >= 0 (np.inf: all)", at_least=0,
                                   infinite=True)  # fmt: skip
        self.each = None
        if costs is not None:
            each = np.asarray(costs, dtype=np.float64)
            if each.shape != (n_rows,) or not (np.isfinite(each).all() and (each > 0).all()):
                raise ValueError(
                    f"costs must hold a positive number for each of the {n_rows} rows of the pool; "
                    f"got shape {each.shape}."
                )
            self.each = each

    def of(self, indices: np.ndarray) -> float:
        """Return what the labels of some rows cost together."""
        return float(len(indices)) if self.each is None else float(self.each[indices].sum())

    def affordable(self, indices: np.ndarray, spent: float) -> np.ndarray:
        """Return the rows, in their order, that fit into what is left."""
        if self.each is None:
            left = self.budget - spent
            return indices if math.isinf(left) else indices[: int(max(0.0, left) + 1e-9)]
        kept: list[int] = []
        for i in indices.tolist():
            if spent + self.each[i] <= self.budget * (1 + 1e-12):
                kept.append(i)
                spent += self.each[i]
        return np.array(kept, dtype=np.intp)

    def leaves_out(self, spent: float) -> np.ndarray | None:
        """Return which rows cost more than what is left, or None."""
        return None if self.each is None else self.each > self.budget * (1 + 1e-12) - spent


def run_loop(learner: Any, oracle: Oracle, costs: Costs, test: tuple[Any, Any] | None) -> None:
    """Ask, label, fit and look, round by round.

    1. the rules: is it time to stop?
    2. the rows to ask about, as far as the budget goes
    3. their labels; what the oracle gave before it raised is kept
    4. fit, and look at pool and test rows
    """
    rules = check_stopping(learner.stopping)
    learner.stop_reason_ = "interrupted"  # until the loop itself says why
    total = len(learner._pool) if math.isinf(costs.budget) else int(costs.budget)
    with shown_progress(learner.verbose, type(learner).__name__, total) as show:
        if learner._is_stale:
            _fit_and_look(learner, rules, test)
        while True:
            reason = _reason_to_stop(learner, rules, costs)  # 1
            start = time.perf_counter()
            indices, scores = ([], []) if reason else learner._choose(costs)  # 2
            if reason or not len(indices):
                learner.stop_reason_ = reason or "budget"
                return
            asked = time.perf_counter()
            labels, error = oracle(indices)  # 3
            n = len(labels)
            if n:
                learner._learn(
                    indices[:n],
                    labels,
                    scores=scores[:n],
                    cost=costs.of(indices[:n]),
                    query_seconds=asked - start,
                )
            if error is not None:
                raise error
            _fit_and_look(learner, rules, test)  # 4
            if show is not None:
                _show(show, learner, learner.history_[-1])


def _reason_to_stop(learner: Any, rules: list[Any], costs: Costs) -> str | None:
    if not learner._pool.is_open.any():
        return "pool"
    if learner.cost_ >= costs.budget:
        return "budget"
    return next((rule.name for rule in rules if rule.says_stop(learner.history_)), None)


def _fit_and_look(learner: Any, rules: list[Any], test: tuple[Any, Any] | None) -> None:
    """Refit, and complete the record of the round."""
    start = time.perf_counter()
    learner._refit()
    found: dict[str, Any] = {"fit_seconds": time.perf_counter() - start}
    if rules and hasattr(learner, "estimator_"):
        pool, before = learner._pool, learner._look
        numbers, learner._look = observe(
            learner._classifier(pool.X),
            pool.X,
            pool.is_open,
            learner._known_mask(pool.mask),
            before,
            len(learner.history_[-1]["labels"]),
        )
        found |= numbers
    if test is not None and hasattr(learner, "estimator_"):
        found["test_score"] = float(learner.score(*test))
    learner._complete_record(found)


def _show(show: Any, learner: Any, record: dict[str, Any]) -> None:
    values = {"labels": str(learner.n_labels_)}
    if "test_score" in record:
        values["score"] = f"{record['test_score']:.4f}"
    show(int(learner.cost_), **values)


def labels_for(labels: Any, n: int, unlabeled: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels that are there, and for which of the n rows."""
    known_labels, known = split_labels(labels, unlabeled)
    if len(known) != n:
        raise ValueError(f"y has {len(known)} labels for {n} rows.")
    return known_labels, known
