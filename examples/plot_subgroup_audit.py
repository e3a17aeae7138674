"""
Subgroup audit: who is the model sure about?
============================================

The RAND health insurance experiment gave families insurance plans by lot and counted their visits
to a doctor. An insurer might predict visits from the plan alone, since that is what it knows. Here
such a model is audited by what it does not know: how healthy people say they are, and whether
something limits them. Run as a script, ``python plot_subgroup_audit.py [FILE]``, this page prints
its tables and saves its picture.
"""

# %%
# The data ship with statsmodels. Consecutive rows with the same covariates are years of one person,
# and rows of one person are not independent, as the tests of an audit require: one year of each
# person is kept. Half of the people are for training, half for the audit. Where the limitation is
# neither 0 nor 1 it was imputed; here it counts as missing.

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split
from statsmodels.datasets import randhie

years = randhie.load_pandas().data
known = years.drop(columns="mdvis")
people = years[(known != known.shift()).any(axis=1)]
visits = np.array(["none", "1-2", "3-5", "6+"])[np.digitize(people["mdvis"], [1, 3, 6])]

rating = people[["hlthg", "hlthf", "hlthp"]].to_numpy() @ [1, 2, 3]
scale = ["excellent", "good", "fair", "poor"]
groups = {
    "health": pd.Categorical.from_codes(rating.astype(int), scale),  # tables keep its order
    "limited": people["physlm"].map({0.0: "no", 1.0: "yes"}).to_numpy(),
}
plan = people[["lncoins", "idp", "lpi", "fmde"]]
health = people[["physlm", "disea", "hlthg", "hlthf", "hlthp"]]
train, test = train_test_split(np.arange(len(people)), random_state=0, test_size=0.5)
groups = {name: labels[test] for name, labels in groups.items()}

# %%
# Over everybody, the model of the plan looks fine: not sharp, but calibrated. Nothing says that it
# treats some people worse.

from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sksoftmax import MultinomialLogit
from sksoftmax.metrics import calibration_report, subgroup_report


def fit(*columns):
    """Classifier of visits from some of the columns, and what it says about the people held out."""
    X = np.hstack([part.to_numpy() for part in columns])
    model = make_pipeline(StandardScaler(), MultinomialLogit())
    model.fit(X[train], visits[train])
    return model.predict_proba(X[test]), model.classes_


proba, classes = fit(plan)
print(calibration_report(visits[test], proba, labels=classes))

# %%
# The audit. A star marks what differs from all other people by a test that allows for the number of
# tests. The group with too few people is named, and no number is made up for it.

report = subgroup_report(visits[test], proba, groups, labels=classes, intersections=1)
print(report)

# %%
# Over everybody the calibration error may well be zero; by groups it is not. For people with a
# limitation the log-loss is larger, while the stated entropy is the same as everybody's: the model
# does not know how little it knows about them. Worst off are those whose limitation is missing: to
# them no temperature would make its statements fit (``inf``).
#
# With what people say about their health among the features (the imputed numbers included, as they
# come), those in fair health and those with a limitation are no longer distinguishable by their
# calibration, and the model is surer of the former, with reason. One group remains, and it points
# at the data: an imputed number is treated like an answer, and where it is, the model is wrong.

proba_health, _ = fit(plan, health)
report_health = subgroup_report(visits[test], proba_health, groups, labels=classes, intersections=1)
print(report_health)

# %%
# As pictures: a full dot differs from the rest, the band is the interval of all people.

import sys
from pathlib import Path

import matplotlib.pyplot as plt

from sksoftmax.plotting import SubgroupDisplay

metrics = ["accuracy", "nll", "entropy", "ece", "temperature"]
figure = plt.figure(figsize=(11, 7), layout="constrained")
above, below = figure.subfigures(2, 1)
for part, each, title in [
    (above, report, "The plan alone"),
    (below, report_health, "The plan and what people say about their health"),
]:
    SubgroupDisplay(each).plot(metrics=metrics, ax=part.subplots())
    part.suptitle(title, x=0.01, ha="left", fontweight="bold", color="#27303f")
if "sphinx_gallery" in sys.modules:
    plt.show()
else:
    path = Path(sys.argv[1] if len(sys.argv) > 1 else "subgroup_audit.png").resolve()
    figure.savefig(path, dpi=150)
    print(f"picture: {path}")
