"""expected_calibration_error: its formula, its bins, its bias, and the values of others."""

import numpy as np
import pytest
from scipy.stats import binned_statistic

from sksoftmax.metrics import expected_calibration_error
from sksoftmax.plotting import ReliabilityDisplay


def by_histogram(y, y_proba, n_bins=15):
    """ECE as netcal computes it: np.histogram and scipy's binned_statistic on the same edges."""
    confidence, hit = y_proba.max(axis=1), y_proba.argmax(axis=1) == y
    edges = np.linspace(0, 1, n_bins + 1)
    mass = np.histogram(confidence, edges)[0] / len(y)
    mean = [
        np.nan_to_num(binned_statistic(confidence, v, bins=edges)[0]) for v in (confidence, hit)
    ]
    return np.sum(mass * np.abs(mean[0] - mean[1]))


@pytest.mark.parametrize("n_classes", [2, 3, 30])
@pytest.mark.parametrize("n_bins", [1, 10, 15])
def test_it_is_what_histograms_give(draw, n_classes, n_bins):
    y, y_proba = draw(2000, n_classes, 1.5)

    error = expected_calibration_error(y, y_proba, n_bins=n_bins, labels=range(n_classes))

    assert error == pytest.approx(by_histogram(y, y_proba, n_bins), abs=1e-13)


def test_it_is_what_netcal_gives(draw):
    netcal = pytest.importorskip("netcal.metrics")
    y, y_proba = draw(5000, 10, 1.5)

    ours = expected_calibration_error(y, y_proba)

    assert ours == pytest.approx(netcal.ECE(15).measure(y_proba, y), abs=1e-12)


@pytest.mark.parametrize(
    ("name", "per_cent"),
    [("densenet-bc-100-cifar-100", 14.473), ("wideresnet-16-4-cifar-10", 5.517)],
)
def test_published_networks(shared_data, name, per_cent):
    data = np.load(shared_data / "calibration" / f"{name}.npz")
    y, y_proba = data["ground_truth"].ravel()[5000:], data["predictions"][5000:]

    assert round(100 * expected_calibration_error(y, y_proba), 3) == per_cent


# --- the formula by hand --------------------------------------------------------------------------

BY_HAND = [[0.9, 0.1], [0.9, 0.1], [0.9, 0.1], [0.4, 0.6]]  # right, right, wrong, right
GAPS = np.array([0.9 - 2 / 3, 0.4])


@pytest.mark.parametrize(
    ("norm", "expected"),
    [
        ("l1", [0.75, 0.25] @ GAPS),
        ("l2", np.sqrt([0.75, 0.25] @ GAPS**2)),
        ("max", GAPS.max()),
    ],
)
def test_norms_by_hand(norm, expected):
    error = expected_calibration_error([0, 0, 1, 1], BY_HAND, norm=norm)

    assert error == pytest.approx(expected, rel=1e-14)


def test_classwise_is_the_mean_over_the_classes(draw):
    y, y_proba = draw(500, 3, 2.0)
    each = []
    for k in range(3):
        edges = np.linspace(0, 1, 16)
        mass = np.histogram(y_proba[:, k], edges)[0] / len(y)
        p, hit = (
            np.nan_to_num(binned_statistic(y_proba[:, k], v, bins=edges)[0])
            for v in (y_proba[:, k], y == k)
        )
        each.append((mass * np.abs(p - hit)).sum())

    error = expected_calibration_error(y, y_proba, kind="classwise")

    assert error == pytest.approx(np.mean(each), rel=1e-12)


def test_debiased_l2_loses_the_binomial_variance_of_each_bin():
    s2 = (2 / 3) * (1 / 3) / 2, 0.6 * 0.4  # of three rows; of one row, if it is calibrated
    square = 0.75 * (GAPS[0] ** 2 - s2[0]) + 0.25 * (GAPS[1] ** 2 - s2[1])

    error = expected_calibration_error([0, 0, 1, 1], BY_HAND, norm="l2", debias=True)

    assert error == pytest.approx(np.sqrt(max(0, square)), rel=1e-12)


def test_debiased_l1_is_the_limit_of_the_simulation_of_kumar_liang_and_ma(draw, rng):
    y, y_proba = draw(400, 4, 1.5)
    confidence, hit = y_proba.max(axis=1), y_proba.argmax(axis=1) == y
    index = (confidence * 4).astype(int)  # the first bin is empty: confidences are above 1/4
    n = np.bincount(index)[1:]
    p, a = (np.bincount(index, v)[1:] / n for v in (confidence, hit))
    mass = n / n.sum()
    plugin = mass @ np.abs(a - p)
    drawn = rng.normal(a, np.sqrt(a * (1 - a) / (n - 1)), size=(200_000, len(n)))
    expected = 2 * plugin - (np.abs(drawn - p) @ mass).mean()

    error = expected_calibration_error(y, y_proba, n_bins=4, debias=True)

    assert error == pytest.approx(expected, abs=2e-4)


def test_debiasing_brings_the_error_of_a_calibrated_model_closer_to_zero(draw):
    samples = [draw(300, 3) for _ in range(50)]
    plugin = np.mean([expected_calibration_error(*sample) for sample in samples])
    for norm in ("l1", "l2"):
        debiased = [expected_calibration_error(*s, norm=norm, debias=True) for s in samples]
        assert np.mean(debiased) < 0.75 * plugin


# --- the bins -------------------------------------------------------------------------------------


def rows_per_bin(p, **options):
    """How many of the probabilities of a class fall into each bin that holds some."""
    y_proba = np.column_stack([p, 1 - p])
    y = np.arange(len(p)) % 2
    display = ReliabilityDisplay.of_predictions(y, y_proba, kind="classwise", **options)
    return display.curves[0].n.tolist()


@pytest.mark.parametrize("n_bins", [3, 10, 15, 20, 49])
def test_a_confidence_on_an_edge_belongs_to_the_bin_above(n_bins):
    edges = np.linspace(0, 1, n_bins + 1)
    first, last = edges[:-1], np.nextafter(edges[1:], 0)  # of each bin

    assert rows_per_bin(np.concatenate([first, last]), n_bins=n_bins) == [2] * n_bins
    assert rows_per_bin(np.append(last, 1.0), n_bins=n_bins) == [1] * (n_bins - 1) + [2]


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("kind", ["top_label", "classwise"])
def test_confidence_zero_and_one(strategy, kind):
    sure = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    options = {"strategy": strategy, "kind": kind, "labels": [0, 1, 2]}

    assert expected_calibration_error([0, 1, 2], sure, **options) == 0
    assert expected_calibration_error([1, 2, 0], sure, **options) == pytest.approx(
        1 if kind == "top_label" else 2 / 3
    )


def test_quantile_bins_hold_the_same_number_of_rows(rng):
    assert set(rows_per_bin(rng.random(100), n_bins=7, strategy="quantile")) == {14, 15}


def test_quantile_bins_never_part_equal_confidences():
    p = np.repeat([0.2, 0.5, 0.6], [30, 150, 20])

    assert rows_per_bin(p, n_bins=10, strategy="quantile") == [30, 150, 20]
    assert rows_per_bin(p, n_bins=2, strategy="quantile") == [180, 20]


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("kind", ["top_label", "classwise"])
def test_the_order_of_the_rows_does_not_matter(draw, rng, strategy, kind):
    y, y_proba = draw(300, 4, 2.0)
    y_proba = y_proba.round(1)
    y_proba /= y_proba.sum(axis=1, keepdims=True)  # many ties
    shuffled = rng.permutation(len(y))
    options = {"strategy": strategy, "kind": kind}

    first = expected_calibration_error(y, y_proba, **options)

    assert expected_calibration_error(y[shuffled], y_proba[shuffled], **options) == pytest.approx(
        first, rel=1e-12
    )


# --- weights --------------------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", ["uniform", "quantile"])
@pytest.mark.parametrize("kind", ["top_label", "classwise"])
@pytest.mark.parametrize("norm", ["l1", "l2", "max"])
def test_weight_two_equals_a_duplicated_row(draw, rng, strategy, kind, norm):
    y, y_proba = draw(300, 3, 2.0)
    weight = rng.integers(0, 3, size=300)
    repeated = np.repeat(np.arange(300), weight)
    options = {"strategy": strategy, "kind": kind, "norm": norm}

    weighted = expected_calibration_error(y, y_proba, sample_weight=weight, **options)

    assert weighted == pytest.approx(
        expected_calibration_error(y[repeated], y_proba[repeated], **options), rel=1e-12
    )


@pytest.mark.parametrize("debias", [False, True])
def test_only_the_ratios_of_weights_matter(draw, rng, debias):
    y, y_proba = draw(300, 3, 2.0)
    weight = rng.random(300)
    errors = [
        expected_calibration_error(y, y_proba, sample_weight=scale * weight, debias=debias)
        for scale in (1.0, 1e-200, 1e200)
    ]

    assert errors == pytest.approx([errors[0]] * 3, rel=1e-12)


# --- kinds of input -------------------------------------------------------------------------------


def test_float32_is_what_its_numbers_are_in_float64(draw):
    y, y_proba = draw(500, 20, 1.5)
    single = y_proba.astype(np.float32)

    assert expected_calibration_error(y, single) == pytest.approx(
        expected_calibration_error(y, (single / single.sum(1, keepdims=True)).astype(float)),
        abs=1e-6,
    )


def test_one_column_means_the_second_class(draw):
    y, y_proba = draw(500, 2, 1.5)

    assert expected_calibration_error(y, y_proba[:, 1]) == pytest.approx(
        expected_calibration_error(y, y_proba), rel=1e-12
    )


@pytest.mark.parametrize("order", ["C", "F"])
def test_memory_layout_does_not_matter(draw, order):
    y, y_proba = draw(100, 4, 1.5)
    expected = expected_calibration_error(y, y_proba)
    wide = np.zeros((100, 8))
    wide[:, ::2] = y_proba

    assert expected_calibration_error(y, np.asarray(y_proba, order=order)) == expected
    assert expected_calibration_error(y, wide[:, ::2]) == expected


def test_inputs_are_not_modified(draw):
    y, y_proba = draw(100, 4, 1.5)
    y_proba.flags.writeable = False
    y.flags.writeable = False

    for kind in ("top_label", "classwise"):
        expected_calibration_error(y, y_proba, kind=kind, sample_weight=np.ones(100))
