"""
Softmax and one-vs-rest
=======================

One-vs-rest fits a binary logit for each class against all others and divides the probabilities by
their sum; a softmax fits all classes in one model. What is the difference worth? Here both read
letters, or handwritten digits where the letters are not at hand. Run as a script,
``python plot_one_vs_rest.py [FILE]``, this page prints its tables and saves its pictures.
"""

# %%
# The letters of Frey and Slate (1991): 16 numbers about the picture of a capital letter, and 26
# classes. A row in five is kept for the judgement.

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

letters = Path("../shared/data/tabular/letter.npz")
letters = next((path for path in (letters, Path("..") / letters) if path.exists()), None)
if letters is None:
    X, y = load_digits(return_X_y=True)
else:
    with np.load(letters, allow_pickle=False) as data:
        X, y = data["X"], data["y"]
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, stratify=y, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)
print(f"{len(X)} rows, {X.shape[1]} features, {len(np.unique(y))} classes")

# %%
# Both models get the same rows and the same penalty. The report says how good their probabilities
# are on the rows kept back, how far those of one-vs-rest are from summing to one, and how far its
# log-odds are from linear.

from sksoftmax import MultinomialLogit, OneVsRestComparator

comparator = OneVsRestComparator(MultinomialLogit(C=1.0)).fit(X_train, y_train)
report = comparator.report(X_test, y_test, n_bootstrap=5, max_dropped=2, random_state=0)
print(report)

# %%
# The same as a picture. On the left what one-vs-rest divides by; in the middle what it loses
# against the softmax, with paired intervals; on the right, for each pair of classes, how much of
# the log-odds is not linear in the features.

figure = report.plot()

# %%
# How precise is each where the softmax is true? Rows are drawn from a softmax with four classes and
# three features, both models are fitted to them without a penalty, and their probabilities are
# compared with the true ones.

import warnings

from sklearn.exceptions import ConvergenceWarning

from sksoftmax import OneVsRestLogit
from sksoftmax.functional import softmax


def simulate(n_samples, slope, repeats, seed=0):
    """Noise of the slopes, variance and squared error of probabilities, of both models."""
    rng = np.random.default_rng(seed)
    coef = slope * rng.normal(size=(4, 3))
    X_new = rng.normal(size=(2000, 3))
    truth = softmax(X_new @ coef.T)
    found = {MultinomialLogit: ([], []), OneVsRestLogit: ([], [])}
    for _ in range(repeats):
        X = rng.normal(size=(n_samples, 3))
        y = (X @ coef.T + rng.gumbel(size=(n_samples, 4))).argmax(axis=1)
        for model, (slopes, probas) in found.items():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fit = model(C=np.inf).fit(X, y)
            slopes.append(fit.coef_ - fit.coef_.mean(axis=0))
            probas.append(fit.predict_proba(X_new))
    numbers = []
    for slopes, probas in found.values():
        noise = np.var(slopes, axis=0, ddof=1).sum() / (np.mean(slopes, axis=0) ** 2).sum()
        variance = np.var(probas, axis=0, ddof=1).mean()
        numbers.append([noise, variance, np.mean((np.array(probas) - truth) ** 2)])
    return np.array(numbers)


sizes = (100, 300, 1000, 3000)
errors = []
print(f"{'rows':>6} {'variance ratio':>15} {'squared error: softmax':>23} {'one-vs-rest':>12}")
for n_samples in sizes:
    of_softmax, of_rest = simulate(n_samples, slope=1.0, repeats=30)
    errors.append([of_softmax[2], of_rest[2]])
    print(
        f"{n_samples:6} {of_rest[1] / of_softmax[1]:15.2f} {of_softmax[2]:23.5f} {of_rest[2]:12.5f}"
    )

# %%
# One-vs-rest varies less from sample to sample, but around something else: normalized sigmoids
# cannot equal a softmax. Its error stops falling, that of the softmax goes on like 1 / n.

import sys

import matplotlib.pyplot as plt

curves, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for values, name, color in zip(
    np.transpose(errors), ("softmax", "one-vs-rest"), ("#2166ac", "#d95f02"), strict=True
):
    ax.loglog(sizes, values, "o-", color=color)
    ax.annotate(
        name, (sizes[-1], values[-1]), (8, 0), textcoords="offset points", color=color, va="center"
    )
ax.set(xlabel="rows", ylabel="mean squared error of the probabilities", xlim=(80, 8000))
ax.spines[["top", "right"]].set_visible(False)
ax.set_title("Labels drawn from a softmax", loc="left")

if len(sys.argv) > 1:
    figure.savefig(sys.argv[1], dpi=150)
    curves.savefig(Path(sys.argv[1]).with_stem(Path(sys.argv[1]).stem + "_error"), dpi=150)
