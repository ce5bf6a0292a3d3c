import numpy as np
import pytest

from voxsight.metrics.bootstrap import mean_over_speakers
from voxsight.metrics.intervals import mean_of_independent

NOTHING = {"value": None, "low": None, "high": None}


def test_interval_of_a_mean_holds_it():
    """Of means of three groups of other sizes and spreads, in 1,000 draws."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1_000):
        figures = []
        for n, spread, mean in [(15, 1.0, 0.0), (30, 0.5, 1.0), (60, 2.0, 2.0)]:
            values = rng.normal(mean, spread, n)
            margin = 1.96 * values.std(ddof=1) / np.sqrt(n)
            figures.append({"value": values.mean(), "low": values.mean() - margin,
                            "high": values.mean() + margin})
        pooled = mean_of_independent(figures)
        held += pooled["low"] <= 1.0 <= pooled["high"]
    assert held == pytest.approx(950, abs=20)


def test_as_a_bootstrap_over_the_speakers_of_all_corpora():
    rng = np.random.default_rng(1)
    corpora = [rng.random(n) for n in (20, 50)]
    figures = [mean_over_speakers(values, [str(i) for i in range(len(values))], seed=seed)
               for seed, values in enumerate(corpora)]
    pooled = mean_of_independent(figures)
    drawn = np.mean([rng.choice(values, (5_000, len(values))).mean(axis=1)
                     for values in corpora], axis=0)
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert pooled["low"] == pytest.approx(low, abs=0.01)
    assert pooled["high"] == pytest.approx(high, abs=0.01)


def test_what_is_not_defined_is_left_out():
    one = {"value": 0.5, "low": 0.25, "high": 0.75}
    assert mean_of_independent([NOTHING, one]) == one
    assert mean_of_independent([NOTHING]) == mean_of_independent([]) == NOTHING
