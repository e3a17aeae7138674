"""How good probabilities are: calibration errors, reports, an audit of subgroups, scorers.

============================  =====================================================================
`expected_calibration_error`  one number: top-label or classwise, equal-width or equal-mass bins
`calibration_report`          log-loss, Brier score, accuracy, entropy, ECE, each with an interval
`subgroup_report`             the same per group, with tests of the differences
`CalibrationErrorScorer`      the calibration error for ``scoring=``
`LogLossScorer`               the log-loss for ``scoring=``, with offsets and masks
============================  =====================================================================
"""

from sksoftmax.metrics._calibration_error import expected_calibration_error
from sksoftmax.metrics._calibration_report import CalibrationReport, calibration_report
from sksoftmax.metrics._estimates import Estimate
from sksoftmax.metrics._log_loss import LogLossScorer, log_loss_scorer
from sksoftmax.metrics._scorers import CalibrationErrorScorer, calibration_error_scorer
from sksoftmax.metrics._subgroup_report import Subgroup, SubgroupReport, subgroup_report
from sksoftmax.metrics._subgroup_tests import TemperatureTest

__all__ = [
    "CalibrationErrorScorer",
    "CalibrationReport",
    "Estimate",
    "LogLossScorer",
    "Subgroup",
    "SubgroupReport",
    "TemperatureTest",
    "calibration_error_scorer",
    "calibration_report",
    "expected_calibration_error",
    "log_loss_scorer",
    "subgroup_report",
]
