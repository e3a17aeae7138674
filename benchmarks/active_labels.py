"""How many labels active learning needs for 95 per cent of the accuracy with all of them."""

import time

import numpy as np
from sklearn.datasets import load_digits
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.boosting_data import TABULAR
from benchmarks.report import Table
from sksoftmax import MultinomialLogit
from sksoftmax.active import compare_strategies

TITLE = "Active learning: labels needed"
WHAT = """Labels until the test accuracy first reaches 95 per cent of that with all training labels:
median over the seeds, and the second smallest and second largest of ten. Each seed splits the rows
anew (a quarter to test on, at most 5,000), draws 10 (letter: 52) first rows at random, the same for
all strategies, and goes on in batches (digits 5, satimage 10, letter 40) up to the budget. The
model is `make_pipeline(StandardScaler(), MultinomialLogit())`. `saved` compares medians with random
labels: negative where the strategy needs more. `area` is the mean accuracy over the whole curve."""
THREADS = (1,)
REPEATS = {"full": 10, "quick": 2, "tiny": 2}
# name: (batch, first rows, budget, test rows)
SETS = {
    "digits": (5, 10, 300, 0.25),
    "satimage": (10, 10, 1000, 0.25),
    "letter": (40, 52, 4012, 5000),
}
STRATEGIES = {
    "entropy": "entropy",
    "margin": "margin",
    "entropy, density": {"criterion": "entropy", "diversity": "density"},
}
TINY = ("digits",)


def run(setting):
    """Learning curves of each set, as labels needed."""
    table = Table(
        ["data", "all labels", "strategy", "labels", "(2nd, 9th)", "saved", "last", "area"]
    )
    for name in TINY if setting.size == "tiny" else SETS:
        found = load(name)
        if found is None:
            table.notes.append(f"{name} is left out: its file is not there")
            continue
        add_rows(table, name, *found, setting)
    return table


def load(name):
    """Features and labels."""
    if name == "digits":
        return load_digits(return_X_y=True)
    path = TABULAR / f"{name}.npz"
    if not path.exists():
        return None
    with np.load(path) as data:
        return data["X"].astype(np.float64), data["y"]


def add_rows(table, name, X, y, setting):
    """A row for each strategy."""
    batch, first, budget, test = SETS[name]
    start = time.process_time()
    comparison = compare_strategies(
        make_pipeline(StandardScaler(), MultinomialLogit()),
        X,
        y,
        STRATEGIES,
        budget if setting.size != "tiny" else 60,
        REPEATS[setting.size],
        batch_size=batch,
        n_initial=first,
        test_size=test,
        random_state=0,
    )
    labels, area = comparison.labels_to_reach(0.95), comparison.area()
    usual = float(np.median(labels["random"]))
    for strategy, scores in comparison.scores.items():
        ordered = np.sort(labels[strategy])
        middle = float(np.median(ordered))
        second, last_but_one = ordered[len(ordered) // 10], ordered[-1 - len(ordered) // 10]
        table.add(
            name,
            f"{comparison.full_score.mean():.3f}",
            strategy,
            shown(middle, budget),
            f"({shown(second, budget)}, {shown(last_but_one, budget)})",
            "-" if strategy == "random" else saved(middle, usual),
            f"{scores[:, -1].mean():.3f}",
            f"{area[strategy].mean():.3f}",
        )
    table.notes.append(f"{name}: {time.process_time() - start:.0f} s of CPU")


def shown(n_labels, budget):
    """A number of labels, or that the budget was not enough."""
    return f"{n_labels:.0f}" if np.isfinite(n_labels) else f"> {budget}"


def saved(middle, usual):
    """The share of labels that is saved beside random ones, in per cent."""
    if not np.isfinite([middle, usual]).all():
        return "-"
    return f"{100 * (1 - middle / usual):.0f} %"
