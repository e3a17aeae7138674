"""Write a pickle of each estimator and what it predicts: ``python tests/pickles/write.py COMMIT``.

Run it with the commit whose pickles must go on loading; test_pickles.py reads the folder it makes.
"""

import pickle
import sys
from pathlib import Path

import numpy as np
from sklearn.datasets import load_iris

import sksoftmax


def models():
    """Small fitted models, by name."""
    X, y = load_iris(return_X_y=True)
    labels = np.array(["setosa", "versicolor", "virginica"])[y]
    boosting = {"max_iter": 3, "max_leaf_nodes": 4, "random_state": 0}
    yield "linear", sksoftmax.MultinomialLogit(C=10.0).fit(X, labels)
    yield "boosting", sksoftmax.SoftmaxBoostingClassifier(**boosting).fit(X, labels)
    one_each = sksoftmax.SoftmaxBoostingClassifier(
        **boosting, multi_strategy="one_output_per_tree", n_jobs=1
    )
    yield "boosting_one_output", one_each.fit(X, labels)
    yield "temperature", sksoftmax.TemperatureScaling().fit(X, labels)


def write(folder):
    """Fill the folder; a name that this version does not have is not written."""
    folder.mkdir()
    X = load_iris().data
    for name, model in models():
        answer = {"model": model, "proba": model.predict_proba(X[::10])}
        (folder / f"{name}.pickle").write_bytes(pickle.dumps(answer, protocol=4))


if __name__ == "__main__":
    write(Path(__file__).parent / sys.argv[1])
