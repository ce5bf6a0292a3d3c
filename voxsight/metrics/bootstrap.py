"""95 % intervals of figures over speakers: one family of methods for all of them.

Conventions
-----------
Values are given one per recording, with the name of the speaker of each. Recordings of one voice
tend to be right or wrong together, so speakers are drawn and not recordings. A seed always gives
the same draws.

A fraction is a ratio of two sums over speakers, such as recordings that are right over all
recordings, or seconds over seconds. Its interval is made in these steps.

1. The variance of the fraction comes from a bootstrap over speakers [1]_: speakers are drawn with
   replacement, and all of a speaker's recordings count as often as the speaker was drawn.
2. Variance and fraction give an effective number of independent observations [2]_. It is at most
   the number of recordings. Where few speakers err, their variance is known badly, so the number
   is lowered by the quantile of a t distribution whose degrees of freedom follow from the
   kurtosis of what each speaker contributes [3]_. It never falls below the number of speakers
   (Kish's, if their recordings are unequally many), which is the case of speakers who are all
   right or all wrong.
3. Wilson's interval for that number [4]_. Where no speaker errs, or all of them do always, it is
   that of Clopper and Pearson for the number of speakers: 24 of 24 are at least 0.858.

Sums and differences of fractions join their intervals by MOVER [5]_. Means of values without
limits have a t interval of the same variance and degrees of freedom.

In simulations of 40 speakers, of whom most are always right and a few often wrong (beta-binomial,
intraclass correlations of 0.3 to 0.7), such an interval holds the truth in 94 to 96 % of the draws
for true fractions of 0.85 to 0.965, and in 97 to 98 % for 0.97, where often nobody errs. The same
with the t quantile of all speakers did in 87 to 94 %, Wald's interval in 74 to 92 %. Percentiles
of the bootstrap did in 81 to 93 %, and have no width where nobody errs. `scipy.stats.bootstrap`
has no clusters.

References
----------
.. [1] Field and Welsh, "Bootstrapping clustered data", 2007
.. [2] Korn and Graubard, "Confidence intervals for proportions with small expected number of
       positive counts estimated from survey data", 1998
.. [3] Satterthwaite, "An approximate distribution of estimates of variance components", 1946
.. [4] Wilson, "Probable inference, the law of succession, and statistical inference", 1927
.. [5] Zou and Donner, "Construction of confidence limits about effect measures", 2008
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from voxsight.metrics.intervals import NOT_DEFINED, Figure, bounded_figure, kish, t_figure
from voxsight.metrics.intervals import wilson_interval as wilson_interval

DRAWS = 1000


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
    np.ndarray [shape=(draws, n), float]
        Every row sums to n.

    Examples
    --------
    >>> bootstrap_weights(3, 2, seed=0).sum(axis=1).tolist()
    [3.0, 3.0]
    """
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / max(n, 1)), size=draws)
    return drawn.astype(float)  # sums over whole numbers do not use BLAS


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


def ratio_over_speakers(parts: ArrayLike, wholes: ArrayLike, *, most: float | None = None,
                        weights: np.ndarray | None = None, draws: int = DRAWS,
                        seed: int = 0) -> Figure:
    """Ratio of two sums over speakers, from 0 to 1, with its 95 % interval.

    Parameters
    ----------
    parts, wholes : array of float [shape=(n_speakers,)]
        What is counted of each speaker, and of how much, such as seconds labelled female and
        seconds labelled at all. ``0 <= parts <= wholes``; speakers of whom there is nothing
        do not count.
    most : float, optional
        Number of independent observations if those of a speaker have nothing in common, such as
        the number of recordings (default: number of speakers; seconds are no observations).
    weights : np.ndarray [shape=(draws, n_speakers), float], optional
        As `bootstrap_weights` returns them (default: drawn here).
    draws, seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; None if there is nothing of any speaker.

    Examples
    --------
    >>> figure = ratio_over_speakers(np.ones(24), np.ones(24))
    >>> f"{figure['value']:.3f} ({figure['low']:.3f} to {figure['high']:.3f})"
    '1.000 (0.858 to 1.000)'
    """
    parts, wholes = np.asarray(parts, float), np.asarray(wholes, float)
    total = wholes.sum()
    if not total > 0:
        return dict(NOT_DEFINED)
    if weights is None:
        weights = bootstrap_weights(len(wholes), draws, seed)
    value = min(max(float(parts.sum() / total), 0.0), 1.0)
    there = wholes > 0
    influence = (parts - value * wholes) / total
    with np.errstate(invalid="ignore", divide="ignore"):
        drawn = (weights @ parts) / (weights @ wholes)
    # The variance of the linear part is known; the draws need only tell what it lacks.
    variance = (np.square(influence).sum() + np.nanvar(drawn) - np.var(weights @ influence))
    return bounded_figure(value, variance, [influence[there]], fewest=kish(wholes[there]),
                          most=int(there.sum()) if most is None else most)


def mean_over_speakers(values: ArrayLike, speakers: Sequence[str], *, draws: int = DRAWS,
                       seed: int = 0, unit: bool = False) -> Figure:
    """Mean of values in which every speaker has the same weight, with its 95 % interval.

    Parameters
    ----------
    values : sequence of float [shape=(n,)]
        NaN is ignored.
    speakers : sequence of str [shape=(n,)]
    draws, seed : int
        Of the bootstrap over speakers, which values without limits do not need.
    unit : bool
        The values can only be from 0 to 1, such as fractions and probabilities.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; None if there is no value. The ends are None too if
        there is one speaker whose values have no limits: nothing is then known of others.

    Examples
    --------
    >>> mean_over_speakers([1, 1, 1, 5], ["a", "a", "a", "b"])["value"]
    3.0
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    _, member = np.unique(np.asarray(speakers, str)[known], return_inverse=True)
    if not known.any():
        return dict(NOT_DEFINED)
    means = np.bincount(member, values[known]) / np.bincount(member)
    if unit:
        return ratio_over_speakers(means, np.ones(len(means)), most=int(known.sum()),
                                   draws=draws, seed=seed)
    influence = (means - means.mean()) / len(means)
    # The variance of a mean over draws of speakers needs no draws.
    return t_figure(float(means.mean()), float(np.square(influence).sum()), [influence])


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
        Mean of the first group minus mean of the second; NaN if a group is empty. The ends are
        NaN too if there is one speaker.

    Examples
    --------
    >>> difference_of_means(np.array([3.0, 1.0]), np.array([True, False]), ["a", "b"])[0]
    2.0
    """
    known = ~np.isnan(values)
    x, first = values[known], in_first[known]
    if not first.any() or first.all():
        return np.nan, np.nan, np.nan
    weights, member = speaker_draws(np.asarray(speakers, str)[known], draws, seed)
    sums = [np.bincount(member, array) for array in (x * first, first, x * ~first, ~first)]
    with np.errstate(invalid="ignore", divide="ignore"):
        total, number, other_total, other_number = (weights @ per_speaker for per_speaker in sums)
        differences = total / number - other_total / other_number
    influence = ((sums[0] - sums[1] * total[0] / number[0]) / number[0]
                 - (sums[2] - sums[3] * other_total[0] / other_number[0]) / other_number[0])
    figure = t_figure(float(differences[0]), float(np.nanvar(differences[1:])), [influence])
    value, low, high = (np.nan if figure[key] is None else float(figure[key] or 0)
                        for key in ("value", "low", "high"))
    return value, low, high
