"""Figures from labels and probabilities, with intervals over speakers; NumPy only."""

import warnings

import numpy as np

BINS = 15


def figures(is_female, p_female, speakers=None, *, n_boot=1000, seed=0):
    """Figures of a set of answers, each with a 95 % interval.

    Speakers, not recordings, are drawn anew in the bootstrap: recordings of one voice
    are right or wrong together.

    Parameters
    ----------
    is_female : array of bool [shape=(n,)]
    p_female : array of float [shape=(n,)]
        probability of the label female
    speakers : sequence of str [shape=(n,)], optional
        without them there are no intervals
    n_boot : int
    seed : int

    Returns
    -------
    dict
        ``n``, ``n_speakers`` and per figure ``{"value", "low", "high"}``
    """
    is_female, p_female = np.asarray(is_female, bool), np.asarray(p_female, float)
    values = point_figures(is_female, p_female)
    result = {"n": len(is_female)}
    if speakers is None:
        return result | {name: {"value": value} for name, value in values.items()}
    names, member = np.unique(np.asarray(speakers, str), return_inverse=True)
    items = [np.flatnonzero(member == i) for i in range(len(names))]
    rng = np.random.default_rng(seed)
    draws = []
    for _ in range(n_boot):
        chosen = np.concatenate([items[i] for i in rng.integers(len(items), size=len(items))])
        draws.append(list(point_figures(is_female[chosen], p_female[chosen]).values()))
    with warnings.catch_warnings():  # a figure may be undefined in every draw
        warnings.filterwarnings("ignore", "All-NaN slice")
        low, high = np.nanpercentile(draws, [2.5, 97.5], axis=0)
    result["n_speakers"] = len(names)
    for i, (name, value) in enumerate(values.items()):
        result[name] = {"value": value, "low": float(low[i]), "high": float(high[i])}
    return result


def point_figures(is_female, p_female):
    """The figures without intervals; NaN where they are not defined.

    Returns
    -------
    dict of str to float
        ``accuracy``, ``error_rate``, ``uar`` (mean recall of the two labels), ``recall``
        and ``precision`` and ``f1_female`` of the label female, ``auc``, ``ece`` (over 15
        bins of equal mass), ``brier``
    """
    said = p_female >= 0.5
    hits = float(np.sum(said & is_female))
    recall, recall_male = _share(said[is_female]), _share(~said[~is_female])
    precision = hits / float(said.sum()) if said.any() else float("nan")
    accuracy = _share(said == is_female)
    total = float(is_female.sum() + said.sum())
    return {
        "accuracy": accuracy, "error_rate": 1 - accuracy, "uar": (recall + recall_male) / 2,
        "precision": precision, "recall": recall,
        "f1_female": 2 * hits / total if total else float("nan"),
        "auc": auc(is_female, p_female),
        "ece": expected_calibration_error(is_female, p_female),
        "brier": float(np.mean((p_female - is_female) ** 2)),
    }


def auc(is_female, p_female):
    """Area under the ROC curve, from ranks (Mann-Whitney), ties counted half."""
    n_female, n_male = is_female.sum(), (~is_female).sum()
    if not n_female or not n_male:
        return float("nan")
    _, member, counts = np.unique(p_female, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[member]
    return float((ranks[is_female].sum() - n_female * (n_female + 1) / 2) / (n_female * n_male))


def expected_calibration_error(is_female, p_female, bins=BINS):
    """Mean distance between said and found share of females over bins of equal mass."""
    order = np.argsort(p_female, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return float(sum(abs(p_female[part].sum() - is_female[part].sum()) for part in parts)
                 / len(order))


def _share(values):
    return float(np.mean(values)) if len(values) else float("nan")
