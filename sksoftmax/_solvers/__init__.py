"""Minimisers that know an objective, never an estimator.

What they ask of an objective is `Objective` (protocol.py): value and gradient, a Hessian product,
curvature. Parameters are an array theta (n_outputs, n_columns); starting values are explicit.
"""

from sksoftmax._solvers.linear import SOLVERS, LinearFit, Problem, solve_linear

__all__ = ["SOLVERS", "LinearFit", "Problem", "solve_linear"]
