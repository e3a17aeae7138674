"""Problems that every test of active learning shares."""

import numpy as np
import pytest
from sklearn.datasets import make_blobs


@pytest.fixture(scope="session")
def blobs():
    """Four classes that overlap a little."""
    X, y = make_blobs(400, n_features=3, centers=4, cluster_std=2.0, random_state=3)
    return X, y


@pytest.fixture
def started(blobs):
    """The blobs with the labels of the first 30 rows."""
    X, answers = blobs
    y = np.array([None] * len(X), dtype=object)
    y[:30] = answers[:30]
    return X, y, answers
