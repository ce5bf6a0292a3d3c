import numpy as np
import pytest

from voxsight.metrics.calibration import Calibration, fit_calibration, with_min_confidence


@pytest.mark.parametrize("bias", [0.0, 1.5])
def test_temperature_and_bias_are_found_again(rng, bias):
    log_odds = rng.normal(bias, 6, size=20_000)
    is_female = rng.random(20_000) < 1 / (1 + np.exp(-(log_odds - bias) / 2.5))
    calibration = fit_calibration(log_odds, is_female, shifted=bool(bias))
    assert calibration.temperature == pytest.approx(2.5, rel=0.06)
    assert calibration.bias == pytest.approx(bias, abs=0.15 if bias else 0)
    p = calibration.p_female(log_odds)
    answered = np.maximum(p, 1 - p) >= calibration.min_confidence
    accuracy = np.mean((p >= 0.5)[answered] == is_female[answered])
    assert calibration.accuracy_bound == 0.98 <= accuracy <= 0.99  # not far above


def test_probabilities_do_not_overflow():
    assert Calibration(0.5).p_female([-1e9, 0.0, 1e9]).tolist() == pytest.approx([0, 0.5, 1])


def test_a_talkative_speaker_weighs_as_much_as_others(rng):
    """One voice repeated a thousand times moves nothing; without names it decides."""
    log_odds = rng.normal(np.where(np.arange(200) % 2, 2, -2), 1)
    is_female = np.arange(200) % 2 == 1
    speakers = np.arange(200)
    longer = np.concatenate([log_odds, np.full(1000, log_odds[0])])
    labels = np.concatenate([is_female, np.full(1000, is_female[0])])
    names = np.concatenate([speakers, np.zeros(1000, int)])
    once = fit_calibration(log_odds, is_female, speakers)
    again = fit_calibration(longer, labels, names)
    assert again.min_confidence == pytest.approx(once.min_confidence, abs=0.02)
    assert again.accuracy_bound == pytest.approx(once.accuracy_bound, abs=1e-3)
    assert again.temperature == pytest.approx(once.temperature, rel=0.02)
    assert fit_calibration(longer, labels).temperature != pytest.approx(again.temperature, rel=0.1)


@pytest.mark.parametrize("n, bound", [(60, 0.025 ** (1 / 60)), (200, 0.98)])
def test_speakers_without_a_mistake_promise_what_their_number_can(n, bound):
    """By Clopper and Pearson at half of 5 %: three of four answers are another look."""
    from scipy.stats import binomtest

    is_female = np.arange(n) % 2 == 0
    found = fit_calibration(np.where(is_female, 3.0, -3.0), is_female, np.arange(n))
    assert found.min_confidence == 0.5
    assert found.accuracy_bound == pytest.approx(bound)
    assert binomtest(n, n).proportion_ci(0.95, "exact").low >= found.accuracy_bound - 1e-9


def test_what_nobody_can_tell_is_not_answered():
    """Answers to it count as half right, so 100 of them are kept out by the confidence."""
    log_odds = np.concatenate([np.linspace(1, 4, 400), -np.linspace(1, 4, 400), np.full(100, 2.0)])
    is_female, is_ambiguous = log_odds > 0, np.arange(900) >= 800
    plain = with_min_confidence(Calibration(), log_odds, is_female)
    chosen = with_min_confidence(Calibration(), log_odds, is_female, is_ambiguous=is_ambiguous)
    assert (plain.min_confidence, plain.accuracy_bound) == (0.5, 0.98)
    assert chosen.min_confidence > Calibration().p_female(2.0)
    assert (chosen.temperature, chosen.bias) == (1.0, 0.0)


def test_too_few_speakers_still_keep_the_promise_in_the_sample():
    """One of 30 is wrong, the least confident: all answers have the higher bound, but not 98 %."""
    log_odds = np.concatenate([np.full(14, 4.0), [1.0], np.full(15, -4.0)])
    is_female = np.arange(30) < 14
    found = with_min_confidence(Calibration(), log_odds, is_female)
    assert Calibration().p_female(1.0) < found.min_confidence <= Calibration().p_female(4.0)
    assert 0.8 < found.accuracy_bound < 0.83


def people(rng, n, badly=0.03):
    """Log-odds of three to twelve recordings each; some speakers are taken for the other label."""
    is_female, bad = np.arange(n) % 2 == 0, rng.random(n) < badly
    centre = np.where(is_female ^ bad, 1, -1) * rng.uniform(1, 4, n)
    speakers = np.repeat(np.arange(n), rng.integers(3, 13, n))
    return centre[speakers] + rng.normal(0, 0.3, len(speakers)), is_female[speakers], speakers


def true_accuracy(calibration, everyone, threshold):
    """Of the answers given, speakers alike."""
    log_odds, is_female, speakers = everyone
    calibrated = calibration.calibrated_log_odds(log_odds)
    weights = (1 / np.bincount(speakers))[speakers]
    weights = weights * (1 / (1 + np.exp(-np.abs(calibrated))) >= threshold)
    return weights @ ((calibrated > 0) == is_female) / max(weights.sum(), 1e-9)


def by_the_sample(log_odds, is_female, calibration, promised=0.98):
    """Lowest confidence at which the sample itself is as promised, as it was before."""
    calibrated = calibration.calibrated_log_odds(log_odds)
    confidence = 1 / (1 + np.exp(-np.abs(calibrated)))
    order = np.argsort(-confidence)
    right = ((calibrated > 0) == is_female)[order]
    kept = np.flatnonzero(np.cumsum(right) / np.arange(1, len(right) + 1) >= promised)
    return confidence[order][kept[-1]] if len(kept) else 0.99


@pytest.mark.slow
@pytest.mark.parametrize("n, promised", [(60, 0.85), (150, 0.91), (300, 0.935)])
def test_what_is_promised_is_kept(n, promised):
    """In at least 95 % of the draws; what the sample itself shows is not, in most of them."""
    rng = np.random.default_rng(n)
    everyone, broken, broken_before, rates = people(rng, 20_000), [], [], []
    for _ in range(200):
        log_odds, is_female, speakers = people(rng, n)
        found = fit_calibration(log_odds, is_female, speakers)
        broken.append(true_accuracy(found, everyone, found.min_confidence) < found.accuracy_bound)
        before = by_the_sample(log_odds, is_female, found)
        broken_before.append(true_accuracy(found, everyone, before) < 0.98)
        rates.append(found.accuracy_bound)
    assert np.mean(broken) <= 0.05
    assert np.mean(broken_before) > 0.5
    assert np.mean(rates) > promised  # of 0.97 for all: it is not kept by promising nothing
