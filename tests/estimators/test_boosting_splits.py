"""Where the trees of SoftmaxBoostingClassifier split: `split_values`."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from sksoftmax import SoftmaxBoostingClassifier

STRATEGIES = ["multi_output_tree", "one_output_per_tree"]


def fitted(strategy, X, y, **parameters):
    model = SoftmaxBoostingClassifier(
        multi_strategy=strategy,
        max_iter=5,
        subsample=1.0,
        min_samples_leaf=5,
        n_jobs=1,
        **parameters,
    )
    return model.fit(X, y)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_logits_change_at_split_values_and_nowhere_between_them(strategy, n_classes, rng):
    X = rng.normal(size=(300, 3))
    y = np.digitize(X[:, 0] + X[:, 1] ** 2, [0.0, 1.5][: n_classes - 1])
    model = fitted(strategy, X, y)
    values = model.split_values()

    assert min(len(values[0]), len(values[1])) > 0
    for j, found in enumerate(values[:2]):
        assert (np.diff(found) > 0).all()
        grid = np.sort(np.concatenate([found, np.nextafter(found, np.inf)]))
        changes = []
        for row in X[:40]:
            rows = np.tile(row, (len(grid), 1))
            rows[:, j] = grid
            logits = model.decision_function(rows).reshape(len(grid), -1)
            changes.append((np.diff(logits, axis=0) != 0).any(axis=1))
        changed = np.any(changes, axis=0)
        assert not changed[1::2].any()  # from just above one threshold to the next
        assert changed[::2].mean() > 0.5  # across it; some paths no row of the forty takes


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_a_categorical_feature_has_its_codes(strategy, rng):
    X = np.column_stack([rng.choice([1, 4, 7], 400), rng.normal(size=400), np.zeros(400)])
    y = (X[:, 0] == 4) ^ (X[:, 1] > 0)
    codes, _, constant = fitted(strategy, X, y, categorical_features=[0]).split_values()

    np.testing.assert_array_equal(codes, [1, 4, 7])
    assert len(constant) == 0


def test_an_unfitted_model_splits_nowhere():
    with pytest.raises(NotFittedError):
        SoftmaxBoostingClassifier().split_values()
