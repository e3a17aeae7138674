"""Minimisers that know an objective, never an estimator.

What they ask of an objective is `Objective` (protocol.py): value and gradient, a Hessian product,
curvature. Parameters are an array theta (n_outputs, n_columns); starting values are explicit.
"""

from sksoftmax._solvers.choice import ChoiceFit, solve_choice
from sksoftmax._solvers.linear import SOLVERS, LinearFit, solve_linear
from sksoftmax._solvers.one_vs_rest import solve_one_vs_rest
from sksoftmax._solvers.protocol import Problem

__all__ = [
    "SOLVERS",
    "ChoiceFit",
    "LinearFit",
    "Problem",
    "solve_choice",
    "solve_linear",
    "solve_one_vs_rest",
]
