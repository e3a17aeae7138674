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
# point. The band is the 95 per cent interval. Then a reliability diagram for each classifier,
# `ReliabilityDisplay`, of the test rows before and after: on the diagonal the share that is right
# is what was promised. Dots grow with the rows in their bin, whiskers are 95 per cent intervals,
# and the strip on top shows where the confidences are: the forest learns to say "certainly", the
# linear model to say it less often.

import matplotlib.pyplot as plt

from sksoftmax.functional import cross_entropy
from sksoftmax.plotting import ReliabilityDisplay

INK, GREY, BLUE, RED = "#27303f", "#8b95a3", "#2166ac", "#b2182b"


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
    """Share right against mean confidence, before and after."""
    for model, shown, ink in (
        (classifiers[name], "before", GREY),
        (calibrated[name], "after", color),
    ):
        ReliabilityDisplay.from_estimator(
            model, X_test, y_test, n_bins=10, name=shown, ax=panel, color=ink
        )
    title(panel, f"{name.capitalize()}: promised and kept")


def title(panel, text):
    """A heading on the left."""
    panel.set_title(text, loc="left", color=INK, fontweight="bold")


# %%
# All of it
# ---------

import sys
from pathlib import Path

figure, (left, *panels) = plt.subplots(1, 3, figsize=(14, 6.2), layout="constrained")
for name, panel, color in zip(classifiers, panels, (BLUE, RED), strict=True):
    draw_loss(left, name, color)
    draw_reliability(panel, name, color)
left.axvline(1, color=GREY, lw=1, zorder=0)
left.set(xlabel="temperature T", ylabel="log-loss (nats)", ylim=(-0.05, 1.02), box_aspect=1)
left.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
left.text(1.05, 0.97, "T = 1", color=INK, alpha=0.6)
left.spines[["top", "right"]].set_visible(False)
left.minorticks_off()
left.tick_params(colors=INK)
title(left, "One temperature fits best")
if "sphinx_gallery" in sys.modules:
    plt.show()
else:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "calibration.png").resolve()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
