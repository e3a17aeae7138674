"""What SoftmaxBoostingClassifier takes as X and y: frames, categories, gaps, labels of any type."""

import warnings

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from sksoftmax import SoftmaxBoostingClassifier

STRATEGIES = ["multi_output_tree", "one_output_per_tree"]
COLORS = np.array(["red", "green", "blue", "grey", "pink"])


def quick(**parameters):
    fixed = {"random_state": 0, "n_jobs": 1, "learning_rate": 0.3, "max_iter": 15, "subsample": 1.0}
    return SoftmaxBoostingClassifier(**{**fixed, **parameters})


@pytest.fixture
def table(rng):
    """A number, colors as codes, and y in {0, 1, 2}, which only sets of colors tell."""
    codes = rng.integers(0, 5, size=400)
    number = rng.normal(size=400)
    y = np.array([0, 1, 0, 2, 1])[codes]
    return number, codes, np.where(rng.random(400) < 0.05, 0, y)


def as_pandas(number, codes, **more):
    return pd.DataFrame(
        {"number": number, "color": pd.Categorical(COLORS[codes], categories=COLORS), **more}
    )


def as_polars(number, codes):
    return pl.DataFrame(
        {"number": number, "color": pl.Series(COLORS[codes], dtype=pl.Enum(COLORS.tolist()))}
    )


# --- frames and categories ------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_categories_are_the_same_from_every_source(strategy, table):
    number, codes, y = table
    array = np.column_stack([number, codes.astype(float)])
    reference = quick(categorical_features=[1], multi_strategy=strategy).fit(array, y)
    expected = reference.predict_proba(array)
    assert reference.is_categorical_.tolist() == [False, True]
    labelled = pd.DataFrame({"number": number, "color": COLORS[codes]})
    for X, categorical in [
        (array, [False, True]),
        (as_pandas(number, codes), "from_dtype"),
        (as_pandas(number, codes), ["color"]),
        (as_polars(number, codes), "from_dtype"),
        (pd.DataFrame({"number": number, "color": codes}), ["color"]),
        (pl.DataFrame({"number": number, "color": codes}), [1]),
    ]:
        model = quick(categorical_features=categorical, multi_strategy=strategy).fit(X, y)
        np.testing.assert_array_equal(model.predict_proba(X), expected)
    model = quick(categorical_features=["color"], multi_strategy=strategy).fit(labelled, y)
    assert model.score(labelled, y) > 0.9  # codes are sorted labels: another order, same sets


def test_one_split_takes_any_set_of_categories(table):
    _, codes, y = table
    X = codes[:, np.newaxis].astype(float)
    stump = quick(categorical_features=[0], max_leaf_nodes=2, max_iter=1).fit(X, y == 0)
    leaves = stump.apply(np.arange(5.0)[:, np.newaxis])[:, 0]
    np.testing.assert_array_equal(leaves == leaves[0], [True, False, True, False, False])


@pytest.mark.parametrize("frame", [as_pandas, as_polars])
def test_names_are_remembered_and_checked(frame, table):
    number, codes, y = table
    X = frame(number, codes)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = quick().fit(X, y)
        model.predict(X)
    assert model.feature_names_in_.tolist() == ["number", "color"]
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(X[["color", "number"]])


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_unseen_categories_count_as_missing(strategy, table):
    number, codes, y = table
    X = as_pandas(number, codes)
    X.loc[::9, "color"] = None
    model = quick(multi_strategy=strategy).fit(X, y)
    new = pd.DataFrame({"number": [0.0, 0.0], "color": ["violet", None]}).astype(
        {"color": "category"}
    )
    proba = model.predict_proba(new)
    np.testing.assert_array_equal(proba[0], proba[1])


def test_categories_keep_their_names_whatever_their_order(table):
    number, codes, y = table
    model = quick().fit(as_pandas(number, codes), y)
    expected = model.predict_proba(as_pandas(number, codes))
    shuffled = pd.DataFrame(
        {"number": number, "color": pd.Categorical(COLORS[codes], categories=COLORS[::-1])}
    )
    np.testing.assert_array_equal(model.predict_proba(shuffled), expected)
    plain = pd.DataFrame({"number": number, "color": COLORS[codes].astype(object)})
    np.testing.assert_array_equal(model.predict_proba(plain), expected)


def test_beyond_254_categories_the_most_frequent_have_bins():
    codes = np.repeat(np.arange(300.0), np.r_[np.full(254, 4), np.full(46, 2)])
    y = (codes.astype(int) % 2) + 2 * (codes >= 254)
    model = quick(categorical_features=[0], min_samples_leaf=1, max_iter=40).fit(codes[:, None], y)
    rare = model.predict_proba(np.array([[254.0], [255.0], [np.nan], [1e9], [-1.0]]))
    np.testing.assert_array_equal(rare, np.tile(rare[:1], (5, 1)))
    assert rare[0, 2:].sum() > 0.9
    assert model.predict([[100.0], [101.0]]).tolist() == [0, 1]


@pytest.mark.parametrize(
    ("categorical", "message"),
    [
        ("dtype", "categorical_features must be 'from_dtype'"),
        ([5], r"categorical_features must hold indices from 0 to 1; got \[5\]"),
        ([-1], "categorical_features must hold indices"),
        ([True], "categorical_features has a mask of 1 entries, but X has 2 features"),
        (["colour"], r"X has no columns \['colour'\]"),
        ([[1]], "in one dimension"),
        ([1.5], "a mask, indices or names"),
    ],
)
def test_categorical_features_that_make_no_sense_are_explained(categorical, message, table):
    number, codes, y = table
    with pytest.raises(ValueError, match=message):
        quick(categorical_features=categorical).fit(as_pandas(number, codes), y)


def test_names_of_categories_need_a_frame(table):
    number, codes, y = table
    with pytest.raises(ValueError, match="X has none: pass a data frame"):
        quick(categorical_features=["color"]).fit(np.column_stack([number, codes]), y)


def test_text_without_a_categorical_dtype_is_explained(table):
    number, codes, y = table
    X = pd.DataFrame({"number": number, "color": COLORS[codes]})
    with pytest.raises(ValueError, match=r"not numbers: 'color' \(.*Columns of text must be categ"):
        quick().fit(X, y)
    with pytest.raises(ValueError, match="Columns of text must be categorical"):
        quick().fit(X.to_numpy(dtype=object), y)


@pytest.mark.parametrize(
    "column",
    [pd.date_range("2020-01-01", periods=400), [[1, 2]] * 400],
    ids=["dates", "lists"],
)
def test_columns_that_are_no_numbers_are_named(column, table):
    number, _, y = table
    X = pd.DataFrame({"number": number}).assign(when=list(column)[: len(number)])
    with pytest.raises(ValueError, match=r"X: columns that are not numbers: 'when' \("):
        quick().fit(X, y)


@pytest.mark.parametrize("value", [0.5, np.inf, 2.0**53])
def test_categories_are_whole_numbers(value, table):
    number, codes, y = table
    X = np.column_stack([number, codes.astype(float)])
    X[3, 1] = value
    with pytest.raises(ValueError, match=f"the categorical feature x1 holds {value}"):
        quick(categorical_features=[1]).fit(X, y)


def test_categories_of_another_kind_are_an_error(table):
    number, codes, y = table
    model = quick().fit(as_pandas(number, codes), y)
    with pytest.raises(ValueError, match="'color' was fitted with categories such as 'red'"):
        model.predict(pd.DataFrame({"number": number, "color": codes}))


def test_without_from_dtype_categories_are_their_codes(table):
    number, codes, y = table
    model = quick(categorical_features=None).fit(as_pandas(number, codes), y)
    assert model.is_categorical_ is None
    plain = quick().fit(np.column_stack([number, codes.astype(float)]), y)
    np.testing.assert_array_equal(
        model.predict_proba(as_pandas(number, codes)),
        plain.predict_proba(np.column_stack([number, codes.astype(float)])),
    )


# --- gaps and odd values --------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_missing_values_are_informative(strategy, rng):
    X = rng.normal(size=(300, 2))
    y = rng.random(300) < 0.5
    X[y, 0] = np.nan
    model = quick(multi_strategy=strategy).fit(X, y)
    assert model.score(X, y) == 1
    assert model.predict([[np.nan, 0.0], [0.0, 0.0]]).tolist() == [True, False]


def test_infinities_are_ordinary_values(rng):
    X = rng.normal(size=(300, 1))
    X[:40], X[40:80] = np.inf, -np.inf
    y = np.zeros(300, dtype=int)
    y[:40], y[40:80] = 1, 2
    assert quick().fit(X, y).predict([[np.inf], [-np.inf], [0.0]]).tolist() == [1, 2, 0]


def test_a_feature_without_any_value_does_no_harm(rng):
    X = rng.normal(size=(200, 2))
    y = X[:, 1] > 0
    X[:, 0] = np.nan
    assert quick().fit(X, y).score(X, y) > 0.95


def test_integers_and_lists_are_taken(rng):
    X = rng.integers(0, 9, size=(100, 2))
    y = X[:, 0] > 4
    expected = quick().fit(X.astype(float), y).predict_proba(X.astype(float))
    np.testing.assert_array_equal(quick().fit(X.tolist(), y.tolist()).predict_proba(X), expected)
    np.testing.assert_array_equal(quick().fit(X, y).predict_proba(X.tolist()), expected)


def test_float32_and_float64_meet_the_same_cuts(rng):
    X = rng.normal(size=(300, 3)).astype(np.float32)
    y = (X.sum(axis=1) > 0) + (X[:, 0] > 1)
    narrow, wide = quick().fit(X, y), quick().fit(X.astype(float), y)
    np.testing.assert_array_equal(narrow.apply(X), wide.apply(X.astype(float)))
    np.testing.assert_array_equal(narrow.apply(X), narrow.apply(X.astype(float)))


@pytest.mark.parametrize("form", [sparse.csr_matrix, sparse.coo_array])
def test_sparse_matrices_are_refused(form, rng):
    X = form(rng.random((30, 2)))
    with pytest.raises(TypeError, match=r"Sparse data was passed for X.*toarray"):
        quick().fit(X, np.arange(30) % 2)
    model = quick().fit(X.toarray(), np.arange(30) % 2)
    with pytest.raises(TypeError, match="Sparse data was passed for X"):
        model.predict(X)


def test_masked_arrays_are_refused(rng):
    X = np.ma.masked_less(rng.random((30, 2)), 0.1)
    with pytest.raises(ValueError, match="X is a masked array"):
        quick().fit(X, np.arange(30) % 2)


def test_one_row_and_nothing_at_all_are_predicted_or_refused(rng):
    X = rng.normal(size=(50, 2))
    model = quick().fit(X, X[:, 0] > 0)
    assert model.predict_proba(X[:1]).shape == (1, 2)
    with pytest.raises(ValueError, match="0 sample"):
        model.predict(X[:0])
    with pytest.raises(ValueError, match="0 feature"):
        quick().fit(X[:, :0], X[:, 0] > 0)


# --- labels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "labels",
    [
        np.array(["x", "y", "z"]),
        np.array(["x", "y", "z"], dtype=object),
        np.array([1, 2, 3]),
        np.array([-5, 0, 7], dtype=np.int8),
        np.array([0.0, 2.0, 11.0]),
    ],
    ids=lambda labels: str(labels.dtype),
)
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_labels_of_any_type_come_back(labels, strategy, three_classes):
    X, y = three_classes
    model = quick(multi_strategy=strategy, early_stopping=True).fit(X, labels[y])
    np.testing.assert_array_equal(model.classes_, labels)
    predicted = model.predict(X)
    assert predicted.dtype == labels.dtype
    assert (predicted == labels[y]).mean() > 0.95
    plain = quick(multi_strategy=strategy, early_stopping=True).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), plain.predict_proba(X))


def test_columns_of_frames_name_the_classes(three_classes):
    X, y = three_classes
    shares = pd.DataFrame(np.eye(3)[y], columns=["c", "a", "b"])
    model = quick().fit(X, y_proba=shares)
    assert model.classes_.tolist() == ["a", "b", "c"]
    np.testing.assert_array_equal(model.predict(X[:1]), ["c"])


def test_one_class_is_explained(three_classes):
    X, _ = three_classes
    with pytest.raises(ValueError, match="At least two classes are needed"):
        quick().fit(X, np.zeros(150))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": None}, "requires y to be passed"),
        ({"y": np.zeros((150, 3))}, "Pass rows of probabilities as y_proba="),
        ({"y": np.linspace(0, 1, 150)}, "Unknown label type: continuous"),
        ({"y": np.arange(149)}, "y has 149 labels, but X has 150 rows"),
        ({"y": None, "y_proba": np.full((150, 2), 0.6)}, "y_proba: row 0"),
        ({"y": None, "y_proba": np.full((149, 2), 0.5)}, "y_proba has 149 rows, but X has 150"),
        ({"classes": [0, 1]}, r"y holds labels \[2\]"),
    ],
)
def test_targets_that_make_no_sense_are_explained(arguments, message, three_classes):
    X, y = three_classes
    with pytest.raises(ValueError, match=message):
        quick().fit(X, **{"y": y, **arguments})
