"""X of every kind: float32, sparse, memory-mapped, read-only, lists; and what is copied."""

import tracemalloc

import numpy as np
import pytest
from scipy import sparse

from sksoftmax import MultinomialLogit

PRECISE = {"tol": 1e-10, "max_iter": 1000}
SPARSE = [sparse.csr_matrix, sparse.csr_array, sparse.csc_array, sparse.coo_array]


@pytest.fixture
def holes(overlapping):
    """X (300, 3) with a third of zeros, and y."""
    X, y = overlapping
    return np.where(np.random.default_rng(1).random(X.shape) < 1 / 3, 0.0, X), y


@pytest.mark.parametrize("kind", SPARSE)
@pytest.mark.parametrize("solver", ["lbfgs", "newton-cholesky", "newton-cg"])
@pytest.mark.parametrize("C", [1.0, np.inf])
def test_sparse_X_gives_the_model_of_dense_X(kind, solver, C, holes, assert_same_model):
    X, y = holes
    model = MultinomialLogit(C=C, solver=solver, **PRECISE).fit(kind(X), y)
    assert_same_model(model, MultinomialLogit(C=C, **PRECISE).fit(X, y))
    np.testing.assert_allclose(model.predict_proba(kind(X)), model.predict_proba(X), rtol=1e-12)


def test_sparse_X_with_two_classes_weights_offset_and_mask(two_classes, assert_same_model):
    X, y = two_classes
    extra = {
        "sample_weight": np.linspace(0.1, 1, len(y)),
        "offset": np.random.default_rng(0).normal(size=(len(y), 2)),
        "mask": np.eye(2, dtype=bool)[y] | (np.arange(len(y)) % 3 > 0)[:, None],
    }
    model = MultinomialLogit(**PRECISE).fit(sparse.csr_array(X), y, **extra)
    assert_same_model(model, MultinomialLogit(**PRECISE).fit(X, y, **extra))


def test_sparse_indices_may_have_64_bits(holes):
    X, y = holes
    wide = sparse.csr_array(X)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    model = MultinomialLogit().fit(wide, y)
    np.testing.assert_array_equal(model.coef_, MultinomialLogit().fit(sparse.csr_array(X), y).coef_)
    assert model.predict_proba(wide).shape == (300, 4)


def test_repeated_and_unsorted_entries_of_sparse_X_are_summed_in_a_copy(holes):
    X, y = holes
    once = sparse.csr_array(X)
    half = sparse.coo_array(once)
    rows = np.concatenate([half.row, half.row])
    columns = np.concatenate([half.col, half.col])
    order = np.argsort(rows, kind="stable")
    indptr = 2 * once.indptr
    data = np.concatenate([half.data / 4, 0.75 * half.data])[order]
    twice = sparse.csr_array((data, columns[order], indptr), shape=X.shape)
    assert not twice.has_canonical_format
    model = MultinomialLogit(C=np.inf, **PRECISE).fit(twice, y)
    np.testing.assert_allclose(
        model.coef_, MultinomialLogit(C=np.inf, **PRECISE).fit(X, y).coef_, atol=1e-8
    )
    assert twice.nnz == 2 * once.nnz


def test_float32_X_gives_float32_coefficients_and_predictions(three_classes):
    X, y = three_classes
    single = X.astype(np.float32)
    model = MultinomialLogit().fit(single, y)
    reference = MultinomialLogit(**PRECISE).fit(single.astype(np.float64), y)
    for values in (
        model.coef_,
        model.intercept_,
        model.predict_proba(single),
        model.predict_log_proba(single),
        model.decision_function(single),
    ):
        assert values.dtype == np.float32
    np.testing.assert_allclose(model.coef_, reference.coef_, atol=1e-3)
    assert model.predict_proba(X).dtype == np.float64
    assert reference.predict_proba(single).dtype == np.float32


def test_float32_rows_with_everything_else_in_float64(overlapping):
    X, y = overlapping
    X = X.astype(np.float32)
    offset = np.random.default_rng(0).normal(size=(300, 4))
    mask = np.ones((300, 4), dtype=bool)
    proba = np.full((300, 4), 0.25)
    model = MultinomialLogit(class_weight="balanced")
    model.fit(X, y, np.linspace(0.1, 1, 300), y_proba=proba, offset=offset, mask=mask)
    assert model.predict_proba(X, offset=offset, mask=mask).dtype == np.float32


@pytest.mark.parametrize("dtype", [np.int64, np.int8, bool, np.float16, np.uint8])
def test_other_numbers_become_float64(dtype, overlapping):
    X, y = overlapping
    X = (4 * X).astype(dtype)
    model = MultinomialLogit().fit(X, y)
    assert model.coef_.dtype == np.float64
    np.testing.assert_array_equal(model.coef_, MultinomialLogit().fit(X.astype(float), y).coef_)


def test_lists_are_data_too():
    model = MultinomialLogit().fit([[0.0], [1.0], [2.0]], ["a", "b", "b"])
    assert model.predict([[5.0]]) == ["b"]


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_order_in_memory_does_not_matter(order, three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(np.asarray(X, order=order), y)
    np.testing.assert_array_equal(model.coef_, MultinomialLogit().fit(X, y).coef_)
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    np.testing.assert_array_equal(model.predict_proba(strided), model.predict_proba(X))


def test_read_only_memory_maps_are_read(three_classes, tmp_path):
    X, y = three_classes
    offset = np.zeros((len(y), 3))
    for name, values in {"X": X, "y": y, "offset": offset}.items():
        np.save(tmp_path / f"{name}.npy", values)
    mapped = {
        name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("X", "y", "offset")
    }
    model = MultinomialLogit().fit(mapped["X"], mapped["y"], offset=mapped["offset"])
    np.testing.assert_array_equal(model.coef_, MultinomialLogit().fit(X, y, offset=offset).coef_)
    assert model.predict_proba(mapped["X"], offset=mapped["offset"]).shape == (len(y), 3)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_C_ordered_floats_are_not_copied(dtype):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60_000, 40)).astype(dtype)
    y = rng.integers(0, 3, size=len(X))
    MultinomialLogit().fit(X[:100], y[:100])  # lazy imports
    tracemalloc.start()
    MultinomialLogit(max_iter=50).fit(X, y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < X.nbytes / 2


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_X_must_be_finite(value, three_classes):
    X, y = three_classes
    X = X.copy()
    X[3, 1] = value
    with pytest.raises(ValueError, match="Input X contains"):
        MultinomialLogit().fit(X, y)


def test_more_features_than_rows(assert_same_model):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(30, 200)), np.arange(30) % 3
    model = MultinomialLogit(C=0.1, **PRECISE).fit(X, y)
    wide = MultinomialLogit(C=0.1, **PRECISE).fit(sparse.csr_array(X), y)
    assert model.score(X, y) == 1.0
    assert_same_model(wide, model)
