"""The layout of a tree's nodes, as native/tree.h has it."""

import numpy as np

NODE = np.dtype(
    [
        ("threshold", np.float64),
        ("weight", np.float64),
        ("gain", np.float32),
        ("feature", np.int32),
        ("left", np.int32),
        ("index", np.int32),
        ("bin", np.uint8),
        ("missing_left", np.uint8),
        ("is_categorical", np.uint8),
        ("unused", np.uint8, (5,)),
    ]
)
"""One node: its split, or a leaf where ``left`` is 0. `native/tree.h` says what a field means."""

BITSET_WORDS = 8
"""uint32 words of a categorical split's set of codes that go left."""
