"""Wald, likelihood ratio, score and Hausman-McFadden tests."""

import numpy as np
import pytest
from scipy.stats import chi2

from sksoftmax import MultinomialLogit


@pytest.fixture(scope="module")
def restricted(plain_logit, specification, model, choices):
    """Without b_income and b_retired."""
    utilities = specification()
    del utilities["car"]["b_income"], utilities["train"]["b_retired"]
    return plain_logit(utilities, model.availability).fit(*choices)


# --- Wald ---------------------------------------------------------------------------------------


def by_hand(results, R, q):
    distance = R @ results.params - q
    return distance @ np.linalg.solve(R @ results.covariance @ R.T, distance)


@pytest.mark.parametrize("kind", ["hessian", "bhhh", "robust"])
def test_wald_by_matrix_is_its_formula(results, kind):
    results = results.with_covariance(kind)
    R = np.array([[1.0, -1, 0, 0, 0, 0], [0, 0, 2, 0, 1, 0]])
    q = np.array([0.1, 1.0])

    test = results.wald_test(R, q)

    assert test.statistic == pytest.approx(by_hand(results, R, q), rel=1e-12)
    assert test.df == 2
    assert test.p_value == pytest.approx(chi2.sf(test.statistic, 2), rel=1e-10)


# names: b_time, b_cost, asc_car, b_income, asc_train, b_retired
@pytest.mark.parametrize(
    ("text", "row", "value"),
    [
        ("b_time = b_cost", [1, -1, 0, 0, 0, 0], 0),
        ("b_time", [1, 0, 0, 0, 0, 0], 0),
        ("b_time = -1", [1, 0, 0, 0, 0, 0], -1),
        ("2*b_time - b_cost = 1", [2, -1, 0, 0, 0, 0], 1),
        ("2 * (b_time - b_cost)/4 = 1e-1", [0.5, -0.5, 0, 0, 0, 0], 0.1),
        ("-asc_car = +asc_train - .5", [0, 0, -1, 0, -1, 0], -0.5),
        ("b_time + 1 = 3 + b_time - b_cost", [0, 1, 0, 0, 0, 0], 2),
        ("b_income*3 = 2", [0, 0, 0, 3, 0, 0], 2),
    ],
)
def test_restrictions_are_read_as_algebra_says(results, text, row, value):
    by_name, by_matrix = results.wald_test(text), results.wald_test(row, value)

    assert by_name.statistic == pytest.approx(by_matrix.statistic, rel=1e-12)
    assert by_name.df == 1


@pytest.mark.parametrize(
    "restrictions",
    [
        "b_time = 0, b_cost = 0",
        "b_time; b_cost",
        ["b_time", "b_cost = 0"],
        "b_time = b_cost = 0",
        np.eye(6)[:2],
    ],
)
def test_several_restrictions_may_stand_in_one_text_or_in_a_list(results, restrictions):
    test = results.wald_test(restrictions)

    expected = by_hand(results, np.eye(6)[:2], 0)
    assert test.statistic == pytest.approx(expected, rel=1e-10)
    assert test.df == 2


def test_names_may_hold_any_signs(rng):
    import pandas as pd

    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["length (cm)", "a-b"])
    results = MultinomialLogit(C=np.inf).infer(X, rng.choice(["no", "yes"], 200))

    test = results.wald_test("yes:length (cm) - 2*yes:a-b = 1")

    assert test.statistic == pytest.approx(results.wald_test([1, -2, 0], 1).statistic, rel=1e-12)


@pytest.mark.parametrize(
    ("restrictions", "message"),
    [
        ("b_speed = 0", "no parameter's name begins 'b_speed = 0'.*b_time, b_cost"),
        ("b_times = 0", "no parameter's name begins 'b_times"),
        ("b_time * b_cost = 0", "not linear"),
        ("1 / b_time = 0", "not linear"),
        ("b_time / 0 = 0", "not linear"),
        ("b_time = = 0", "cannot be read"),
        ("(b_time = 0", "cannot be read"),
        ("b_time b_cost", "cannot be read at 'b_cost'"),
        ("", "cannot be read at its end"),
        ("0 = 0", "restricts no parameter"),
        (["b_time", 1.0], "text such as"),
        ([[1.0, 0.0]], "column for each of the 6 parameters"),
        ([], "at least one"),
        ("(" * 5000 + "b_time" + ")" * 5000, "nested too deeply"),
        (np.full((1, 6), np.nan), "finite matrix"),
    ],
)
def test_what_cannot_be_read_is_an_error_that_says_so(results, restrictions, message):
    with pytest.raises(ValueError, match=message):
        results.wald_test(restrictions)


def test_a_value_beside_text_is_an_error(results):
    with pytest.raises(ValueError, match="after '='"):
        results.wald_test("b_time", 1.0)


def test_a_value_of_another_length_is_an_error(results):
    with pytest.raises(ValueError, match="value must be 1 finite numbers"):
        results.wald_test(np.eye(6)[0], [1.0, 2.0])


@pytest.mark.parametrize(
    "restrictions",
    ["b_time = b_cost, b_cost = asc_car, b_time = asc_car", np.ones((2, 6)), np.eye(6)[[0, 0]]],
)
def test_more_restrictions_than_rank_are_an_error(results, restrictions):
    with pytest.raises(ValueError, match="of rank"):
        results.wald_test(restrictions)


def test_rank_does_not_depend_on_the_units_of_the_parameters(plain_logit, choices, results):
    X, y = choices
    scaled = plain_logit(
        {k: {"b_time": f"{k}_seconds", "b_cost": f"{k}_cost"} for k in ("bus", "car", "train")},
        {"train": "train_open", "car": "car_open"},
    ).fit(X.assign(**{f"{k}_seconds": 1e9 * X[f"{k}_time"] for k in ("bus", "car", "train")}), y)

    assert scaled.wald_test("b_time, b_cost").df == 2


def test_a_restriction_on_a_held_parameter_alone_is_an_error(
    plain_logit, specification, model, choices
):
    held = plain_logit(specification(), model.availability, fixed={"b_cost": -0.7}).fit(*choices)

    with pytest.raises(ValueError, match="held"):
        held.wald_test("b_cost = -1")
    assert held.wald_test("b_time = b_cost").df == 1


def test_few_clusters_test_few_restrictions(model, choices):
    groups = np.arange(len(choices[0])) % 3  # their scores sum to zero: rank 2
    results = model.fit(*choices, groups=groups, covariance="cluster")

    assert results.wald_test("b_time, b_cost").df == 2
    with pytest.raises(ValueError, match="rank 2"):
        results.wald_test(np.eye(6))


# --- likelihood ratio ---------------------------------------------------------------------------


def test_the_likelihood_ratio_has_the_right_sign(results, restricted):
    """xlogit 0.2.7 returns minus the statistic, with a p-value of 1."""
    test = results.likelihood_ratio_test(restricted)

    expected = 2 * (results.loglik - restricted.loglik)
    assert test.statistic == pytest.approx(expected)
    assert expected > 0
    assert test.df == 2
    assert test.p_value == pytest.approx(chi2.sf(expected, 2))


def test_the_smaller_model_cannot_be_the_general_one(results, restricted):
    with pytest.raises(ValueError, match="fewer parameters"):
        restricted.likelihood_ratio_test(results)
    with pytest.raises(ValueError, match="fewer parameters"):
        results.likelihood_ratio_test(results)


def test_models_of_different_data_are_not_compared(model, choices, results, restricted):
    X, y = choices
    other = restricted._estimate.model.fit(X[:-1], y[:-1])

    with pytest.raises(ValueError, match="other data"):
        results.likelihood_ratio_test(other)


def test_weights_are_part_of_the_data(restricted, choices, results):
    other = restricted._estimate.model.fit(*choices, np.full(len(choices[0]), 2.0))

    with pytest.raises(ValueError, match="other data"):
        results.likelihood_ratio_test(other)


def test_a_negative_statistic_is_refused(plain_logit, choices, results):
    """Fewer parameters but a higher log-likelihood: not nested."""
    X, y = choices
    useless = plain_logit(
        {
            k: {f"n{j}": f"{k}_noise{j}" for j in range(3)} | {"m": 0}
            for k in ("bus", "car", "train")
        },
        {"train": "train_open", "car": "car_open"},
    )
    rng = np.random.default_rng(0)
    noise = {f"{k}_noise{j}": rng.normal(size=len(X)) for k in ("bus", "car", "train")
             for j in range(3)}  # fmt: skip
    small = plain_logit(
        {k: {"b_time": f"{k}_time", "b_cost": f"{k}_cost"} for k in ("bus", "car", "train")},
        {"train": "train_open", "car": "car_open"},
    ).fit(X, y)

    with pytest.raises(ValueError, match="not a special case"):
        useless.fit(X.assign(**noise), y).likelihood_ratio_test(small)


def test_what_is_no_model_is_a_type_error(results):
    with pytest.raises(TypeError, match="LogitResults; got float"):
        results.likelihood_ratio_test(-123.4)


def test_likelihood_ratios_of_sampling_weights_warn(model, restricted, choices):
    weight = np.linspace(1, 2, len(choices[0]))
    options = {"weight_type": "sampling", "covariance": "robust"}
    large = model.fit(*choices, weight, **options)
    small = restricted._estimate.model.fit(*choices, weight, **options)

    with pytest.warns(UserWarning, match="Likelihood ratios"):
        large.likelihood_ratio_test(small)


# --- score --------------------------------------------------------------------------------------


def test_the_score_test_uses_score_and_information_of_the_larger_model(
    specification, model, choices, results, restricted
):
    test = restricted.score_test(*choices, utilities=specification())

    at = np.array([restricted.params[0], restricted.params[1], restricted.params[2], 0.0,
                   restricted.params[3], 0.0])  # fmt: skip
    steps = 1e-4 * np.eye(6)
    score = [(model.loglik(*choices, at + s) - model.loglik(*choices, at - s)) / 2e-4
             for s in steps]  # fmt: skip
    information = model.estimate(*choices, None, at).information
    expected = score @ np.linalg.solve(information, score)
    assert test.statistic == pytest.approx(expected, rel=1e-5)
    assert test.df == 2


def test_the_three_tests_agree_in_large_samples(plain_logit, specification, model, results):
    """Under a true hypothesis they differ by less and less."""
    from numpy.random import default_rng

    rng = default_rng(8)
    n = 20_000
    X = rng.normal(size=(n, 2))
    y = (rng.gumbel(size=(n, 3)) + np.outer(X[:, 0], [0, 0.5, -0.3])).argmax(axis=1)
    logit = MultinomialLogit(C=np.inf)
    large, small = logit.infer(X, y), logit.infer(X[:, :1], y)

    wald = large.wald_test("1:x1, 2:x1").statistic
    ratio = large.likelihood_ratio_test(small).statistic
    score = small.score_test(X, y).statistic

    assert 0.1 < ratio < 20
    assert wald == pytest.approx(ratio, rel=0.01)
    assert score == pytest.approx(ratio, rel=0.01)


def test_a_larger_specification_must_contain_this_one(specification, choices, restricted):
    utilities = specification()
    utilities["car"]["b_cost_of_car"] = utilities["car"].pop("b_cost")

    with pytest.raises(ValueError, match="must contain this one"):
        restricted.score_test(*choices, utilities=utilities)


def test_a_specification_that_adds_nothing_is_an_error(specification, choices, results):
    with pytest.raises(ValueError, match="must add parameters"):
        results.score_test(*choices, utilities=specification())


def test_a_score_test_needs_the_data_of_the_fit(specification, choices, restricted):
    X, y = choices

    with pytest.raises(ValueError, match="not the data of the fit"):
        restricted.score_test(X[:-1], y[:-1], utilities=specification())


def test_sampling_weights_have_no_score_test(specification, choices, restricted):
    weight = np.linspace(1, 2, len(choices[0]))
    small = restricted._estimate.model.fit(
        *choices, weight, weight_type="sampling", covariance="robust"
    )

    with pytest.raises(ValueError, match="wald_test"):
        small.score_test(*choices, weight, utilities=specification())


# --- independence of irrelevant alternatives ----------------------------------------------------


def test_the_iia_test_is_its_formula(model, choices, results):
    """Without the train: its constant and b_retired are gone."""
    X, y = choices
    test = results.hausman_mcfadden_test(X, y, without="train")

    assert test.names == ("b_time", "b_cost", "asc_car", "b_income")
    rows = y != "train"
    subset = model.refit(X, y, without="train")
    d = subset.params - results.params[:4]
    V = np.linalg.inv(subset.information) - results.covariance[:4, :4]
    np.testing.assert_allclose(test.difference, d, rtol=1e-8)
    relative = np.linalg.eigvals(V @ subset.information)
    np.testing.assert_allclose(test.eigenvalues, np.sort(relative.real), rtol=1e-6)
    assert rows.sum() == subset.n_cases
    if test.eigenvalues.min() > 0:
        assert test.statistic == pytest.approx(d @ np.linalg.solve(V, d), rel=1e-6)
        assert test.df == 4


@pytest.mark.filterwarnings("ignore:.*not positive definite")
def test_without_the_base_its_constants_are_rebased(choices, results):
    """Bus has no constant; without it those of car and train are one too many."""
    test = results.hausman_mcfadden_test(*choices, without="bus")

    assert test.names == ("b_time", "b_cost", "b_income", "asc_train (rebased)", "b_retired")
    assert test.df == 5


@pytest.mark.filterwarnings("ignore:.*not positive definite")
@pytest.mark.parametrize("n", [300, 4000])
def test_the_base_does_not_matter(rng, n):
    """The same contrasts, whichever class the parameters are relative to."""
    X = rng.normal(size=(n, 2))
    y = (rng.gumbel(size=(n, 4)) + X[:, :1] * [0, 0.5, 1, -0.5]).argmax(axis=1)
    logit = MultinomialLogit(C=np.inf)

    one, other = (
        logit.infer(X, y, base=base).hausman_mcfadden_test(X, y, without=2) for base in (0, 2)
    )

    assert one.df == other.df == 6
    np.testing.assert_allclose(one.eigenvalues, other.eigenvalues, atol=1e-8)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-6, nan_ok=True)


def indefinite(rng):
    X = rng.normal(size=(60, 2))
    y = (rng.gumbel(size=(60, 3)) + X[:, :1] * [0, 2.0, 3.0] + X[:, 1:] * [0, 1.5, 0]).argmax(1)
    return X, y


def test_a_difference_that_is_not_positive_definite_gives_nan_and_its_eigenvalues(rng):
    for _ in range(20):
        X, y = indefinite(rng)
        results = MultinomialLogit(C=np.inf).infer(X, y)
        smallest = smallest_by_hand(results, X, y)
        if smallest < -0.01:
            break
    with pytest.warns(UserWarning, match="not positive definite"):
        test = results.hausman_mcfadden_test(X, y, without=2)

    assert np.isnan(test.statistic)
    assert np.isnan(test.p_value)
    assert test.eigenvalues.min() == pytest.approx(smallest, rel=1e-4)
    assert "no statistic, eigenvalues [" in repr(test)


def smallest_by_hand(results, X, y):
    subset = MultinomialLogit(C=np.inf).infer(X[y != 2], y[y != 2])
    larger, smaller = subset.covariance, results.covariance[:3, :3]
    return np.linalg.eigvals(np.eye(3) - np.linalg.solve(larger, smaller)).real.min()


@pytest.mark.parametrize("without", ["plane", 3, ["bus"], np.array(["bus", "car"])])
def test_an_unknown_alternative_is_an_error(choices, results, without):
    with pytest.raises(ValueError, match="three alternatives or more"):
        results.hausman_mcfadden_test(*choices, without=without)


def test_the_iia_test_needs_the_data_of_the_fit(choices, results):
    X, y = choices

    with pytest.raises(ValueError, match="not the data of the fit"):
        results.hausman_mcfadden_test(X[:-1], y[:-1], without="train")
    backwards = X.iloc[::-1].set_axis(X.index) if hasattr(X, "iloc") else X[::-1]
    with pytest.raises(ValueError, match="not the data of the fit"):
        results.hausman_mcfadden_test(backwards, y, without="train")


def test_sampling_weights_have_no_iia_test(model, choices):
    weight = np.linspace(1, 2, len(choices[0]))
    results = model.fit(*choices, weight, weight_type="sampling", covariance="robust")

    with pytest.raises(ValueError, match="efficient"):
        results.hausman_mcfadden_test(*choices, weight, without="train")


# --- as they are shown ----------------------------------------------------------------------------


def test_a_test_shows_its_name_and_hypothesis(results):
    text = repr(results.wald_test("b_time = b_cost"))

    assert text.startswith("Wald test of b_time = b_cost: chi2(1) = ")
