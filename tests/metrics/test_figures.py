import numpy as np
import pytest
import sklearn.metrics as reference

from voxsight.metrics import figures


@pytest.fixture
def answers(rng):
    is_female = rng.random(400) < 0.3
    p_female = np.clip(rng.normal(0.3 + 0.4 * is_female, 0.25), 0, 1).round(2)
    return is_female, p_female


def by_scikit_learn(is_female, p):
    said = p >= 0.5
    return {
        "accuracy": reference.accuracy_score(is_female, said),
        "error_rate": 1 - reference.accuracy_score(is_female, said),
        "uar": reference.balanced_accuracy_score(is_female, said),
        "precision": reference.precision_score(is_female, said),
        "recall": reference.recall_score(is_female, said),
        "recall_male": reference.recall_score(~is_female, ~said),
        "f1_female": reference.f1_score(is_female, said),
        "auc": reference.roc_auc_score(is_female, p),
        "brier": reference.brier_score_loss(is_female, p)}


def test_figures_are_scikit_learns(answers):
    found = figures.point_figures(*answers)
    ece = found.pop("ece")
    assert found == pytest.approx(by_scikit_learn(*answers))
    assert 0 < ece < 1


def test_ten_rows_by_hand():
    is_female = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0, 0], bool)
    p = np.array([0.9, 0.8, 0.7, 0.2, 0.6, 0.4, 0.3, 0.1, 0.1, 0.0])
    answered = np.array([1, 1, 0, 1, 0, 1, 1, 1, 1, 1], bool)
    assert figures.point_figures(is_female, p, answered) == pytest.approx({
        "accuracy": 8 / 10, "error_rate": 2 / 10, "precision": 3 / 4, "recall": 3 / 4,
        "recall_male": 5 / 6, "uar": (3 / 4 + 5 / 6) / 2, "f1_female": 6 / 8,
        # of the 24 pairs all but (0.2 against 0.6, 0.4, 0.3) are in order
        "auc": 21 / 24,
        "brier": (0.01 + 0.04 + 0.09 + 0.64 + 0.36 + 0.16 + 0.09 + 0.01 + 0.01) / 10,
        # with fewer rows than bins each row is a bin of its own
        "ece": (0.1 + 0.2 + 0.3 + 0.8 + 0.6 + 0.4 + 0.3 + 0.1 + 0.1) / 10,
        "coverage": 8 / 10, "accuracy_answered": 7 / 8})


def test_calibration_error_over_bins_of_equal_mass(rng):
    p = rng.random(15 * 40)
    is_female = rng.random(600) < p ** 2
    said, found, counts = figures.reliability(is_female, p)
    assert counts.tolist() == [40] * 15
    assert figures.point_figures(is_female, p)["ece"] == pytest.approx(
        np.mean(np.abs(said - found)))


def test_roc_is_scikit_learns(answers):
    x, y = figures.roc(*answers)
    expected_x, expected_y, _ = reference.roc_curve(*answers, drop_intermediate=False)
    np.testing.assert_allclose((x, y), (expected_x, expected_y))


def test_bootstrap_is_that_of_drawing_speakers(answers, rng):
    """Weighted sums and areas equal those of a table in which speakers really repeat."""
    is_female, p = answers
    speakers = rng.integers(0, 30, 400)
    times = rng.multinomial(30, np.full(30, 1 / 30)).astype(float)
    table = figures._SortedPredictions(is_female, p, [f"{s:02}" for s in speakers], None)
    rows = np.concatenate([np.repeat(np.flatnonzero(speakers == s), int(n))
                           for s, n in enumerate(times)])
    found = {name: times @ parts / (times @ wholes)
             for name, (parts, wholes, _) in table.ratios.items()}
    found["auc"] = table.auc(times[None])[0]
    expected = by_scikit_learn(is_female[rows], p[rows])
    assert found == pytest.approx({name: expected[name] for name in found})


def test_intervals_are_over_speakers(rng):
    # Ten recordings of each speaker, all right or all wrong: ten times the recordings
    # of one speaker must not narrow the interval.
    right = np.arange(400) % 5 > 0
    once = figures.figures(np.ones(400, bool), right.astype(float), range(400))
    tenfold = figures.figures(np.ones(4000, bool), np.repeat(right, 10).astype(float),
                              np.repeat(range(400), 10))
    assert (tenfold["n"], tenfold["n_speakers"]) == (4000, 400)
    assert tenfold["accuracy"] == pytest.approx(once["accuracy"])
    width = once["accuracy"]["high"] - once["accuracy"]["low"]
    assert width == pytest.approx(2 * 1.96 * np.sqrt(0.8 * 0.2 / 400), rel=0.06)
    assert once["uar"] == {"value": None, "low": None, "high": None}


def test_a_gain_is_paired_over_speakers(rng):
    """Of the same drawn speakers in both; certain where one model is right and one wrong."""
    uar_gain = figures.uar_gain

    speakers = np.repeat([f"s{i}" for i in range(20)], 5)
    is_female = np.repeat(np.arange(20) % 2 == 0, 5)
    right = np.where(is_female, 0.9, 0.1)
    p = np.clip(right + rng.normal(scale=0.45, size=100), 0, 1)
    same = uar_gain(is_female, p, p, speakers)
    assert same["value"] == same["low"] == same["high"] == 0
    alike = uar_gain(is_female, right, right * 0.99, speakers)
    assert alike["value"] == 0 and alike["high"] == -alike["low"] == pytest.approx(
        1 - 0.025 ** (1 / 20))
    better = uar_gain(is_female, p, right, speakers)
    own = figures.point_figures(is_female, p)["uar"]
    assert better["before"] == pytest.approx(own) and better["after"] == 1
    assert better["value"] == pytest.approx(1 - own) and better["low"] > 0
    flipped = uar_gain(is_female, right, p, speakers)
    assert flipped["value"] == pytest.approx(-better["value"]) and flipped["high"] < 0
    assert uar_gain(np.ones(4, bool), p[:4], p[:4], speakers[:4])["value"] is None
