"""
Query synthesis: asking about rows that do not exist
====================================================

Where rows can be made (a recipe, a measurement, a drawing), a model may ask about any point of the
feature space, not only about a pool. The most uncertain points there are, however, lie where no
data is, and their labels teach little. ``synthesize`` therefore weighs the entropy against the
distance to the data. Run as a script, ``python plot_query_synthesis.py [FILE]``, this page prints
its numbers and saves its first picture.
"""

# %%
# Real data in two dimensions: alcohol and flavanoids of 178 wines from three growers.

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from sksoftmax import EntropyActiveLearner, MultinomialLogit, SoftmaxBoostingClassifier
from sksoftmax.functional import entropy

wine = load_wine(as_frame=True)
X, y = wine.data[["alcohol", "flavanoids"]].to_numpy(), wine.target.to_numpy()
free = (-np.inf, np.inf)

models = {
    "linear (closed form, then L-BFGS-B)": MultinomialLogit(),
    "boosted trees (over their splits)": SoftmaxBoostingClassifier(
        max_iter=30, min_samples_leaf=10, random_state=0
    ),
    "15 neighbors (on segments)": KNeighborsClassifier(15),
}

# %%
# The shade is the entropy. With ``plausibility=0`` and no bounds the queries crowd where it is
# largest, whether there are wines or not: the linear model asks about the one point at which all
# three growers are equally probable (found in closed form) and about points beside it. With the
# default, a query costs a nat if it is as far from the nearest wine as wines are from each other,
# and the queries stay among the wines, along all the boundaries.


def draw(ax, name, model):
    learner = EntropyActiveLearner(model, random_state=0).fit(X, y)
    pure = learner.synthesize(6, plausibility=0, bounds=free)
    near = learner.synthesize(6)
    (x0, x1), (y0, y1) = (10, 16), (-1, 6)
    grid = np.meshgrid(np.linspace(x0, x1, 200), np.linspace(y0, y1, 200))
    proba = learner.predict_proba(np.column_stack([part.ravel() for part in grid]))
    with np.errstate(divide="ignore"):
        height = entropy(np.log(proba)).reshape(200, 200)
    ax.imshow(height, extent=(x0, x1, y0, y1), origin="lower", aspect="auto", cmap="Greys",
              vmin=0, vmax=2 * np.log(3), interpolation="bilinear")  # fmt: skip
    for k, color in enumerate(["#2166ac", "#1b7837", "#b2182b"]):
        ax.plot(*X[y == k].T, "o", ms=3, color=color, alpha=0.6, mew=0)
    ax.plot(*pure.T, "X", ms=8, color="white", mec="#27303f", label="plausibility 0, no bounds")
    ax.plot(*near.T, "*", ms=12, color="#ffb000", mec="#27303f", label="plausibility 1 (default)")
    ax.set(title=name, xlabel="alcohol", xlim=(x0, x1), ylim=(y0, y1))
    ax.title.set_fontsize("medium")
    return learner, near


figure, axes = plt.subplots(1, 3, figsize=(11, 4), sharey=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    learner, near = draw(ax, name, model)
    p = learner.predict_proba(near)
    print(f"{name}: largest probability of the queries {p.max(axis=1).round(2)}")
axes[0].set_ylabel("flavanoids")
axes[0].legend(loc="upper left", fontsize="small", framealpha=0.9)

if sys.argv[1:]:
    output = Path(sys.argv[1])
    figure.savefig(output, dpi=150)
    print("the picture is", output.resolve())

# %%
# Digits say it more plainly. Pixels stay whole numbers from 0 to 16. Without a penalty the model's
# most uncertain "digits" are no digits, all ten classes are equally probable, and whoever is asked
# can only shrug. With it they are digits that somebody might have written.

X_digits, y_digits = load_digits(return_X_y=True)
learner = EntropyActiveLearner(LogisticRegression(C=0.01, max_iter=1000), random_state=0)
learner.fit(X_digits, y_digits)

figure, axes = plt.subplots(2, 8, figsize=(9, 3.1), layout="constrained")
for line, plausibility in zip(axes, (0.0, 1.0), strict=True):
    new = learner.synthesize(8, plausibility=plausibility)
    for ax, row, p in zip(line, new, learner.predict_proba(new), strict=True):
        first, second = np.argsort(-p)[:2]
        ax.imshow(row.reshape(8, 8), cmap="gray_r", vmin=0, vmax=16)
        label = f"{first}: {100 * p[first]:.0f} %\n{second}: {100 * p[second]:.0f} %"
        ax.set(xticks=[], yticks=[])
        ax.set_xlabel(label, fontsize="small")
    line[0].set_ylabel(f"plausibility {plausibility:g}", fontsize="small")

# %%
# The answers come back by ``teach(y=labels, X=new)``; the pool stays as it is.
