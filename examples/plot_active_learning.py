"""
Active learning: which digits should a person look at?
======================================================

Labels cost time; pixels do not. Here a pool of scanned digits has no labels, and a model asks for
those that it is least certain about. Is that better than labeling digits as they come? The answer
is measured, always beside random labels. Run as a script, ``python plot_active_learning.py
[FILE]``, this page prints its numbers and saves its last picture.
"""

# %%
# The pool has 1,347 digits and no label, 450 more are for the test. ``query`` names the rows to
# look at, ``teach`` takes their labels and fits again. The first query is random: nothing is known.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sksoftmax import EntropyActiveLearner, MultinomialLogit

X, y = load_digits(return_X_y=True)
X_pool, X_test, answers, y_test = train_test_split(X, y, stratify=y, random_state=0)

learner = EntropyActiveLearner(MultinomialLogit(), batch_size=10, random_state=0).fit(X_pool)
for _ in range(15):
    rows = learner.query()
    learner.teach(rows, answers[rows])  # here a person would look at X_pool[rows]
print(f"{learner.n_labels_} labels, accuracy {learner.score(X_test, y_test):.3f}")

# %%
# What does it ask about next? Digits that a person, too, has to look at twice. The number below is
# the entropy in nats; log(10) = 2.3 would be a guess among all ten.

import matplotlib.pyplot as plt

rows, entropy = learner.query(return_scores=True)
figure, axes = plt.subplots(1, 10, figsize=(9, 1.5), layout="constrained")
for ax, row, score in zip(axes, rows, entropy, strict=True):
    ax.imshow(X_pool[row].reshape(8, 8), cmap="gray_r")
    ax.set(xticks=[], yticks=[], xlabel=f"{score:.2f}")
figure.suptitle("the next ten queries, the most uncertain first", fontsize="medium")

# %%
# ``run`` does the rounds in one call. It takes the labels, or a function that asks somebody, and it
# keeps every label if that function raises; the same call goes on later. Rules end it before the
# budget does: this one when, three rounds in a row, 99 per cent of the pool are predicted as in the
# round before.

run = EntropyActiveLearner(
    MultinomialLogit(), criterion="margin", batch_size=10, stopping="stability", random_state=0
)
run.run(X_pool, lambda rows: answers[rows], budget=600, X_test=X_test, y_test=y_test)
last = run.history_[-1]
print(
    f"stopped by {run.stop_reason_} after {run.n_labels_} labels, "
    f"accuracy {last['test_score']:.3f}, {100 * last['agreement']:.1f} % of the pool unchanged"
)

# %%
# Is it worth it? ``compare_strategies`` repeats everything on other splits, and random labels run
# along whether asked for or not. All start with the same ten.

from sksoftmax.active import compare_strategies

comparison = compare_strategies(
    MultinomialLogit(),
    X,
    y,
    {
        "entropy": "entropy",
        "entropy, density": {"criterion": "entropy", "diversity": "density"},
        "margin": "margin",
    },
    budget=250,
    n_repeats=5,
    batch_size=10,
    random_state=0,
)
print(comparison)

# %%
# The picture. Entropy starts below random labels: with few labels the model is wrong about what it
# does not know, and it asks for odd digits. It overtakes them later; the margin, which looks at the
# two most probable classes only, is ahead from early on.

import sys
from pathlib import Path

from sksoftmax.plotting import ActiveLearningDisplay

display = ActiveLearningDisplay.from_comparison(comparison)
display.ax_.set_title("Digits: accuracy against labels, mean and 95 % interval of five runs",
                      fontsize="medium")  # fmt: skip

if sys.argv[1:]:
    output = Path(sys.argv[1])
    display.figure_.savefig(output, dpi=150)
    print("the picture is", output.resolve())
