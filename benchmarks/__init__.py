"""The promises about speed, measured beside the peers.

``python -m benchmarks`` measures every part, ``python -m benchmarks --only fit --quick`` one part
in a minute; ``make bench`` and ``make bench ONLY=fit QUICK=1`` do the same. One file is one part:

=====================  ===========================================================================
``softmax``            ``functional.softmax`` beside a plain copy, scipy and onnxruntime
``loss_gradient``      cross-entropy and its gradient beside scikit-learn's ``HalfMultinomialLoss``
``fit``                ``MultinomialLogit`` beside each solver of ``LogisticRegression``
``one_vs_rest``        ``OneVsRestLogit`` beside ``OneVsRestClassifier(LogisticRegression())``
``choice``             ``ConditionalLogit`` beside xlogit and statsmodels
``side_by_side``       two fits in two processes at once, beside the same two one after the other
``boosting_*``         ``SoftmaxBoostingClassifier`` beside LightGBM, XGBoost, CatBoost and
                       scikit-learn: time to a log-loss, defaults, prediction, cost, where it goes
``calibration``        ``TemperatureScaling`` beside scikit-learn, netcal and probmetrics
``calibration_error``  ``expected_calibration_error`` beside netcal
``active``             ``EntropyActiveLearner`` beside its own model, modAL and scikit-activeml
``active_labels``      labels that its strategies and random labels need on digits, letter, satimage
=====================  ===========================================================================

A part is a module with ``TITLE``, ``WHAT``, ``THREADS`` and ``run(setting) -> Table``. Every part
runs in a process of its own for each thread setting, asserts that the answers agree before it
compares times, takes turns (A B A B) and reports medians (of calls of milliseconds the shortest);
`harness` holds these rules, `boosting_worker` those of the libraries that get a process of their
own each, and `report` writes the tables to the terminal and into ``docs/performance.md``.
"""

PARTS = (
    *("softmax", "loss_gradient", "fit", "one_vs_rest", "choice", "side_by_side"),
    *("boosting_time", "boosting_defaults", "boosting_predict", "boosting_growth"),
    *("boosting_profile", "calibration", "calibration_error", "active", "active_labels"),
)
