"""
Quickstart: handwritten digits
==============================

`MultinomialLogit` minimises what scikit-learn's ``LogisticRegression`` minimises, with the same
``C``, and goes wherever that goes: into a pipeline, under ``GridSearchCV``, beside any metric. Here
both meet 1,797 digits of 8 x 8 pixels, first as they come, then with a search. Run as a script,
``python plot_quickstart.py [FILE]``, this page prints its table and saves its picture.
"""

# %%
# Two fifths of the digits are held out. Pixels stay as they are, grey values from 0 to 16: the kind
# of columns that people forget to scale.

from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, stratify=y, random_state=0)

# %%
# On raw pixels: ``LogisticRegression`` with its defaults; with all the iterations it wants, as its
# warning advises; as accurate as ours, with its default solver and with the one that suits these
# data best; and `MultinomialLogit` with its defaults. Then the same five-fold search for both, in a
# pipeline. Ours has one thing more to search: ``label_smoothing`` moves a little of every label to
# the other classes, so that no odd digit can ask for huge coefficients.

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from sksoftmax import MultinomialLogit


def search(model, **grid):
    """A search for the smallest log-loss over parameters of the last step."""
    pipeline = Pipeline([("scale", MinMaxScaler()), ("model", model)])
    grid = {f"model__{name}": values for name, values in grid.items()}
    return GridSearchCV(pipeline, grid, scoring="neg_log_loss")


C, smoothing = np.logspace(-1, 3, 9), [0.0, 0.005, 0.02]
models = {
    "LogisticRegression": LogisticRegression(),
    "+ max_iter=10_000": LogisticRegression(max_iter=10_000),
    "+ tol=1e-6": LogisticRegression(max_iter=10_000, tol=1e-6),
    "+ newton-cholesky": LogisticRegression(tol=1e-6, solver="newton-cholesky"),
    "MultinomialLogit": MultinomialLogit(),
    "LogisticRegression, search": search(LogisticRegression(), C=C),
    "MultinomialLogit, search": search(MultinomialLogit(), C=C, label_smoothing=smoothing),
}

# %%
# Each is fitted once, on one thread (the work is small); a search counts all its fits. Ours covers
# three times as many points, so it is the time per fit that compares the two.

import time
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from threadpoolctl import threadpool_limits


def fit_and_time(model):
    """Seconds of ``fit``, the number of fits in it, and how many of them were cut short."""
    with threadpool_limits(1), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        start = time.perf_counter()
        model.fit(X_train, y_train)
        seconds = time.perf_counter() - start
    n_short = sum(warning.category is ConvergenceWarning for warning in caught)
    if isinstance(model, GridSearchCV):
        return seconds, len(model.cv_results_["params"]) * model.n_splits_ + 1, n_short
    return seconds, 1, n_short


def objective(model):
    """What the models on raw pixels minimise, with C = 1."""
    ridge = (model.coef_**2).sum() / 2
    return log_loss(y_train, model.predict_proba(X_train)) + ridge / len(y_train)


told = {name: fit_and_time(model) for name, model in models.items()}
value = {name: objective(model) for name, model in models.items() if "search" not in name}
above = {name: reached / min(value.values()) - 1 for name, reached in value.items()}

print(f"{'':26}  seconds  fits  ms per fit  cut short  above minimum  log-loss  accuracy")
for name, (seconds, n_fits, n_short) in told.items():
    model, gap = models[name], f"{above[name]:.2%}" if name in above else ""
    loss = log_loss(y_test, model.predict_proba(X_test))
    accuracy = accuracy_score(y_test, model.predict(X_test))
    time_told = f"{seconds:9.2f}{n_fits:6}{1e3 * seconds / n_fits:12.0f}"
    print(f"{name:26}{time_told}{n_short:11}{gap:>15}{loss:10.4f}{accuracy:10.3f}")
print(
    "cut short: fits that max_iter ended, with a ConvergenceWarning\n"
    "above minimum: how far the objective, mean cross-entropy plus ridge, is above the smallest of "
    "the first five\n"
    "log-loss, accuracy: on the held-out digits\n"
    "the two searches cover different grids (ours tries label_smoothing too): compare ms per fit"
)
best = models["MultinomialLogit, search"]
print(
    "the search found", ", ".join(f"{k.split('__')[1]}={v:g}" for k, v in best.best_params_.items())
)

# %%
# What each class learnt
# ----------------------
#
# The coefficients of a class are a picture of 8 x 8 pixels: ink on red speaks for the digit, ink on
# blue against it. The thin line is the outline of the average digit.

import matplotlib.pyplot as plt

INK, GREY, BLUE, RED = "#27303f", "#c5cbd3", "#2166ac", "#b2182b"


def heading(figure, text):
    """A title at the left margin."""
    figure.suptitle(text, x=0.01, ha="left", color=INK, fontsize="large", fontweight="bold")


def draw_templates(figure):
    """The ten coefficient pictures on one scale."""
    coef = best.best_estimator_["model"].coef_
    limit = np.quantile(np.abs(coef), 0.98)
    panels = figure.subplots(1, 10)
    for digit, panel in enumerate(panels):
        template, average = coef[digit].reshape(8, 8), X_train[y_train == digit].mean(axis=0)
        image = panel.imshow(template, cmap="RdBu_r", vmin=-limit, vmax=limit)
        panel.contour(average.reshape(8, 8), levels=[7], colors=INK, linewidths=0.8)
        panel.set(xticks=[], yticks=[], title=digit)
        panel.spines[:].set_color(GREY)
    bar = figure.colorbar(image, ax=panels, fraction=0.01, pad=0.01, shrink=0.5, extend="both")
    bar.outline.set_visible(False)
    bar.set_label("coefficient", color=INK)
    heading(figure, "What each class learnt: ink on red speaks for it, ink on blue against it")


# %%
# The hardest digits
# ------------------
#
# Those held-out digits that surprise the model most, by the cross-entropy of each row, above the
# probabilities it gave to the ten classes. The bar of the truth is drawn at least 0.03 high, to be
# seen.

from matplotlib.patches import Patch

from sksoftmax.functional import cross_entropy


def draw_hardest(figure):
    """The ten digits with the largest loss, and what the model thought of them."""
    loss = cross_entropy(best.decision_function(X_test), y_test, reduction="none")
    proba = best.predict_proba(X_test)
    panels = figure.subplots(2, 10, height_ratios=[1, 0.85])
    for (picture, bars), i in zip(panels.T, np.argsort(-loss), strict=False):
        picture.imshow(X_test[i].reshape(8, 8), cmap="Greys", vmin=0, vmax=16)
        picture.set(xticks=[], yticks=[])
        picture.set_title(f"a {y_test[i]}, loss {loss[i]:.1f}", fontsize="medium", color=INK)
        picture.spines[:].set_color(GREY)
        colors, height, truth = np.full(10, GREY), proba[i].copy(), y_test[i]
        colors[proba[i].argmax()], colors[truth] = RED, BLUE
        height[truth] = max(height[truth], 0.03)
        bars.bar(range(10), height, color=colors, width=0.8)
        bars.set(xlim=(-0.7, 9.7), ylim=(0, 1), yticks=[], xticks=range(10))
        bars.tick_params(labelsize="small", length=0, colors=INK)
        bars.get_xticklabels()[truth].set(color=BLUE, fontweight="bold")
        bars.spines[["left", "top", "right"]].set_visible(False)
        bars.spines["bottom"].set_color(GREY)
    heading(figure, "The hardest held-out digits")
    legend = [Patch(color=BLUE, label="the truth"), Patch(color=RED, label="what it bet on")]
    figure.legend(
        handles=legend, loc="upper right", bbox_to_anchor=(1, 1.04), ncols=2, frameon=False
    )


# %%
# What the search found, and what a fit costs
# -------------------------------------------
#
# Left, the log-loss over the folds. Without smoothing the two models are the same, and so are their
# scores, as far as ``LogisticRegression`` gets to its minimum; where C is too large, a little
# smoothing forgives it. Right, the seconds of one fit to raw pixels.


def draw_search(panel):
    """Log-loss over the folds against C, a line for each amount of smoothing."""
    results = best.cv_results_
    smoothed = np.array([point["model__label_smoothing"] for point in results["params"]])
    for shade, value in zip((1.0, 0.6, 0.35), smoothing, strict=True):
        scores = -results["mean_test_score"][smoothed == value]
        label = f"MultinomialLogit, label_smoothing={value:g}"
        panel.semilogx(C, scores, "o-", color=BLUE, alpha=shade, label=label)
    peer = -models["LogisticRegression, search"].cv_results_["mean_test_score"]
    panel.semilogx(C, peer, "x:", color=RED, label="LogisticRegression")
    panel.set(xlabel="C", ylabel="log-loss (nats)", ylim=(0, None))
    panel.set_title("Log-loss over five folds", loc="left", color=INK, fontweight="bold")
    panel.legend(frameon=False)
    panel.spines[["top", "right"]].set_visible(False)


def draw_times(panel):
    """Milliseconds of one fit to raw pixels, and how close to the minimum it came."""
    for row, name in enumerate(above):
        seconds, _, n_short = told[name]
        color = BLUE if "Multinomial" in name else RED
        close = above[name] < 1e-3
        panel.barh(row, seconds, color=color, height=0.6, alpha=1.0 if close else 0.35)
        end = "minimum reached" if close else f"{above[name]:.0%} above the minimum"
        text = f" {1e3 * seconds:.0f} ms, {end}" + ", warned" * n_short
        panel.text(seconds, row, text, va="center", color=INK)
    panel.set(yticks=range(len(above)), yticklabels=above, xticks=[])
    panel.set_title("Time of one fit to raw pixels", loc="left", color=INK, fontweight="bold")
    panel.set_xlim(0, 1.45 * max(told[name][0] for name in above))
    panel.invert_yaxis()
    panel.tick_params(length=0, labelcolor=INK)
    panel.spines[["top", "right", "bottom"]].set_visible(False)


# %%
# All of it
# ---------

import sys
from pathlib import Path

figure = plt.figure(figsize=(12.5, 8.4), layout="constrained")
figure.get_layout_engine().set(rect=(0.015, 0.01, 0.97, 0.98))  # a margin
top, middle, bottom = figure.subfigures(3, 1, height_ratios=[0.8, 1.3, 1.4])
draw_templates(top)
draw_hardest(middle)
left, right = bottom.subplots(1, 2)
draw_search(left)
draw_times(right)
if "sphinx_gallery" in sys.modules:
    plt.show()
else:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "quickstart.png").resolve()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
