"""
Boosting with vector leaves
===========================

Most libraries boost a classifier of K classes with K trees per iteration, one for each class.
`SoftmaxBoostingClassifier` grows one tree per iteration, and each of its leaves holds a vector: a
logit for every class. Here both kinds learn 1,797 handwritten digits. Run as a script,
``python plot_boosting_vector_leaves.py [FILE]``, this page prints a table and saves its picture.
"""

# %%
# Half of the digits are held out, and the loss on them is followed tree by tree.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# The same class name could be swapped in any program: parameters mean the same. Ours gets more
# iterations, because each of them is one tree instead of ten. ``l2_regularization`` is set for the
# other, whose default of 0 lets it grow too sure of itself. Both use one thread.

import time

from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import accuracy_score, log_loss
from threadpoolctl import threadpool_limits

from sksoftmax import SoftmaxBoostingClassifier

models = {
    "one tree per class": HistGradientBoostingClassifier(max_iter=100, l2_regularization=1.0),
    "vector leaves": SoftmaxBoostingClassifier(max_iter=400, random_state=0),
}
trees_per_iteration = {"one tree per class": 10, "vector leaves": 1}

curves = {}
print(f"{'':20} {'trees':>6} {'seconds':>8} {'log-loss':>9} {'accuracy':>9}")
for name, model in models.items():
    start = time.perf_counter()
    with threadpool_limits(1):
        model.fit(X_train, y_train)
    seconds = time.perf_counter() - start
    curves[name] = [log_loss(y_test, proba) for proba in model.staged_predict_proba(X_test)]
    n_trees = model.n_iter_ * trees_per_iteration[name]
    accuracy = accuracy_score(y_test, model.predict(X_test))
    print(f"{name:20} {n_trees:6} {seconds:8.2f} {curves[name][-1]:9.4f} {accuracy:9.4f}")

# %%
# What a leaf says. The first tree moves every row by the vector of its leaf: the difference between
# the logits after one iteration and those that all rows start from. Leaves are ordered by the digit
# that they favour.

import numpy as np

vector_leaves = models["vector leaves"]
first_logits = next(vector_leaves.staged_decision_function(X_train))
leaf_of_row = vector_leaves.apply(X_train)[:, 0]
leaves, first_row = np.unique(leaf_of_row, return_index=True)
leaf_values = first_logits[first_row] - vector_leaves.baseline_logits_
leaf_values = leaf_values[np.lexsort((leaf_values.max(axis=1), leaf_values.argmax(axis=1)))]

# %%
# On the left the loss against the number of trees grown. On the right the first tree, a row per
# leaf: a leaf raises one or two digits and lowers all others, and every row sums to zero.

import sys

import matplotlib.pyplot as plt

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for (name, losses), colour in zip(curves.items(), ["0.45", "C0"], strict=True):
    n_trees = trees_per_iteration[name] * np.arange(1, len(losses) + 1)
    left.loglog(n_trees, losses, label=name, color=colour)
left.set(xlabel="trees", ylabel="log-loss on the test digits (nats)")
left.legend(frameon=False)
left.grid(alpha=0.25)

limit = np.abs(leaf_values).max()
image = right.imshow(leaf_values, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto")
right.set(xticks=range(10), xlabel="digit", yticks=[], ylabel=f"the {len(leaves)} leaves")
right.set_title("Leaf vectors of the first tree", fontsize="medium")
figure.colorbar(image, label="change of the logit")

if __name__ == "__main__" and len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=150)
    print(f"picture saved to {sys.argv[1]}")
