"""95 % intervals of means, by a bootstrap over speakers.

Conventions
-----------
Values are given one per recording, with the name of the speaker of each. Speakers are drawn
with replacement, not recordings, since recordings of one voice tend to be right or wrong
together. All recordings of a speaker count as often as the speaker was drawn.

An interval is from the 2.5th to the 97.5th percentile of a figure over the draws. If all
speakers have the same value, the interval has no width; it then says nothing about speakers
who were not measured. A seed always gives the same draws.

The bootstrap is written here and not taken from `scipy.stats.bootstrap`, which has no clusters
and is thirty times slower than sums over weights.

References
----------
.. [1] Davison and Hinkley, "Bootstrap methods and their application", 1997, section 3.8
.. [2] Field and Welsh, "Bootstrapping clustered data", 2007
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

DRAWS = 1000
_NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
PERCENTILES = [2.5, 97.5]


def bootstrap_weights(n: int, draws: int, seed: int) -> np.ndarray:
    """How often each speaker was drawn.

    Parameters
    ----------
    n : int
        Number of speakers.
    draws : int
    seed : int

    Returns
    -------
    np.ndarray [shape=(draws, n), int]
        Every row sums to n.

    Examples
    --------
    >>> bootstrap_weights(3, 2, seed=0).sum(axis=1).tolist()
    [3, 3]
    """
    return np.random.default_rng(seed).multinomial(n, np.full(n, 1 / max(n, 1)), size=draws)


def mean_over_speakers(values: ArrayLike, speakers: Sequence[str], *, draws: int = DRAWS,
                       seed: int = 0) -> dict[str, float | None]:
    """Mean of values in which every speaker has the same weight, with its 95 % interval.

    Parameters
    ----------
    values : sequence of float [shape=(n,)]
        NaN is ignored.
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; None if there is no value.

    Examples
    --------
    >>> mean_over_speakers([1, 1, 1, 5], ["a", "a", "a", "b"])["value"]
    3.0
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    if not known.any():
        return {"value": None, "low": None, "high": None}
    _, member = np.unique(np.asarray(speakers, str)[known], return_inverse=True)
    means = np.bincount(member, values[known]) / np.bincount(member)
    drawn = bootstrap_weights(len(means), draws, seed) @ means / len(means)
    low, high = np.percentile(drawn, PERCENTILES)
    return {"value": float(means.mean()), "low": float(low), "high": float(high)}


def difference_of_means(values: np.ndarray, in_first: np.ndarray, speakers: Sequence[str], *,
                        draws: int = 500, seed: int = 0) -> tuple[float, float, float]:
    """Difference between the means of two groups of recordings, with its 95 % interval.

    Every recording has the same weight. A speaker may have recordings in both groups.

    Parameters
    ----------
    values : np.ndarray [shape=(n,), float]
        NaN is ignored.
    in_first : np.ndarray [shape=(n,), bool]
        Whether a recording is in the first group.
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    value, low, high : float
        Mean of the first group minus mean of the second; NaN if a group is empty.

    Examples
    --------
    >>> difference_of_means(np.array([3.0, 1.0]), np.array([True, False]), ["a", "b"])[0]
    2.0
    """
    known = ~np.isnan(values)
    weights_of, member = speaker_draws(np.asarray(speakers, str)[known], draws, seed)
    weights = weights_of[:, member]
    x, first = values[known], in_first[known]
    second = ~first
    with np.errstate(invalid="ignore", divide="ignore"):
        differences = ((weights * first) @ x / (weights @ first.astype(float))
                       - (weights * second) @ x / (weights @ second.astype(float)))
    if not first.any() or first.all():
        return np.nan, np.nan, np.nan
    low, high = np.nanpercentile(differences[1:], PERCENTILES)
    return float(differences[0]), float(low), float(high)


def speaker_draws(speakers: Sequence[str] | np.ndarray, draws: int,
                  seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of speakers: all equal in the first row, then those of bootstrap draws.

    Parameters
    ----------
    speakers : sequence of str [shape=(n,)]
        One per recording.
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    weights : np.ndarray [shape=(1 + draws, n_speakers), float]
    member : np.ndarray [shape=(n,), int]
        Column of the speaker of each recording.
    """
    names, member = np.unique(np.asarray(speakers, str), return_inverse=True)
    drawn = bootstrap_weights(len(names), draws, seed)
    return np.vstack([np.ones((1, len(names))), drawn]), member


def wilson_interval(fractions: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of fractions of counts, which stay between 0 and 1 (Wilson, 1927).

    Written out, since `evaluate` runs in the light installation, which has no scipy; equal to
    `scipy.stats.binomtest(...).proportion_ci(method="wilson")` (tested).

    Parameters
    ----------
    fractions : np.ndarray [shape=(n,)]
        Observed fractions.
    counts : np.ndarray [shape=(n,)]
        How many were observed.

    Returns
    -------
    low, high : np.ndarray [shape=(n,)]

    Examples
    --------
    >>> low, high = wilson_interval(np.array([0.5]), np.array([10]))
    >>> f"{low[0]:.3f} to {high[0]:.3f}"
    '0.237 to 0.763'
    """
    z2 = _NORMAL_95**2
    centre = (fractions + z2 / (2 * counts)) / (1 + z2 / counts)
    spread = np.sqrt(fractions * (1 - fractions) * z2 / counts + (z2 / (2 * counts)) ** 2)
    spread /= 1 + z2 / counts
    return np.minimum(centre - spread, fractions), np.maximum(centre + spread, fractions)
