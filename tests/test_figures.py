import numpy as np
import pytest
import sklearn.metrics as reference

from voxsight import evaluation
from voxsight.calibration import Calibration, fit_calibration


@pytest.fixture
def answers(rng):
    is_female = rng.random(400) < 0.3
    p_female = np.clip(rng.normal(0.3 + 0.4 * is_female, 0.25), 0, 1).round(2)
    return is_female, p_female


def test_figures_are_scikit_learns(answers):
    is_female, p = answers
    found = evaluation.point_figures(is_female, p)
    said = p >= 0.5
    assert found == pytest.approx({
        "accuracy": reference.accuracy_score(is_female, said),
        "error_rate": 1 - reference.accuracy_score(is_female, said),
        "uar": reference.balanced_accuracy_score(is_female, said),
        "precision": reference.precision_score(is_female, said),
        "recall": reference.recall_score(is_female, said),
        "f1_female": reference.f1_score(is_female, said),
        "auc": reference.roc_auc_score(is_female, p),
        "brier": reference.brier_score_loss(is_female, p),
        "ece": found["ece"]})


def test_calibration_error_by_hand():
    p = np.array([0.1, 0.2, 0.8, 0.9])
    is_female = np.array([False, True, True, True])
    # bins {0.1, 0.2} and {0.8, 0.9}: |0.15 - 0.5| and |0.85 - 1|, of equal mass
    assert evaluation.expected_calibration_error(is_female, p, bins=2) == pytest.approx(0.25)


def test_intervals_are_over_speakers(rng):
    # Ten recordings of each speaker, all right or all wrong: ten times the recordings
    # of one speaker must not narrow the interval.
    right = rng.random(40) < 0.8
    once = evaluation.figures(np.ones(40, bool), right.astype(float), range(40))
    tenfold = evaluation.figures(np.ones(400, bool), np.repeat(right, 10).astype(float),
                                 np.repeat(range(40), 10))
    assert tenfold["n_speakers"] == 40
    assert tenfold["accuracy"] == pytest.approx(once["accuracy"])
    width = once["accuracy"]["high"] - once["accuracy"]["low"]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 40), rel=0.3)


def test_temperature_is_found_again(rng):
    log_odds = rng.normal(scale=3, size=20_000)
    is_female = rng.random(20_000) < 1 / (1 + np.exp(-log_odds / 2.5))
    calibration = fit_calibration(log_odds, is_female)
    assert calibration.temperature == pytest.approx(2.5, rel=0.06)
    p = calibration.p_female(log_odds)
    confidence = np.maximum(p, 1 - p)
    answered = confidence >= calibration.min_confidence
    assert np.mean((p >= 0.5)[answered] == is_female[answered]) == pytest.approx(0.98, abs=0.004)


def test_probabilities_do_not_overflow():
    assert Calibration(0.5).p_female([-1e9, 0.0, 1e9]).tolist() == pytest.approx([0, 0.5, 1])
