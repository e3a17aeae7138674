"""Classes that were not available to a row, and known parts of its logits."""

import numpy as np
import pytest

from sksoftmax import MultinomialLogit

PRECISE = {"tol": 1e-10, "max_iter": 1000}


@pytest.fixture
def masked(overlapping):
    """X, y in {0, 1, 2, 3}, mask (n, 4) under which every label is available."""
    X, y = overlapping
    mask = np.random.default_rng(3).random((len(y), 4)) < 0.7
    mask[np.arange(len(y)), y] = True
    return X, y, mask


@pytest.fixture
def offset(overlapping):
    return np.random.default_rng(4).normal(size=(300, 4))


def test_the_gradient_vanishes_at_a_fit_with_mask_and_offset(masked, offset, objective):
    X, y, mask = masked
    weight = np.linspace(0.2, 2, len(y))
    model = MultinomialLogit(label_smoothing=0.1, logit_l2=0.01, **PRECISE)
    model.fit(X, y, weight, offset=offset, mask=mask)
    value, coef_gradient, intercept_gradient = objective(
        model, X, y, weight, offset=offset, mask=mask
    )
    np.testing.assert_allclose(value, model.objective_, rtol=1e-10)
    np.testing.assert_allclose(coef_gradient, 0, atol=1e-7)
    np.testing.assert_allclose(intercept_gradient, 0, atol=1e-7)


def test_the_gradient_vanishes_at_a_fit_of_two_classes_with_offset_and_mask(two_classes, objective):
    X, y = two_classes
    rng = np.random.default_rng(0)
    offset = rng.normal(size=(len(y), 2))
    mask = rng.random((len(y), 2)) < 0.8
    mask[np.arange(len(y)), y] = True
    model = MultinomialLogit(logit_l2=0.1, **PRECISE).fit(X, y, offset=offset, mask=mask)
    value, coef_gradient, _ = objective(model, X, y, offset=offset, mask=mask)
    np.testing.assert_allclose(value, model.objective_, rtol=1e-10)
    np.testing.assert_allclose(coef_gradient, 0, atol=1e-7)


def test_unavailable_classes_have_probability_zero_and_decision_minus_infinity(masked):
    X, y, mask = masked
    model = MultinomialLogit().fit(X, y, mask=mask)
    proba = model.predict_proba(X, mask=mask)
    assert (proba[~mask] == 0).all()
    assert (proba[mask] > 0).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    assert (model.decision_function(X, mask=mask)[~mask] == -np.inf).all()
    assert (model.predict_log_proba(X, mask=mask)[~mask] == -np.inf).all()
    assert mask[np.arange(len(y)), model.predict(X, mask=mask)].all()


def test_masked_probabilities_are_the_others_rescaled(masked):
    X, y, mask = masked
    model = MultinomialLogit().fit(X, y)
    free = np.where(mask, model.predict_proba(X), 0)
    np.testing.assert_allclose(
        model.predict_proba(X, mask=mask), free / free.sum(axis=1, keepdims=True), rtol=1e-12
    )


def test_what_stands_under_the_mask_does_not_matter(masked, offset):
    X, y, mask = masked
    plain = MultinomialLogit().fit(X, y, mask=mask, offset=offset)
    dirty = np.where(mask, offset, np.nan)
    other = MultinomialLogit().fit(X, y, mask=mask, offset=dirty)
    np.testing.assert_array_equal(plain.coef_, other.coef_)
    np.testing.assert_array_equal(
        plain.predict_proba(X, mask=mask, offset=offset),
        other.predict_proba(X, mask=mask, offset=dirty),
    )
    np.testing.assert_array_equal(
        plain.predict(X, mask=mask, offset=offset), other.predict(X, mask=mask, offset=dirty)
    )


def test_a_mask_of_ones_changes_nothing(overlapping, assert_same_model):
    X, y = overlapping
    free = MultinomialLogit(**PRECISE).fit(X, y)
    assert_same_model(MultinomialLogit(**PRECISE).fit(X, y, mask=np.ones((len(y), 4))), free)


def test_rows_with_a_single_available_class_have_no_influence(overlapping, assert_same_model):
    X, y = overlapping
    mask = np.ones((len(y), 4), dtype=bool)
    mask[:50] = np.eye(4, dtype=bool)[y[:50]]
    # without a penalty only the shape of the loss counts, not the number of rows
    model = MultinomialLogit(C=np.inf, **PRECISE).fit(X, y, mask=mask)
    assert_same_model(model, MultinomialLogit(C=np.inf, **PRECISE).fit(X[50:], y[50:]), rtol=1e-5)


def test_an_offset_equals_a_feature_whose_coefficient_is_known(overlapping):
    X, y = overlapping
    full = MultinomialLogit(C=np.inf, **PRECISE).fit(X, y)
    known = X[:, :1] @ full.coef_[:, :1].T
    rest = MultinomialLogit(C=np.inf, **PRECISE).fit(X[:, 1:], y, offset=known)
    np.testing.assert_allclose(rest.coef_, full.coef_[:, 1:], atol=1e-5)
    np.testing.assert_allclose(
        rest.predict_proba(X[:, 1:], offset=known), full.predict_proba(X), atol=1e-6
    )


def test_a_constant_added_to_the_offset_of_a_row_changes_nothing(
    overlapping, offset, assert_same_model
):
    X, y = overlapping
    one = MultinomialLogit(**PRECISE).fit(X, y, offset=offset)
    shifted = offset + np.linspace(-5, 5, len(y))[:, None]
    other = MultinomialLogit(**PRECISE).fit(X, y, offset=shifted)
    assert_same_model(one, other)
    np.testing.assert_allclose(
        one.predict_proba(X, offset=offset), one.predict_proba(X, offset=shifted), rtol=1e-11
    )


def test_the_decision_of_two_classes_is_score_plus_difference_of_offsets(two_classes):
    X, y = two_classes
    model = MultinomialLogit().fit(X, y)
    offset = np.random.default_rng(0).normal(size=(len(y), 2))
    decision = model.decision_function(X, offset=offset)
    np.testing.assert_allclose(
        decision, model.decision_function(X) + offset[:, 1] - offset[:, 0], rtol=1e-12
    )
    np.testing.assert_allclose(
        model.predict_proba(X, offset=offset)[:, 1], 1 / (1 + np.exp(-decision)), rtol=1e-12
    )


def test_two_classes_of_which_one_is_unavailable(two_classes):
    X, y = two_classes
    names = np.array(["no", "yes"])
    model = MultinomialLogit().fit(X, names[y])
    mask = np.array([[True, False], [False, True], [True, True]])
    decision = model.decision_function(X[:3], mask=mask)
    assert decision[0] == -np.inf
    assert decision[1] == np.inf
    assert np.isfinite(decision[2])
    assert list(model.predict(X[:3], mask=mask)[:2]) == ["no", "yes"]
    np.testing.assert_array_equal(model.predict_proba(X[:2], mask=mask[:2]), np.eye(2))


def test_score_uses_offset_and_mask(masked, offset):
    X, y, mask = masked
    model = MultinomialLogit().fit(X, y, mask=mask, offset=offset)
    labels = model.predict(X, mask=mask, offset=offset)
    assert model.score(X, y, mask=mask, offset=offset) == (labels == y).mean()
    assert model.score(X, y, mask=mask, offset=offset) > model.score(X, y)


def test_soft_targets_under_a_mask(masked, objective):
    X, y, mask = masked
    proba = np.where(mask, 1.0, 0.0)
    proba /= proba.sum(axis=1, keepdims=True)
    model = MultinomialLogit(**PRECISE).fit(X, y, y_proba=proba, mask=mask)
    _, coef_gradient, _ = objective(model, X, proba, mask=mask)
    np.testing.assert_allclose(coef_gradient, 0, atol=1e-7)


def test_a_label_on_an_unavailable_class_is_an_error_that_names_the_row(masked):
    X, y, mask = masked
    mask[[17, 40], y[[17, 40]]] = False
    with pytest.raises(ValueError, match=rf"mask: row 17 marks its own label {y[17]} as unavail"):
        MultinomialLogit().fit(X, y, mask=mask)


def test_probability_on_an_unavailable_class_is_an_error_that_names_the_row(masked):
    X, y, mask = masked
    mask[:] = True
    mask[17, 2] = False
    with pytest.raises(ValueError, match=r"mask: row 17 .*y_proba gives positive probability"):
        MultinomialLogit().fit(X, y, y_proba=np.full((len(y), 4), 0.25), mask=mask)


def test_a_row_without_available_class_is_named_in_fit_and_predict(masked):
    X, y, mask = masked
    model = MultinomialLogit().fit(X, y, mask=mask)
    mask[23] = False
    for use in (
        lambda: model.predict(X, mask=mask),
        lambda: model.predict_proba(X, mask=mask),
        lambda: model.fit(X, y, mask=mask),
    ):
        with pytest.raises(ValueError, match="mask: row 23 has no available class"):
            use()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_offset_must_be_finite_where_the_class_is_available(value, overlapping, offset):
    X, y = overlapping
    offset[11, 2] = value
    with pytest.raises(ValueError, match=r"offset: row 11 .*not finite.*mask="):
        MultinomialLogit().fit(X, y, offset=offset)
    model = MultinomialLogit().fit(X, y)
    with pytest.raises(ValueError, match="offset: row 11"):
        model.predict(X, offset=offset)


@pytest.mark.parametrize("name", ["offset", "mask"])
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((300, 3), "has 3 columns, but there are 4 classes"),
        ((299, 4), "has 299 rows, but X has 300"),
        ((300,), "must have shape"),
        ((300, 4, 1), "must have shape"),
    ],
)
def test_wrong_shapes_are_described(name, shape, message, overlapping):
    X, y = overlapping
    values = np.ones(shape)
    with pytest.raises(ValueError, match=f"{name} {message}"):
        MultinomialLogit().fit(X, y, **{name: values})
    model = MultinomialLogit().fit(X, y)
    with pytest.raises(ValueError, match=f"{name} {message}"):
        model.predict_proba(X, **{name: values})


def test_a_mask_holds_truth_values_only(overlapping):
    X, y = overlapping
    mask = np.ones((len(y), 4))
    mask[3, 1] = 0.5
    with pytest.raises(ValueError, match="mask must hold True"):
        MultinomialLogit().fit(X, y, mask=mask)


def test_unsorted_classes_are_refused_for_arrays_of_columns(masked, offset):
    X, y, mask = masked
    for extra in ({"mask": mask}, {"offset": offset}):
        with pytest.raises(ValueError, match="classes must be sorted"):
            MultinomialLogit().fit(X, y, classes=[3, 2, 1, 0], **extra)


def test_offset_and_mask_are_not_changed(masked, offset):
    X, y, mask = masked
    before = offset.copy(), mask.copy()
    model = MultinomialLogit().fit(X, y, offset=offset, mask=mask)
    model.decision_function(X, offset=offset, mask=mask)
    np.testing.assert_array_equal(offset, before[0])
    np.testing.assert_array_equal(mask, before[1])


@pytest.mark.filterwarnings("ignore:No row has weight on class")
def test_one_row_of_mask_or_offset_stands_for_all(overlapping):
    X, y = overlapping
    X, y = X[y < 3], y[y < 3]
    mask, offset = np.array([True, True, True, False]), np.array([0.5, 0.0, -0.5, 1.0])
    full = {"mask": np.tile(mask, (len(y), 1)), "offset": np.tile(offset, (len(y), 1))}
    classes = [0, 1, 2, 3]
    expected = MultinomialLogit().fit(X, y, classes=classes, **full)
    model = MultinomialLogit().fit(X, y, classes=classes, mask=mask, offset=offset.tolist())
    np.testing.assert_array_equal(model.coef_, expected.coef_)
    np.testing.assert_array_equal(
        model.predict_proba(X, mask=mask, offset=offset), expected.predict_proba(X, **full)
    )


def test_an_offset_of_the_score_of_two_classes_is_told_what_to_do(two_classes):
    X, y = two_classes
    with pytest.raises(ValueError, match=r"offset must have shape .*column_stack"):
        MultinomialLogit().fit(X, y, offset=np.ones(len(y)))


@pytest.mark.parametrize("offset", ["a", [["a", "b"]] * 200])
def test_an_offset_that_is_no_number_is_named(offset, two_classes):
    X, y = two_classes
    with pytest.raises(ValueError, match="offset"):
        MultinomialLogit().fit(X, y).predict(X, offset=offset)


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
@pytest.mark.parametrize("data", ["two_classes", "three_classes"])
def test_scores_that_overflow_are_an_error_except_under_the_mask(method, data, request):
    X, y = request.getfixturevalue(data)
    model = MultinomialLogit().fit(X, y)
    offset = np.zeros((len(y), len(model.classes_)))
    offset[4, 0], offset[4, 1] = -1.7e308, 1.7e308
    mask = np.ones_like(offset, dtype=bool)
    mask[4, 1] = False
    expected = getattr(model, method)(X, mask=mask)
    finite = getattr(model, method)(X, mask=mask, offset=offset)
    np.testing.assert_array_equal(np.delete(finite, 4, axis=0), np.delete(expected, 4, axis=0))
    model.coef_ = model.coef_ * 1e39
    with pytest.raises(ValueError, match=r"X: the score of row \d+ overflows float32"):
        getattr(model, method)(X.astype(np.float32))
