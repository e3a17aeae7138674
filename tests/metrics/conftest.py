"""Labels drawn from probabilities that a temperature made too sure, and published predictions."""

from pathlib import Path

import pytest

from sksoftmax.functional import softmax

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def shared_data():
    """The folder of third-party data beside the project, which most machines do not have."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the data in {SHARED}, which are not part of the project")
    return SHARED


@pytest.fixture
def draw(rng):
    """A function (n_samples, n_classes, temperature) -> labels 0..K-1 and stated probabilities."""

    def draw_labels(n_samples=1000, n_classes=5, temperature=1.0):
        logits = rng.normal(scale=2.0, size=(n_samples, n_classes))
        chance = softmax(logits / temperature).cumsum(axis=1)
        y = (chance < rng.random((n_samples, 1))).sum(axis=1).clip(max=n_classes - 1)
        return y, softmax(logits)

    return draw_labels
