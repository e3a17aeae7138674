"""The objectives of one-vs-rest against plain NumPy, finite differences, and K binary logits."""

from itertools import product

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sksoftmax._objective import LinearObjective, OneVsRestObjective

from .cases import DTYPES, FEATURES, OPTIONS, ROWS, STORAGES, make_case, to_theta, tolerance

KINDS = [
    *OPTIONS,
    "weighted sides",
    "indicators",
    "masked indicators",
    "everything, weighted sides",
]


def make_problem(rng, n_samples, n_features, n_classes, kind="plain", **keywords):
    """A case of cases.py (for the softmax of as many classes), with targets for the sigmoids."""
    base = {
        "weighted sides": "weighted",
        "indicators": "plain",
        "masked indicators": "masked",
        "everything, weighted sides": "everything",
    }.get(kind, kind)
    case = make_case(rng, n_samples, n_features, max(n_classes, 3), options=base, **keywords)
    options, target = dict(case.options), case.target
    if "indicators" in kind:
        target = (rng.random((n_samples, n_classes)) < 0.4).astype(case.X.dtype)
    if "sides" in kind:
        options["positive_weight"] = rng.uniform(0.2, 3, n_classes)
        options["negative_weight"] = rng.uniform(0.2, 3, n_classes)
    objective = OneVsRestObjective(case.X, target, n_classes=n_classes, **options)
    return case, target, options, objective


def plain(case, target, options, coef, intercept):
    """Values, gradients by (W, b) and Hessians, class by class, in float64."""
    X, K = case.dense_X.astype(np.float64), len(coef)
    q = np.eye(K)[target] if target.ndim == 1 else target.astype(np.float64)
    w = np.asarray(options.get("sample_weight", np.ones(len(X))), dtype=np.float64)
    positive = options.get("positive_weight", np.ones(K))
    negative = options.get("negative_weight", np.ones(K))
    v = w[:, None] * (positive * q + negative * (1 - q)) * options.get("mask", True)
    smoothing, ridge = options.get("label_smoothing", 0.0), options.get("logit_l2", 0.0)
    q = (1 - smoothing) * q + smoothing / 2
    z = X @ coef.T + intercept + options.get("offset", 0.0)
    p = 1 / (1 + np.exp(-z))
    alpha, total = options.get("alpha", 0.0), w.sum()
    loss = v * (np.logaddexp(0, z) - q * z + ridge * z**2 / 4)
    residual, curvature = v * (p - q + ridge * z / 2), v * (p * (1 - p) + ridge / 2)
    X1 = np.column_stack([X, np.ones(len(X))])
    penalty = np.append(np.full(X.shape[1], alpha), 0.0)
    theta = np.column_stack([coef, intercept])
    values = loss.sum(axis=0) / total + (penalty * theta**2).sum(axis=1) / 2
    gradients = residual.T @ X1 / total + penalty * theta
    hessians = np.einsum("nk,ni,nj->kij", curvature, X1, X1, optimize=True) / total
    return values, gradients, hessians + np.diag(penalty)


def check_problem(rng, *sizes, **keywords):
    case, target, options, objective = make_problem(rng, *sizes, **keywords)
    theta = objective.pack(case.coef, case.intercept)
    values, gradients, hessians = plain(case, target, options, case.coef, case.intercept)
    columns = objective.n_columns
    J = np.linalg.inv(to_theta(objective))  # (W, b) = J theta
    gradients = gradients[:, :columns] @ J
    hessians = J.T @ hessians[:, :columns, :columns] @ J
    direction = rng.standard_normal(theta.shape)
    bounds = tolerance(case.X.dtype)
    bounds["atol"] *= 2
    got_values, got_gradients = objective.loss_gradient(theta)
    assert_allclose(got_values, values, **bounds)
    assert_allclose(got_gradients, gradients, **bounds)
    assert_allclose(objective.class_curvature(theta), hessians, **bounds)
    product = np.einsum("kij,kj->ki", hessians, direction)
    assert_allclose(objective.hessian_product(theta, direction), product, **bounds)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_values_and_derivatives_are_those_of_plain_numpy(rng, kind, dtype):
    for storage in STORAGES:
        check_problem(rng, 117, 7, 5, kind=kind, dtype=dtype, storage=storage)


@pytest.mark.parametrize("n_features", FEATURES)
def test_any_number_of_rows_and_columns_does(rng, n_features):
    for n_samples, dtype in product(ROWS, DTYPES):
        check_problem(rng, n_samples, n_features, 3, kind="everything", dtype=dtype)


@pytest.mark.parametrize("kind", ["everything", "masked indicators", "no intercept"])
def test_gradients_are_those_of_finite_differences(rng, kind):
    case, _, _, objective = make_problem(rng, 60, 4, 3, kind=kind)
    theta, h = objective.pack(case.coef, case.intercept), 1e-5
    gradient = objective.loss_gradient(theta)[1]
    curvature = objective.class_curvature(theta)
    for j in range(objective.n_columns):
        step = np.zeros_like(theta)
        step[:, j] = h
        (high, up), (low, down) = (objective.loss_gradient(theta + s * step) for s in (1, -1))
        assert_allclose((high - low) / (2 * h), gradient[:, j], atol=1e-9)
        assert_allclose((up - down) / (2 * h), curvature[:, j], atol=1e-9)


@pytest.mark.parametrize("kind", ["plain", "weighted", "smoothed", "logit_l2", "everything"])
def test_each_class_has_the_objective_of_a_binary_logit(rng, kind):
    """Masked rows do not count; of two classes a softmax would still penalize the logit left."""
    case, target, options, objective = make_problem(rng, 90, 4, 5, kind=kind)
    options.pop("mask", None)
    objective = OneVsRestObjective(case.X, target, n_classes=5, **options)
    theta = objective.pack(case.coef, case.intercept)
    values, gradients = objective.loss_gradient(theta)
    for k in range(5):
        binary = dict(options)
        if "offset" in options:
            half = options["offset"][:, k] / 2  # a score s means the logits (-s / 2, s / 2)
            binary["offset"] = np.column_stack([-half, half])
        own = (target == k).astype(np.int64)
        if target.ndim == 2:
            own = np.column_stack([1 - target[:, k], target[:, k]])
        alone = LinearObjective(case.X, own, n_classes=2, **binary)
        value, gradient = alone.loss_gradient(theta[k : k + 1])
        assert_allclose(values[k], value, rtol=1e-13)
        assert_allclose(gradients[k], gradient[0], rtol=1e-11, atol=1e-14)
        assert_allclose(
            objective.class_curvature(theta)[k], alone.hessian(theta[k : k + 1]), rtol=1e-11
        )


@pytest.mark.parametrize("storage", STORAGES)
@pytest.mark.parametrize("kind", ["everything, weighted sides", "masked indicators"])
def test_some_of_the_outputs_are_what_they_are_among_all(rng, kind, storage):
    case, _, _, objective = make_problem(rng, 400, 6, 7, kind=kind, storage=storage)
    theta = objective.pack(case.coef, case.intercept)
    chosen = [5, 1, 2]
    some = objective.of(chosen)
    for all_values, values in zip(
        objective.loss_gradient(theta), some.loss_gradient(theta[chosen]), strict=True
    ):
        assert_allclose(values, all_values[chosen], rtol=1e-13, atol=1e-15)
    assert_allclose(
        some.class_curvature(theta[chosen]), objective.class_curvature(theta)[chosen], rtol=1e-12
    )
    assert_array_equal(some.of([1]).shares(), objective.shares()[[1]])


@pytest.mark.parametrize("kind", ["plain", "everything, weighted sides"])
def test_the_number_of_threads_changes_no_bit(rng, kind):
    case, target, options, _ = make_problem(rng, 20_000, 9, 6, kind=kind)
    found = []
    for n_threads in (1, 2, 3):
        objective = OneVsRestObjective(
            case.X, target, n_classes=6, **(options | {"n_threads": n_threads})
        )
        theta = objective.pack(case.coef, case.intercept)
        found.append([*objective.loss_gradient(theta), objective.class_curvature(theta)])
    for others in found[1:]:
        for one, other in zip(found[0], others, strict=True):
            assert_array_equal(one, other)


def test_a_score_that_overflows_makes_the_loss_of_its_own_class_infinite():
    X = np.array([[1e200], [2e200], [-1e200]])
    objective = OneVsRestObjective(X, np.array([0, 1, 2]), n_classes=3, fit_intercept=False)
    theta = np.array([[1e-200], [1e200], [-1e200]])
    values, gradients = objective.loss_gradient(theta)
    assert np.isfinite(values[0])
    assert np.isfinite(gradients[0]).all()
    assert_array_equal(values[1:], [np.inf, np.inf])


def test_losses_are_relatively_accurate_where_they_are_tiny():
    """log(1 + exp(-z)) = exp(-z) for large z: a loss of 1e-30 is not 0."""
    for dtype in DTYPES:
        X = np.full((3, 1), 1.0, dtype=dtype)
        objective = OneVsRestObjective(X, np.array([0, 0, 0]), n_classes=2, fit_intercept=False)
        values, gradients = objective.loss_gradient(np.array([[70.0], [-70.0]]))
        assert_allclose(values, np.exp(-70.0), rtol=4e-6 if dtype == np.float32 else 1e-14)
        assert_allclose(np.abs(gradients[:, 0]), np.exp(-70.0), rtol=4e-6)


def test_a_row_that_is_not_available_to_a_class_does_not_count_there(rng):
    case, target, options, objective = make_problem(rng, 80, 4, 4, kind="masked indicators")
    theta = objective.pack(case.coef, case.intercept)
    values, gradients = objective.loss_gradient(theta)
    mask = options.pop("mask")
    for k in range(4):
        rows = mask[:, k]
        options["sample_weight"] = rows.astype(float)
        alone = OneVsRestObjective(case.X, target, n_classes=4, **options).of([k])
        scale = rows.sum() / len(rows)
        coef, intercept = (part[[k]] for part in objective.unpack(theta))
        value, gradient = alone.loss_gradient(alone.pack(coef, intercept))
        assert_allclose(values[k], value[0] * scale, rtol=1e-12)
        assert_allclose(gradients[k, -1], gradient[0, -1] * scale, rtol=1e-10, atol=1e-14)
        assert_allclose(objective.shares()[k], target[rows, k].mean(), rtol=1e-12)
