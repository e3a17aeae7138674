"""The line search on convex functions of one variable."""

import inspect
import math

import numpy as np
import pytest

from sksoftmax._solvers.line_search import search_line
from sksoftmax._solvers.protocol import Point, follow

EPS = np.finfo(float).eps
MOST = inspect.signature(search_line).parameters["max_evaluations"].default


class OneVariable:
    """A function of theta (1, 1), which counts its evaluations."""

    def __init__(self, value, slope):
        self.value, self.slope, self.n_evaluations = value, slope, 0

    def loss_gradient(self, theta):
        self.n_evaluations += 1
        with np.errstate(over="ignore"):
            x = float(theta[0, 0])
            return float(self.value(x)), np.array([[float(self.slope(x))]])

    def point(self, x):
        return Point(np.array([[x]]), *self.loss_gradient(np.array([[x]])))


def line_search(function, start, direction, **options):
    return follow(search_line(start, direction, **options), function)


def softplus(x):
    return np.logaddexp(0, x)


def sigmoid(x):
    return 0.5 * (1 + np.tanh(x / 2))


# name: value, slope, start, all with a minimum at or beyond 0 seen from the start
FUNCTIONS = {
    "parabola": (lambda x: x * x, lambda x: 2 * x, -3.0),
    "steep parabola": (lambda x: 1e6 * x * x, lambda x: 2e6 * x, -3.0),
    "flat parabola": (lambda x: 1e-6 * x * x, lambda x: 2e-6 * x, -3.0),
    "quartic": (lambda x: x**4, lambda x: 4 * x**3, -3.0),
    "nearly a corner": (lambda x: np.hypot(x, 1e-4), lambda x: x / np.hypot(x, 1e-4), -3.0),
    "binary cross-entropy": (
        lambda x: 0.8 * softplus(-x) + 0.2 * softplus(x),
        lambda x: -0.8 * sigmoid(-x) + 0.2 * sigmoid(x),
        -3.0,
    ),
    "steep cross-entropy": (
        lambda x: 0.8 * softplus(-1e4 * x) + 0.2 * softplus(1e4 * x),
        lambda x: 1e4 * (-0.8 * sigmoid(-1e4 * x) + 0.2 * sigmoid(1e4 * x)),
        -3.0,
    ),
    "exponential": (lambda x: np.exp(x) - 3 * x, lambda x: np.exp(x) - 3, -3.0),
    "a large constant": (lambda x: 1e9 + x * x, lambda x: 2 * x, -3.0),
}
LENGTHS = [1e-6, 1e-3, 0.1, 1.0, 10.0, 1e3, 1e6]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_step_decreases_and_flattens(name, length):
    """However wrong the length of the direction is, by many powers of ten."""
    value, slope, x = FUNCTIONS[name]
    function = OneVariable(value, slope)
    start = function.point(x)
    direction = np.array([[length]])
    function.n_evaluations = 0
    found = line_search(function, start, direction, rounding=EPS)
    assert found is not None
    assert found.value <= start.value
    assert abs(found.gradient[0, 0]) <= 0.9 * abs(start.gradient[0, 0])
    assert found.theta[0, 0] > x
    assert found.value == function.loss_gradient(found.theta)[0]
    assert function.n_evaluations <= MOST + 1


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_newton_step_need_not_flatten_but_decreases(name, length):
    value, slope, x = FUNCTIONS[name]
    function = OneVariable(value, slope)
    start = function.point(x)
    found = line_search(function, start, np.array([[length]]), rounding=EPS, flatten=False)
    assert found is not None
    assert found.value <= start.value
    assert abs(found.gradient[0, 0]) <= abs(start.gradient[0, 0])


def test_a_good_first_step_costs_one_evaluation():
    function = OneVariable(*FUNCTIONS["parabola"][:2])
    start = function.point(-3.0)
    function.n_evaluations = 0
    for flatten in (True, False):
        found = line_search(function, start, np.array([[3.0]]), rounding=EPS, flatten=flatten)
        assert found.theta[0, 0] == 0
    assert function.n_evaluations == 2


def test_a_short_newton_step_is_taken_as_it_is():
    function = OneVariable(*FUNCTIONS["parabola"][:2])
    found = line_search(
        function, function.point(-3.0), np.array([[0.01]]), rounding=EPS, flatten=False
    )
    assert found.theta[0, 0] == -2.99


@pytest.mark.parametrize("edge", [1e-3, 0.5, 2.0])
@pytest.mark.parametrize("beyond", [math.inf, math.nan])
def test_a_step_into_overflow_is_shortened(edge, beyond):
    function = OneVariable(
        lambda x: 1 - x + x * x / edge if x < edge else beyond,
        lambda x: -1 + 2 * x / edge if x < edge else math.nan,
    )
    start = function.point(0.0)
    found = line_search(function, start, np.array([[100.0]]), rounding=EPS)
    assert found is not None
    assert 0 < found.theta[0, 0] < edge
    assert found.value < start.value


@pytest.mark.parametrize("direction", [-1.0, 0.0, math.nan])
def test_no_step_is_found_where_the_direction_does_not_descend(direction):
    function = OneVariable(*FUNCTIONS["parabola"][:2])
    start = function.point(-3.0)
    assert line_search(function, start, np.array([[direction]]), rounding=EPS) is None


def test_no_step_is_found_at_the_minimum():
    function = OneVariable(*FUNCTIONS["parabola"][:2])
    assert line_search(function, function.point(0.0), np.array([[1.0]]), rounding=EPS) is None


def test_a_function_without_a_minimum_gives_a_step_or_none():
    function = OneVariable(lambda x: -x, lambda x: -1.0)
    start = function.point(0.0)
    found = line_search(function, start, np.array([[1.0]]), rounding=EPS)
    assert found is None or found.value < start.value
    assert function.n_evaluations <= MOST + 1
    found = line_search(function, start, np.array([[1.0]]), rounding=EPS, flatten=False)
    assert found.theta[0, 0] == 1.0


def test_slopes_decide_where_rounding_hides_the_values():
    """Beside 1e9 no value tells the two apart, but the slopes do."""
    function = OneVariable(lambda x: 1e9 + 1e-3 * x * x, lambda x: 2e-3 * x)
    start = function.point(-1e-3)
    assert start.value == function.point(0.0).value
    found = line_search(function, start, np.array([[1.0]]), rounding=EPS)
    assert found is not None
    assert abs(found.gradient[0, 0]) < abs(start.gradient[0, 0])
