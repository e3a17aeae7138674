"""Temperature scaling of given logits, beside scikit-learn, netcal and probmetrics."""

import contextlib
import importlib
import io
import warnings

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from benchmarks.harness import take_turns
from benchmarks.report import Ratio, Table
from sksoftmax import TemperatureScaling
from sksoftmax.functional import cross_entropy, softmax

TITLE = "Temperature scaling"
WHAT = """A temperature for given logits that are three times too large. Each tool fits as its users
call it: `TemperatureScaling(input="logits")` (which computes the interval too), scikit-learn's
`CalibratedClassifierCV(FrozenEstimator(model), method="temperature")` with a model whose
`decision_function` returns its input, netcal's `TemperatureScaling` (with `tensorboard=False`) and
probmetrics' bisection, both from probabilities that are there already. `excess` is how far the
mean log-loss at its temperature is above the smallest found by any of them, in nats; a time counts
only where that is below 1e-6. Times are milliseconds."""
THREADS = (1,)
SHAPES = {
    "full": [(10_000, 10), (100_000, 100)],
    "quick": [(10_000, 10), (20_000, 100)],
    "tiny": [(300, 5)],
}
ROUNDS = {"full": 3, "quick": 3, "tiny": 1}
SAME_OPTIMUM, FASTER = 1e-9, 8


class Given(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is X."""

    def fit(self, X, y):
        """Learn the classes."""
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        """X."""
        return X

    def predict(self, X):
        """The class of the largest."""
        return self.classes_[X.argmax(axis=1)]


class Ours:
    """TemperatureScaling on logits."""

    def __init__(self, logits, y):
        self.model = TemperatureScaling(input="logits")
        self.arguments = logits, y

    def fit(self):
        self.model.fit(*self.arguments)

    def temperature(self):
        return self.model.temperature_


class Sklearn:
    """CalibratedClassifierCV around a frozen classifier."""

    def __init__(self, logits, y):
        self.arguments = logits, y
        inner = FrozenEstimator(Given().fit(logits, y))
        self.model = CalibratedClassifierCV(inner, method="temperature")

    def fit(self):
        self.model.fit(*self.arguments)

    def temperature(self):
        return 1 / self.model.calibrated_classifiers_[0].calibrators[0].beta_


class Netcal:
    """Maximum likelihood with SciPy's optimizer on torch tensors."""

    def __init__(self, logits, y):
        self.scaling = importlib.import_module("netcal.scaling").TemperatureScaling
        self.arguments = softmax(logits), y

    def fit(self):
        self.model = self.scaling()
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            self.model.fit(*self.arguments, tensorboard=False)

    def temperature(self):
        return 1 / float(self.model.temperature[0])


class Probmetrics:
    """Thirty bisections of the gradient on torch tensors."""

    def __init__(self, logits, y):
        calibrators = importlib.import_module("probmetrics.calibrators")
        self.make = calibrators.TemperatureScalingCalibrator
        self.arguments = softmax(logits), y

    def fit(self):
        self.model = self.make(opt="bisection")
        self.model.fit(*self.arguments)

    def temperature(self):
        return 1 / float(self.model.invtemp_)


TOOLS = {"sklearn": Sklearn, "netcal": Netcal, "probmetrics": Probmetrics}


def run(setting):
    """Fits and times of each tool that is installed, for each shape."""
    table = Table(["shape", "dtype", "tool", "T", "excess", "ms", "tool / ours"])
    warnings.simplefilter("ignore")  # torch and its friends
    for shape in SHAPES[setting.size]:
        for dtype in ("float32", "float64"):
            add_rows(table, shape, dtype, setting)
    return table


def add_rows(table, shape, dtype, setting):
    """Fit once for the answers, take turns for the times."""
    rng = np.random.default_rng(0)
    logits = rng.normal(scale=1.5, size=shape)
    y = (logits + rng.gumbel(size=shape)).argmax(axis=1)
    logits = (3 * logits).astype(dtype)
    tools = {"ours": Ours(logits, y)} | installed(table, logits, y)
    for tool in tools.values():
        tool.fit()
    wide = logits.astype(np.float64)
    losses = {
        name: cross_entropy(wide, y, temperature=tool.temperature()) for name, tool in tools.items()
    }
    best = min(losses.values())
    assert losses["ours"] - best <= SAME_OPTIMUM, losses

    agreeing = {name: tool.fit for name, tool in tools.items() if losses[name] - best < 1e-6}
    timings = take_turns(agreeing, rounds=ROUNDS[setting.size], warm=None)  # each has run once
    for name, tool in tools.items():
        cells = [f"{tool.temperature():.6f}", f"{losses[name] - best:.0e}"]
        if name not in timings:
            cells += ["-", "another optimum"]
        else:
            cells.append(f"{1e3 * timings[name].wall:.1f}")
            promised = FASTER if name == "sklearn" and shape == (100_000, 100) else None
            ratio = Ratio(timings[name].wall / timings["ours"].wall, at_least=promised)
            cells.append("-" if name == "ours" else ratio)
        table.add(f"{shape[0]:,} x {shape[1]}", dtype, name, *cells)


def installed(table, logits, y):
    """The peers that can be imported; a note for each other."""
    found = {}
    for name, tool in TOOLS.items():
        try:
            found[name] = tool(logits, y)
        except ImportError as error:
            note = f"{name} is left out: {error}"
            if note not in table.notes:
                table.notes.append(note)
    return found
