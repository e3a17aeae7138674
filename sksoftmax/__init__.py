"""Softmax models for scikit-learn on one exact, fast native kernel.

Every estimator is a map from parameters to logits; one shared kernel owns everything that happens
after the logits: probabilities, losses, gradients, curvature, entropy, masks, weights, soft targets
and temperature.

===========================  ======================================================================
`ConditionalLogit`           choices between alternatives with attributes and availability
`MultinomialLogit`           multinomial logistic regression, same objective as scikit-learn's
`OneVsRestLogit`             one binary logit per class, fitted together; several labels per row
`OneVsRestComparator`        softmax and one-vs-rest on the same data, and what the difference is
`SoftmaxBoostingClassifier`  gradient boosting, one tree with vector leaves per iteration
`TemperatureScaling`         post-hoc calibration by one temperature, with its interval
`EntropyActiveLearner`       active learning: which rows to label next, for any classifier
`sksoftmax.active`           comparison of strategies, stopping rules, committees
`sksoftmax.choice`           what belongs to `ConditionalLogit`: utilities, long and wide data
`sksoftmax.functional`       softmax, log_softmax, logsumexp, entropy, cross_entropy, derivatives
`sksoftmax.inference`        standard errors, tests, tables, elasticities, willingness to pay
`sksoftmax.metrics`          calibration errors and reports, an audit of subgroups, scorers
`sksoftmax.plotting`         reliability diagrams and pictures of the audit
`show_kernel`                which native code runs here, and on how many threads
===========================  ======================================================================
"""

from sksoftmax import active, choice, functional, inference, metrics, plotting
from sksoftmax._kernel import kernel_info
from sksoftmax._version import __version__
from sksoftmax.active import EntropyActiveLearner
from sksoftmax.boosting import SoftmaxBoostingClassifier
from sksoftmax.calibration import TemperatureScaling
from sksoftmax.choice import ConditionalLogit
from sksoftmax.comparison import OneVsRestComparator
from sksoftmax.linear import MultinomialLogit, OneVsRestLogit

__all__ = [
    "ConditionalLogit",
    "EntropyActiveLearner",
    "MultinomialLogit",
    "OneVsRestComparator",
    "OneVsRestLogit",
    "SoftmaxBoostingClassifier",
    "TemperatureScaling",
    "__version__",
    "active",
    "choice",
    "functional",
    "inference",
    "metrics",
    "plotting",
    "show_kernel",
]


def show_kernel() -> None:
    """Print which body of the kernel runs, which others this machine could run, and the threads.

    The kernel is compiled once per instruction set and one body is chosen when sksoftmax is
    imported: the widest that the processor supports. The environment variable ``SKSOFTMAX_KERNEL``
    forces another.

    Examples
    --------
    >>> import sksoftmax
    >>> sksoftmax.show_kernel()  # doctest: +ELLIPSIS
    sksoftmax ...
    kernel:    ...
    available: ...
    threads:   ...
    """
    info = kernel_info()
    print(f"sksoftmax {__version__}")
    print(f"kernel:    {info['name']}")
    print(f"available: {', '.join(info['available'])}")
    print(f"threads:   {info['n_threads']}")
