"""scikit-learn's own checks on every public estimator, with no expected failures."""

import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksoftmax import (
    ConditionalLogit,
    EntropyActiveLearner,
    MultinomialLogit,
    OneVsRestComparator,
    OneVsRestLogit,
    SoftmaxBoostingClassifier,
    TemperatureScaling,
)

ESTIMATORS = [
    ConditionalLogit(),
    ConditionalLogit(C=10.0, covariance="robust"),
    MultinomialLogit(),
    MultinomialLogit(solver="lbfgs"),
    MultinomialLogit(solver="newton-cholesky"),
    MultinomialLogit(solver="newton-cg"),
    OneVsRestLogit(),
    OneVsRestLogit(solver="lbfgs", class_weight="balanced"),
    OneVsRestLogit(solver="newton-cg"),
    OneVsRestComparator(),
    OneVsRestComparator(use="one_vs_rest"),
    # subsample=1: of two equal rows a tree may draw one, but a row of weight 2 it draws as a whole
    SoftmaxBoostingClassifier(subsample=1.0, max_iter=20),
    SoftmaxBoostingClassifier(
        subsample=1.0, max_iter=5, multi_strategy="one_output_per_tree", n_jobs=1
    ),
    TemperatureScaling(),
    TemperatureScaling(GaussianNB()),
    TemperatureScaling(objective="brier"),
    EntropyActiveLearner(),
    EntropyActiveLearner(DecisionTreeClassifier(random_state=0), criterion="margin", refit="cold"),
]


@parametrize_with_checks(ESTIMATORS)
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)  # some checks separate classes
@pytest.mark.filterwarnings("ignore:The least populated class")  # scikit-learn 1.6 has such a check
def test_scikit_learn_check_passes(estimator, check):
    check(estimator)
