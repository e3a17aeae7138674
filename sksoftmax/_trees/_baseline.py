"""Where boosting starts: the logits of the classes' shares."""

import math

import numpy as np

_ABSENT = 1e-6
"""Probability of a class without rows, if no class with rows has less."""

_GRID = 20  # bits after the point

_ROWS_AT_ONCE = 4096


def class_totals(target, sample_weight, n_classes):
    """Sum of weight * target over the rows, (n_classes,) float64; exact in fixed point.

    Every term is a multiple of one power of two, and no sum reaches 2^53 of them.
    """
    total = float(len(target)) if sample_weight is None else math.fsum(sample_weight)
    bits = 52 - math.frexp(total)[1]
    sums = np.zeros(n_classes)
    for start in range(0, len(target), _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        weight = None if sample_weight is None else sample_weight[rows]
        sums += _fixed_sums(target[rows], weight, n_classes, bits)
    return np.ldexp(sums, -bits)


def _fixed_sums(target, weight, n_classes, bits):
    if target.ndim == 1:
        weight = np.ones(len(target)) if weight is None else weight
        return np.bincount(target, weights=np.rint(np.ldexp(weight, bits)), minlength=n_classes)
    rounded = np.rint(np.ldexp(target.astype(np.float64), bits))
    return (rounded if weight is None else np.rint(weight[:, np.newaxis] * rounded)).sum(axis=0)


def baseline_logits(target, sample_weight, n_classes):
    """Log of the share of each class, of mean zero; (n_classes,) float64.

    A class without rows counts as one of probability 1e-6, or of the rarest class if that is less.
    Rounded to 2^-20, the grid of the leaves: sums of float32 logits below 16 are then exact.
    """
    totals = class_totals(target, sample_weight, n_classes)
    share = totals / totals.sum()
    share[totals == 0] = min(_ABSENT, share[totals > 0].min())
    logits = np.log(share)
    return np.ldexp(np.rint(np.ldexp(logits - logits.mean(), _GRID)), -_GRID)
