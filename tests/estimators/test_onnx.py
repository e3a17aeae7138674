"""The ONNX graph of a model predicts what the model predicts."""

import sys

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit
from sksoftmax.onnx import to_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of onnx and skl2onnx


def run(graph, X):
    session = onnxruntime.InferenceSession(
        graph.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {session.get_inputs()[0].name: X})


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_pipeline_predicts_the_same_in_onnxruntime(load, dtype):
    X, y = load(return_X_y=True)
    X = X.astype(dtype)
    pipeline = make_pipeline(StandardScaler(), MultinomialLogit()).fit(X, y)
    labels, proba = run(to_onnx(pipeline, X[:1]), X)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    np.testing.assert_allclose(proba, pipeline.predict_proba(X), atol=tolerance)
    np.testing.assert_array_equal(labels, pipeline.predict(X))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_labels_may_be_strings_and_the_intercept_absent(n_classes):
    X, y = load_iris(return_X_y=True)
    X, y = X[y < n_classes], y[y < n_classes]
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    model = MultinomialLogit(fit_intercept=False).fit(X, words)
    labels, proba = run(to_onnx(model, X[:1]), X)
    np.testing.assert_array_equal(labels, model.predict(X))
    np.testing.assert_allclose(proba, model.predict_proba(X), atol=1e-12)


def test_options_of_skl2onnx_are_passed_on():
    X, y = load_iris(return_X_y=True)
    X = X.astype(np.float32)
    model = MultinomialLogit().fit(X, y)
    _, proba = run(to_onnx(model, X[:1], options={"zipmap": True}), X[:1])
    assert proba[0] == pytest.approx(dict(enumerate(model.predict_proba(X[:1])[0])), abs=1e-6)


def test_without_skl2onnx_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r"pip install sksoftmax\[onnx\]"):
        to_onnx(MultinomialLogit(), [[1.0]])
