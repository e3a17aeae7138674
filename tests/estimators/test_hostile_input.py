"""Hostile input ends in an answer or in an error that says what is wrong, never in a crash."""

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from sksoftmax import MultinomialLogit

KINDS = {
    "as it is": lambda X: X,
    "float32": lambda X: X.clip(-3e38, 3e38).astype(np.float32),
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "negative stride": lambda X: X[::-1],
    "object": lambda X: X.astype(object),
    "text": lambda X: X.astype(str),
    "list": lambda X: X.tolist(),
    "CSR": sparse.csr_array,
    "complex": lambda X: X.astype(complex),
    "one dimension": lambda X: X.ravel(),
}
VALUES = st.sampled_from(
    [0.0, 0.5, 1.0, 2.0, -1.0, 1e-300, 1e300, 1e150, -1e20, 5e-324, np.nan, np.inf]
)
ORDINARY = st.floats(-10, 10)
EXPONENTS = st.sampled_from([0, 1, -1, 3, -3, 8, -8, 20, -40, 150, -170, 300])


@st.composite
def problems(draw):
    """X of any kind, y, and arguments with one column per class, some of them wrong."""
    n_samples = draw(st.sampled_from([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 1, 0]))
    n_features = draw(st.sampled_from([1, 2, 3, 4, 5, 6, 0]))
    n_classes = draw(st.sampled_from([2, 3, 4, 5, 6, 1]))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    X = rng.normal(size=(n_samples, n_features)) * 10.0 ** draw(EXPONENTS)
    for _ in range(draw(st.sampled_from([0, 0, 1, 2])) if X.size else 0):
        X.flat[draw(st.integers(0, X.size - 1))] = draw(VALUES | ORDINARY)
    X = KINDS[draw(st.sampled_from(sorted(KINDS)))](X)
    y = np.arange(n_samples) % n_classes
    shape = (n_samples + draw(st.sampled_from([0, 0, 0, 1])), n_classes)
    mask = rng.random(shape) < draw(st.sampled_from([0.5, 0.9, 1.0]))
    mask[np.arange(n_samples), y] |= draw(st.booleans())
    extra = {
        "sample_weight": rng.integers(0, 3, size=n_samples) + draw(VALUES),
        "y_proba": rng.dirichlet(np.ones(n_classes), size=shape[0]),
        "offset": np.where(rng.random(shape) < 0.1, draw(VALUES), rng.normal(size=shape)),
        "mask": mask,
        "classes": np.arange(n_classes + draw(st.integers(0, 1))),
    }
    chosen = draw(st.sets(st.sampled_from(sorted(extra)), max_size=2))
    return X, y, {name: extra[name] for name in sorted(chosen)}


@settings(max_examples=400)
@given(
    problems(),
    st.sampled_from(["auto", "lbfgs", "newton-cholesky", "newton-cg"]),
    st.sampled_from([1e-300, 1e-8, 1.0, 1e8, np.inf]),
    st.booleans(),
)
@pytest.mark.filterwarnings("ignore")
def test_every_fit_ends_in_finite_probabilities_or_an_error(problem, solver, C, fit_intercept):
    X, y, extra = problem
    model = MultinomialLogit(C=C, solver=solver, fit_intercept=fit_intercept, max_iter=20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            model.fit(X, y, **extra)
            proba = model.predict_proba(X)
        except (ValueError, TypeError):
            return
    assert np.isfinite(model.coef_).all()
    assert np.isfinite(model.objective_)
    assert np.isfinite(proba).all()
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csc_array, sparse.bsr_array])
@pytest.mark.parametrize(
    ("array", "position", "value"),
    [("indices", 3, 10**6), ("indices", 3, -5), ("indptr", 2, 10**7), ("indptr", -1, 10**7),
     ("indptr", 0, 1), ("indptr", 1, -1)],
)  # fmt: skip
def test_a_corrupt_sparse_matrix_is_refused(kind, array, position, value, three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    corrupt = kind(X)
    getattr(corrupt, array)[position] = value
    for call in (lambda: MultinomialLogit().fit(corrupt, y), lambda: model.predict(corrupt)):
        with pytest.raises(ValueError, match="X: its sparse structure is corrupt"):
            call()


def test_corrupt_coordinates_are_refused(three_classes):
    X, y = three_classes
    corrupt = sparse.coo_array(X)
    corrupt.col[3] = 10**7
    with pytest.raises(ValueError, match="X: its sparse structure is corrupt"):
        MultinomialLogit().fit(corrupt, y)


def test_masked_arrays_are_refused(three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match="X is a masked array"):
        MultinomialLogit().fit(np.ma.masked_array(X), y)
    with pytest.raises(ValueError, match="y is a masked array"):
        MultinomialLogit().fit(X, np.ma.masked_array(y))
    with pytest.raises(ValueError, match="X is a masked array"):
        MultinomialLogit().fit(X, y).predict(np.ma.masked_array(X))
