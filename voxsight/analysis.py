"""What the features of a corpus are like, and what of them goes with the label; tables only."""

import dataclasses
from collections import defaultdict

import numpy as np

from voxsight.assessment import AGE_BANDS, band
from voxsight.evaluation import drawn_anew, figures
from voxsight.features import SUMMARIES, statistics_names, summaries
from voxsight.properties import NAMES

DRAWS = 500
FAR = 6.0  # robust standard deviations from the median; further out is an outlier
FOLDS = 5
NORMALISATIONS = ("none", "standard", "robust", "per speaker", "cepstral mean")
# Of a corpus' recordings: what is looked at, when it is a problem, and its name.
PROBLEMS = (
    ("level_db", lambda v: np.median(v) < -45, "quiet: most recordings lie below -45 dB"),
    ("noise_db", lambda v: np.median(v) > -20, "noisy: pauses less than 20 dB below speech"),
    ("speech_share", lambda v: np.median(v) < 0.5, "silence: less than half of it is speech"),
    ("clipped_share", lambda v: np.mean(v > 1e-4) > 0.05, "clipped: more than 5 % of recordings"),
    ("dc", lambda v: np.median(v) > 0.05, "offset: a constant of more than 5 % of the level"),
    ("rate_hz", lambda v: len(set(v.tolist())) > 1, "mixed: more than one sampling rate"),
    ("duration_s", lambda v: np.median(v) < 0.5, "short: most recordings last under 0.5 s"),
)


@dataclasses.dataclass(frozen=True)
class Table:
    """Features of labelled recordings.

    Attributes
    ----------
    names : list of str [shape=(p,)]
    values : np.ndarray [shape=(n, p)]
        NaN where a feature is not defined
    utterances : list of corpora.Utterance [shape=(n,)]
    cepstra : list of np.ndarray [shape=(n_mfcc, frames)]
    """

    names: list
    values: np.ndarray
    utterances: list
    cepstra: list

    @property
    def is_female(self):
        """Labels, shape (n,)."""
        return np.array([u.gender == "female" for u in self.utterances], bool)

    @property
    def speakers(self):
        """Speakers with their corpus, shape (n,)."""
        return [u.voice for u in self.utterances]


def make_table(utterances, features):
    """Table of features and properties.

    Parameters
    ----------
    utterances : list of corpora.Utterance [shape=(n,)]
    features : list of dict [shape=(n,)]
        as `features.FeatureStore` gives them, with ``properties``

    Returns
    -------
    Table
    """
    n_mfcc = len(features[0]["mfcc"])
    names = [f"MFCC {k}, {summary}" for summary in SUMMARIES for k in range(n_mfcc)]
    names += statistics_names() + list(NAMES)
    values = [np.concatenate([f["mfcc_statistics"], f["statistics"], f["properties"]])
              for f in features]
    return Table(names, np.array(values, float), list(utterances), [f["mfcc"] for f in features])


def correlations(table, seed=0):
    """How each feature goes with the label.

    Parameters
    ----------
    table : Table
    seed : int

    Returns
    -------
    list of dict
        ``feature``, means and standard deviations by label, ``r`` (of the feature with being
        female) with ``r_low`` and ``r_high`` (95 %, speakers drawn anew), ``p`` (of the
        correlation over the speakers' means) and ``p_corrected`` (false discovery rate of
        Benjamini and Hochberg); strongest first
    """
    from scipy.stats import false_discovery_control, pearsonr

    female = table.is_female
    r, low, high = _weighted_correlations(table, seed)
    means, labels = _speaker_means(table)
    p = [pearsonr(x[~np.isnan(x)], labels[~np.isnan(x)])[1] if np.nanstd(x) > 0 else 1.0
         for x in means.T]
    corrected = false_discovery_control(p)
    rows = [{"feature": name, "female_mean": np.nanmean(x[female]),
             "female_std": np.nanstd(x[female]), "male_mean": np.nanmean(x[~female]),
             "male_std": np.nanstd(x[~female]), "r": r[i], "r_low": low[i], "r_high": high[i],
             "p": p[i], "p_corrected": corrected[i]}
            for i, (name, x) in enumerate(zip(table.names, table.values.T))]
    return sorted(rows, key=lambda row: -abs(row["r"]))


def outliers(table):
    """Values further than `FAR` robust standard deviations from the median.

    Returns
    -------
    list of dict
        ``path, speaker, gender, corpus, feature, value, robust_z``, furthest first
    """
    z = _robust_z(table.values)
    rows = [{"path": table.utterances[i].path, "speaker": table.speakers[i],
             "gender": table.utterances[i].gender, "corpus": table.utterances[i].corpus,
             "feature": table.names[j], "value": table.values[i, j], "robust_z": z[i, j]}
            for i, j in np.argwhere(np.abs(np.nan_to_num(z)) > FAR)]
    return sorted(rows, key=lambda row: -abs(row["robust_z"]))


def normalisation_effects(table, seed=42):
    """How well logistic regression on MFCC statistics tells the labels apart, normalised.

    Each recording is judged by a model that did not train on its speaker.

    Returns
    -------
    list of dict
        ``normalisation, uar, uar_low, uar_high, auc, auc_low, auc_high``
    """
    rows = []
    for name in NORMALISATIONS:
        p_female = _cross_validated(_normalised(table, name), table, seed)
        found = figures(table.is_female, p_female, table.speakers, draws=DRAWS)
        rows.append({"normalisation": name} | {
            f"{figure}{end}": found[figure][key] for figure in ("uar", "auc")
            for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))})
    return rows


def pitch_groups(table):
    """Median fundamental frequency by label and age.

    Returns
    -------
    list of dict
        ``gender, age, n, n_speakers, median_hz, p10_hz, p90_hz``
    """
    f0 = table.values[:, table.names.index("f0_hz")]
    members = defaultdict(list)
    for i, u in enumerate(table.utterances):
        if not np.isnan(f0[i]):
            members[u.gender, band(u.age, AGE_BANDS)].append(i)
    return [{"gender": gender, "age": age, "n": len(own),
             "n_speakers": len({table.speakers[i] for i in own}),
             "median_hz": np.median(f0[own]), "p10_hz": np.percentile(f0[own], 10),
             "p90_hz": np.percentile(f0[own], 90)}
            for (gender, age), own in sorted(members.items())]


def corpus_properties(table):
    """Medians of the properties of each corpus, and what is wrong with it in words.

    Returns
    -------
    list of dict
        ``corpus, n, n_speakers``, a median per property, ``problems``
    """
    rows, corpora = [], np.array([u.corpus for u in table.utterances])
    columns = {name: table.values[:, table.names.index(name)] for name in NAMES}
    for corpus in sorted(set(corpora.tolist())):
        own = corpora == corpus
        problems = [words for name, wrong, words in PROBLEMS if wrong(columns[name][own])]
        rows.append({"corpus": corpus, "n": int(own.sum()),
                     "n_speakers": len({s for s, mine in zip(table.speakers, own) if mine}),
                     **{name: float(np.nanmedian(x[own])) for name, x in columns.items()},
                     "problems": "; ".join(problems)})
    return rows


def difference(values, one, speakers, seed=0):
    """Difference of means between two groups of recordings, speakers drawn anew.

    Parameters
    ----------
    values : np.ndarray [shape=(n,)]
        NaN is left out
    one : np.ndarray of bool [shape=(n,)]
        the first group
    speakers : sequence of str [shape=(n,)]
    seed : int

    Returns
    -------
    value, low, high : float
        of the first group's mean minus the other's; NaN where a group is empty
    """
    known = ~np.isnan(values)
    times, member = _draws([s for s, k in zip(speakers, known) if k], seed)
    weights = times[:, member]
    x, first = values[known], one[known]
    with np.errstate(invalid="ignore", divide="ignore"):
        gaps = ((weights * first) @ x / (weights @ first.astype(float))
                - (weights * ~first) @ x / (weights @ (~first).astype(float)))
    if not first.any() or first.all():
        return np.nan, np.nan, np.nan
    return (float(gaps[0]), *np.nanpercentile(gaps[1:], [2.5, 97.5]).tolist())


def _draws(speakers, seed):
    """How often each speaker counts, once as they are and then drawn; and who said what."""
    names, member = np.unique(np.asarray(speakers, str), return_inverse=True)
    return np.vstack([np.ones((1, len(names))), drawn_anew(len(names), DRAWS, seed)]), member


def _weighted_correlations(table, seed):
    times, member = _draws(table.speakers, seed)
    known = ~np.isnan(table.values)
    centre = np.nanmean(table.values, axis=0)
    x = np.where(known, table.values - centre, 0.0) / (np.nanstd(table.values, axis=0) + 1e-12)
    y = table.is_female.astype(float)[:, None]
    found = []
    for weights in times[:, member]:
        w = weights[:, None] * known
        total = np.maximum(w.sum(axis=0), 1e-9)
        mx, my = (w * x).sum(axis=0) / total, (w * y).sum(axis=0) / total
        covariance = (w * x * y).sum(axis=0) / total - mx * my
        spread = ((w * x * x).sum(axis=0) / total - mx ** 2) * (my - my ** 2)
        found.append(covariance / np.sqrt(np.maximum(spread, 1e-12)))
    found = np.array(found)
    return found[0], *np.percentile(found[1:], [2.5, 97.5], axis=0)


def _speaker_means(table):
    names, member = np.unique(np.asarray(table.speakers, str), return_inverse=True)
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of speakers without a voiced frame
        means = [np.nanmean(table.values[member == i], axis=0) for i in range(len(names))]
    labels = [float(table.is_female[member == i][0]) for i in range(len(names))]
    return np.array(means), np.array(labels)


def _robust_z(values):
    centre = np.nanmedian(values, axis=0)
    spread = 1.4826 * np.nanmedian(np.abs(values - centre), axis=0)
    return np.where(spread > 0, (values - centre) / np.maximum(spread, 1e-12), 0.0)


def _normalised(table, name):
    """Statistics of the cepstra, shape (n, 4 * n_mfcc), normalised in one of the ways."""
    if name == "cepstral mean":
        return np.array([summaries(c - c.mean(axis=1, keepdims=True)) for c in table.cepstra])
    values = np.array([summaries(c) for c in table.cepstra])
    if name == "standard":
        return (values - values.mean(axis=0)) / (values.std(axis=0) + 1e-9)
    if name == "robust":
        return _robust_z(values)
    if name == "per speaker":
        _, member = np.unique(np.asarray(table.speakers, str), return_inverse=True)
        for i in range(member.max() + 1):
            values[member == i] -= values[member == i].mean(axis=0)
    return values


def _cross_validated(values, table, seed):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict

    folds = min(FOLDS, *(len({s for s, own in zip(table.speakers, table.is_female == label)
                              if own}) for label in (True, False)))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    model = LogisticRegression(C=0.01, class_weight="balanced", max_iter=3000)
    return cross_val_predict(model, values, table.is_female, groups=table.speakers, cv=splitter,
                             method="predict_proba")[:, 1]
