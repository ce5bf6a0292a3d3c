"""How often 95 % intervals hold the truth: 1,000 draws of 40 speakers."""

import numpy as np
import pytest

from voxsight.metrics.bootstrap import difference_of_means, ratio_over_speakers
from voxsight.metrics.figures import figures
from voxsight.metrics.segments import Stretch, timeline_figures
from voxsight.metrics.verification import equal_error_rate, verification_figure

pytestmark = pytest.mark.slow
DRAWS, SPEAKERS = 1000, 40
WITHIN = (0.93, 0.97)
IS_FEMALE = np.arange(SPEAKERS) % 2 == 0


def coverage(intervals, truth):
    return np.mean([figure["low"] <= truth <= figure["high"] for figure in intervals])


def fractions(rng, mean, correlation, n=SPEAKERS):
    """Of each speaker: most are always right, a few often wrong."""
    size = 1 / correlation - 1
    return rng.beta(mean * size, (1 - mean) * size, n)


@pytest.mark.parametrize("recall, correlation, rate", [(0.88, 0.3, 0.92), (0.92, 0.5, 0.85),
                                                       (0.95, 0.7, 0.9)])
def test_accuracy_uar_and_answer_rate(recall, correlation, rate):
    rng, found = np.random.default_rng(1), []
    for draw in range(DRAWS):
        speakers = np.repeat(np.arange(SPEAKERS), rng.integers(3, 13, SPEAKERS))
        is_female = IS_FEMALE[speakers]
        right = rng.random(len(speakers)) < fractions(rng, recall, correlation)[speakers]
        answered = rng.random(len(speakers)) < fractions(rng, rate, correlation)[speakers]
        found.append(figures(is_female, np.where(is_female == right, 0.9, 0.1), speakers,
                             answered=answered, draws=100, seed=draw))
    for name, truth in (("accuracy", recall), ("uar", recall), ("coverage", rate)):
        assert WITHIN[0] <= coverage([f[name] for f in found], truth) <= WITHIN[1], name


def test_auc_and_brier():
    """Log-odds of normal speakers; wide rather than narrow where hardly a pair is wrong."""
    rng, found = np.random.default_rng(2), []

    def people(n):
        speakers = np.repeat(np.arange(n), rng.integers(3, 13, n))
        is_female = speakers % 2 == 0
        x = np.where(is_female, 2, -2) + rng.normal(size=n)[speakers]
        return is_female, 1 / (1 + np.exp(-2 * (x + rng.normal(size=len(speakers))))), speakers

    truth = figures(*people(6000), draws=2)
    found = [figures(*people(SPEAKERS), draws=60, seed=i) for i in range(DRAWS // 2)]
    for name in ("auc", "brier"):
        assert 0.93 <= coverage([f[name] for f in found], truth[name]["value"]) <= 0.985, name


def test_equal_error_rate():
    rng = np.random.default_rng(3)

    def recordings(n):
        speakers = np.repeat(np.arange(n), rng.integers(3, 8, n))
        noise = 0.8 * np.exp(rng.normal(0, 0.3, n))[speakers][:, None]
        voices = rng.normal(size=(n, 16))
        return voices[speakers] + noise * rng.normal(size=(len(speakers), 16)), speakers

    truth = np.mean([equal_error_rate(*recordings(200))[0] for _ in range(30)])
    found = [verification_figure(*recordings(SPEAKERS), draws=40, seed=i) for i in range(DRAWS)]
    assert 0.05 < truth < 0.2
    assert WITHIN[0] <= coverage(found, truth) <= WITHIN[1]


@pytest.mark.parametrize("female", [0.5, 0.88])
def test_share_of_time(female):
    """Women's share of the seconds, some of which are taken for a man's."""
    rng = np.random.default_rng(4)

    def seconds(n):
        spoken = 60 * np.exp(rng.normal(0, 0.6, n))
        wrong = fractions(rng, 0.04, 0.5, n)
        return spoken * np.where(rng.random(n) < female, 1 - wrong, wrong), spoken

    found = [ratio_over_speakers(*seconds(SPEAKERS), draws=200, seed=i) for i in range(DRAWS)]
    truth = 0.96 * female + 0.04 * (1 - female)
    assert WITHIN[0] <= coverage(found, truth) <= WITHIN[1]


def test_shares_of_conversations():
    """The same from a timeline: who speaks when, and what it says of the label."""
    rng, found = np.random.default_rng(5), []
    for _ in range(DRAWS // 4):
        lengths = rng.uniform(1, 5, 3 * SPEAKERS).round(1)
        ends = np.cumsum(lengths)
        speakers = rng.permutation(np.repeat(np.arange(SPEAKERS), 3))
        kinds = np.where(rng.random(SPEAKERS) < 0.6, "female", "male")
        right = fractions(rng, 0.95, 0.5)
        stretches = [Stretch(end - length, end, kinds[s], f"s{s}")
                     for end, length, s in zip(ends, lengths, speakers)]
        segments = [{"start_s": t.start_s, "end_s": t.end_s,
                     "label": t.kind if rng.random() < right[s]
                     else ("male" if t.kind == "female" else "female")}
                    for t, s in zip(stretches, speakers)]
        found.append(timeline_figures(segments, stretches))
    for name, truth in (("label_accuracy", 0.95), ("true_female_share", 0.6),
                        ("female_share", 0.6 * 0.95 + 0.4 * 0.05), ("share_error", -0.01)):
        assert 0.91 <= coverage([f[name] for f in found], truth) <= 0.995, name


def test_differences_of_means():
    rng, found = np.random.default_rng(6), []
    speakers = np.repeat(np.arange(SPEAKERS), 5)
    for _ in range(DRAWS):
        values = rng.exponential(size=SPEAKERS)[speakers] + rng.normal(size=len(speakers))
        _, low, high = difference_of_means(values + IS_FEMALE[speakers], IS_FEMALE[speakers],
                                           speakers, draws=100)
        found.append({"low": low, "high": high})
    assert WITHIN[0] <= coverage(found, 1.0) <= WITHIN[1]
