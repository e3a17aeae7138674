"""The published data sets, as frames ready to fit, and utilities for them."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "choice"

SWISSMETRO = {
    "train": {"ASC_TRAIN": 1, "B_TIME": "TRAIN_TIME", "B_COST": "TRAIN_COST"},
    "sm": {"B_TIME": "SM_TIME", "B_COST": "SM_COST"},
    "car": {"ASC_CAR": 1, "B_TIME": "CAR_TIME", "B_COST": "CAR_COST"},
}
SWISSMETRO_AVAILABILITY = {"train": "TRAIN_OPEN", "sm": "SM_AV", "car": "CAR_OPEN"}
ELECTRICITY = ["pf", "cl", "loc", "wk", "tod", "seas"]


def _read(name, sep=","):
    pd = pytest.importorskip("pandas")
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"needs {path}, which is not part of the project")
    return pd.read_csv(path, sep=sep)


def swissmetro():
    """(X, y): 6,768 cases, wide."""
    X = _read("swissmetro.dat.gz", "\t")
    X = X[X["PURPOSE"].isin([1, 3]) & (X["CHOICE"] != 0)].reset_index(drop=True)
    stated = X["SP"] != 0
    pays = X["GA"] == 0
    X = X.assign(
        TRAIN_OPEN=X["TRAIN_AV"] * stated,
        CAR_OPEN=X["CAR_AV"] * stated,
        TRAIN_TIME=X["TRAIN_TT"] / 100,
        SM_TIME=X["SM_TT"] / 100,
        CAR_TIME=X["CAR_TT"] / 100,
        TRAIN_COST=X["TRAIN_CO"] * pays / 100,
        SM_COST=X["SM_CO"] * pays / 100,
        CAR_COST=X["CAR_CO"] / 100,
    )
    return X, X["CHOICE"].map({1: "train", 2: "sm", 3: "car"}).to_numpy()


def travel_mode():
    """Long, 210 cases of 4 alternatives; constants and the income of flyers as columns too."""
    frame = _read("modechoice.csv", ";")
    names = {1: "air", 2: "train", 3: "bus", 4: "car"}
    frame["mode"] = frame["mode"].map(names)
    for name in ("air", "train", "bus"):
        frame[f"asc_{name}"] = (frame["mode"] == name).astype(float)
    frame["hinc_air"] = frame["hinc"] * frame["asc_air"]
    return frame


def electricity():
    """Long, 4,308 cases of 361 people."""
    return _read("electricity.csv.gz")
