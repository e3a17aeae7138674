"""
Travel mode: who flies if fares rise?
=====================================

210 people who travelled between Sydney, Canberra and Melbourne said which of four modes they took,
and what each would have cost them in money and time. A conditional logit of their choices says how
they weigh the two, and who would travel how if fares changed. Run as a script,
``python plot_travel_mode.py [FILE]``, this page prints its tables and saves its picture.
"""

# %%
# The data ship with statsmodels: one row per traveller and mode. The generalized cost ``gc`` is the
# fare plus the time in the vehicle at its price; terminal time is in minutes, household income in
# thousands of dollars.

import numpy as np
from statsmodels.datasets import modechoice

from sksoftmax.choice import ConditionalLogit, linear_utilities, long_to_wide

trips = modechoice.load_pandas().data
trips["mode"] = trips["mode"].map({1: "air", 2: "train", 3: "bus", 4: "car"})
trips = trips.rename(columns={"invc": "fare", "gc": "cost", "ttme": "terminal", "hinc": "income"})
X, y, _ = long_to_wide(
    trips,
    case="individual",
    alternative="mode",
    chosen="choice",
    attributes=["fare", "cost", "terminal", "income"],
)
print(X.head(3).T)

# %%
# Cost and terminal time have one coefficient each; income makes each mode more or less likely than
# the car. The summary is what would be published, the elasticities are those of everybody's choice
# by the cost of flying.

utilities = linear_utilities(
    ["car", "air", "train", "bus"],
    generic={"cost": "{alt}_cost", "terminal": "{alt}_terminal"},
    case=["income"],
    base="car",
)
model = ConditionalLogit(utilities).fit(X, y)
print(model.results_.summary())
print(model.results_.elasticities(X, "air_cost"))

# %%
# The travellers were sampled by mode: one in four by car, where it is about two in three. The
# slopes are estimated well all the same, but the constants are those of the sample. They are
# calibrated to the shares of the population (those of W. H. Greene, Econometric Analysis), and
# predictions are then about the population's mix of modes.

population = {"air": 0.14, "train": 0.13, "bus": 0.09, "car": 0.64}
calibrated = model.calibrate_constants(X, population)
print("sample:    ", {mode: round(share, 3) for mode, share in model.shares(X).items()})
print("calibrated:", {mode: round(share, 3) for mode, share in calibrated.shares(X).items()})

# %%
# Now money changes: a scenario is the same table with another column. When flights double in price,
# the model expects four in ten of their passengers elsewhere, most of them in cars; driving, which
# costs little money, loses few travellers to the same change.

import sys
from pathlib import Path

import matplotlib.pyplot as plt

COLOURS = {"car": "#27303f", "air": "#c8553d", "train": "#2a7f9e", "bus": "#8a8f3c"}
changes = np.linspace(-0.5, 1.0, 31)


def shares_as(mode):
    """Shares of all modes while what one of them costs in money changes, (n_changes, n_modes)."""
    cost, fare = f"{mode}_cost", X[f"{mode}_fare"]
    return np.array(
        [calibrated.shares(X.assign(**{cost: X[cost] + change * fare})) for change in changes]
    )


figure, axes = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True, layout="constrained")
for ax, mode, label in zip(
    axes, ("air", "car"), ("Change of air fares", "Change of the cost of driving"), strict=True
):
    shares = 100 * shares_as(mode)
    for j, each in enumerate(calibrated.classes_):
        width = 2.6 if each == mode else 1.6
        ax.plot(100 * changes, shares[:, j], color=COLOURS[each], linewidth=width)
    height = -np.inf
    for j in shares[-1].argsort():  # names at the ends of the lines, none over another
        each, height = calibrated.classes_[j], max(shares[-1, j], height + 3.5)
        weight = "bold" if each == mode else "normal"
        ax.text(102, height, each, va="center", color=COLOURS[each], fontweight=weight)
    ax.axvline(0, color="#b8bec8", linewidth=0.8, zorder=0)
    ax.set_xlabel(label)
    ax.set_xlim(-50, 116)
    ax.spines["bottom"].set_bounds(-50, 100)
    ax.set_xticks([-50, 0, 50, 100], ["-50 %", "as it is", "+50 %", "+100 %"])
    ax.spines[["top", "right"]].set_visible(False)
axes[0].set_ylabel("Predicted share of travellers (%)")
axes[0].set_ylim(0, 80)
figure.suptitle("Market shares under a price change", x=0.01, ha="left", fontweight="bold")
if "sphinx_gallery" in sys.modules:
    plt.show()
else:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "travel_mode.png").resolve()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
