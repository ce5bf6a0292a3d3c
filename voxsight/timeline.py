"""Who speaks when: windows of a long recording, each supported by its neighbours."""

from itertools import pairwise

import numpy as np

# A chain of two states, the label of whoever speaks. From one window to the next the
# voice changes seldom while someone speaks on, and as likely as not after a long pause.
CHANGE_WITHIN_SPEECH = 0.02
PAUSE_S = 3.0  # after which the half of what is known of the voice is forgotten
MAX_GAP_S = 0.5  # longer pauses separate segments


def timeline(windows, classifier):
    """Who speaks when: neighbouring windows of one label, joined over short gaps.

    Parameters
    ----------
    windows : list of prediction.WindowAnswer
        of one recording, in time order
    classifier : prediction.PictureModel

    Returns
    -------
    list of dict
        ``start_s, end_s, label, p_female``; speech only
    """
    windows = [window for window in windows if window.speech]
    if not windows:
        return []
    evidence = classifier.config.calibration.evidence([w.log_odds for w in windows])
    pauses = [after.speech[0][0] - before.speech[-1][1] for before, after in pairwise(windows)]
    segments, chances = [], []
    for window, p_female in zip(windows, smoothed(evidence, pauses)):
        label = classifier.label(p_female)
        for start_s, end_s in window.speech:
            last = segments[-1] if segments else None
            if last and last["label"] == label and start_s - last["end_s"] <= MAX_GAP_S:
                last["end_s"] = round(end_s, 3)
                chances.append(p_female)
            else:
                segments.append({"start_s": round(start_s, 3), "end_s": round(end_s, 3),
                                 "label": label})
                chances = [p_female]
            segments[-1]["p_female"] = round(float(np.mean(chances)), 4)
    return segments


def smoothed(log_odds, pauses):
    """Probability of female at each window, given all of them.

    The forward-backward algorithm (Rabiner, "A tutorial on hidden Markov models", 1989)
    for two states that are alike in everything but the label.

    Parameters
    ----------
    log_odds : sequence of float [shape=(n,)]
        of female, calibrated, each from its window alone
    pauses : sequence of float [shape=(n - 1,)]
        seconds between a window's speech and that of the next

    Returns
    -------
    list of float [shape=(n,)]
    """
    change = 0.5 - (0.5 - CHANGE_WITHIN_SPEECH) * 2 ** (-np.maximum(pauses, 0.0) / PAUSE_S)
    before = _carried(log_odds, change)
    after = _carried(log_odds[::-1], change[::-1])[::-1]
    total = np.array(before) + log_odds + after
    return (1 / (1 + np.exp(-np.clip(total, -60, 60)))).tolist()


def _carried(log_odds, change):
    """What the windows before each say of it, as log-odds."""
    carried = [0.0]
    for value, chance in zip(log_odds, change):
        p = 1 / (1 + np.exp(-np.clip(carried[-1] + value, -60, 60)))
        p = p * (1 - chance) + (1 - p) * chance
        carried.append(float(np.log(p / (1 - p))))
    return carried
