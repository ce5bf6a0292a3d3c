"""What intervals over speakers are made of; `bootstrap` says how."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

Figure = dict[str, float | None]  # value, low and high
NOT_DEFINED: Figure = {"value": None, "low": None, "high": None}
_NORMAL_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution
_TAIL = 0.025  # on either side of an interval
# Of the logarithm of the 97.5 % quantile of t, in powers of 1 / degrees of freedom.
_LOG_T_95 = (0.672937, 1.21009, 0.707481, 0.169674, -0.320823, 0.102761)


def bounded_figure(value: float, variance: float, influences: Sequence[np.ndarray], *,
                   fewest: float, most: float) -> Figure:
    """A figure from 0 to 1 with the interval that this module describes.

    Parameters
    ----------
    value : float
    variance : float
        Of the figure, over draws of speakers.
    influences : sequence of np.ndarray [shape=(speakers,), float]
        How much each speaker moves the figure, for each independent sample of speakers.
    fewest, most : float
        Effective number of observations if all of a speaker's are alike, and if they have
        nothing in common.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``.
    """
    n_speakers = sum(len(influence) for influence in influences)
    if value in (0, 1):
        low = _TAIL ** (1 / (fewest if len(influences) > 1 else n_speakers))
        return _figure(value, low, 1.0) if value == 1 else _figure(value, 0.0, 1 - low)
    number = fewest
    if n_speakers > 1:
        variance = float(max(variance, 1e-300)) * n_speakers / (n_speakers - 1)
        number = min(value * (1 - value) / variance, most)
        number *= (_NORMAL_95 / t_quantile(freedom(influences))) ** 2
    low, high = wilson_interval(np.array(value), np.array(max(number, fewest)))
    return _figure(value, float(low), float(high))


def t_figure(value: float, variance: float, influences: Sequence[np.ndarray]) -> Figure:
    """A figure without limits, with a t interval.

    Parameters
    ----------
    value : float
    variance : float
        Of the figure, over draws of speakers.
    influences : sequence of np.ndarray [shape=(speakers,), float]
        How much each speaker moves the figure, for each independent sample of speakers.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; the ends are None if there is one speaker.
    """
    n_speakers = sum(len(influence) for influence in influences)
    if n_speakers < 2:
        return {"value": value, "low": None, "high": None}
    deviation = np.sqrt(max(variance, 0.0) * n_speakers / (n_speakers - 1))
    half = float(t_quantile(freedom(influences)) * deviation)
    return _figure(value, value - half, value + half)


def joined(terms: Iterable[tuple[float, Figure]]) -> Figure:
    """Weighted sum of figures of which each is measured apart, by MOVER.

    Parameters
    ----------
    terms : iterable of (float, dict)
        Weight, which may be negative, and figure.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; None if one of them is not defined.

    Examples
    --------
    >>> half = {"value": 0.5, "low": 0.2, "high": 0.9}
    >>> joined([(1, half), (-1, half)])
    {'value': 0.0, 'low': -0.5, 'high': 0.5}
    """
    terms = list(terms)
    if any(figure["value"] is None for _, figure in terms):
        return dict(NOT_DEFINED)
    weight = np.array([weight for weight, _ in terms])
    value, low, high = (np.array([figure[key] for _, figure in terms], float)
                        for key in ("value", "low", "high"))
    below, above = weight * (value - low), weight * (high - value)
    total = float(weight @ value)
    return _figure(total, total - float(np.hypot.reduce(np.where(weight > 0, below, above))),
                   total + float(np.hypot.reduce(np.where(weight > 0, above, below))))


def mean_of_independent(figures: Iterable[Mapping[str, float | None]]) -> Figure:
    """Mean of figures that were measured on different speakers, such as those of corpora.

    Parameters
    ----------
    figures : iterable of dict
        Each with ``value``, ``low`` and ``high``; those that are not defined are left out.

    Returns
    -------
    dict
        ``value``, ``low`` and ``high``; None if no figure is defined.

    Examples
    --------
    >>> mean_of_independent([{"value": 0.5, "low": 0.25, "high": 1.0},
    ...                      {"value": 1.0, "low": 1.0, "high": 1.0}])
    {'value': 0.75, 'low': 0.625, 'high': 1.0}
    """
    known = [dict(figure) for figure in figures if None not in figure.values()]
    return joined([(1 / len(known), figure) for figure in known]) if known else dict(NOT_DEFINED)


def mean_of_certain(first: float, second: float) -> float:
    """Least mean of two fractions that nobody of two samples speaks against (2.5 %).

    Where all of m and n speakers are right, p and q are too low if ``p**m * q**n < 0.025``;
    this is the least of ``(p + q) / 2``. If m = n, it is Clopper and Pearson's for m + n.

    Parameters
    ----------
    first, second : float
        Numbers of speakers.

    Returns
    -------
    float

    Examples
    --------
    >>> round(mean_of_certain(12, 12), 3), round(mean_of_certain(20, 4), 3)
    (0.858, 0.699)
    """
    number = first + second
    scale = np.exp((np.log(_TAIL) - first * np.log(first) - second * np.log(second)) / number)
    if scale * max(first, second) > 1:  # all doubt is about the label with fewer speakers
        return (1 + _TAIL ** (1 / min(first, second))) / 2
    return float(scale * number / 2)


def effective_number(parts: np.ndarray, wholes: np.ndarray, most: float) -> tuple[float, float]:
    """Ratio of two sums over speakers, and how many independent observations tell as much.

    Parameters
    ----------
    parts, wholes : np.ndarray [shape=(n_speakers,), float]
        As for `ratio_over_speakers`; ``wholes`` greater than 0.
    most : float
        Number of independent observations, at most.

    Returns
    -------
    value, number : float
        Here the variance is that of the contributions of the speakers and not of a bootstrap.
        The number of speakers (Kish's) where all are right.
    """
    n, total = len(wholes), wholes.sum()
    value, fewest = float(np.minimum(parts.sum() / total, 1.0)), kish(wholes)
    influence = (parts - value * wholes) / total
    variance = float(np.square(influence).sum()) * n / max(n - 1, 1)
    if n < 2 or variance < 1e-18:
        return value, fewest
    number = min(value * (1 - value) / variance, most)
    return value, max(number * (_NORMAL_95 / t_quantile(freedom([influence]))) ** 2, fewest)


def kish(weights: np.ndarray) -> float:
    """Number of equal weights whose mean varies as much as that of these.

    Examples
    --------
    >>> kish(np.array([1.0, 1.0, 2.0])), kish(np.ones(5))
    (2.6666666666666665, 5.0)
    """
    return float(weights.sum() ** 2 / np.square(weights).sum())


def freedom(influences: Sequence[np.ndarray]) -> float:
    """Degrees of freedom of a variance, from the kurtosis of what each speaker contributes.

    Parameters
    ----------
    influences : sequence of np.ndarray [shape=(speakers,), float]
        One array for each independent sample of speakers.

    Returns
    -------
    float
        At least 1. About the number of speakers if the contributions are normally distributed.
    """
    variances, freedoms = [], []
    for influence in influences:
        squares, n = np.square(influence), len(influence)
        variances.append(float(squares.sum()))
        if n < 2 or not variances[-1]:
            freedoms.append(max(n - 1.0, 1.0))
            continue
        kurtosis = n * float(np.square(squares).sum()) / variances[-1] ** 2
        freedoms.append(float(np.clip(2 * n / max(kurtosis - 1, 1e-9), 1, n - 1)))
    if not any(variances):
        return sum(freedoms)
    return sum(variances) ** 2 / sum(v ** 2 / df for v, df in zip(variances, freedoms))


def t_quantile(degrees: float) -> float:
    """97.5 % quantile of the t distribution, within 0.01 % of `scipy.stats.t`.

    Written out, since `evaluate` runs in the light installation, which has no scipy.

    Parameters
    ----------
    degrees : float
        Degrees of freedom, at least 1.

    Returns
    -------
    float

    Examples
    --------
    >>> round(t_quantile(5), 3)
    2.571
    """
    return float(np.exp(np.polynomial.polynomial.polyval(1 / degrees, _LOG_T_95)))


def wilson_interval(fractions: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """95 % intervals of fractions of independent counts, which stay between 0 and 1.

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


def _figure(value: float, low: float, high: float) -> Figure:
    """A figure whose interval holds it, whatever was rounded."""
    return {"value": value, "low": min(low, value), "high": max(high, value)}
