"""Parameters out of range, and what a failed fit leaves behind."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from sksoftmax import MultinomialLogit


@pytest.mark.parametrize(
    ("name", "value", "error", "message"),
    [
        ("C", 0, ValueError, r"C must be a positive number \(np\.inf: no penalty\); got 0"),
        ("C", -1.0, ValueError, "C must be a positive number"),
        ("C", np.nan, ValueError, "C must be a positive number"),
        ("C", "1", TypeError, "C must be a positive number .*'1' of type str"),
        ("C", True, TypeError, "C must be a positive number"),
        ("C", 1e-320, ValueError, "C=1e-320 is too small"),
        ("fit_intercept", 1, TypeError, "fit_intercept must be True or False; got 1"),
        ("label_smoothing", 1.0, ValueError, r"label_smoothing must be a number in \[0, 1\)"),
        ("label_smoothing", -0.1, ValueError, "label_smoothing must be"),
        ("logit_l2", -0.1, ValueError, "logit_l2 must be a finite number >= 0"),
        ("logit_l2", np.inf, ValueError, "logit_l2 must be a finite number >= 0"),
        ("solver", "saga", ValueError, "solver must be one of 'auto', 'lbfgs', .*; got 'saga'"),
        ("solver", None, ValueError, "solver must be one of"),
        ("tol", 0.0, ValueError, "tol must be a positive number"),
        ("tol", np.inf, ValueError, "tol must be a positive number"),
        ("max_iter", 0, ValueError, "max_iter must be an integer >= 1"),
        ("max_iter", 10.0, TypeError, "max_iter must be an integer >= 1; got 10.0 of type float"),
        ("warm_start", "yes", TypeError, "warm_start must be True or False"),
        ("n_jobs", 0, ValueError, "n_jobs=0"),
        ("n_jobs", 1.5, ValueError, "n_jobs=1.5"),
        ("verbose", -1, ValueError, r"verbose must be 0 \(silent\) or a positive integer"),
    ],
)
def test_parameters_out_of_range_are_explained(name, value, error, message, three_classes):
    with pytest.raises(error, match=message):
        MultinomialLogit(**{name: value}).fit(*three_classes)


@pytest.mark.parametrize(
    "parameters",
    [
        {"C": np.float32(2), "tol": np.float64(1e-3), "max_iter": np.int32(50)},
        {"fit_intercept": np.bool_(False), "warm_start": np.bool_(True)},
        {"C": 2, "label_smoothing": 0, "logit_l2": 0, "verbose": False},
    ],
)
def test_numpy_and_python_numbers_are_accepted(parameters, three_classes):
    MultinomialLogit(**parameters).fit(*three_classes)


@pytest.mark.parametrize("n_jobs", [None, 1, 2, -1, -2, -100])
def test_the_number_of_threads_does_not_change_a_bit(n_jobs, three_classes):
    X, y = (np.tile(a.T, 20).T for a in three_classes)
    one = MultinomialLogit(n_jobs=1).fit(X, y)
    some = MultinomialLogit(n_jobs=n_jobs).fit(X, y)
    np.testing.assert_array_equal(some.coef_, one.coef_)
    np.testing.assert_array_equal(some.predict_proba(X), one.predict_proba(X))


@pytest.mark.parametrize(
    "method", ["predict", "predict_proba", "predict_log_proba", "decision_function"]
)
def test_prediction_before_fit_is_an_error(method, three_classes):
    with pytest.raises(NotFittedError):
        getattr(MultinomialLogit(), method)(three_classes[0])


def test_a_failed_fit_leaves_the_model_as_it_was(three_classes):
    X, y = three_classes
    model = MultinomialLogit().fit(X, y)
    before = dict(vars(model))
    for arguments in (
        {"X": X[:, :2], "y": np.zeros(len(y))},
        {"X": X[:, :2], "y": y, "sample_weight": -np.ones(len(y))},
        {"X": X[:, :2], "y": y, "mask": np.zeros((len(y), 3))},
        {"X": X[:, :2]},
    ):
        with pytest.raises(ValueError, match=r"."):
            model.fit(**arguments)
        assert vars(model) == before
    assert model.predict(X).shape == y.shape


def test_a_failed_first_fit_leaves_no_attributes(three_classes):
    X, y = three_classes
    model = MultinomialLogit()
    with pytest.raises(ValueError, match="class"):
        model.fit(X, np.zeros(len(y)))
    assert not [name for name in vars(model) if name.endswith("_")]


def test_ctrl_c_leaves_the_model_as_it_was(three_classes, monkeypatch, capsys):
    X, y = three_classes
    model = MultinomialLogit(verbose=1).fit(X, y)
    before = dict(vars(model))
    monkeypatch.setitem(__import__("sys").modules, "tqdm.auto", None)
    calls = []

    def interrupt(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("builtins.print", interrupt)
    with pytest.raises(KeyboardInterrupt):
        model.fit(100 * X[:, :2], y)
    assert len(calls) == 2
    assert vars(model) == before


def test_running_out_of_iterations_is_a_warning_that_says_so(three_classes):
    with pytest.warns(ConvergenceWarning, match="max_iter") as caught:
        model = MultinomialLogit(max_iter=1, tol=1e-12).fit(*three_classes)
    assert caught[0].filename == __file__
    assert model.n_iter_[0] == 1


def test_perfect_separation_without_penalty_is_a_warning_that_names_reason_and_remedy():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    for solver in ("auto", "lbfgs", "newton-cholesky", "newton-cg"):
        with pytest.warns(ConvergenceWarning, match=r"separa(?s:.*)C"):
            model = MultinomialLogit(C=np.inf, solver=solver).fit(X, [0, 0, 1, 1])
        assert np.isfinite(model.coef_).all()
        assert model.score(X, [0, 0, 1, 1]) == 1


def test_separation_is_no_problem_with_a_penalty():
    X = np.array([[-2.0], [-1.0], [1.0], [2.0]])
    for C in (1.0, 1e4):
        model = MultinomialLogit(C=C).fit(X, [0, 0, 1, 1])
        assert model.score(X, [0, 0, 1, 1]) == 1


@pytest.mark.parametrize("solver", ["auto", "lbfgs", "newton-cholesky", "newton-cg"])
def test_dependent_features_without_penalty_are_named_and_the_minimum_norm_is_returned(
    solver, overlapping
):
    import pandas as pd

    X, y = overlapping
    features = pd.DataFrame(X, columns=["age", "price", "time"])
    features["price again"] = features["price"]
    model = MultinomialLogit(C=np.inf, solver=solver, tol=1e-9)
    with pytest.warns(ConvergenceWarning, match="price"):
        model.fit(features, y)
    np.testing.assert_allclose(model.coef_[:, 1], model.coef_[:, 3], atol=1e-5)
    reference = MultinomialLogit(C=np.inf, tol=1e-9).fit(X, y)
    np.testing.assert_allclose(model.coef_[:, 1] * 2, reference.coef_[:, 1], atol=1e-5)


def test_dependent_features_without_names_are_counted_from_zero(overlapping):
    X, y = overlapping
    with pytest.warns(ConvergenceWarning, match=r"x[13]"):
        MultinomialLogit(C=np.inf).fit(np.c_[X, 2 * X[:, 1]], y)


def test_an_ordinary_fit_warns_of_nothing(three_classes):
    X, y = three_classes
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for C in (1e-6, 1.0, 1e6):
            MultinomialLogit(C=C).fit(X, y)
            MultinomialLogit(C=C).fit(X * 10.0 ** np.array([-3, 3, 0, 2]), y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [({"C": 10**400}, "C must be"), ({"n_jobs": np.array([1, 2])}, "n_jobs=array")],
)
def test_parameters_of_absurd_size_or_shape_are_named(parameters, message, three_classes):
    with pytest.raises(ValueError, match=message):
        MultinomialLogit(**parameters).fit(*three_classes)


def test_a_problem_may_name_classes_by_their_labels(three_classes, monkeypatch):
    X, y = three_classes
    problem = SimpleNamespace(message="No rows of {classes}.", columns=None, classes=(0, 2))
    solution = SimpleNamespace(
        coef=np.zeros((3, 4)),
        intercept=np.zeros(3),
        n_iter=1,
        solver="lbfgs",
        value=1.0,
        problems=[problem],
        curvature=None,
    )
    monkeypatch.setattr("sksoftmax.linear._multinomial.solve_linear", lambda *_, **__: solution)
    with pytest.warns(ConvergenceWarning, match=r"No rows of 'a', 'c'\."):
        MultinomialLogit().fit(X, np.array(["a", "b", "c"])[y])
