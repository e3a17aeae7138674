"""A step along a descent direction of a convex function."""

import math

import numpy as np

from sksoftmax._solvers.protocol import Point, Steps, ask

_DECREASE, _FLATTEN = 1e-4, 0.9


def search_line(
    start, direction, *, rounding, flatten=True, max_evaluations=40, evaluate=ask
) -> Steps:
    """Return the point at a good step, or None when rounding hides every decrease.

    Along the direction the function phi(t) is convex, so its slope increases from phi'(0) < 0.
    The step is accepted where (1) phi decreased enough (Armijo; sure by convexity while the slope
    is negative), and (2) the slope has flattened, |phi'(t)| <= 0.9 |phi'(0)| (unless
    ``flatten=False``: a Newton step needs no longer one). Otherwise bracket the minimum
    and interpolate the slope. Comparing slopes works where differences of values are all rounding.
    """
    slope_0 = float(np.vdot(start.gradient, direction))
    if not slope_0 < 0:
        return None
    noise = 4 * rounding * abs(start.value)
    low, slope_low, high, slope_high = 0.0, slope_0, math.inf, math.nan
    step, shortened = 1.0, 0
    for _ in range(max_evaluations):
        theta = start.theta + step * direction
        value, gradient = yield from evaluate("loss_gradient", theta)
        slope = float(np.vdot(gradient, direction)) if math.isfinite(value) else math.inf
        decreased = value <= start.value + _DECREASE * step * slope_0 + noise
        if slope <= -_FLATTEN * slope_0 and (slope <= 0 or decreased):
            if slope >= _FLATTEN * slope_0 or not flatten:
                return Point(theta, value, gradient)
            low, slope_low, shortened = step, slope, 0
        else:
            high, slope_high, shortened = step, slope, shortened + 1
        step = _next_step(low, slope_low, high, slope_high, slope_0, shortened)
        if not low < step < high or step < 1e-12:
            return None
    return None


def _next_step(low, slope_low, high, slope_high, slope_0, shortened):
    """Where the slope vanishes by linear interpolation, kept well inside the bracket.

    Interpolation creeps where the slope bends sharply: from the second shortening in a row on, the
    share of the bracket that it may keep is halved each time.
    """
    if math.isinf(high):
        flattening = 1.0 - slope_low / slope_0
        grow = 10.0 if flattening <= 0.1 else min(10.0, 1.0 / flattening)
        return low * max(2.0, grow)
    most = 0.9 * 0.5 ** max(0, shortened - 1)
    share = slope_low / (slope_low - slope_high) if math.isfinite(slope_high) else 0.1
    return low + min(most, max(0.1, share)) * (high - low)
