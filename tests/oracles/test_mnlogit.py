"""statsmodels' MNLogit is maximum likelihood with the first class as reference: C = inf."""

import numpy as np
import pytest
from sklearn.datasets import make_classification

from sksoftmax import MultinomialLogit

statsmodels = pytest.importorskip("statsmodels.api")


def fit_mnlogit(X, y):
    design = statsmodels.add_constant(X)
    return statsmodels.MNLogit(y, design).fit(method="newton", maxiter=100, tol=1e-12, disp=0)


@pytest.fixture(params=[2, 3, 5])
def data(request):
    return make_classification(
        500,
        4,
        n_informative=4,
        n_redundant=0,
        n_classes=request.param,
        n_clusters_per_class=1,
        flip_y=0.3,
        random_state=0,
    )


def test_maximum_likelihood_agrees_to_1e_5(data):
    X, y = data
    oracle = fit_mnlogit(X, y)
    model = MultinomialLogit(C=np.inf, tol=1e-10).fit(X, y)
    ours = np.c_[model.intercept_, model.coef_].T
    if ours.shape[1] > 1:  # differences to the reference class
        ours = ours[:, 1:] - ours[:, :1]
    theirs = np.asarray(oracle.params)
    assert np.linalg.norm(ours - theirs) < 1e-5 * np.linalg.norm(theirs)
    np.testing.assert_allclose(-model.objective_ * len(y), oracle.llf, rtol=1e-9)
    np.testing.assert_allclose(
        model.predict_proba(X), oracle.predict(statsmodels.add_constant(X)), atol=1e-6
    )


def test_scaled_columns_agree_too(data):
    X, y = data
    scale = 10.0 ** np.array([-3, 3, 0, -1])
    oracle = fit_mnlogit(X, y)
    model = MultinomialLogit(C=np.inf, tol=1e-10).fit(X * scale, y)
    ours = model.coef_.T * scale[:, None]
    if ours.shape[1] > 1:
        ours = ours[:, 1:] - ours[:, :1]
    theirs = np.asarray(oracle.params)[1:]
    assert np.linalg.norm(ours - theirs) < 1e-5 * np.linalg.norm(theirs)
