import numpy as np
import pytest

from voxsight.metrics.abstention import abstention_figures, risk_coverage


def by_hand(is_right, confidence, copies=400, orders=30):
    """Mean error rate among the first k of many copies, those of equal confidence shuffled."""
    rng, areas = np.random.default_rng(0), []
    right, sure = np.repeat(is_right, copies), np.repeat(confidence, copies)
    for _ in range(orders):
        order = np.lexsort([rng.random(len(right)), -sure])
        areas.append(np.mean(np.cumsum(~right[order]) / np.arange(1, len(right) + 1)))
    return np.mean(areas)


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_area_is_the_mean_risk(levels, rng):
    """Also where many recordings are equally confident."""
    confidence = rng.integers(0, levels, 60) / levels
    is_right = rng.random(60) < 0.5 + confidence / 2
    found = abstention_figures(is_right, confidence, [str(i // 3) for i in range(60)])
    best = by_hand(is_right, is_right.astype(float))
    assert found["aurc"]["value"] == pytest.approx(by_hand(is_right, confidence), abs=0.003)
    assert found["e_aurc"]["value"] == pytest.approx(found["aurc"]["value"] - best, abs=0.003)
    assert found["aurc"]["low"] < found["aurc"]["value"] < found["aurc"]["high"]


def test_confidence_that_says_nothing_or_everything():
    is_right = np.arange(10) >= 3
    nothing = abstention_figures(is_right, np.ones(10), list("abcdefghij"))
    everything = abstention_figures(is_right, is_right, list("abcdefghij"))
    assert nothing["aurc"]["value"] == pytest.approx(0.3)
    assert everything["e_aurc"]["value"] == pytest.approx(0, abs=1e-12)
    assert everything["aurc"]["value"] == pytest.approx(0.3 + 0.7 * np.log(0.7))


def test_no_confidence_at_all_comes_last():
    assert risk_coverage([True, False, True], [0.6, -np.inf, 0.9], [2 / 3, 1]) == pytest.approx(
        [0, 1 / 3])


def test_interval_is_of_speakers(rng):
    """Ten recordings of each of 20 speakers tell no more than one of each."""
    speakers = [str(i) for i in range(20)]
    is_right, confidence = rng.random(20) < 0.7, rng.random(20)
    once = abstention_figures(is_right, confidence, speakers)["aurc"]
    often = abstention_figures(np.repeat(is_right, 10), np.repeat(confidence, 10),
                               np.repeat(speakers, 10))["aurc"]
    assert often == pytest.approx(once)


def test_no_interval_is_without_width():
    """Speakers whose errors all come last, and one speaker, who says nothing of others."""
    is_right, speakers = np.arange(12) < 9, list("abcabcabcabc")
    for figure in abstention_figures(is_right, np.linspace(1, 0.5, 12), speakers).values():
        assert figure["low"] < figure["high"]
    area = abstention_figures(is_right, np.ones(12), ["a"] * 12)["aurc"]
    assert area["low"] < 0.05 and area["high"] > 0.9


def test_intervals_hold_the_truth(rng):
    """40 speakers, an eighth of whom err often; percentiles held it in 84 to 87 %."""
    def drawn(n):
        bad = rng.random(n) < 0.12
        speakers = np.repeat(np.arange(n), 4)
        is_right = rng.random(4 * n) < np.where(bad, rng.beta(2, 2, n), 0.99)[speakers]
        confidence = rng.random(4 * n) / 2 - 0.2 * ~is_right - 0.1 * bad[speakers]
        return is_right, confidence, speakers.astype(str)

    truth = {name: figure["value"]
             for name, figure in abstention_figures(*drawn(5000)[:2], ["all"] * 20_000).items()}
    held = [[figure["low"] <= truth[name] <= figure["high"] for name, figure in
             abstention_figures(*drawn(40), draws=100).items()] for _ in range(150)]
    assert (np.mean(held, axis=0) > 0.93).all()
