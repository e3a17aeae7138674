"""Which rows a query names: the criteria against their formulae, ties, masks, diversity."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sksoftmax import EntropyActiveLearner, MultinomialLogit, SoftmaxBoostingClassifier
from sksoftmax.active import BALD, _responses

CLASSIFIERS = [
    MultinomialLogit(),
    SoftmaxBoostingClassifier(max_iter=5, min_samples_leaf=3),
    LogisticRegression(),
    GaussianNB(),
    RandomForestClassifier(10, random_state=0),
    DecisionTreeClassifier(max_depth=3, random_state=0),
    SVC(),  # scores of pairs, and no probabilities
]


def learner_of(started, **parameters):
    X, y, _ = started
    return EntropyActiveLearner(random_state=0, **parameters).fit(X, y)


def expected_scores(criterion, proba):
    ordered = np.sort(proba, axis=1)
    return {
        "entropy": entropy(proba, axis=1),
        "margin": 1 - (ordered[:, -1] - ordered[:, -2]),
        "least_confident": 1 - ordered[:, -1],
    }[criterion]


@pytest.mark.parametrize("criterion", ["entropy", "margin", "least_confident"])
@pytest.mark.parametrize("estimator", CLASSIFIERS[:-1], ids=lambda e: type(e).__name__)
@pytest.mark.parametrize("n_classes", [2, 4])
def test_scores_are_those_of_the_probabilities(started, estimator, criterion, n_classes):
    X, y, answers = started
    if n_classes == 2:
        y[:30] = answers[:30] % 2
    learner = EntropyActiveLearner(estimator, criterion=criterion, random_state=0).fit(X, y)
    indices, scores = learner.query(n_queries=400, return_scores=True)

    expected = expected_scores(criterion, learner.predict_proba(X))
    assert sorted(indices) == list(range(30, 400))
    np.testing.assert_allclose(scores, expected[indices], atol=1e-6)
    assert (np.diff(scores) <= 1e-12).all()


def test_a_classifier_with_a_decision_function_only_is_asked_for_it(started):
    X, y, _ = started
    learner = EntropyActiveLearner(RidgeClassifier(), random_state=0).fit(X, y)
    logits = learner.decision_function(X)
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    index, scores = learner.query(n_queries=5, return_scores=True)
    np.testing.assert_allclose(scores, entropy(p, axis=1)[index])


def test_scores_of_pairs_are_no_logits(started):
    X, y, _ = started
    learner = EntropyActiveLearner(SVC(decision_function_shape="ovo"), random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="columns, but classes_ has 4"):
        learner.query()


def test_a_classifier_that_does_not_say_how_certain_it_is_is_refused(started):
    class Silent(MultinomialLogit):
        predict_proba = property()
        decision_function = property()

    X, y, _ = started
    learner = EntropyActiveLearner(Silent(), random_state=0).fit(X, y)
    with pytest.raises(TypeError, match="Silent has neither predict_proba nor decision_function"):
        learner.query()


def test_a_decision_function_that_is_no_logit_gives_way_to_the_probabilities(started):
    X, y, answers = started
    y[:30] = answers[:30] % 2
    model = SGDClassifier(loss="modified_huber", alpha=1.0, random_state=0)  # not all are 0 or 1
    learner = EntropyActiveLearner(model, refit="cold", random_state=0).fit(X, y)
    index, scores = learner.query(n_queries=9, return_scores=True)

    np.testing.assert_allclose(scores, entropy(learner.predict_proba(X), axis=1)[index])


def test_the_score_of_a_committee_is_the_mutual_information(started):
    X, _, answers = started
    members = [LogisticRegression(C=C) for C in (0.01, 1.0, 100.0)]
    learner = learner_of(started, criterion=BALD(members))
    p = np.array([clone(m).fit(X[:30], answers[:30]).predict_proba(X) for m in members])
    expected = entropy(p.mean(axis=0), axis=1) - entropy(p, axis=2).mean(axis=0)

    index, scores = learner.query(n_queries=20, return_scores=True)
    np.testing.assert_allclose(scores, expected[index], atol=1e-9)
    np.testing.assert_allclose(scores, np.sort(expected[30:])[::-1][:20], atol=1e-9)


def test_a_bootstrap_committee_is_drawn_by_the_seed(started):
    queries = [learner_of(started, criterion="bald").query(n_queries=10) for _ in range(2)]
    np.testing.assert_array_equal(*queries)


def test_blocks_change_nothing(started, monkeypatch):
    for criterion in ("entropy", "margin", "bald"):
        whole = learner_of(started, criterion=criterion).query(n_queries=50, return_scores=True)
        with monkeypatch.context() as patch:
            patch.setattr(_responses, "_BLOCK_ENTRIES", 4)
            patch.setattr(_responses, "_LEAST_ROWS", 7)
            parts = learner_of(started, criterion=criterion).query(n_queries=50, return_scores=True)
        np.testing.assert_array_equal(whole[0], parts[0])
        np.testing.assert_array_equal(whole[1], parts[1])


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(("cell", "message"), [(np.nan, "NaN"), (np.inf, "inf"), (-np.inf, "inf")])
def test_a_pool_row_that_is_not_finite_is_an_error(started, n_classes, cell, message):
    X, y, answers = started
    y[:30] = answers[:30] % n_classes
    learner = EntropyActiveLearner(random_state=0).fit(X, y)
    X = X.copy()
    X[200, 1] = cell
    for rows in (X, X.astype(np.float32)):
        with pytest.raises(ValueError, match=f"Input X contains {message}"):
            learner.query(rows)


# --- ties and seeds -------------------------------------------------------------------------------


def test_chance_decides_between_equal_rows_and_the_seed_decides_chance(blobs):
    X, answers = blobs
    X = np.repeat(X[:40], 10, axis=0)
    y = np.array([None] * 400, dtype=object)
    y[::100] = answers[:40:10]
    drawn = {
        seed: tuple(EntropyActiveLearner(random_state=seed).fit(X, y).query(n_queries=3))
        for seed in range(6)
    }

    assert len(set(drawn.values())) > 1
    best = {row // 10 for rows in drawn.values() for row in rows}
    assert len(best) == 1  # all are copies of the same row
    for seed, rows in drawn.items():
        again = EntropyActiveLearner(random_state=seed).fit(X, y).query(n_queries=3)
        assert tuple(again) == rows


def test_random_draws_every_row_about_equally_often(blobs):
    X, answers = blobs
    count = np.zeros(40)
    for seed in range(100):
        learner = EntropyActiveLearner(criterion="random", random_state=seed)
        y = np.where(np.arange(40) < 5, answers[:40], -1)
        learner.set_params(unlabeled=-1).fit(X[:40], y)
        count[learner.query(n_queries=7)] += 1

    assert count[:5].sum() == 0
    assert abs(count[5:] - 20).max() < 5 * np.sqrt(20 * 0.8)


def test_a_query_changes_nothing_and_repeats_itself(started):
    learner = learner_of(started, criterion="bald", batch_size=5)
    before = dict(vars(learner))
    np.testing.assert_array_equal(learner.query(), learner.query())
    assert dict(vars(learner)) == before


def test_many_rows_are_ranked_as_few_are():
    rng = np.random.default_rng(0)
    from sksoftmax.active._diversity import best_rows

    for scores in (rng.normal(size=200_000), rng.integers(0, 5, 200_000) + 0.0):
        scores[rng.random(200_000) < 0.3] = -np.inf
        for n in (1, 50, 5000):
            rows = best_rows(scores, n, np.random.default_rng(1))
            assert len(np.unique(rows)) == n
            np.testing.assert_array_equal(scores[rows], np.sort(scores)[::-1][:n])


def test_more_queries_than_rows_are_all_rows(started):
    learner = learner_of(started)
    assert len(learner.query(n_queries=1000)) == 370


# --- other pools, masks ---------------------------------------------------------------------------


def test_another_pool_is_ranked_by_the_same_model(started):
    X, _, _ = started
    learner = learner_of(started)
    np.testing.assert_array_equal(learner.query(X[100:], n_queries=300) + 100 >= 100, True)
    own, scores = learner.query(n_queries=370, return_scores=True)
    other, others = learner.query(X[30:], n_queries=370, return_scores=True)
    np.testing.assert_array_equal(own, other + 30)
    np.testing.assert_allclose(scores, others)


@pytest.mark.parametrize("criterion", ["entropy", "margin", "least_confident", "bald"])
@pytest.mark.parametrize("estimator", [MultinomialLogit(), LogisticRegression()])
def test_a_masked_class_has_no_part_in_the_score(started, criterion, estimator, rng):
    X, y, answers = started
    mask = rng.random((400, 4)) < 0.7
    mask[np.arange(400), answers] = True
    learner = EntropyActiveLearner(estimator, criterion=criterion, random_state=0)
    learner.fit(X, y, mask=mask, classes=range(4))
    index, scores = learner.query(n_queries=370, return_scores=True)

    only_one = mask[index].sum(axis=1) == 1
    assert only_one.any()
    assert scores[only_one].max() < 1e-12
    if criterion == "entropy":
        p = learner.estimator_.predict_proba(X) * mask
        p /= p.sum(axis=1, keepdims=True)
        np.testing.assert_allclose(scores, entropy(p, axis=1)[index], atol=1e-9)


def test_masks_reach_the_fit_of_an_estimator_that_takes_them(started, rng):
    X, y, answers = started
    mask = rng.random((400, 4)) < 0.6
    mask[np.arange(400), answers] = True
    learner = EntropyActiveLearner(random_state=0).fit(X, y, mask=mask, classes=range(4))
    expected = MultinomialLogit().fit(X[:30], answers[:30], mask=mask[:30])

    np.testing.assert_allclose(learner.estimator_.coef_, expected.coef_)


def test_a_row_that_allows_no_class_seen_so_far_comes_first(blobs):
    X, answers = blobs
    y = np.array([None] * 400, dtype=object)
    y[answers < 2] = answers[answers < 2]
    mask = np.ones((400, 4), dtype=bool)
    row = int(np.flatnonzero(answers == 3)[0])
    mask[row, :2] = False
    learner = EntropyActiveLearner(random_state=0).fit(X, y, mask=mask, classes=range(4))
    index, scores = learner.query(return_scores=True)
    assert index.tolist() == [row]
    assert scores[0] == pytest.approx(np.log(2))


def test_columns_of_a_mask_have_the_order_of_sorted_classes_or_names(blobs):
    X, answers = blobs
    y = np.array([None] * 400, dtype=object)
    y[:40] = np.array(list("abcd"))[answers[:40]]
    mask = np.ones((400, 4), dtype=bool)
    mask[100:, 0] = False
    with pytest.raises(ValueError, match="classes must be sorted"):
        EntropyActiveLearner().fit(X, y, mask=mask, classes=list("bacd"))
    named = pd.DataFrame(mask, columns=list("abcd"))[list("dbac")]
    queries = [
        EntropyActiveLearner(random_state=0).fit(X, y, mask=given, classes=list("abcd")).query()
        for given in (mask, named)
    ]
    np.testing.assert_array_equal(*queries)


def test_a_mask_without_classes_names_no_columns(blobs):
    X, _ = blobs
    with pytest.raises(ValueError, match="mask needs classes in fit"):
        EntropyActiveLearner().fit(X, mask=np.ones((400, 4)))


def test_a_label_that_is_not_among_the_classes_is_refused(started):
    X, y, _ = started
    learner = EntropyActiveLearner()
    with pytest.raises(
        ValueError, match=r"labels \[3\] that are not among the classes \[0, 1, 2\]"
    ):
        learner.fit(X, y, classes=[0, 1, 2])
    learner.fit(X, y, classes=range(5))
    with pytest.raises(ValueError, match="labels \\[9\\] that are not in classes"):
        learner.teach([50], [9])
    assert 50 in learner.pool_indices_


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("diversity", ["kcenter", "density"])
@pytest.mark.parametrize("n_queries", [1, 7, 60])
def test_a_diverse_batch_has_no_row_twice_and_spares_copies(blobs, diversity, n_queries):
    X, answers = blobs
    X = np.vstack([X, X, X])
    y = np.array([None] * 1200, dtype=object)
    y[:30] = answers[:30]
    learner = EntropyActiveLearner(diversity=diversity, random_state=0).fit(X, y)
    rows = learner.query(n_queries=n_queries)
    best = EntropyActiveLearner(random_state=0).fit(X, y).query(n_queries=n_queries)

    assert len(set(rows.tolist())) == n_queries
    assert min(rows) >= 30
    if n_queries < 10:
        assert len({row % 400 for row in rows.tolist()}) == n_queries
        assert n_queries == 1 or len({row % 400 for row in best.tolist()}) < n_queries


def test_kcenter_takes_the_most_uncertain_row_and_then_the_farthest(started):
    X, _, _ = started
    learner = learner_of(started, diversity="kcenter")
    rows = learner.query(n_queries=4)
    candidates = learner_of(started).query(n_queries=200)
    Z = X / X[30:].std(axis=0)

    taken = [*range(30), rows[0]]
    assert rows[0] == candidates[0]
    for row in rows[1:]:
        far = np.linalg.norm(Z[candidates][:, None] - Z[taken], axis=2).min(axis=1)
        assert np.linalg.norm(Z[row] - Z[taken], axis=1).min() == pytest.approx(far.max())
        taken.append(row)


def test_density_prefers_a_row_with_many_like_it(rng):
    crowd, hermit = rng.normal(0, 0.1, (60, 2)), np.array([[0.0, 9.0]])
    X = np.vstack([[[-3, 0], [3, 0]], crowd, hermit])  # the hermit is as uncertain as anybody
    X[2:, 0] = np.concatenate([crowd[:, 0], [0.0]])
    y = np.array(["a", "b", *[None] * 61], dtype=object)
    by_entropy = EntropyActiveLearner(random_state=0).fit(X, y)
    by_density = EntropyActiveLearner(diversity="density", random_state=0).fit(X, y)

    assert by_entropy.query() == [62]
    assert 62 not in by_density.query(n_queries=3)


def test_diversity_of_texts_is_refused_with_a_way_out():
    from sklearn.feature_extraction.text import CountVectorizer
    from sklearn.pipeline import make_pipeline

    texts = ["good film", "bad film", "fine film", "poor film"]
    model = make_pipeline(CountVectorizer(), MultinomialLogit())
    learner = EntropyActiveLearner(model, diversity="kcenter", random_state=0)
    learner.fit(texts, ["+", "-", None, None])
    with pytest.raises(ValueError, match="put the vectorizer outside"):
        learner.query()
    assert learner.set_params(diversity=None).query()[0] in (2, 3)


def test_for_two_classes_the_three_criteria_rank_alike(started):
    X, y, answers = started
    y[:30] = answers[:30] % 2
    queries = [
        EntropyActiveLearner(criterion=criterion, random_state=0).fit(X, y).query(n_queries=50)
        for criterion in ("entropy", "margin", "least_confident")
    ]
    np.testing.assert_array_equal(queries[0], queries[1])
    np.testing.assert_array_equal(queries[0], queries[2])
