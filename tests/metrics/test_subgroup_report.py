"""subgroup_report: what it measures, tests and refuses to measure, and how it looks."""

import builtins
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.optimize import minimize_scalar
from scipy.stats import chi2
from statsmodels.stats import proportion
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import CompareMeans

from sksoftmax.functional import cross_entropy
from sksoftmax.metrics import calibration_report, expected_calibration_error, subgroup_report

TESTED = ["accuracy", "confidence", "overconfidence", "nll", "entropy", "ece", "temperature"]


@pytest.fixture
def two_sites(draw, rng):
    """1,200 calibrated rows of site "a", 800 overconfident ones of "b", in random order."""
    parts = [draw(1200, 4, 1.0), draw(800, 4, 2.0)]
    y, y_proba = (np.concatenate(each) for each in zip(*parts, strict=True))
    order = rng.permutation(len(y))
    return y[order], y_proba[order], np.repeat(["a", "b"], [1200, 800])[order]


def group_named(report, name):
    return next(group for group in report.groups if group.name == name)


def test_each_group_is_measured_as_if_alone(two_sites):
    y, y_proba, site = two_sites
    report = subgroup_report(y, y_proba, site)

    for name in ("a", "b"):
        rows = site == name
        alone = calibration_report(y[rows], y_proba[rows])
        group = group_named(report, name)
        assert group.n_samples == rows.sum()
        for metric in ("accuracy", "confidence", "overconfidence", "nll", "entropy"):
            assert group.estimates[metric] == pytest.approx(alone[metric])
        assert group.estimates["ece"] == pytest.approx(alone["ece_debiased"])
    whole = calibration_report(y, y_proba)
    assert report.overall.estimates["nll"] == pytest.approx(whole["nll"])


def best_temperature(y, y_proba):
    """Temperature and loss by SciPy, over public functions."""
    logits = np.log(y_proba)
    found = minimize_scalar(
        lambda log_t: cross_entropy(logits, y, temperature=np.exp(log_t)),
        bounds=(-5, 5),
        method="bounded",
        options={"xatol": 1e-10},
    )
    return np.exp(found.x), found.fun


def test_the_temperature_of_a_group_is_the_one_that_fits_it_best(two_sites):
    y, y_proba, site = two_sites
    group = group_named(subgroup_report(y, y_proba, site), "b")
    expected, _ = best_temperature(y[site == "b"], y_proba[site == "b"])
    value, low, high = group.estimates["temperature"]

    assert value == pytest.approx(expected, rel=1e-6)
    assert low < 2.0 < high
    assert low * high == pytest.approx(value**2)


def test_the_likelihood_ratio_test_by_hand(two_sites):
    y, y_proba, site = two_sites
    temperature, common = best_temperature(y, y_proba)
    apart = sum(
        (site == name).sum() * best_temperature(y[site == name], y_proba[site == name])[1]
        for name in ("a", "b")
    )
    statistic = 2 * (len(y) * common - apart)

    (test,) = subgroup_report(y, y_proba, {"site": site}).temperature_tests

    assert test.by == ("site",)
    assert test.df == 1
    assert test.temperature == pytest.approx(temperature, rel=1e-6)
    assert test.statistic == pytest.approx(statistic, rel=1e-6)
    assert test.p_value == pytest.approx(chi2.sf(statistic, 1), rel=1e-5)


def test_one_temperature_is_rejected_as_often_as_it_should(draw, rng):
    p_values = []
    for _ in range(150):
        y, y_proba = draw(600, 3, 1.5)
        report = subgroup_report(y, y_proba, rng.integers(0, 3, 600), min_group_size=100)
        p_values.append(report.temperature_tests[0].p_value)

    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.1)


# --- differences to the rest ----------------------------------------------------------------------


def test_differences_are_those_of_statsmodels(two_sites):
    y, y_proba, site = two_sites
    group = group_named(subgroup_report(y, y_proba, site), "b")
    inside = site == "b"
    hit = y_proba.argmax(axis=1) == y
    counts = [hit[inside].sum(), 800, hit[~inside].sum(), 1200]
    loss = -np.log(y_proba[np.arange(len(y)), y])
    means = CompareMeans.from_data(loss[inside], loss[~inside])

    assert group.differences["accuracy"][1:] == pytest.approx(
        proportion.confint_proportions_2indep(*counts, method="newcomb")
    )
    assert group.p_values["accuracy"] == pytest.approx(
        proportion.test_proportions_2indep(*counts, method="score", correction=False).pvalue
    )
    assert group.differences["nll"].value == pytest.approx(
        loss[inside].mean() - loss[~inside].mean()
    )
    assert group.differences["nll"][1:] == pytest.approx(means.zconfint_diff(usevar="unequal"))
    assert group.p_values["nll"] == pytest.approx(means.ztest_ind(usevar="unequal")[1])


def test_two_groups_mirror_each_other(two_sites):
    a, b = subgroup_report(*two_sites).groups

    for metric in TESTED:
        assert a.differences[metric].value == pytest.approx(-b.differences[metric].value)
        assert a.p_values[metric] == pytest.approx(b.p_values[metric])


def test_p_values_are_adjusted_by_benjamini_and_hochberg_over_the_whole_report(two_sites, rng):
    y, y_proba, site = two_sites
    report = subgroup_report(y, y_proba, {"site": site, "noise": rng.integers(0, 4, len(y))})
    p_values = np.array([g.p_values[m] for g in report.groups for m in g.p_values])
    adjusted = np.array([g.adjusted[m] for g in report.groups for m in g.p_values])

    assert len(p_values) == len(TESTED) * (2 + 4 + 8)
    np.testing.assert_allclose(adjusted, multipletests(p_values, method="fdr_bh")[1])


def test_a_random_group_differs_as_often_as_it_should(draw, rng):
    """A small group too, although chance gives it a larger calibration error."""
    p_values = []
    for _ in range(200):
        y, y_proba = draw(600, 3, 1.5)
        member = rng.permutation(600) < 100
        p_values.append(group_named(subgroup_report(y, y_proba, member), "True").p_values)

    for metric in TESTED:
        rejected = np.mean([each[metric] < 0.1 for each in p_values])
        assert rejected == pytest.approx(0.1, abs=0.07), metric


def test_a_group_that_is_worse_calibrated_is_found(two_sites):
    b = group_named(subgroup_report(*two_sites), "b")

    for metric in ("accuracy", "overconfidence", "nll", "ece", "temperature"):
        assert b.adjusted[metric] < 1e-3
    assert b.adjusted["confidence"] > 0.01  # the model states the same everywhere


# --- groups ---------------------------------------------------------------------------------------


def test_a_small_group_is_listed_and_not_measured(draw):
    y, y_proba = draw(300, 3)
    groups = np.repeat(["large", "other", "small"], [150, 101, 49])
    report = subgroup_report(y, y_proba, groups)
    small = group_named(report, "small")

    assert small.n_samples == 49
    assert small.estimates == small.differences == small.p_values == {}
    assert re.search(r"small +49 +too few\n", str(report))
    assert "below min_group_size = 50" in str(report)
    assert report.temperature_tests[0].df == 1
    frame = report.to_frame()
    assert frame[frame["group"] == "small"]["value"].isna().all()


def test_a_group_without_a_rest_has_no_differences(draw):
    report = subgroup_report(*draw(100, 3), ["everybody"] * 100)

    assert report.groups[0].estimates
    assert report.groups[0].differences == {}
    assert np.isnan(report.temperature_tests[0].p_value)
    assert "one temperature for all groups of group: not tested" in str(report)
    assert "Differences" not in str(report)


def test_no_group_is_large_enough(draw):
    report = subgroup_report(*draw(20, 3), ["a", "b"] * 10)

    assert [group.estimates for group in report.groups] == [{}, {}]
    assert report.temperature_tests[0].df == 0
    assert str(report)
    assert report._repr_html_()


@pytest.mark.parametrize(
    "missing", [None, np.nan, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT", "D")]
)
def test_missing_labels_are_a_group(draw, missing):
    y, y_proba = draw(200, 3)
    groups = np.array(["a", missing] * 100, dtype=object)
    report = subgroup_report(y, y_proba, groups)

    assert [(g.name, g.labels, g.n_samples) for g in report.groups] == [
        ("a", ("a",), 100),
        ("(missing)", (None,), 100),
    ]


def test_floats_with_nan(draw):
    report = subgroup_report(*draw(200, 3), [1.0, np.nan, 0.0, np.nan] * 50)

    assert [g.name for g in report.groups] == ["0.0", "1.0", "(missing)"]


def test_labels_of_several_types(draw):
    report = subgroup_report(*draw(200, 3), [1, "1", ("x", 2), True] * 50)

    assert sum(g.n_samples for g in report.groups) == 200


def test_categories_keep_their_order_and_empty_ones_are_shown(draw):
    groups = pd.Categorical(["low", "high"] * 100, categories=["none", "low", "high"])
    report = subgroup_report(*draw(200, 3), pd.Series(groups, name="risk"))

    assert [(g.by, g.name, g.n_samples) for g in report.groups] == [
        (("risk",), "none", 0),
        (("risk",), "low", 100),
        (("risk",), "high", 100),
    ]


@pytest.mark.parametrize("frame", [dict, pd.DataFrame, pl.DataFrame])
def test_several_columns_and_their_intersections(draw, frame):
    y, y_proba = draw(400, 3)
    columns = {"sex": ["f", "m"] * 200, "site": [1, 1, 2, 2] * 100, "old": [True] * 400}
    report = subgroup_report(y, y_proba, frame(columns))

    by = list(dict.fromkeys(group.by for group in report.groups))
    assert by == [("sex",), ("site",), ("old",), ("sex", "site"), ("sex", "old"), ("site", "old")]
    crossed = group_named(report, "m & 2")
    assert crossed.n_samples == 100
    rows = (np.array(columns["sex"]) == "m") & (np.array(columns["site"]) == 2)
    assert crossed.estimates["nll"] == pytest.approx(
        calibration_report(y[rows], y_proba[rows], labels=range(3))["nll"]
    )
    assert len(report.temperature_tests) == len(by)


@pytest.mark.parametrize(("intersections", "n_groupings"), [(1, 3), (2, 6), (3, 7), (9, 7)])
def test_how_many_columns_are_crossed(draw, rng, intersections, n_groupings):
    groups = rng.integers(0, 2, (400, 3))
    report = subgroup_report(*draw(400, 3), groups, intersections=intersections)

    assert len(report.temperature_tests) == n_groupings


def test_an_intersection_that_does_not_occur_is_left_out(draw):
    report = subgroup_report(*draw(200, 3), {"x": [0, 1] * 100, "y": ["a", "b"] * 100})

    assert [g.name for g in report.groups] == ["0", "1", "a", "b", "0 & a", "1 & b"]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (["a"] * 3, "'group' must hold one label for each of the 60 rows"),
        ({"x": ["a"] * 60, "y": ["a"] * 59}, "'y' must hold one label"),
        ({}, "groups has no column"),
        ({"x": [["a"]] * 60}, "'x' holds labels that cannot be hashed"),
        (np.zeros((60, 1, 1)), "must hold one label"),
        ({"age": np.linspace(0, 1, 60)}, None),
        (np.array([{}] * 60, dtype=object), "cannot be hashed"),
        (np.ma.masked_array([1] * 60), "masked array"),
    ],
)
def test_groups_that_are_wrong(draw, groups, message):
    y, y_proba = draw(60, 3)
    if message is None:
        subgroup_report(y, y_proba, groups)  # sixty different numbers are groups of one
        return
    with pytest.raises(ValueError, match=message):
        subgroup_report(y, y_proba, groups)


def test_measurements_are_no_groups(draw, rng):
    with pytest.raises(ValueError, match=r"'age' has 200 different numbers.*pandas.cut"):
        subgroup_report(*draw(200, 3), {"age": rng.random(200)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"intersections": 0}, "intersections must be an integer of at least 1"),
        ({"min_group_size": 1}, "min_group_size must be an integer of at least 2"),
        ({"n_bins": 0}, "n_bins must be an integer from 1 to 10,000"),
        ({"confidence_level": 2}, "confidence_level must be"),
    ],
)
def test_options_that_are_wrong(draw, options, message):
    with pytest.raises(ValueError, match=message):
        subgroup_report(*draw(60, 3), ["a"] * 60, **options)


# --- weights and hostile predictions --------------------------------------------------------------


def test_rows_of_weight_zero_are_left_out(two_sites):
    y, y_proba, site = two_sites
    weight = np.tile([1.0, 0.0], len(y) // 2)
    weighted = subgroup_report(y, y_proba, site, sample_weight=weight)
    half = subgroup_report(y[::2], y_proba[::2], site[::2])

    for one, other in zip(weighted.groups, half.groups, strict=True):
        assert one.n_samples == other.n_samples
        for metric in TESTED:
            assert one.estimates[metric] == pytest.approx(other.estimates[metric])
            assert one.p_values[metric] == pytest.approx(other.p_values[metric])
    assert weighted.temperature_tests[0][1:] == pytest.approx(half.temperature_tests[0][1:])


def test_only_the_ratios_of_weights_matter(two_sites, rng):
    y, y_proba, site = two_sites
    weight = rng.random(len(y))
    one, other = (
        subgroup_report(y, y_proba, site, sample_weight=scale * weight) for scale in (1, 1e-3)
    )

    assert one.temperature_tests[0].statistic == pytest.approx(other.temperature_tests[0].statistic)
    assert one.groups[0].estimates["temperature"] == pytest.approx(
        other.groups[0].estimates["temperature"]
    )


def test_an_impossible_label_leaves_a_group_without_a_temperature(two_sites):
    y, y_proba, site = two_sites
    row = int(np.argmax(site == "b"))
    y_proba[row] = np.eye(4)[(y[row] + 1) % 4]
    report = subgroup_report(y, y_proba, site)
    a, b = report.groups

    assert b.estimates["nll"].value == np.inf
    assert np.isnan(b.estimates["temperature"].value)
    assert np.isfinite(a.estimates["temperature"].value)
    assert np.isnan(a.p_values["temperature"])
    assert np.isfinite(a.adjusted["accuracy"])
    assert "inf" in str(report)


def test_a_group_that_is_always_right_or_always_wrong(draw):
    y, y_proba = draw(300, 3)
    groups = np.repeat(["mixed", "right", "wrong"], 100)
    y[100:200] = y_proba[100:200].argmax(axis=1)
    y[200:] = y_proba[200:].argmin(axis=1)
    report = subgroup_report(y, y_proba, groups)
    right, wrong = group_named(report, "right"), group_named(report, "wrong")

    assert right.estimates["accuracy"].value == 1
    assert right.estimates["temperature"].value < 1
    assert np.isnan(right.estimates["temperature"].low)
    assert wrong.estimates["temperature"].value == np.inf
    assert report.temperature_tests[0].p_value < 1e-6
    assert "inf" in str(report)


def test_certain_and_right_everywhere(rng):
    y = rng.integers(0, 3, 200)
    report = subgroup_report(y, np.eye(3)[y], ["a", "b"] * 100)

    assert report.groups[0].estimates["accuracy"].value == 1
    assert report.groups[0].estimates["ece"].value == 0
    assert str(report)


# --- how it looks ---------------------------------------------------------------------------------


def test_the_table(two_sites):
    y, y_proba, site = two_sites
    text = str(subgroup_report(y, y_proba, {"site": site}))

    assert text.startswith("Subgroups: 2,000 rows, 4 classes\n")
    assert re.search(r"\n  a +1,200 +\d\d\.\d\* ", text)
    assert re.search(r"chi2\(1\) = \d+\.\d, p < \.001", text)
    assert max(map(len, text.splitlines())) <= 130
    assert all(line == line.rstrip() for line in text.splitlines())


def test_labels_are_escaped_in_html_and_stay_on_their_line(draw):
    label = '<script>alert("x")</script>\n& co'
    report = subgroup_report(*draw(200, 3), {"<b>": [label, "b"] * 100})
    html = report._repr_html_()

    assert "<script" not in html
    assert "<b>" not in html
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; co" in html
    assert "</script> & co  " in str(report)


def test_the_frame_has_a_row_for_each_group_and_metric(two_sites):
    report = subgroup_report(*two_sites)
    frame = report.to_frame()
    b = report.groups[1]

    assert len(frame) == 3 * len(TESTED)
    row = frame[(frame["group"] == "b") & (frame["metric"] == "nll")].iloc[0]
    assert (row["value"], row["low"], row["high"]) == b.estimates["nll"]
    assert row["p_adjusted"] == b.adjusted["nll"]
    assert row["difference"] == b.differences["nll"].value


def test_without_pandas_the_frame_says_what_to_install(two_sites, monkeypatch):
    import_ = builtins.__import__

    def without_pandas(name, *args, **kwargs):
        if name == "pandas":
            raise ImportError(name)
        return import_(name, *args, **kwargs)

    report = subgroup_report(*two_sites)
    monkeypatch.setattr(builtins, "__import__", without_pandas)
    with pytest.raises(ImportError, match=r'pip install "sksoftmax\[pandas\]"'):
        report.to_frame()


def test_stars_follow_the_level(two_sites):
    levels = (0.01, 1 - 1e-12)
    wide, narrow = (subgroup_report(*two_sites, confidence_level=level) for level in levels)

    assert "adjusted p < 0.99)" in str(wide)
    assert str(wide).count("*") > str(narrow).count("*")


def test_a_random_group_has_the_calibration_error_of_all(draw):
    y, y_proba = draw(3000, 3, 1.5)
    report = subgroup_report(y, y_proba, np.arange(3000) % 2)
    whole = expected_calibration_error(y, y_proba, debias=True)

    assert report.overall.estimates["ece"].value == pytest.approx(whole)
