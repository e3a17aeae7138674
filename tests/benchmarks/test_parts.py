"""The parts of the benchmarks run, and their tools agree; no test looks at a time."""

import importlib
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
if not (ROOT / "benchmarks").is_dir():
    pytest.skip("the benchmarks are not shipped with the wheel", allow_module_level=True)
sys.path.append(str(ROOT))  # last, so that the installed sksoftmax is the one that is measured

from benchmarks import (  # noqa: E402  (the path comes first)
    PARTS,
    active,
    active_labels,
    calibration,
    calibration_error,
    choice,
    fit,
    harness,
    loss_gradient,
    one_vs_rest,
    problems,
    report,
    side_by_side,
    softmax,
)

TINY = harness.Setting(n_threads=1, size="tiny")


def cells(table, column):
    """One column of a table."""
    return [row[table.columns.index(column)] for row in table.rows]


def test_every_part_says_what_it_measures():
    for name in PARTS:
        part = importlib.import_module(f"benchmarks.{name}")

        assert part.TITLE
        assert part.WHAT
        assert set(part.THREADS) <= {1, 2}


def test_one_vs_rest_reaches_the_optimum_of_separate_fits():
    table = one_vs_rest.run(TINY)

    assert cells(table, "tool")[1:] == ["LogisticRegression()", "newton-cholesky"]
    assert cells(table, "K") == ["3"] * 3
    assert max(float(gradient) for gradient in cells(table, "gradient")) <= 1e-6


def test_the_judge_of_one_vs_rest_is_a_sum_of_binary_losses():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(40, 3)), rng.integers(0, 4, 40)
    problem = one_vs_rest.OneVsRestProblem("", X, y)
    coef, intercept = rng.normal(size=(4, 3)), rng.normal(size=4)
    value, gradient = problem.judge(coef, intercept)
    p = 1 / (1 + np.exp(-(X @ coef.T + intercept)))
    own = y[:, None] == np.arange(4)
    loss = -np.log(np.where(own, p, 1 - p)).sum() / 40 + (coef**2).sum() / 80
    np.testing.assert_allclose(value, loss)
    slopes = (p - own).T @ X / 40 + coef / 40
    np.testing.assert_allclose(gradient, max(abs(slopes).max(), abs((p - own).mean(0)).max()))


def test_softmax_agrees_with_scipy():
    table = softmax.run(TINY)

    assert cells(table, "dtype") == ["float32", "float64"] * 2


def test_softmax_agrees_with_onnxruntime():
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")

    table = softmax.run(TINY)

    assert ["-" not in time for time in cells(table, "onnx")] == [True, False] * 2
    assert table.notes == []


def test_a_missing_onnxruntime_leaves_a_gap_and_a_note(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)

    table = softmax.run(TINY)

    assert set(cells(table, "onnx")) == {"-"}
    assert "not installed" in table.notes[0]


def test_loss_and_gradient_agree_with_sklearn():
    table = loss_gradient.run(TINY)

    assert cells(table, "output") == ["there", "new"] * 4


def test_every_solver_reaches_the_same_optimum():
    table = fit.run(TINY)

    assert len(table.rows) == len(fit.SOLVERS)
    assert all(float(gradient) <= fit.GRADIENT for gradient in cells(table, "gradient"))
    assert all("tol" in found for found in next(iter(table.found.values())).values())


def test_tolerances_found_on_one_thread_serve_on_two():
    found = fit.run(TINY).found

    table = fit.run(harness.Setting(n_threads=2, size="tiny", found=found))

    assert table.found == found


def test_a_solver_out_of_budget_is_listed_without_a_time(monkeypatch):
    slow = fit.partial(SlowAfterWarmup, solver="lbfgs")
    monkeypatch.setitem(fit.SOLVERS, "lbfgs", slow)
    monkeypatch.setitem(fit.BUDGET, "tiny", 0.2)

    row = fit.run(TINY).rows[-1]

    assert row[1] == "lbfgs"
    assert row[2].startswith("not after")
    assert row[-3:] == ["-", "-", "-"]


class SlowAfterWarmup(fit.LogisticRegression):
    """Stops in good time only when little is asked of it."""

    def fit(self, X, y):
        if self.tol < 1e-2:
            time.sleep(1)
        return super().fit(X, y)


def test_temperature_scaling_reaches_the_optimum_of_sklearn():
    table = calibration.run(TINY)

    assert cells(table, "tool")[:2] == ["ours", "sklearn"]
    assert max(float(excess) for excess in cells(table, "excess")[:2]) < 1e-9


def test_a_part_in_a_process_of_its_own_hands_over_its_table():
    runner = importlib.import_module("benchmarks.__main__")

    table = runner.measure_in_new_process("softmax", TINY)

    assert table.columns[:2] == ["shape", "dtype"]
    assert "threads: 1" in table.environment["kernel"]


def test_a_part_that_fails_hands_over_nothing(capfd):
    runner = importlib.import_module("benchmarks.__main__")

    assert runner.measure_in_new_process("softmax", harness.Setting(size="unheard of")) is None
    assert "KeyError" in capfd.readouterr().err


def test_the_calibration_error_agrees_with_netcal_where_that_is_installed():
    table = calibration_error.run(TINY)

    assert cells(table, "dtype") == ["float32", "float64"]
    assert ("-" in cells(table, "netcal")) == bool(table.notes)


def test_queries_agree_with_the_peers_and_warm_refits_with_cold_ones():
    table = active.run(TINY)

    tools = cells(table, "tool")
    assert tools[:3] == ["its model", "ours", "ours"]
    assert ("modAL" in tools) == (not any("modAL" in note for note in table.notes))


def test_labels_needed_are_counted_for_each_strategy():
    table = active_labels.run(TINY)

    assert cells(table, "strategy") == ["entropy", "margin", "entropy, density", "random"]
    assert cells(table, "saved")[-1] == "-"


def test_two_fits_run_side_by_side_and_agree():
    table = side_by_side.run(harness.Setting(n_threads=2, size="tiny"))

    assert len(table.rows) == 1
    assert table.n_promised == 1


def test_the_judge_gives_the_gradient_of_the_objective(rng):
    problem = problems.correlated(50, n_features=3, n_classes=4)
    coef, intercept = rng.normal(size=(4, 3)), rng.normal(size=4)
    step, gradient = 1e-6, []
    for parameters in (coef, intercept):
        for index in np.ndindex(parameters.shape):
            parameters[index] += step
            above = problem.judge(coef, intercept)[0]
            parameters[index] -= 2 * step
            below = problem.judge(coef, intercept)[0]
            parameters[index] += step
            gradient.append((above - below) / (2 * step))

    assert problem.judge(coef, intercept)[1] == pytest.approx(np.abs(gradient).max(), rel=1e-6)


def test_tools_that_disagree_are_not_compared():
    with pytest.raises(AssertionError, match="peer and sksoftmax disagree"):
        harness.assert_agree("peer", np.ones(2), np.zeros(2), rtol=1e-3, atol=0)


def test_turns_alternate_and_the_first_call_of_a_turn_is_not_counted():
    calls = []
    tools = {"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}

    timings = harness.take_turns(tools, rounds=2, repeats=1, warm=0, pause=0)

    assert calls == ["a", "a", "b", "b"] * 2
    assert list(timings) == ["a", "b"]


def test_a_spent_budget_stops_the_work():
    with pytest.raises(harness.OutOfTime), harness.budget(0.01):
        time.sleep(5)


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (report.Ratio(9.314), "9.31x"),
        (report.Ratio(9.314, at_least=8), "9.31x (>= 8: met)"),
        (report.Ratio(1.2, at_most=1.1), "1.20x (<= 1.1: SHORT)"),
    ],
)
def test_a_ratio_shows_its_target_and_whether_it_was_met(ratio, text):
    assert str(ratio) == text


def test_writing_one_section_leaves_the_others_alone(tmp_path):
    page = tmp_path / "docs" / "performance.md"
    for name, text in [("fit", "old fits"), ("softmax", "times"), ("fit", "new fits")]:
        report.write(name, text, PARTS, page)

    written = page.read_text()
    assert written.startswith(report.HEADING)
    assert written.index("times") < written.index("new fits")  # the order of the parts
    assert "old fits" not in written


def test_a_section_names_machine_versions_threads_and_command():
    table = report.Table(["a"], environment=report.environment())
    table.add(report.Ratio(2.0, at_least=1))

    text = report.section("fit", "Title", "What.", {2: table})

    for part in ("## Title", "2 threads each", "2.00x", "numpy", "cores", "make bench ONLY=fit"):
        assert part in text


def test_conditional_logits_agree_and_xlogit_may_be_missing():
    table = choice.run(TINY)

    assert cells(table, "problem")[-1].startswith("300 x 4")
    assert "-" not in cells(table, "ours, wide")[-1]
    assert "MiB" in cells(table, "memory")[0]
