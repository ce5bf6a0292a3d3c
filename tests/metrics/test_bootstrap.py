"""Intervals over speakers: by hand, against scipy, and where nobody errs."""

import numpy as np
import pytest

from voxsight.metrics import bootstrap, figures, intervals
from voxsight.metrics.bootstrap import mean_over_speakers, ratio_over_speakers


def perfect(n_female, n_male=0, each=3):
    is_female = np.repeat(np.arange(n_female + n_male) < n_female, each)
    speakers = np.repeat([f"s{i}" for i in range(n_female + n_male)], each)
    return figures.figures(is_female, np.where(is_female, 0.99, 0.02), speakers,
                           answered=np.ones(len(is_female), bool))


@pytest.mark.parametrize("n", [1, 2, 9, 24])
def test_where_nobody_errs_the_number_of_speakers_tells(n):
    from scipy.stats import binomtest

    low, high = binomtest(n, n).proportion_ci(method="exact")
    found = perfect(n)
    for name in ("accuracy", "recall", "coverage", "accuracy_answered", "precision"):
        assert found[name] == {"value": 1, "low": pytest.approx(low), "high": high}
    assert found["error_rate"] == {"value": 0, "low": 0, "high": pytest.approx(1 - low)}
    none = ratio_over_speakers(np.zeros(n), np.full(n, 5.0))
    assert (none["value"], none["low"], none["high"]) == (0, 0, pytest.approx(1 - low))


def test_mean_recall_of_labels_that_nobody_misses():
    """The least (p + q) / 2 at which all of m and n are right in 2.5 % of the draws."""
    assert round(perfect(12, 12)["uar"]["low"], 3) == 0.858  # that of all 24
    p = np.linspace(0.0001, 1, 200_001)
    for m, n in ((12, 12), (20, 4), (3, 30), (9, 6)):
        q = (0.025 / p ** m) ** (1 / n)
        least = np.min(((p + q) / 2)[q <= 1])
        assert perfect(m, n)["uar"]["low"] == pytest.approx(least, abs=1e-4)


def test_t_quantiles_are_scipys():
    from scipy.stats import t

    degrees = np.concatenate([np.linspace(1, 5, 50), [10, 40, 1e3, 1e9]])
    assert [intervals.t_quantile(df) for df in degrees] == pytest.approx(t.ppf(0.975, degrees),
                                                                        rel=1e-4)


def test_intervals_of_independent_fractions_are_scipys():
    from scipy.stats import binomtest

    hits, counts = np.array([0, 3, 10, 7]), np.array([5, 10, 10, 400])
    expected = [binomtest(k, n).proportion_ci(method="wilson") for k, n in zip(hits, counts)]
    np.testing.assert_allclose(np.transpose(bootstrap.wilson_interval(hits / counts, counts)),
                               expected, atol=1e-12)


def test_speakers_of_one_recording_have_wilsons_interval():
    """With a t quantile, and the variance of a sample: 400 speakers, a quarter wrong."""
    from scipy.stats import binomtest

    found = ratio_over_speakers(np.arange(400) % 4 > 0, np.ones(400), draws=4000)
    expected = binomtest(300, 400).proportion_ci(method="wilson")
    assert (found["low"], found["high"]) == pytest.approx(expected, abs=0.003)


def test_no_interval_is_without_width_or_does_not_hold_its_value(rng):
    """Few speakers, all alike, one who errs, probabilities of 0 and 1."""
    for n_speakers in (1, 2, 3, 7, 30):
        for spread in (0.0, 0.1, 3.0):
            speakers = np.repeat(np.arange(n_speakers), 4)
            is_female = speakers % 2 == 0
            log_odds = np.where(is_female, 3, -3) + spread * rng.normal(size=len(speakers))
            p = 1 / (1 + np.exp(-log_odds))
            found = figures.figures(is_female, p.round(2), speakers, draws=50,
                                    answered=np.maximum(p, 1 - p) > 0.9)
            for name, figure in found.items():
                if isinstance(figure, dict) and figure["value"] is not None:
                    assert figure["low"] <= figure["value"] <= figure["high"], name
                    assert figure["high"] - figure["low"] > 1e-3, name
                    assert figure["low"] >= 0 and figure["high"] <= 1, name


def test_one_speaker_says_next_to_nothing():
    assert mean_over_speakers([0.8, 0.8, 0.6], ["a"] * 3) == {"value": pytest.approx(2.2 / 3),
                                                              "low": None, "high": None}
    found = mean_over_speakers([0.8, 0.8, 0.6], ["a"] * 3, unit=True)
    assert found["low"] < 0.15 and found["high"] > 0.95
    one = perfect(1)["accuracy"]
    assert one["low"] == pytest.approx(0.025)


def test_debiased_calibration_error_by_hand():
    """Kumar et al.: of two bins, squared distances less y (1 - y) / (n - 1)."""
    p = np.concatenate([np.full(6, 0.2), np.full(9, 0.7)])
    is_female = np.array([1, 1, 1, 0, 0, 0] + [1] * 6 + [0] * 3, bool)
    found = figures.figures(np.tile(is_female, 15), np.tile(p, 15), np.arange(225), draws=10)
    # 15 bins of 15 of 225: the first six hold p 0.2 and the others p 0.7
    order = np.argsort(np.tile(p, 15), kind="stable")
    squares = 0.0
    for part in np.split(order, 15):
        y = np.tile(is_female, 15)[part].mean()
        squares += ((np.tile(p, 15)[part].mean() - y) ** 2 - y * (1 - y) / 14) / 15
    assert found["ece_debiased"]["value"] == pytest.approx(np.sqrt(squares))


def test_calibration_error_of_calibrated_answers_may_be_none():
    """Of 149 speakers, 60 draws: percentiles lay above the value in 11 of them, all above 0."""
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        speakers = np.repeat(np.arange(149), 3)
        p = rng.beta(0.3, 0.3, 149)
        is_female = rng.random(149) < p
        found.append(figures.figures(is_female[speakers], p[speakers], speakers, draws=200))
    for name in ("ece", "ece_debiased"):
        assert all(f[name]["low"] <= f[name]["value"] <= f[name]["high"] for f in found)
        assert np.mean([f[name]["low"] == 0 for f in found]) >= 0.93
    mean = {name: np.mean([f[name]["value"] for f in found]) for name in ("ece", "ece_debiased")}
    assert mean["ece"] > 0.05 and mean["ece_debiased"] < 0.025


def test_less_calibration_error_than_chance_makes_has_an_interval():
    """Half of those at 0.5 in every bin are women, which no true error explains."""
    is_female = np.arange(300) % 2 == 0
    found = figures.figures(is_female, np.full(300, 0.5), np.arange(300) // 3, draws=200)
    for name in ("ece", "ece_debiased"):
        assert found[name]["value"] == found[name]["low"] == 0
        assert 0.02 < found[name]["high"] < 0.5


def test_a_calibration_error_is_found(rng):
    """Probabilities that are too bold: the true error lies in both intervals, above 0."""
    speakers = np.arange(3000)
    p = rng.beta(0.3, 0.3, 3000)
    is_female = rng.random(3000) < 0.25 + 0.5 * p
    found = figures.figures(is_female, p, speakers, draws=200)
    gaps = np.abs(0.25 - 0.5 * p)
    assert 0.1 < found["ece"]["low"] < gaps.mean() < found["ece"]["high"]
    root = np.sqrt(np.mean(gaps ** 2))
    assert 0.1 < found["ece_debiased"]["low"] < root < found["ece_debiased"]["high"]
