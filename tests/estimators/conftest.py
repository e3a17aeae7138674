"""What the tests of estimators share: data, and the objective written out with public functions."""

import numpy as np
import pytest
from sklearn.datasets import load_iris, make_classification
from sklearn.preprocessing import StandardScaler

from sksoftmax import functional


@pytest.fixture
def three_classes():
    """Standardized X (150, 4), y in {0, 1, 2}."""
    X, y = load_iris(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.fixture
def two_classes():
    """X (200, 5), y in {0, 1}, not separable."""
    return make_classification(
        200, 5, n_informative=3, n_redundant=0, flip_y=0.2, class_sep=0.6, random_state=0
    )


@pytest.fixture
def overlapping():
    """X (300, 3), y in {0, 1, 2, 3} drawn from a softmax model: maximum likelihood exists."""
    rng = np.random.default_rng(7)
    X = rng.normal(size=(300, 3))
    proba = functional.softmax(X @ rng.normal(size=(4, 3)).T + [0.5, 0.0, -0.3, 0.2])
    return X, (proba.cumsum(axis=1) < rng.random((300, 1))).sum(axis=1)


@pytest.fixture
def objective():
    """What `fit` minimizes, and its gradient in coef_ and intercept_, at the fitted model."""

    def evaluate(model, X, target, sample_weight=None, *, offset=None, mask=None):
        X = np.asarray(X, dtype=np.float64)
        logits = _logits(model, X, offset)
        weight = np.ones(len(X)) if sample_weight is None else np.asarray(sample_weight, float)
        loss, residual = functional.cross_entropy_gradient(
            logits,
            target,
            sample_weight=weight,
            label_smoothing=model.label_smoothing,
            logit_l2=model.logit_l2,
            mask=mask,
        )
        if len(model.classes_) == 2:
            residual = (residual[:, 1:] - residual[:, :1]) / 2
        alpha = 1 / (model.C * weight.sum())
        value = loss + alpha / 2 * (model.coef_.astype(float) ** 2).sum()
        return value, residual.T @ X + alpha * model.coef_, residual.sum(axis=0)

    return evaluate


def _logits(model, X, offset):
    scores = X @ model.coef_.T.astype(float) + model.intercept_
    if len(model.classes_) == 2:
        scores = np.hstack([-scores / 2, scores / 2])
    return scores if offset is None else scores + offset


@pytest.fixture
def assert_same_model():
    """Two fits that reached the same coefficients, norm-wise."""

    def compare(one, other, rtol=1e-6):
        np.testing.assert_array_equal(one.classes_, other.classes_)
        for name in ("coef_", "intercept_"):
            a, b = getattr(one, name), getattr(other, name)
            assert np.linalg.norm(a - b) <= rtol * max(1.0, np.linalg.norm(b)), name

    return compare
