"""Who speaks: models of known speakers, and how well they are told apart."""

import dataclasses
import warnings

import numpy as np

from voxsight.errors import UsageError

RULES = ("chunk", "recording", "chapter")
MODELS = ("mixtures", "network", "centroid")
TEST_SHARE = 0.25
RELEVANCE = 16.0  # frames at which a speaker's own mean weighs as much as the background's
COMPONENTS = 32
DRAWS = 500


@dataclasses.dataclass(frozen=True)
class Speech:
    """Chunks and what is known of each.

    Attributes
    ----------
    chunks : list of chunks.Chunk [shape=(n,)]
    values : np.ndarray [shape=(n, d)]
        one vector per chunk
    frames : list of np.ndarray [shape=(frames, p)]
        vectors within each chunk; the chunk's own where there is nothing finer
    """

    chunks: list
    values: np.ndarray
    frames: list

    @property
    def speakers(self):
        """Speaker of each chunk, shape (n,)."""
        return np.array([chunk.speaker for chunk in self.chunks])

    @property
    def paths(self):
        """Recording of each chunk, shape (n,)."""
        return np.array([chunk.path for chunk in self.chunks])

    def part(self, chosen):
        """The chunks at some indices."""
        return Speech([self.chunks[i] for i in chosen], self.values[chosen],
                      [self.frames[i] for i in chosen])


def split_speech(speech, rule, seed=42):
    """Training and test chunks of every speaker.

    Parameters
    ----------
    speech : Speech
    rule : {"chunk", "recording", "chapter"}
        what stays on one side: a chunk (pieces of a recording are then on both sides, which
        flatters), a recording, or a chapter of a book
    seed : int

    Returns
    -------
    train, test : np.ndarray of int
        indices; speakers with one recording, or one chapter, only train

    Raises
    ------
    UsageError
        if no speaker has two of what stays together
    """
    rng = np.random.default_rng(seed)
    units = {"chunk": [f"{c.path}#{c.number}" for c in speech.chunks],
             "recording": [c.path for c in speech.chunks],
             "chapter": [c.chapter or c.path for c in speech.chunks]}[rule]
    units, test = np.array(units), np.zeros(len(units), bool)
    for speaker in sorted(set(speech.speakers)):
        own = np.unique(units[speech.speakers == speaker])
        count = min(max(1, round(TEST_SHARE * len(own))), len(own) - 1)
        test |= np.isin(units, rng.permutation(own)[:count])
    if not test.any():
        raise UsageError(f"split by {rule}: found no speaker with two of them, expected two at "
                         "least to test on one; name more recordings")
    return np.flatnonzero(~test), np.flatnonzero(test)


class CentroidModel:
    """Cosine of a chunk to the mean of a speaker's chunks."""

    def fit(self, speech, seed=42):
        """Learn the speakers of a `Speech`."""
        self.names = np.unique(speech.speakers)
        unit = _unit(speech.values)
        self._centroids = _unit(np.array([unit[speech.speakers == name].mean(axis=0)
                                          for name in self.names]))
        return self

    def scores(self, speech):
        """Score of each speaker for each chunk, shape (n, speakers)."""
        return _unit(speech.values) @ self._centroids.T


class NetworkModel:
    """A neural network of one hidden layer."""

    def fit(self, speech, seed=42):
        """Learn the speakers of a `Speech`."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.neural_network import MLPClassifier
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        network = MLPClassifier((128,), alpha=1e-2, max_iter=300, random_state=seed)
        self._model = make_pipeline(StandardScaler(), network)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # stopping early does no harm
            self._model.fit(speech.values, speech.speakers)
        self.names = self._model.classes_
        return self

    def scores(self, speech):
        """Log-probability of each speaker for each chunk, shape (n, speakers)."""
        return np.log(np.maximum(self._model.predict_proba(speech.values), 1e-12))


class MixtureModel:
    """A Gaussian mixture per speaker, its means and weights adapted from a background of all.

    Reynolds, Quatieri and Dunn, "Speaker verification using adapted Gaussian mixture models",
    2000.
    """

    def fit(self, speech, seed=42):
        """Learn the speakers of a `Speech`."""
        from sklearn.mixture import GaussianMixture

        pooled = np.concatenate(speech.frames)
        self._centre, self._spread = pooled.mean(axis=0), pooled.std(axis=0) + 1e-6
        pooled = self._scaled(pooled)
        self._background = GaussianMixture(
            max(1, min(COMPONENTS, len(pooled) // 50)), covariance_type="diag", reg_covar=1e-2,
            random_state=seed).fit(pooled)
        self.names = np.unique(speech.speakers)
        self._adapted = [self._adapt(np.concatenate(
            [self._scaled(f) for f, own in zip(speech.frames, speech.speakers) if own == name]))
            for name in self.names]
        return self

    def scores(self, speech):
        """Mean log-likelihood ratio to the background, shape (n, speakers)."""
        rows = []
        for frames in speech.frames:
            frames = self._scaled(frames)
            base = self._background.score_samples(frames)
            rows.append([np.mean(own.score_samples(frames) - base) for own in self._adapted])
        return np.array(rows)

    def _scaled(self, frames):
        return (frames - self._centre) / self._spread

    def _adapt(self, frames):
        import copy

        shares = self._background.predict_proba(frames)
        counts = shares.sum(axis=0)[:, None]
        means = shares.T @ frames / np.maximum(counts, 1e-9)
        # With one vector per chunk a speaker has few; they must weigh all the same.
        relevance = min(RELEVANCE, len(frames) / 10)
        weight = counts / (counts + relevance)
        adapted = copy.copy(self._background)
        adapted.means_ = weight * means + (1 - weight) * self._background.means_
        shares = weight * counts / len(frames) + (1 - weight) * adapted.weights_[:, None]
        adapted.weights_ = shares[:, 0] / shares.sum()
        return adapted


_MODELS = {"mixtures": MixtureModel, "network": NetworkModel, "centroid": CentroidModel}


def fit_model(name, speech, seed=42):
    """A fitted model; `name` is one of `MODELS`."""
    return _MODELS[name]().fit(speech, seed)


def by_recording(scores, paths):
    """Mean scores of each recording's chunks.

    Returns
    -------
    recordings : np.ndarray of str [shape=(m,)]
    scores : np.ndarray [shape=(m, speakers)]
    """
    recordings, member = np.unique(paths, return_inverse=True)
    sums = np.zeros((len(recordings), scores.shape[1]))
    np.add.at(sums, member, scores)
    return recordings, sums / np.bincount(member)[:, None]


def identification_figures(scores, names, truth, draws=DRAWS, seed=0):
    """Accuracy, macro precision, recall, F1 and top-5 accuracy.

    Parameters
    ----------
    scores : np.ndarray [shape=(n, speakers)]
    names : np.ndarray of str [shape=(speakers,)]
    truth : np.ndarray of str [shape=(n,)]
    draws : int
        of the bootstrap, over the rows
    seed : int

    Returns
    -------
    dict of str to dict
        ``value``, ``low`` and ``high`` (95 %) of each
    """
    said = names[scores.argmax(axis=1)]
    best = names[np.argsort(-scores, axis=1)[:, :5]]
    in_five = (best == truth[:, None]).any(axis=1)
    rng = np.random.default_rng(seed)
    values = [_figures(said, in_five, truth)]
    for _ in range(draws):
        rows = rng.integers(len(truth), size=len(truth))
        values.append(_figures(said[rows], in_five[rows], truth[rows]))
    found = {}
    for name in values[0]:
        low, high = np.percentile([value[name] for value in values[1:]], [2.5, 97.5])
        found[name] = {"value": values[0][name], "low": float(low), "high": float(high)}
    return found


def equal_error_rate(values, speakers):
    """Error rate of "the same speaker?" where both kinds of error are as frequent.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        compared pair by pair by their cosine
    speakers : np.ndarray of str [shape=(n,)]

    Returns
    -------
    rate : float
    n_same, n_different : int
        pairs
    """
    from sklearn.metrics import roc_curve

    cosines = _unit(values) @ _unit(values).T
    rows, columns = np.triu_indices(len(values), 1)
    same = speakers[rows] == speakers[columns]
    false_alarms, hits, _ = roc_curve(same, cosines[rows, columns], drop_intermediate=False)
    misses = 1 - hits
    crossing = int(np.argmin(np.abs(false_alarms - misses)))
    return (float((false_alarms[crossing] + misses[crossing]) / 2), int(same.sum()),
            int((~same).sum()))


def confusions(said, truth, gender_of):
    """Which speakers are taken for which, and whether their gender explains it.

    Parameters
    ----------
    said, truth : np.ndarray of str [shape=(n,)]
    gender_of : dict of str to str

    Returns
    -------
    pairs : list of dict
        ``speaker, taken_for, times, same_gender``, most frequent first
    same_gender : float or None
        share of the mistakes within a gender
    by_chance : float
        share of other speakers that have the same gender
    """
    wrong = said != truth
    pairs, times = np.unique(np.stack([truth[wrong], said[wrong]], axis=1), axis=0,
                             return_counts=True)
    rows = [{"speaker": a, "taken_for": b, "times": int(n),
             "same_gender": gender_of[a] == gender_of[b]}
            for (a, b), n in sorted(zip(pairs.tolist(), times), key=lambda pair: -pair[1])]
    total = sum(row["times"] for row in rows)
    within = sum(row["times"] for row in rows if row["same_gender"])
    genders = list(gender_of.values())
    alike = np.mean([(genders.count(g) - 1) / max(len(genders) - 1, 1) for g in genders])
    return rows, within / total if total else None, float(alike)


def _figures(said, in_five, truth):
    names, true_at = np.unique(truth, return_inverse=True)
    said_at = np.searchsorted(names, said)
    known = (said_at < len(names)) & (names[np.minimum(said_at, len(names) - 1)] == said)
    right = said == truth
    hits = np.bincount(true_at, right, len(names))
    recall = hits / np.bincount(true_at, minlength=len(names))
    given = np.bincount(said_at[known], minlength=len(names))
    precision = np.where(given > 0, hits / np.maximum(given, 1), 0.0)
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    return {"accuracy": float(right.mean()), "precision": float(precision.mean()),
            "recall": float(recall.mean()), "f1": float(f1.mean()), "top5": float(in_five.mean())}


def _unit(values):
    return values / np.maximum(np.linalg.norm(values, axis=-1, keepdims=True), 1e-12)
