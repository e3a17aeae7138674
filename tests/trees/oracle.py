"""One tree in plain NumPy, from the same integer records: the readable specification of ``grow``.

Everything is a sum over rows that are looked up again for each node: no histogram is kept, nothing
is subtracted, no order is clever.

    score(node) = sum_j G_j^2 / (D + l2)        G_j the sums of the columns, D of the curvature, or
                                                of the weight where records have no curvature
    gain(split) = score(left) + score(right) - score(node)
"""

from dataclasses import dataclass, field

import numpy as np

CATEGORY_SMOOTHING = 10  # categories are tried in the order of G_j / (D + 10), in real units of D
MOST_ORDERS = 8  # one order for each of the first columns


@dataclass(frozen=True)
class Split:
    """A way to cut a node: which of the codes that it has go left."""

    score: float  # of both children, in real units
    feature: int
    order: int  # -1 for a numerical feature, else the column that orders the categories
    position: int  # the last code that goes left; of categories, its place in the order
    missing_left: bool
    left_codes: frozenset

    def beats(self, other):
        """The highest score; among equals the first feature, order, position, missing right."""
        return other is None or self.key < other.key

    @property
    def key(self):
        return (-self.score, self.feature, self.order, self.position, self.missing_left)


@dataclass
class Node:
    """A node and the best split of it, or None."""

    rows: np.ndarray
    depth: int
    groups: list
    split: Split | None = None
    gain: float = 0.0
    left: int = 0
    goes_left: np.ndarray = field(default_factory=lambda: np.zeros(256, dtype=bool))


class Oracle:
    """Grows the tree that ``arguments``, those of the native ``grow``, describe."""

    def __init__(self, arguments):
        self.__dict__ |= arguments
        self.codes = arguments["codes"].reshape(-1, self.n_features).astype(int)
        self.records = arguments["records"].reshape(-1, self.lanes).astype(np.int64)
        self.d_lane = self.n_columns
        self.w_lane = self.n_columns + bool(self.has_curvature)
        self.d_scale = self.curvature_scale if self.has_curvature else self.weight_scale

    def grow(self):
        """Nodes, root first, children in pairs; the leaf with the highest gain is split next.

        Among equal gains the first node. Ends at `max_leaf_nodes`, or when none gains enough.
        """
        nodes = [self.node(self.rows, 0, self.all_groups())]
        while waiting := self.waiting(nodes):
            best = max(waiting, key=lambda at: (nodes[at].gain, -at))
            self.split_leaf(nodes, best)
        return nodes

    def waiting(self, nodes):
        """The leaves that may be split, as places in `nodes`; none once the tree is full."""
        leaves = [at for at, node in enumerate(nodes) if node.left == 0]
        if len(leaves) == self.max_leaf_nodes:
            return []
        return [at for at in leaves if nodes[at].split and nodes[at].gain > self.min_gain]

    def split_leaf(self, nodes, at):
        """Append both children."""
        nodes[at].left = len(nodes)
        nodes += self.children(nodes[at])

    def node(self, rows, depth, groups):
        """A leaf and its best split."""
        node = Node(np.asarray(rows), depth, groups)
        if self.max_depth == 0 or depth < self.max_depth:
            for split in self.splits(node):
                if split.beats(node.split):
                    node.split = split
        if node.split is not None:
            self.take(node, node.split)
        return node

    def take(self, node, split):
        """Make it the node's split."""
        node.split = split
        node.gain = split.score - self.score(self.sums(node.rows))
        node.goes_left = self.goes_left(node)

    def children(self, node):
        """Both sides of the node's split."""
        feature = node.split.feature
        left = node.goes_left[self.codes[node.rows, feature]]
        groups = [group for group in node.groups if feature in group]
        return [self.node(node.rows[side], node.depth + 1, groups) for side in (left, ~left)]

    # --- the splits of a node -----------------------------------------------------------------

    def splits(self, node):
        """Every split that is allowed, of every feature that is."""
        total, least = self.sums(node.rows), max(1, np.ceil(self.min_weight * self.weight_scale))
        for feature in sorted(set().union(*node.groups)):
            of_code = self.sums_of_codes(node, feature)
            for order, missing_left, codes in self.orders(feature, of_code):
                left = np.cumsum(of_code[codes], axis=0)
                for at, code in enumerate(codes[:-1]):
                    if min(left[at, self.w_lane], (total - left[at])[self.w_lane]) >= least:
                        score = self.score(left[at]) + self.score(total - left[at])
                        position = at if order >= 0 else code
                        left_codes = frozenset(codes[: at + 1])
                        yield Split(score, feature, order, position, missing_left, left_codes)

    def orders(self, feature, of_code):
        """(order, missing_left, codes): a split is sought among the beginnings of `codes`."""
        present, missing = np.flatnonzero(of_code.any(axis=1)).tolist(), self.n_bins[feature]
        values = [code for code in present if code != missing]
        if self.is_categorical[feature]:
            d = of_code[:, self.d_lane] + CATEGORY_SMOOTHING * self.d_scale
            for column in range(min(self.n_columns, MOST_ORDERS)):
                key = of_code[:, column] / d
                yield column, False, sorted(present, key=key.__getitem__)  # equals by code
        elif missing in present:
            yield -1, False, [*values, missing]  # the last cut has the missing ones alone
            yield -1, True, [missing, *values]
        else:
            yield -1, False, values

    def goes_left(self, node):
        """For every code; the codes that the node does not have go where missing goes.

        Missing, where the node has none, goes where more weight goes.
        """
        split, of_code = node.split, self.sums_of_codes(node, node.split.feature)
        missing, present = self.n_bins[split.feature], of_code.any(axis=1)
        is_left = np.isin(np.arange(256), list(split.left_codes))
        weight = of_code[:, self.w_lane]
        missing_left = 2 * weight[is_left].sum() >= weight.sum()
        if present[missing]:
            missing_left = is_left[missing]
        if split.order >= 0:
            return np.where(present, is_left, missing_left)
        goes_left = np.arange(256) <= split.position
        goes_left[missing] = missing_left
        return goes_left

    # --- sums ---------------------------------------------------------------------------------

    def sums(self, rows):
        """One per lane, exact."""
        return self.records[rows].sum(axis=0)

    def sums_of_codes(self, node, feature):
        """(256, lanes); zero for a code that no row with any weight has."""
        sums = np.zeros((256, self.lanes), dtype=np.int64)
        np.add.at(sums, self.codes[node.rows, feature], self.records[node.rows])
        return sums

    def score(self, sums):
        """In real units."""
        gradient = sums[: self.n_columns] / self.gradient_scale
        return np.sum(gradient**2) / (sums[self.d_lane] / self.d_scale + self.l2)

    def all_groups(self):
        """Sets of features that may meet on a path."""
        if self.group_ptr is None:
            return [set(range(self.n_features))]
        return [set(part.tolist()) for part in np.split(self.groups, self.group_ptr[1:-1])]


def assert_same_tree(grown, arguments, *, rtol, gain_rtol=1e-6):
    """The native tree is the oracle's: splits, weights, gains, numbers and rows of leaves.

    Where two gains differ by less than the rounding of native scores (`rtol` of a score), either
    may win, and the oracle follows the native tree; returns how often it had to. Gains agree to
    `gain_rtol`.
    """
    oracle, n_followed = Oracle(arguments), 0
    nodes = [oracle.node(oracle.rows, 0, oracle.all_groups())]
    scale = 1 if nodes[0].split is None else max(1, nodes[0].split.score)
    inner = np.flatnonzero(grown.nodes["left"])
    for at in inner[np.argsort(grown.nodes["left"][inner])]:  # in the order they were split
        waiting, node = oracle.waiting(nodes), nodes[at]
        assert node.split is not None, "the native split is not allowed"
        if not is_same_split(oracle, node, grown, at):
            follow(oracle, node, grown, at, rtol)
            n_followed += 1
        highest = max((nodes[other].gain for other in waiting), default=oracle.min_gain)
        assert node.gain >= highest - rtol * scale, "another leaf gains more"
        oracle.split_leaf(nodes, at)
        assert node.left == grown.nodes["left"][at]
    for at in oracle.waiting(nodes):
        assert nodes[at].gain <= oracle.min_gain + rtol * scale, "the native tree ends early"
    assert_nodes_agree(oracle, nodes, grown, gain_rtol)
    return n_followed


def is_same_split(oracle, node, grown, at):
    """The same feature, the same codes to the left."""
    feature = grown.nodes["feature"][at]
    if node.split is None or feature != node.split.feature:
        return False
    n_codes = 256 if oracle.is_categorical[feature] else oracle.n_bins[feature] + 1
    return np.array_equal(native_goes_left(oracle, grown, at)[:n_codes], node.goes_left[:n_codes])


def follow(oracle, node, grown, at, rtol):
    """Give the node the native split, if that is an allowed one and as good as the best."""
    feature, goes_left = grown.nodes["feature"][at], native_goes_left(oracle, grown, at)
    codes = np.unique(oracle.codes[node.rows[oracle.records[node.rows].any(axis=1)], feature])
    left_codes = set(codes[goes_left[codes]].tolist())
    same = [s for s in oracle.splits(node) if s.feature == feature and s.left_codes == left_codes]
    assert same, "the native split is not allowed"
    allowed = rtol * max(1, node.split.score)
    assert same[0].score >= node.split.score - allowed, "another split gains more"
    oracle.take(node, min(same, key=lambda split: split.key))
    assert is_same_split(oracle, node, grown, at), "codes that the node does not have go astray"


def native_goes_left(oracle, grown, at):
    """For each code whether it goes left."""
    native = grown.nodes[at]
    if native["is_categorical"]:
        words = grown.bitsets[native["index"]]
        return np.unpackbits(words.view(np.uint8), bitorder="little").astype(bool)
    goes_left = np.arange(256) <= native["bin"]
    goes_left[oracle.n_bins[native["feature"]]] = native["missing_left"]
    return goes_left


def assert_nodes_agree(oracle, nodes, grown, rtol):
    """Weights and gains of all nodes; numbers and rows of leaves."""
    native = grown.nodes
    assert len(native) == len(nodes)
    weights = [oracle.sums(node.rows)[oracle.w_lane] / oracle.weight_scale for node in nodes]
    assert np.array_equal(native["weight"], weights)
    gains = [node.gain if node.left else 0 for node in nodes]
    np.testing.assert_allclose(native["gain"], gains, rtol=rtol, atol=rtol * max(1, *gains))
    leaves = [at for at, node in enumerate(nodes) if node.left == 0]
    assert np.array_equal(native["index"][leaves], np.arange(len(leaves)))
    assert (native["feature"][leaves] == -1).all()
    for index, at in enumerate(leaves):
        assert np.array_equal(grown.rows_of(index), nodes[at].rows)
