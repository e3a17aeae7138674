"""calibration_report: its numbers, its intervals, and how it looks."""

import builtins
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy, norm
from sklearn.metrics import accuracy_score, brier_score_loss, log_loss
from statsmodels.stats.proportion import proportion_confint
from statsmodels.stats.weightstats import DescrStatsW

from sksoftmax.functional import softmax
from sksoftmax.metrics import CalibrationReport, calibration_report, expected_calibration_error


def test_values_are_those_of_the_separate_metrics(draw):
    y, y_proba = draw(400, 4, 1.5)
    confidence, hit = y_proba.max(axis=1), y_proba.argmax(axis=1) == y
    expected = {
        "nll": log_loss(y, y_proba),
        "brier": ((y_proba - np.eye(4)[y]) ** 2).sum(axis=1).mean(),
        "accuracy": accuracy_score(y, y_proba.argmax(axis=1)),
        "confidence": confidence.mean(),
        "overconfidence": (confidence - hit).mean(),
        "entropy": entropy(y_proba, axis=1).mean(),
        "ece": expected_calibration_error(y, y_proba),
        "ece_debiased": expected_calibration_error(y, y_proba, debias=True),
        "ece_quantile": expected_calibration_error(y, y_proba, strategy="quantile"),
        "ece_classwise": expected_calibration_error(y, y_proba, kind="classwise"),
    }

    report = calibration_report(y, y_proba)

    assert list(report) == list(expected)
    assert {name: each.value for name, each in report.items()} == pytest.approx(expected)


def test_the_brier_score_of_two_classes_is_twice_that_of_one_column(draw):
    y, y_proba = draw(200, 2)

    assert calibration_report(y, y_proba)["brier"].value == pytest.approx(
        2 * brier_score_loss(y, y_proba[:, 1])
    )


@pytest.mark.parametrize(("name", "nll", "brier", "ece"), [
    ("densenet-bc-100-cifar-100", 1.2116, 0.3830, 14.473),
    ("wideresnet-16-4-cifar-10", 0.3737, 0.1428, 5.517),
])  # fmt: skip
def test_published_networks(shared_data, name, nll, brier, ece):
    data = np.load(shared_data / "calibration" / f"{name}.npz")

    report = calibration_report(data["ground_truth"].ravel()[5000:], data["predictions"][5000:])

    assert round(report["nll"].value, 4) == nll
    assert round(report["brier"].value, 4) == brier
    assert round(100 * report["ece"].value, 3) == ece


# --- intervals ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_intervals_of_means_and_of_the_accuracy_are_those_of_statsmodels(draw, level):
    y, y_proba = draw(300, 3, 1.5)
    loss = -np.log(y_proba[np.arange(300), y])
    hit = y_proba.argmax(axis=1) == y

    report = calibration_report(y, y_proba, confidence_level=level)

    assert report["nll"][1:] == pytest.approx(DescrStatsW(loss).zconfint_mean(1 - level))
    assert report["accuracy"][1:] == pytest.approx(
        proportion_confint(hit.sum(), 300, 1 - level, method="wilson")
    )


def test_intervals_of_weighted_means_use_the_effective_number_of_rows(draw, rng):
    y, y_proba = draw(300, 3, 1.5)
    weight = rng.random(300)
    loss = -np.log(y_proba[np.arange(300), y])
    mean = np.average(loss, weights=weight)
    size = weight.sum() ** 2 / (weight**2).sum()
    variance = ((weight * (loss - mean)) ** 2).sum() / weight.sum() ** 2 * size / (size - 1)

    low, high = calibration_report(y, y_proba, sample_weight=weight)["nll"][1:]

    assert (high - low) / 2 == pytest.approx(norm.ppf(0.975) * np.sqrt(variance))


def test_twice_the_weight_is_not_twice_the_evidence(draw):
    y, y_proba = draw(300, 3, 1.5)
    plain, doubled = (calibration_report(y, y_proba, sample_weight=w) for w in (None, [2.0] * 300))

    for name, estimate in plain.items():
        assert doubled[name] == pytest.approx(estimate), name


@pytest.mark.parametrize(("n_classes", "temperature"), [(2, 1.0), (5, 1.0), (5, 1.3), (5, 2.0)])
def test_intervals_of_calibration_errors_cover_the_truth(draw, rng, n_classes, temperature):
    """The true binned error is known from many rows, with the chances in place of labels."""
    kinds = {"ece": "top_label", "ece_classwise": "classwise"}
    truth = {k: true_error(rng, n_classes, temperature, kind) for k, kind in kinds.items()}
    reports = [calibration_report(*draw(500, n_classes, temperature)) for _ in range(150)]

    for name, value in truth.items():
        covered = [
            low - 1e-3 <= value <= high + 1e-3 for _, low, high in (r[name] for r in reports)
        ]
        assert np.mean(covered) >= 0.88  # 0.95, and 150 samples have a standard error of 0.018


def true_error(rng, n_classes, temperature, kind, n=100_000):
    logits = rng.normal(scale=2.0, size=(n, n_classes))
    stated, chance = softmax(logits), softmax(logits / temperature)
    columns = [np.arange(n) * 0 + k for k in range(n_classes)]
    if kind == "top_label":
        columns = [stated.argmax(axis=1)]
    errors = []
    for column in columns:
        p, a = stated[np.arange(n), column], chance[np.arange(n), column]
        index = np.minimum((p * 15).astype(int), 14)
        errors.append(np.abs(np.bincount(index, p - a)).sum() / n)
    return np.mean(errors)


def test_a_calibrated_model_may_have_no_calibration_error(draw):
    intervals = [calibration_report(*draw(300, 3))["ece"] for _ in range(40)]

    assert np.mean([low == 0 for _, low, _ in intervals]) >= 0.9


def test_nothing_wrong_in_a_few_rows_is_no_proof():
    sure = np.eye(2)[[0, 1] * 10]

    value, low, high = calibration_report([0, 1] * 10, sure)["ece"]

    assert value == low == 0
    assert 0.1 < high < 0.2  # as the accuracy: at least 84 %


def test_an_impossible_label_makes_the_log_loss_infinite():
    report = calibration_report(["a", "b"], [[1.0, 0.0], [1.0, 0.0]])

    assert report["nll"].value == np.inf
    assert np.isnan(report["nll"].low)
    assert re.search(r"NLL\) +inf +nats\n", str(report))


@pytest.mark.parametrize("level", [0, 1, 95, "high", None])
def test_a_level_that_is_none(level):
    with pytest.raises((ValueError, TypeError), match="confidence_level must be a number above 0"):
        calibration_report([0, 1], [0.2, 0.8], confidence_level=level)


# --- how it looks ---------------------------------------------------------------------------------


def test_the_table(draw):
    report = calibration_report(*draw(1234, 3, 1.5), confidence_level=0.9)
    lines = str(report).splitlines()

    assert lines[0] == "Calibration: 1,234 rows, 3 classes, 15 bins"
    assert lines[2].strip() == "90 % interval"
    assert len({len(line) for line in lines[2:]}) == 1  # a straight right edge
    assert len(lines) == 4 + len(report)
    assert repr(report).startswith("<CalibrationReport: 1,234 rows, NLL ")


def test_the_html_holds_what_the_text_holds(draw):
    report = calibration_report(*draw(100, 3))
    html = report._repr_html_()

    for number in re.findall(r"\d+\.\d+", str(report)):
        assert number in html
    assert html.count("<tr>") == 1 + len(report)


def test_the_frame(draw):
    report = calibration_report(*draw(100, 3))
    frame = report.to_frame()

    assert isinstance(frame, pd.DataFrame)
    assert frame.index.tolist() == list(report)
    assert tuple(frame.loc["ece"]) == report["ece"]


def test_without_pandas_the_frame_says_what_to_install(draw, monkeypatch):
    import_ = builtins.__import__

    def without_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return import_(name, *args, **kwargs)

    report = calibration_report(*draw(100, 3))
    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match=r'pip install "sksoftmax\[pandas\]"'):
        report.to_frame()


def test_it_is_a_mapping(draw):
    report = calibration_report(*draw(100, 3))

    assert isinstance(report, CalibrationReport)
    assert len(report) == len(dict(report)) == 10
    assert "nll" in report
    with pytest.raises(KeyError):
        report["f1"]
