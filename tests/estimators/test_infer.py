"""`MultinomialLogit.infer`: what it fits, what it refuses, and what it remembers."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from sksoftmax import MultinomialLogit

ML = MultinomialLogit(C=np.inf)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(12)
    X = rng.normal([0.0, 3.0], 1.0, size=(500, 2))
    utility = X @ np.array([[0, 0], [1, 0.3], [-0.5, 0.8], [0.2, -0.5]]).T + [0, -1, -2, 1]
    y = (utility + rng.gumbel(size=utility.shape)).argmax(axis=1)
    return X, np.array(["a", "b", "c", "d"])[y]


@pytest.fixture(scope="module")
def results(data):
    return ML.infer(*data)


def test_it_infers_what_fit_estimates(data, results):
    X, y = data
    model = MultinomialLogit(C=np.inf, tol=1e-10).fit(X, y)

    table = np.column_stack([model.coef_, model.intercept_])
    np.testing.assert_allclose(results.params, (table[1:] - table[0]).ravel(), atol=1e-7)
    assert results.names[:4] == ("b:x0", "b:x1", "b:intercept", "c:x0")
    assert -results.loglik / len(y) == pytest.approx(model.objective_, rel=1e-10)
    assert results.converged


def test_the_estimator_does_not_change(data):
    X, y = data
    fitted = MultinomialLogit(C=np.inf).fit(X[:, :1], y)
    before = {name: np.copy(value) for name, value in vars(fitted).items() if name[-1] == "_"}

    fitted.infer(X, y)
    unfitted = MultinomialLogit(C=np.inf)
    unfitted.infer(X, y)

    for name, value in before.items():
        np.testing.assert_array_equal(getattr(fitted, name), value)
    assert not hasattr(unfitted, "coef_")
    assert not hasattr(unfitted, "n_features_in_")


@pytest.mark.parametrize("base", ["a", "c"])
def test_the_base_changes_parameters_and_nothing_else(data, results, base):
    other = ML.infer(*data, base=base)

    assert not any(name.startswith(f"{base}:") for name in other.names)
    assert other.loglik == pytest.approx(results.loglik, rel=1e-12)
    text = "b:x0 = d:x0"
    assert other.wald_test(text).statistic == pytest.approx(results.wald_test(text).statistic)
    ours, theirs = (r.marginal_effects(data[0], 1).average for r in (results, other))
    np.testing.assert_allclose(ours.values, theirs.values, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(ours.standard_errors, theirs.standard_errors, rtol=1e-8)


@pytest.mark.parametrize("base", ["z", 1, ["a"], np.array(["a", "b"])])
def test_an_unknown_base_is_an_error(data, base):
    with pytest.raises(ValueError, match="is no label of y"):
        ML.infer(*data, base=base)


def test_names_come_from_the_frame(data):
    X, y = data
    frame = pd.DataFrame(X, columns=["income", "age"])

    assert ML.infer(frame, y).names[:3] == ("b:income", "b:age", "b:intercept")


def test_sparse_input_gives_the_same(data, results):
    X, y = data

    other = ML.infer(sparse.csr_array(X), y, groups=np.arange(500) // 5)

    np.testing.assert_allclose(other.params, results.params, rtol=1e-8)
    np.testing.assert_allclose(other.standard_errors, results.standard_errors, rtol=1e-8)


def test_float32_input_is_summed_in_float64(data, results):
    X, y = data

    other = ML.infer(X.astype(np.float32), y)

    np.testing.assert_allclose(other.params, results.params, rtol=1e-4)
    assert other.params.dtype == np.float64


def test_large_means_cost_no_accuracy(data, results):
    X, y = data

    far = ML.infer(np.add(X, [1e4, 0]), y)

    np.testing.assert_allclose(far.standard_errors[0::3], results.standard_errors[0::3], rtol=1e-6)


def test_no_intercept(data):
    X, y = data
    results = MultinomialLogit(C=np.inf, fit_intercept=False).infer(X, y)
    with_ones = MultinomialLogit(C=np.inf, fit_intercept=False).infer(
        np.column_stack([X, np.ones(len(X))]), y
    )

    assert results.names[:3] == ("b:x0", "b:x1", "c:x0")
    expected = ML.infer(X, y)
    np.testing.assert_allclose(with_ones.params, expected.params, rtol=1e-7)
    np.testing.assert_allclose(with_ones.standard_errors, expected.standard_errors, rtol=1e-7)
    effects = results.marginal_effects(X, 0)
    assert effects.average.values.sum() == pytest.approx(0, abs=1e-12)


# --- weights and groups ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["hessian", "bhhh", "robust", "cluster"])
def test_a_weight_of_two_is_a_row_twice(data, kind):
    X, y = data
    counts = np.random.default_rng(0).integers(0, 3, len(y))
    groups, rows = np.arange(500) % 90, np.repeat(np.arange(500), counts)

    weighted = ML.infer(X, y, counts, covariance=kind, groups=groups)
    repeated = ML.infer(X[rows], y[rows], covariance=kind, groups=groups[rows])

    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-8)
    np.testing.assert_allclose(weighted.standard_errors, repeated.standard_errors, rtol=1e-8)
    for name in ("n_cases", "loglik", "loglik_null", "loglik_constants", "bic"):
        assert getattr(weighted, name) == pytest.approx(getattr(repeated, name), rel=1e-10), name


@pytest.mark.parametrize("kind", ["robust", "cluster"])
def test_ten_times_the_sampling_weights_are_the_same(data, kind):
    X, y = data
    weight, groups = np.linspace(0.1, 3, 500), np.arange(500) % 90
    options = {"weight_type": "sampling", "covariance": kind, "groups": groups}

    one, ten = (ML.infer(X, y, factor * weight, **options) for factor in (1, 10))

    np.testing.assert_allclose(one.standard_errors, ten.standard_errors, rtol=1e-9)
    assert one.n_cases == ten.n_cases == 500


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_weights_beyond_float64_are_an_error(data, size):
    with pytest.raises(ValueError, match="sample_weight: sums of squared weights"):
        ML.infer(*data, np.full(500, size))


def test_class_weights_need_sampling_weights(data):
    model = MultinomialLogit(C=np.inf, class_weight="balanced")
    with pytest.raises(ValueError, match="weight_type='sampling'"):
        model.infer(*data)

    results = model.infer(*data, weight_type="sampling", covariance="robust")
    fitted = MultinomialLogit(C=np.inf, class_weight="balanced", tol=1e-10).fit(*data)
    slope = fitted.coef_[1] - fitted.coef_[0]
    np.testing.assert_allclose(results.params[:2], slope, atol=1e-7)


def test_groups_are_one_label_per_row(data):
    with pytest.raises(
        ValueError, match=r"groups must have shape \(n_samples,\) = \(500,\).* got shape \(3,\)"
    ):
        ML.infer(*data, groups=["x", "y", "z"])


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_a_missing_group_is_an_error_that_names_its_row(data, missing):
    groups = np.arange(500).astype(object)
    groups[7] = missing

    with pytest.raises(ValueError, match="groups: row 7 is missing"):
        ML.infer(*data, groups=groups)


def test_the_order_of_rows_and_clusters_does_not_matter(data):
    """xlogit needs the rows of a person to follow each other."""
    X, y = data
    groups, order = np.arange(500) // 6, np.random.default_rng(0).permutation(500)

    sorted_, shuffled = (
        ML.infer(X[rows], y[rows], groups=groups[rows], covariance="cluster")
        for rows in (np.arange(500), order)
    )

    np.testing.assert_allclose(shuffled.standard_errors, sorted_.standard_errors, rtol=1e-9)
    assert shuffled.covariance_type == "cluster"


def test_groups_may_be_text(data):
    names = np.array([f"person {i % 90}" for i in range(500)])

    by_name = ML.infer(*data, groups=names, covariance="cluster")
    by_number = ML.infer(*data, groups=np.arange(500) % 90, covariance="cluster")

    np.testing.assert_allclose(by_name.standard_errors, by_number.standard_errors, rtol=1e-12)


# --- what has no likelihood -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["label_smoothing", "logit_l2"])
def test_what_is_not_a_likelihood_is_refused(data, name):
    with pytest.raises(ValueError, match=f"needs a likelihood: {name} must be 0; got 0.1"):
        MultinomialLogit(C=np.inf, **{name: 0.1}).infer(*data)


def test_an_unknown_kind_of_weights_is_an_error(data):
    with pytest.raises(ValueError, match="'frequency', 'sampling'; got 'pweight'"):
        ML.infer(*data, weight_type="pweight")


@pytest.mark.parametrize("n_classes", [2, 4])
def test_a_penalized_fit_warns_and_is_that_of_fit(data, n_classes):
    X, y = data
    rows = np.isin(y, ["a", "b", "c", "d"][:n_classes])
    X, y = X[rows], y[rows]
    model = MultinomialLogit(C=0.1, tol=1e-11)

    results = model.infer(X, y)

    fitted = model.fit(X, y)
    table = np.column_stack([fitted.coef_, fitted.intercept_])
    table = table if n_classes == 2 else table[1:] - table[0]
    np.testing.assert_allclose(results.params, table.ravel(), atol=1e-7)
    assert results.gradient_norm < 1e-8
    with pytest.warns(UserWarning, match="C=np.inf"):
        results.standard_errors  # noqa: B018 - reading it warns
    # the penalty, by its gradient, which at the optimum is the score
    coef = fitted.coef_ if n_classes == 2 else fitted.coef_[1:]
    gradient = np.column_stack([coef / 0.1, np.zeros(len(coef))]).ravel()
    np.testing.assert_allclose(results._estimate.score, gradient, atol=1e-5)
    np.testing.assert_allclose(results._estimate.penalty @ results.params, gradient, atol=1e-6)


# --- what the data do not determine ---------------------------------------------------------------


def test_a_column_that_depends_on_others_is_named_and_the_rest_keep_their_errors(data, results):
    X, y = data
    wider = np.column_stack([X, 2 * X[:, 0]])

    with pytest.warns(ConvergenceWarning, match="x2"):
        other = ML.infer(wider, y)

    assert other.n_parameters == results.n_parameters
    known = np.array([not name.endswith((":x0", ":x2")) for name in other.names])
    np.testing.assert_array_equal(np.isnan(other.standard_errors), ~known)
    expected = np.delete(results.standard_errors, [0, 3, 6])
    np.testing.assert_allclose(other.standard_errors[known], expected, rtol=1e-6)


def test_a_separated_parameter_loses_its_error_and_the_rest_keep_theirs():
    """Everybody with x1 = 1 chooses "b": its coefficient has no finite estimate."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=400)
    flag = np.repeat([0.0, 1.0], [360, 40])
    y = np.where((rng.logistic(size=400) + x > 0) | (flag == 1), "b", "a")
    with pytest.warns(ConvergenceWarning, match="separated"):
        results = ML.infer(np.column_stack([x, flag]), y)

    alone = ML.infer(x[flag == 0][:, None], y[flag == 0])
    assert np.isnan(results.standard_errors).tolist() == [False, True, False]
    np.testing.assert_allclose(results.standard_errors[[0, 2]], alone.standard_errors, rtol=1e-4)
    with pytest.raises(ValueError, match="do not determine b:x1"):
        results.wald_test("b:x1 = 0")


# --- offsets and masks ----------------------------------------------------------------------------


def test_an_offset_and_a_mask_are_those_of_fit(data):
    X, y = data
    offset = np.random.default_rng(1).normal(size=(500, 4))
    mask = np.random.default_rng(2).random((500, 4)) < 0.7
    mask[np.arange(500), np.searchsorted(["a", "b", "c", "d"], y)] = True

    results = ML.infer(X, y, offset=offset, mask=mask)

    fitted = MultinomialLogit(C=np.inf, tol=1e-10).fit(X, y, offset=offset, mask=mask)
    table = np.column_stack([fitted.coef_, fitted.intercept_])
    np.testing.assert_allclose(results.params, (table[1:] - table[0]).ravel(), atol=1e-7)
    assert results.loglik_null == pytest.approx(-np.log(mask.sum(axis=1)).sum())
    assert results.n_forced == (mask.sum(axis=1) == 1).sum()
    log_proba = fitted.predict_log_proba(X, offset=offset, mask=mask)
    own = log_proba[np.arange(500), np.searchsorted(fitted.classes_, y)]
    assert results.loglik == pytest.approx(own.sum(), rel=1e-10)


def test_its_errors_are_those_of_a_numerical_hessian_with_an_offset(data):
    X, y = data
    offset = np.random.default_rng(1).normal(size=(500, 4))
    codes = np.searchsorted(["a", "b", "c", "d"], y)
    results = ML.infer(X, y, offset=offset)

    def loglik(params):
        V = offset.copy()
        V[:, 1:] += np.column_stack([X, np.ones(500)]) @ params.reshape(3, 3).T
        return V[np.arange(500), codes].sum() - np.logaddexp.reduce(V, axis=1).sum()

    h, steps = 1e-3, 1e-3 * np.eye(9)
    b = results.params
    H = [[(loglik(b + s + t) - loglik(b + s - t) - loglik(b - s + t) + loglik(b - s - t))
          / (4 * h * h) for s in steps] for t in steps]  # fmt: skip
    np.testing.assert_allclose(np.linalg.inv(-np.array(H)), results.covariance, rtol=1e-4)


@pytest.mark.parametrize("what", ["elasticities", "marginal_effects"])
def test_rows_without_their_offset_are_refused(data, what):
    X, y = data
    results = ML.infer(X, y, offset=np.zeros((500, 4)))

    with pytest.raises(ValueError, match="offset or mask"):
        getattr(results, what)(X, 0)
    with pytest.raises(ValueError, match="offset or mask"):
        results.hausman_mcfadden_test(X, y, without="b")
    assert results.wald_test("b:x0").df == 1


def test_a_larger_model_is_an_x_with_more_columns(data, results):
    X, y = data
    small = ML.infer(X[:, :1], y)

    test = small.score_test(X, y)

    ratio = results.likelihood_ratio_test(small)
    assert test.df == ratio.df == 3
    assert test.statistic == pytest.approx(ratio.statistic, rel=0.2)
    with pytest.raises(ValueError, match="further columns"):
        small.score_test(X, y, utilities={})
