"""Models go through a pickle, also one that an earlier commit wrote."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_iris
from sklearn.exceptions import InconsistentVersionWarning

import sksoftmax

X = load_iris().data
WRITTEN = sorted(Path(__file__).parent.glob("*/*.pickle"))


@pytest.mark.skipif(np.__version__ < "2", reason="the arrays in them are those of NumPy 2")
@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_model_of_an_earlier_commit_predicts_as_it_did(path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        answer = pickle.loads(path.read_bytes())
    np.testing.assert_allclose(answer["model"].predict_proba(X[::10]), answer["proba"], rtol=1e-9)


def test_there_are_pickles_of_earlier_commits():
    assert {path.stem for path in WRITTEN} >= {"linear", "boosting", "temperature"}


@pytest.fixture
def model():
    return sksoftmax.MultinomialLogit().fit(X, load_iris().target)


def test_a_pickle_of_this_version_loads_without_a_warning(model):
    again = pickle.loads(pickle.dumps(model))  # a warning would be an error
    np.testing.assert_array_equal(again.coef_, model.coef_)
    assert vars(again).keys() == vars(model).keys()


@pytest.mark.parametrize("version", ["9.9.9", None])
def test_a_pickle_of_another_version_warns_and_says_what_to_do(model, version):
    state = model.__getstate__()
    assert state.pop("_sksoftmax_version") == sksoftmax.__version__
    state |= {"_sksoftmax_version": version} if version else {}
    again = sksoftmax.MultinomialLogit()
    message = (
        f"MultinomialLogit was pickled by sksoftmax {version or '0.1.0 or earlier'} and is loaded "
        f"by sksoftmax {sksoftmax.__version__}: compare"
    )
    with pytest.warns(InconsistentVersionWarning, match=message):
        again.__setstate__(state)
    np.testing.assert_array_equal(again.coef_, model.coef_)


def test_every_public_estimator_tells_its_version():
    for name in sksoftmax.__all__:
        thing = getattr(sksoftmax, name)
        if isinstance(thing, type) and issubclass(thing, BaseEstimator):
            assert "_sksoftmax_version" in thing().__getstate__(), name
