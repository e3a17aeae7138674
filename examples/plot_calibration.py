"""
Calibration: how sure is sure?
==============================

A random forest and a linear model with little penalty read the same handwritten digits. They are
right about equally often, but one says "perhaps" too often and the other "certainly". One
temperature each, `TemperatureScaling`, mends both without changing a single prediction. Run as a
script, ``python plot_calibration.py [FILE]``, this page prints its table and saves its picture.
"""

# %%
# Three parts of the digits: one to fit the classifiers, one to calibrate them, one to look at. The
# classifiers are frozen, so all rows of the second part go into the temperature.

from sklearn.datasets import load_digits
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split

from sksoftmax import MultinomialLogit, TemperatureScaling

X, y = load_digits(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(X, y, test_size=0.6, stratify=y, random_state=0)
X_fit, X_test, y_fit, y_test = train_test_split(
    X_rest, y_rest, test_size=0.6, stratify=y_rest, random_state=0
)
classifiers = {
    "random forest": RandomForestClassifier(300, random_state=0),
    "linear model": MultinomialLogit(C=100.0),
}
for model in classifiers.values():
    model.fit(X_train, y_train)
calibrated = {
    name: TemperatureScaling(FrozenEstimator(model)).fit(X_fit, y_fit)
    for name, model in classifiers.items()
}

# %%
# A temperature below 1 sharpens, one above 1 tempers. Its interval says how sure that is: neither
# holds 1, so both classifiers did need it.

import numpy as np
from sklearn.metrics import log_loss


def mean_confidence(model):
    """The mean probability of the class that is predicted."""
    return model.predict_proba(X_test).max(axis=1).mean()


print(f"{'':14}  temperature (95 %)   accuracy   confidence before, after   log-loss before, after")
for name, before in classifiers.items():
    after = calibrated[name]
    low, high = after.temperature_interval_
    confidence = f"{mean_confidence(before):.3f}, {mean_confidence(after):.3f}"
    loss = [log_loss(y_test, model.predict_proba(X_test)) for model in (before, after)]
    print(
        f"{name:14}  {after.temperature_:.2f} ({low:.2f} to {high:.2f})  "
        f"{after.score(X_test, y_test):9.3f}   {confidence:>24}   {loss[0]:.3f}, {loss[1]:.3f}"
    )
    assert (before.predict(X_test) == after.predict(X_test)).all()

# %%
# What the temperature does
# -------------------------
#
# Left, the log-loss of the calibration rows against the temperature: a valley with one lowest
# point. The band is the 95 per cent interval. Right, the test rows in ten groups of equal size,
# from the least to the most confident: on the diagonal the share that is right is what was
# promised. Most digits are easy, so most groups crowd at the top.

import matplotlib.pyplot as plt

from sksoftmax.functional import cross_entropy

INK, GREY, BLUE, RED = "#27303f", "#c5cbd3", "#2166ac", "#b2182b"


def logits_of(model, X):
    """What `TemperatureScaling` divides by the temperature."""
    scaled = calibrated[model].decision_function(X)
    return scaled * calibrated[model].temperature_


def draw_loss(panel, name, color):
    """Mean log-loss of the calibration rows, over a range of temperatures."""
    model, logits = calibrated[name], logits_of(name, X_fit)
    temperatures = np.geomspace(0.1, 10, 200)
    loss = [cross_entropy(logits, y_fit, temperature=t) for t in temperatures]
    best = cross_entropy(logits, y_fit, temperature=model.temperature_)
    panel.semilogx(temperatures, loss, color=color)
    panel.axvspan(*model.temperature_interval_, color=color, alpha=0.15, lw=0)
    panel.plot(model.temperature_, best, "o", color=color)
    panel.annotate(
        f"{name}\nT = {model.temperature_:.2f}",
        (model.temperature_, best),
        xytext=(0, -10),
        textcoords="offset points",
        ha="center",
        va="top",
        color=color,
    )


def draw_reliability(panel, name, color):
    """Share right against mean confidence, in groups of equal size, before and after."""
    right = calibrated[name].predict(X_test) == y_test
    for model, style, label in (
        (classifiers[name], "o--", "before"),
        (calibrated[name], "o-", "after"),
    ):
        confidence = model.predict_proba(X_test).max(axis=1)
        groups = np.array_split(np.argsort(confidence), 10)
        promised = [confidence[group].mean() for group in groups]
        found = [right[group].mean() for group in groups]
        alpha = 0.45 if label == "before" else 1.0
        panel.plot(promised, found, style, color=color, alpha=alpha, ms=4, label=f"{name}, {label}")


# %%
# All of it
# ---------

import sys
from pathlib import Path

figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
for name, color in zip(classifiers, (BLUE, RED), strict=True):
    draw_loss(left, name, color)
    draw_reliability(right, name, color)
left.axvline(1, color=GREY, lw=1, zorder=0)
left.set(xlabel="temperature T", ylabel="log-loss (nats)", ylim=(-0.05, 1.02))
left.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
left.set_title("One temperature fits best", loc="left", color=INK, fontweight="bold")
left.text(1.05, 0.97, "T = 1", color=INK, alpha=0.6)
right.plot([0, 1], [0, 1], color=GREY, lw=1, zorder=0)
right.set(
    xlabel="mean confidence", ylabel="share that is right", xlim=(0.3, 1.02), ylim=(0.3, 1.02)
)
right.set_aspect("equal")
right.set_title("Promised and kept", loc="left", color=INK, fontweight="bold")
right.legend(frameon=False, loc="lower right")
for panel in (left, right):
    panel.spines[["top", "right"]].set_visible(False)
    panel.minorticks_off()
    panel.tick_params(colors=INK)
if "sphinx_gallery" in sys.modules:
    plt.show()
else:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "calibration.png").resolve()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
