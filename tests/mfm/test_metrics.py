"""Scores against scikit-learn and SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import pearsonr
from sklearn import metrics as sk

from mfm.data.corpora.regression import MMMO_TASK, MOSI_TASK, POM_TASK
from mfm.data.dataset import Task
from mfm.evaluation.metrics import epoch_modes, modes, outcome_modes, score

CLASSES = Task(kind="classification", targets=("sentiment",), classes=("negative", "neutral", "positive"))


@pytest.fixture
def mosi() -> tuple[np.ndarray, np.ndarray]:
    """Ratings in thirds, a tenth of them 0, and predictions of which some leave the scale."""
    rng = np.random.default_rng(0)
    y = np.round(rng.uniform(-9, 9, (500, 1))) / 3
    return y + rng.normal(0, 1.2, y.shape), y


@pytest.fixture
def pom() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    y = rng.uniform(0.8, 7, (60, 16))
    return y + rng.normal(0, 1.5, y.shape), y


@pytest.fixture
def classes() -> tuple[np.ndarray, np.ndarray]:
    """Logits of three classes of unequal size; the third is hardly ever predicted."""
    rng = np.random.default_rng(2)
    y = rng.choice(3, 200, p=[0.6, 0.3, 0.1])
    return rng.normal(0, 1, (200, 3)) + 1.5 * np.eye(3)[y] - [0, 0, 2], y


def weighted_f1(actual: np.ndarray, predicted: np.ndarray) -> float:
    return sk.f1_score(actual, predicted, average="weighted", zero_division=0)


def test_error_and_correlation_are_those_of_scikit_learn_and_scipy(mosi) -> None:
    p, y = mosi
    scores = score(MOSI_TASK, p, y)
    assert scores["mae"] == pytest.approx(sk.mean_absolute_error(y, p))
    assert scores["r"] == pytest.approx(pearsonr(p[:, 0], y[:, 0]).statistic)


def test_zeros_count_as_positive_in_the_has_0_convention_and_not_at_all_in_the_non_0_one(mosi) -> None:
    p, y = (a[:, 0] for a in mosi)
    scores = score(MOSI_TASK, *mosi)
    assert (y == 0).sum() > 20
    assert scores["acc2"] == pytest.approx(sk.accuracy_score(y >= 0, p >= 0))
    assert scores["f1"] == pytest.approx(weighted_f1(y >= 0, p >= 0))
    polar = y != 0
    assert scores["acc2_non0"] == pytest.approx(sk.accuracy_score(y[polar] > 0, p[polar] > 0))
    assert scores["f1_non0"] == pytest.approx(weighted_f1(y[polar] > 0, p[polar] > 0))


def test_seven_classes_are_rounded_ratings_clipped_to_the_scale_or_not(mosi) -> None:
    p, y = (a[:, 0] for a in mosi)
    scores = score(MOSI_TASK, *mosi)
    assert np.abs(p).max() > 3.5
    assert scores["acc7"] == pytest.approx(sk.accuracy_score(np.round(y), np.round(np.clip(p, -3, 3))))
    assert scores["acc7_unclipped"] == pytest.approx(sk.accuracy_score(np.round(y), np.round(p)))
    assert scores["acc7"] > scores["acc7_unclipped"]


def test_mmmo_is_positive_above_3_5_and_has_no_neutral_rating() -> None:
    y = np.array([[1.0], [3.5], [3.5], [4.0], [5.0]])
    p = np.array([[3.6], [3.5], [4.0], [3.5], [9.0]])
    scores = score(MMMO_TASK, p, y)
    assert scores["acc2"] == pytest.approx(sk.accuracy_score(y > 3.5, p > 3.5)) == 0.4
    assert scores["f1"] == pytest.approx(weighted_f1(y[:, 0] > 3.5, p[:, 0] > 3.5))
    assert "acc2_non0" not in scores
    assert scores["acc5"] == pytest.approx(sk.accuracy_score(np.round(y), np.round(np.clip(p, 1, 5))))


def test_each_trait_of_pom_has_scores_of_its_own_and_the_whole_is_their_mean(pom) -> None:
    p, y = pom
    scores = score(POM_TASK, p, y)
    for c, trait in enumerate(POM_TASK.targets):
        assert scores[f"mae_{trait}"] == pytest.approx(sk.mean_absolute_error(y[:, c], p[:, c]))
        assert scores[f"r_{trait}"] == pytest.approx(pearsonr(p[:, c], y[:, c]).statistic)
        rounded = np.round(y[:, c]), np.round(np.clip(p[:, c], 1, 7))
        assert scores[f"acc7_{trait}"] == pytest.approx(sk.accuracy_score(*rounded))
    for name in ("mae", "r", "acc7"):
        assert scores[name] == pytest.approx(np.mean([scores[f"{name}_{t}"] for t in POM_TASK.targets]))


def test_classes_are_scored_as_scikit_learn_does(classes) -> None:
    logits, y = classes
    scores = score(CLASSES, logits, y)
    predicted, odds = logits.argmax(axis=1), np.exp(logits)
    assert scores["accuracy"] == pytest.approx(sk.accuracy_score(y, predicted))
    assert scores["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, predicted))
    assert scores["f1"] == pytest.approx(weighted_f1(y, predicted))
    assert scores["cross_entropy"] == pytest.approx(sk.log_loss(y, odds / odds.sum(axis=1, keepdims=True)))


def test_a_class_that_is_never_predicted_has_an_f1_of_0(classes) -> None:
    logits, y = classes
    logits[:, 2] = -100
    scores = score(CLASSES, logits, y)
    assert scores["f1"] == pytest.approx(weighted_f1(y, logits.argmax(axis=1)))
    assert scores["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(y, logits.argmax(axis=1)))


def test_large_logits_do_not_overflow() -> None:
    assert score(CLASSES, np.array([[1e4, 0, 0], [0, 1e4, 0]]), np.array([0, 1]))["cross_entropy"] == 0


def test_a_constant_prediction_has_a_correlation_of_0(mosi) -> None:
    _, y = mosi
    assert score(MOSI_TASK, np.zeros_like(y), y)["r"] == 0


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_diverged_member_scores_nothing(bad, mosi, classes) -> None:
    for task, (p, y) in ((MOSI_TASK, mosi), (CLASSES, classes)):
        p[3] = bad
        scores = score(task, p, y)
        assert set(scores) == set(modes(task))
        assert all(math.isnan(value) for value in scores.values())


def test_what_is_declared_is_what_is_scored(mosi, pom, classes) -> None:
    for task, predicted in ((MOSI_TASK, mosi), (MMMO_TASK, mosi), (POM_TASK, pom), (CLASSES, classes)):
        assert set(score(task, *predicted)) == set(modes(task))
        assert set(modes(task).values()) <= {"min", "max"}
        assert {f"valid_{name}" for name in modes(task)} <= set(epoch_modes(task, ["language"]))
        assert {f"test_{name}" for name in modes(task)} <= set(outcome_modes(task, ["language"]))
