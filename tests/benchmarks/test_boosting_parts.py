"""The parts about boosting run on tiny problems; no test looks at a time."""

import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("the benchmarks are not shipped with the wheel", allow_module_level=True)
sys.path.append(str(ROOT))  # last, so that the installed sksoftmax is the one that is measured

from benchmarks import (  # noqa: E402  (the path comes first)
    boosting_data,
    boosting_defaults,
    boosting_growth,
    boosting_predict,
    boosting_profile,
    boosting_time,
    boosting_worker,
    harness,
)
from benchmarks.boosting_tools import TOOLS  # noqa: E402

TINY = harness.Setting(n_threads=1, size="tiny")
INSTALLED = [tool for tool in TOOLS if TOOLS[tool].is_installed()]


def cells(table, column):
    """One column of a table."""
    return [row[table.columns.index(column)] for row in table.rows]


def test_ours_reaches_the_loss_of_lightgbm_and_two_threads_repeat_the_fit():
    one = boosting_time.run(TINY)
    two = boosting_time.run(harness.Setting(n_threads=2, size="tiny", found=one.found))

    assert cells(one, "classes") == ["5"]
    assert one.n_promised == two.n_promised == 1
    assert two.found == one.found


@pytest.mark.parametrize(
    ("n_classes", "ratio"), [(3, 1.5), (7, 1.5), (10, 4), (20, 8), (100, 20), (1000, 20)]
)
def test_the_promise_about_time_is_the_published_one(n_classes, ratio):
    assert boosting_time.promise(n_classes) == pytest.approx(ratio)


def test_defaults_list_every_tool_that_is_installed():
    table = boosting_defaults.run(TINY)

    assert cells(table, "tool") == INSTALLED
    assert len(table.notes) == len(TOOLS) - len(INSTALLED)
    assert table.n_promised == 1
    assert all(0 < float(loss) < np.log(5) for loss in cells(table, "test"))


def test_a_set_whose_file_is_not_here_leaves_a_note(monkeypatch, tmp_path):
    monkeypatch.setattr(boosting_data, "TABULAR", tmp_path)
    for part in (boosting_defaults, boosting_time):
        monkeypatch.setitem(part.SETS, "tiny", ["letter"])

        table = part.run(TINY)

        assert table.rows == []
        assert "letter" in table.notes[0]


def test_every_tool_predicts_the_same_number_of_rows():
    table = boosting_predict.run(TINY)

    assert cells(table, "tool") == INSTALLED


def test_the_cost_of_an_iteration_is_that_of_both():
    table = boosting_growth.run(TINY)

    assert len(table.rows) == 1
    assert table.n_promised == 0


def test_the_parts_of_a_fit_make_up_the_whole():
    table = boosting_profile.run(TINY)

    shares = [int(share.rstrip("%")) for share in cells(table, "share")]
    assert sum(shares) == pytest.approx(100, abs=len(shares))
    assert {"histograms", "split search", "leaf values"} <= set(cells(table, "part"))


def test_a_worker_that_takes_too_long_is_ended():
    worker = boosting_worker.Worker("LightGBM", "digits", 0, 1, cap=0.05)

    with worker, pytest.raises(harness.OutOfTime):
        worker.ask("fit", n_iter=10_000)

    assert worker.process.returncode != 0


def test_a_worker_that_fails_says_so(capfd):
    with (
        boosting_worker.Worker("LightGBM", "digits", 0, 1) as worker,
        pytest.raises(RuntimeError, match="LightGBM on digits, seed 0: the process ended early"),
    ):
        worker.ask("fit", n_iter=-1)

    assert "Error" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("curve", "answer"),
    [([1.0, 0.5, 0.9], False), ([1.0, 0.5, 2.5], True), ([1.0, float("nan")], True)],
)
def test_a_fit_has_diverged_once_it_is_worse_than_the_class_frequencies(curve, answer):
    assert boosting_defaults.diverged({"curve": curve, "prior": 2.0}) is answer


def test_a_split_has_every_row_once_and_every_class_in_each_part():
    s = boosting_data.split(boosting_data.named(5, 500, 10), seed=1)
    X, _ = boosting_data.rows(s.name)

    parts = np.concatenate([s.X, s.X_val, s.X_test])
    assert len(s.X) == 300
    assert len(s.X_val) == len(s.X_test) == 100
    assert np.array_equal(np.sort(parts, axis=0), np.sort(X, axis=0))
    assert set(s.y) == set(s.y_val) == set(s.y_test) == set(range(5))
    assert boosting_data.n_classes(s.name) == s.n_classes == 5
    assert s.prior_loss == pytest.approx(np.log(5), rel=0.01)


@pytest.mark.parametrize("proba", [[[0.5, 0.6]], [[1.5, -0.5]]])
def test_what_is_no_probability_is_not_judged(proba):
    with pytest.raises(AssertionError):
        boosting_worker.judgement(np.array(proba), np.array([0]))
