"""Random draws of a fit: each is a function of seed, iteration and purpose, and of nothing else.

So a fit that goes on where another stopped draws what one long fit draws.
"""

from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """What a draw is for."""

    SPLIT = 0  # rows for validation
    BAG = 1  # rows that a tree sees
    PROJECTION = 2  # columns of the sketch
    FEATURES = 3  # features that a split may use
    SCORED = 4  # training rows that a scorer sees


def generator(seed, iteration, purpose):
    """Return a generator of its own for this purpose in this iteration.

    Philox is counter-based: neighbouring keys give independent streams.
    """
    key = np.array([seed, iteration * len(Purpose) + purpose], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))


def draw_bag(seed, iteration, n_rows, subsample):
    """Rows that a tree sees, ascending int32: each with probability `subsample`, at least one."""
    if subsample == 1:
        return np.arange(n_rows, dtype=np.int32)
    draw = generator(seed, iteration, Purpose.BAG)
    inside = draw.integers(0, 1 << 16, size=n_rows, dtype=np.uint16) < subsample * (1 << 16)
    if not inside.any():
        inside[draw.integers(n_rows)] = True
    return np.flatnonzero(inside).astype(np.int32)


def draw_split_seed(seed, iteration):
    """A number below 2^63 from which the grower draws the features of each node."""
    return int(generator(seed, iteration, Purpose.FEATURES).integers(1 << 63))
