"""ConditionalLogit beside xlogit and the conditional logit of statsmodels."""

import importlib
import resource
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.harness import assert_agree, take_turns
from benchmarks.report import Ratio, Table
from sksoftmax import ConditionalLogit

TITLE = "Conditional logit"
WHAT = """`ConditionalLogit` from a data frame to estimates, with standard errors from the Hessian
and robust ones: wide data (one row per case) by `fit`, the same as long data by `fit_long`. xlogit
(its `MultinomialLogit`) gets arrays of long data and computes standard errors from the Hessian
only; statsmodels (its `ConditionalLogit`) fits once, as it takes its time. Estimates, standard
errors and log-likelihoods are compared first; xlogit stops at 5 digits. Times are milliseconds of
CPU. The first row is ragged long data, which xlogit refuses, with the growth of the process's
largest memory beside the size of the columns that the model uses."""
THREADS = (1,)
SWISSMETRO = Path(__file__).parents[2] / "shared" / "data" / "choice" / "swissmetro.dat.gz"
ROUNDS = {"full": 3, "quick": 3, "tiny": 1}
SHAPES = {  # cases, alternatives, parameters, how much faster than xlogit
    "full": [(50_000, 10, 10, 10), (20_000, 10, 40, 40)],
    "quick": [(5_000, 10, 10, 10), (2_000, 10, 40, 40)],
    "tiny": [(300, 4, 3, None)],
}
RAGGED = {"full": (180_000, 10), "quick": (18_000, 10), "tiny": (300, 3)}


@dataclass
class Problem:
    """The same choices wide and long; long rows are case by case, filled up where unavailable."""

    name: str
    utilities: dict
    availability: dict
    X: pd.DataFrame
    y: np.ndarray
    design: np.ndarray  # (n_cases, n_alternatives, n_parameters)
    available: np.ndarray
    names: list

    @property
    def codes(self):
        return np.searchsorted(sorted(self.utilities), self.y)


def swissmetro():
    """6,768 cases of 3 alternatives; None where the file is not."""
    if not SWISSMETRO.exists():
        return None
    X = pd.read_csv(SWISSMETRO, sep="\t")
    X = X[X["PURPOSE"].isin([1, 3]) & (X["CHOICE"] != 0)].reset_index(drop=True)
    pays = X["GA"] == 0
    for mode in ("TRAIN", "SM", "CAR"):
        X[f"{mode}_TIME"] = X[f"{mode}_TT"] / 100
        X[f"{mode}_COST"] = X[f"{mode}_CO"] * (1 if mode == "CAR" else pays) / 100
    X["TRAIN_OPEN"], X["CAR_OPEN"] = X["TRAIN_AV"] * (X["SP"] != 0), X["CAR_AV"] * (X["SP"] != 0)
    utilities = {
        mode: {"time": f"{mode}_TIME", "cost": f"{mode}_COST"} for mode in ("CAR", "SM", "TRAIN")
    }
    for mode in ("CAR", "TRAIN"):
        utilities[mode][f"asc_{mode}"] = 1
    y = X["CHOICE"].map({1: "TRAIN", 2: "SM", 3: "CAR"}).to_numpy()
    design = np.zeros((len(X), 3, 4))
    for j, mode in enumerate(utilities):
        design[:, j, 0], design[:, j, 1] = X[f"{mode}_TIME"], X[f"{mode}_COST"]
    design[:, 0, 2] = design[:, 2, 3] = 1.0
    available = np.column_stack([X["CAR_OPEN"], X["SM_AV"], X["TRAIN_OPEN"]]).astype(bool)
    availability = {"CAR": "CAR_OPEN", "SM": "SM_AV", "TRAIN": "TRAIN_OPEN"}
    names = ["time", "cost", "asc_CAR", "asc_TRAIN"]
    return Problem("Swissmetro", utilities, availability, X, y, design, available, names)


def synthetic(n_cases, n_alternatives, n_parameters):
    """Generic attributes, all alternatives available."""
    rng = np.random.default_rng(0)
    design = rng.standard_normal((n_cases, n_alternatives, n_parameters))
    params = rng.standard_normal(n_parameters) / np.sqrt(n_parameters)
    codes = (design @ params + rng.gumbel(size=design.shape[:2])).argmax(axis=1)
    names = [f"b{k}" for k in range(n_parameters)]
    columns = [f"x{k}_{j}" for j in range(n_alternatives) for k in range(n_parameters)]
    X = pd.DataFrame(design.reshape(n_cases, -1), columns=columns)
    utilities = {
        j: {name: f"x{k}_{j}" for k, name in enumerate(names)} for j in range(n_alternatives)
    }
    shape = f"{n_cases:,} x {n_alternatives}, {n_parameters} parameters"
    available = np.ones(design.shape[:2], dtype=bool)
    return Problem(shape, utilities, {}, X, codes, design, available, names)


def fit_wide(problem):
    """Estimates and both kinds of standard errors, in the order of the design."""
    model = ConditionalLogit(problem.utilities, availability=problem.availability, n_jobs=1)
    return _answers(model.fit(problem.X, problem.y), problem.names)


def long_frame(problem):
    """One row per available alternative."""
    case, alternative = np.nonzero(problem.available)
    frame = pd.DataFrame(problem.design[problem.available], columns=problem.names)
    return frame.assign(case=case, alt=alternative, chosen=problem.codes[case] == alternative)


def fit_long(frame, names):
    """The same from long data."""
    model = ConditionalLogit(n_jobs=1).fit_long(
        frame, case="case", alternative="alt", chosen="chosen", features=names
    )
    return _answers(model, names)


def _answers(model, names):
    order = [model.params_.keys().index(name) for name in names]
    results = model.results_
    errors = [
        results.with_covariance(kind).standard_errors[order] for kind in ("hessian", "robust")
    ]
    return model.params_.values[order], *errors, model.loglik_


def xlogit_fit(module, problem):
    """A function without arguments: xlogit's fit of arrays that are ready for it."""
    n, J, K = problem.design.shape
    chosen = np.zeros((n, J))
    chosen[np.arange(n), problem.codes] = 1
    arguments = {
        "X": problem.design.reshape(n * J, K),
        "y": chosen.ravel(),
        "varnames": problem.names,
        "alts": np.tile(np.arange(J), n),
        "ids": np.repeat(np.arange(n), J),
        "verbose": 0,
    }
    if not problem.available.all():
        arguments["avail"] = problem.available.astype(float).ravel()

    def fit():
        model = module.MultinomialLogit()
        model.fit(**arguments)
        return model.coeff_, model.stderr, model.loglikelihood

    return fit


def run(setting):
    """Check that all agree, take turns, compare."""
    table = Table(
        [
            *("problem", "ours, wide", "ours, long", "xlogit", "statsmodels"),
            *("xlogit / ours", "statsmodels / ours", "memory"),
        ]
    )
    try:
        xlogit = importlib.import_module("xlogit")
    except ImportError as error:
        xlogit = None
        table.notes.append(f"xlogit is left out: {error}")
    problems = [(synthetic(*shape), faster) for *shape, faster in SHAPES[setting.size]]
    real = swissmetro() if setting.size != "tiny" else None
    if real is not None:
        problems.insert(0, (real, 1))
    add_ragged(table, *RAGGED[setting.size], ROUNDS[setting.size])  # first: memory only grows
    for problem, faster in problems:
        add_row(table, problem, xlogit, faster, setting.size)
    return table


def add_row(table, problem, xlogit, faster, size):
    """One problem: answers first."""
    frame = long_frame(problem)
    calls = {
        "wide": partial(fit_wide, problem),
        "long": partial(fit_long, frame, problem.names),
    }
    params, errors, robust, loglik = calls["wide"]()
    for theirs, ours in zip(calls["long"](), (params, errors, robust, loglik), strict=True):
        assert_agree("fit_long", theirs, ours, rtol=1e-7, atol=1e-9)
    if xlogit is not None:
        calls["xlogit"] = xlogit_fit(xlogit, problem)
        coef, error, value = calls["xlogit"]()
        assert_agree("xlogit", coef, params, rtol=2e-3, atol=1e-3)
        assert_agree("xlogit", error, errors, rtol=1e-2, atol=0)
        assert_agree("xlogit", value, loglik, rtol=1e-6, atol=0)
    is_real = problem.name == "Swissmetro"
    repeats = 7 if is_real else 1
    timings = take_turns(calls, rounds=ROUNDS[size], repeats=repeats, warm=None)
    cpu = {tool: timing.cpu for tool, timing in timings.items()}
    peer = time_statsmodels(frame, problem.names, params, loglik) if is_real else None
    table.add(
        problem.name,
        *[f"{1e3 * cpu[tool]:.1f}" for tool in ("wide", "long")],
        f"{1e3 * cpu['xlogit']:.1f}" if xlogit is not None else "-",
        "-" if peer is None else f"{1e3 * peer:.0f}",
        Ratio(cpu["xlogit"] / cpu["wide"], at_least=faster) if xlogit is not None else "-",
        "-" if peer is None else Ratio(peer / cpu["wide"], at_least=100),
        "-",
    )


def time_statsmodels(frame, names, params, loglik):
    """CPU seconds of one fit to the same optimum."""
    models = importlib.import_module("statsmodels.discrete.conditional_models")
    start = time.process_time()
    model = models.ConditionalLogit(frame["chosen"].astype(int), frame[names], groups=frame["case"])
    found = model.fit(disp=False)
    seconds = time.process_time() - start
    assert_agree("statsmodels", found.params, params, rtol=1e-2, atol=1e-3)
    assert_agree("statsmodels", found.llf, loglik, rtol=1e-6, atol=0)
    return seconds


def add_ragged(table, n_cases, n_parameters, rounds):
    """About a million rows in choice sets of 2 to 9 alternatives."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(2, 10, n_cases)
    case = np.repeat(np.arange(n_cases), sizes)
    first = np.cumsum(sizes) - sizes
    names = [f"b{k}" for k in range(n_parameters)]
    frame = pd.DataFrame(rng.standard_normal((len(case), n_parameters)), columns=names)
    utility = frame.to_numpy() @ np.full(n_parameters, 0.3) + rng.gumbel(size=len(case))
    best = np.repeat(np.maximum.reduceat(utility, first), sizes)
    frame = frame.assign(case=case, alt=np.arange(len(case)) - first[case], chosen=utility == best)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    params, *_ = fit_long(frame, names)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert_agree("the truth", params, np.full(n_parameters, 0.3), rtol=0, atol=0.2)
    timings = take_turns({"long": partial(fit_long, frame, names)}, rounds=rounds, warm=None)
    size = len(frame) * n_parameters * 8 / 2**20
    table.add(
        f"ragged, {len(frame):,} rows, {n_parameters} parameters",
        "-",
        f"{1e3 * timings['long'].cpu:.0f}",
        *["-"] * 4,
        f"{grown:.0f} MiB beside {size:.0f} MiB",
    )
