"""scikit-learn's own checks on every public estimator, with no expected failures."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksoftmax import MultinomialLogit

ESTIMATORS = [
    MultinomialLogit(),
    MultinomialLogit(solver="lbfgs"),
    MultinomialLogit(solver="newton-cholesky"),
    MultinomialLogit(solver="newton-cg"),
]


@parametrize_with_checks(ESTIMATORS)
@pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning"
)  # some checks separate classes
def test_scikit_learn_check_passes(estimator, check):
    check(estimator)
