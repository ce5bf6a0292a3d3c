"""Features of a corpus: which of them correlate with the label, outliers and problems."""

import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from voxsight.corpora.utterance import Utterance, plausible_age
from voxsight.features.acoustic import SUMMARIES, statistics_names, summaries
from voxsight.features.properties import NAMES
from voxsight.metrics.bootstrap import speaker_draws
from voxsight.metrics.figures import figures
from voxsight.metrics.groups import AGE_BANDS, band
from voxsight.metrics.intervals import t_figure

if TYPE_CHECKING:
    from sklearn.base import TransformerMixin

DRAWS = 500  # of the bootstrap; the intervals only serve to read a table
OUTLIER_Z = 6.0  # robust standard deviations from the median; further away is an outlier
ROBUST_STD = 1.4826  # standard deviation of a normal distribution, in median absolute deviations
_NEARLY_1 = 1 - 1e-9  # correlation whose transform is still finite
FOLDS = 5
NORMALISATIONS = ("none", "standard", "robust", "per speaker", "cepstral mean")


class Problem(NamedTuple):
    """Something that may be wrong with a corpus.

    Attributes
    ----------
    property : str
        Field of `Properties` that shows it.
    is_present : callable
        Function from the values of all recordings to whether the corpus has the problem.
    description : str
        What is said about the corpus.
    """

    property: str
    is_present: Callable[[np.ndarray], Any]
    description: str


PROBLEMS = (
    Problem("level_db", lambda v: np.median(v) < -45,
            "quiet: most recordings lie below -45 dB"),
    Problem("noise_db", lambda v: np.median(v) > -20,
            "noisy: pauses less than 20 dB below speech"),
    Problem("speech_share", lambda v: np.median(v) < 0.5,
            "silence: less than half of it is speech"),
    Problem("clipped_share", lambda v: np.mean(v > 1e-4) > 0.05,
            "clipped: more than 5 % of recordings"),
    Problem("dc", lambda v: np.median(v) > 0.05,
            "offset: a constant of more than 5 % of the level"),
    Problem("rate_hz", lambda v: len(set(v.tolist())) > 1,
            "mixed: more than one sampling rate"),
    Problem("duration_s", lambda v: np.median(v) < 0.5,
            "short: most recordings last under 0.5 s"),
)


@dataclasses.dataclass(frozen=True)
class FeatureTable:
    """Features of labelled recordings.

    Attributes
    ----------
    names : list of str [shape=(p,)]
        Names of the features.
    values : np.ndarray [shape=(n, p)]
        NaN where a feature is not defined.
    utterances : list of Utterance [shape=(n,)]
        The recordings.
    cepstra : list of np.ndarray [shape=(n_mfcc, frames)]
        MFC coefficients of each recording.
    """

    names: list[str]
    values: np.ndarray
    utterances: list[Utterance]
    cepstra: list[np.ndarray]

    @property
    def is_female(self) -> np.ndarray:
        """Whether each recording is labelled female, shape (n,)."""
        return np.array([u.gender == "female" for u in self.utterances], bool)

    @property
    def speakers(self) -> list[str]:
        """Speaker of each recording, with the corpus in front."""
        return [u.voice for u in self.utterances]

    def column(self, name: str) -> np.ndarray:
        """Values of one feature, shape (n,)."""
        return self.values[:, self.names.index(name)]


def feature_table(utterances: Sequence[Utterance],
                  features: Sequence[Mapping[str, np.ndarray]]) -> FeatureTable:
    """Table of the features and properties of recordings.

    Parameters
    ----------
    utterances : sequence of Utterance [shape=(n,)]
        The recordings; at least one.
    features : sequence of mapping [shape=(n,)]
        Features of one stretch of each, as `FeatureStore` returns them with ``properties``.

    Returns
    -------
    FeatureTable
    """
    n_mfcc = len(features[0]["mfcc"])
    names = [f"MFCC {k}, {summary}" for summary in SUMMARIES for k in range(n_mfcc)]
    names += statistics_names() + list(NAMES)
    values = [np.concatenate([f["mfcc_statistics"], f["statistics"], f["properties"]])
              for f in features]
    return FeatureTable(names, np.array(values, float), list(utterances),
                        [f["mfcc"] for f in features])


def correlations(table: FeatureTable, seed: int = 0) -> list[dict[str, Any]]:
    """Correlation of each feature with the label.

    Parameters
    ----------
    table : FeatureTable
        Features of recordings of both labels.
    seed : int
        Of the bootstrap over speakers.

    Returns
    -------
    list of dict
        ``feature``, means and standard deviations by label, ``r`` (with the label female) with
        ``r_low`` and ``r_high`` (95 % interval over speakers), ``p`` (of the correlation over
        the speakers' means) and ``p_corrected`` (false discovery rate of Benjamini and
        Hochberg, 1995); strongest correlation first.
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


def outliers(table: FeatureTable) -> list[dict[str, Any]]:
    """Values further than `OUTLIER_Z` robust standard deviations from the median.

    Parameters
    ----------
    table : FeatureTable
        Features of recordings.

    Returns
    -------
    list of dict
        ``path, speaker, gender, corpus, feature, value, robust_z``, furthest first.
    """
    z = _robust_z(table.values)
    rows = [{"path": table.utterances[i].path, "speaker": table.speakers[i],
             "gender": table.utterances[i].gender, "corpus": table.utterances[i].corpus,
             "feature": table.names[j], "value": table.values[i, j], "robust_z": z[i, j]}
            for i, j in np.argwhere(np.abs(np.nan_to_num(z)) > OUTLIER_Z)]
    return sorted(rows, key=lambda row: -abs(row["robust_z"]))


def normalisation_effects(table: FeatureTable, seed: int = 42) -> list[dict[str, Any]]:
    """How well logistic regression on MFCC statistics separates the labels, by normalisation.

    Each recording is classified by a model that was not trained on its speaker.

    Parameters
    ----------
    table : FeatureTable
        Features of recordings of both labels.
    seed : int
        Of the folds.

    Returns
    -------
    list of dict
        ``normalisation, uar, uar_low, uar_high, auc, auc_low, auc_high``.
    """
    rows = []
    for name in NORMALISATIONS:
        p_female = _cross_validated(_normalised(table, name), table, _scaler(name), seed)
        result = figures(table.is_female, p_female, table.speakers, draws=DRAWS)
        rows.append({"normalisation": name} | {
            f"{figure}{end}": result[figure][key] for figure in ("uar", "auc")
            for end, key in (("", "value"), ("_low", "low"), ("_high", "high"))})
    return rows


def pitch_groups(table: FeatureTable) -> list[dict[str, Any]]:
    """Median fundamental frequency by label and age.

    Parameters
    ----------
    table : FeatureTable
        Features of recordings.

    Returns
    -------
    list of dict
        ``gender, age, n, n_speakers, median_hz, p10_hz, p90_hz``.
    """
    f0 = table.column("f0_hz")
    members = defaultdict(list)
    for i, u in enumerate(table.utterances):
        if not np.isnan(f0[i]):
            members[u.gender, band(plausible_age(u.age), AGE_BANDS)].append(i)
    return [{"gender": gender, "age": age, "n": len(indices),
             "n_speakers": len({table.speakers[i] for i in indices}),
             "median_hz": np.median(f0[indices]), "p10_hz": np.percentile(f0[indices], 10),
             "p90_hz": np.percentile(f0[indices], 90)}
            for (gender, age), indices in sorted(members.items())]


def corpus_properties(table: FeatureTable) -> list[dict[str, Any]]:
    """Medians of the properties of each corpus, and what may be wrong with it.

    Parameters
    ----------
    table : FeatureTable
        Features of recordings.

    Returns
    -------
    list of dict
        ``corpus, n, n_speakers``, a median per property, and ``problems`` in words.
    """
    rows, corpora = [], np.array([u.corpus for u in table.utterances])
    speakers = np.array(table.speakers, str)
    for corpus in sorted(set(corpora.tolist())):
        members = corpora == corpus
        values = {name: table.column(name)[members] for name in NAMES}
        problems = [problem.description for problem in PROBLEMS
                    if problem.is_present(values[problem.property])]
        rows.append({"corpus": corpus, "n": int(members.sum()),
                     "n_speakers": len(set(speakers[members].tolist())),
                     **{name: float(np.nanmedian(x)) for name, x in values.items()},
                     "problems": "; ".join(problems)})
    return rows


def _weighted_correlations(table: FeatureTable,
                           seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Correlation of each feature with the label, and its interval; each of shape (p,)."""
    speaker_weights, member = speaker_draws(table.speakers, DRAWS, seed)
    known = ~np.isnan(table.values)
    centre = np.nanmean(table.values, axis=0)
    x = np.where(known, table.values - centre, 0.0) / (np.nanstd(table.values, axis=0) + 1e-12)
    y = table.is_female.astype(float)[:, None]
    draws = []
    for weights in speaker_weights[:, member]:
        w = weights[:, None] * known
        total = np.maximum(w.sum(axis=0), 1e-9)
        mean_x, mean_y = (w * x).sum(axis=0) / total, (w * y).sum(axis=0) / total
        covariance = (w * x * y).sum(axis=0) / total - mean_x * mean_y
        # y is 0 or 1, so that its variance follows from its mean.
        variances = ((w * x * x).sum(axis=0) / total - mean_x ** 2) * (mean_y - mean_y ** 2)
        draws.append(covariance / np.sqrt(np.maximum(variances, 1e-12)))
    r = np.array(draws)
    # Fisher's transform has limits nowhere, and a variance that hardly depends on r.
    variance = np.var(np.arctanh(np.clip(r[1:], -_NEARLY_1, _NEARLY_1)), axis=0)
    ends = [_ends(*column) for column in zip(r[0], variance, _influences(x, y, known, member).T)]
    return r[0], *np.array(ends).T


def _influences(x: np.ndarray, y: np.ndarray, known: np.ndarray, member: np.ndarray) -> np.ndarray:
    """How much each speaker moves Fisher's transform of each correlation, shape (speakers, p)."""
    n = np.maximum(known.sum(axis=0), 1)
    x, y = (np.where(known, v - (v * known).sum(axis=0) / n, 0.0) for v in (x, y))
    x, y = (v / np.sqrt(np.maximum((v * v).sum(axis=0) / n, 1e-12)) for v in (x, y))
    r = (x * y).sum(axis=0) / n
    influence = (x * y - r * (x * x + y * y) / 2) / n / np.maximum(1 - r * r, 1 - _NEARLY_1)
    return np.array([influence[member == i].sum(axis=0) for i in range(member.max() + 1)])


def _ends(r: float, variance: float, influence: np.ndarray) -> tuple[float, float]:
    """Interval of a correlation; everything if it does not vary, or there is one speaker."""
    figure = t_figure(float(np.arctanh(np.clip(r, -_NEARLY_1, _NEARLY_1))), variance, [influence])
    if variance < 1e-12 or figure["low"] is None or figure["high"] is None:
        return -1.0, 1.0
    return min(float(np.tanh(figure["low"])), r), max(float(np.tanh(figure["high"])), r)


def _speaker_means(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
    """Means of the features of each speaker, shape (speakers, p), and their labels."""
    names, member = np.unique(np.asarray(table.speakers, str), return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of speakers without a voiced frame
        means = [np.nanmean(table.values[member == i], axis=0) for i in range(len(names))]
    labels = [float(table.is_female[member == i][0]) for i in range(len(names))]
    return np.array(means), np.array(labels)


def _robust_z(values: np.ndarray) -> np.ndarray:
    """Distance from the median in robust standard deviations, by column."""
    centre = np.nanmedian(values, axis=0)
    spread = ROBUST_STD * np.nanmedian(np.abs(values - centre), axis=0)
    return np.where(spread > 0, (values - centre) / np.maximum(spread, 1e-12), 0.0)


def _normalised(table: FeatureTable, name: str) -> np.ndarray:
    """Statistics of the cepstra, shape (n, 4 * n_mfcc), normalised within recording or speaker."""
    if name == "cepstral mean":
        return np.array([summaries(c - c.mean(axis=1, keepdims=True)) for c in table.cepstra])
    values = np.array([summaries(c) for c in table.cepstra])
    if name == "per speaker":
        _, member = np.unique(np.asarray(table.speakers, str), return_inverse=True)
        for i in range(member.max() + 1):
            values[member == i] -= values[member == i].mean(axis=0)
    return values


def _scaler(name: str) -> "TransformerMixin | str":
    """What is fitted to the training side of each fold."""
    from sklearn.preprocessing import RobustScaler, StandardScaler

    return {"standard": StandardScaler(), "robust": RobustScaler()}.get(name, "passthrough")


def _cross_validated(values: np.ndarray, table: FeatureTable, scaler: "TransformerMixin | str",
                     seed: int) -> np.ndarray:
    """Probability of female for each recording, by models that do not know its speaker."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    speakers = np.array(table.speakers, str)
    per_label = [len(set(speakers[table.is_female == label].tolist())) for label in (True, False)]
    splitter = StratifiedGroupKFold(min(FOLDS, *per_label), shuffle=True, random_state=seed)
    model = make_pipeline(scaler, LogisticRegression(C=0.01, class_weight="balanced",
                                                     max_iter=3000))
    return cross_val_predict(model, values, table.is_female, groups=table.speakers, cv=splitter,
                             method="predict_proba")[:, 1]
