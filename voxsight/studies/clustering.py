"""Do voices form clusters, and do these agree with speakers or gender?"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SEED = 42


def cluster(values: np.ndarray, counts: Sequence[int], labellings: Mapping[str, Sequence[str]],
            seed: int = SEED) -> tuple[list[dict[str, Any]], dict[int, np.ndarray]]:
    """Cluster vectors by k-means, for several numbers of clusters.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        Vectors of unit length, so that distances correspond to cosines.
    counts : sequence of int
        Numbers of clusters.
    labellings : mapping of str to (sequence of str [shape=(n,)])
        What the clusters are compared with, such as the speakers, by name.
    seed : int
        Of the random numbers.

    Returns
    -------
    rows : list of dict
        Per number of clusters: ``k``, ``silhouette`` (Rousseeuw, 1987) and, per labelling,
        ``ari_<name>``, the adjusted Rand index (Hubert and Arabie, 1985).
    assigned : dict of int to np.ndarray [shape=(n,), int]
        Cluster of each vector, by number of clusters.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, silhouette_score

    rows, assigned = [], {}
    for k in counts:
        assigned[k] = KMeans(k, n_init=10, random_state=seed).fit_predict(values)
        rows.append({"k": k, "silhouette": float(silhouette_score(values, assigned[k]))} | {
            f"ari_{name}": float(adjusted_rand_score(labels, assigned[k]))
            for name, labels in labellings.items()})
    return rows, assigned


def explained_variance(values: np.ndarray) -> np.ndarray:
    """Fraction of the variance that the first so many principal components explain.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        Vectors.

    Returns
    -------
    np.ndarray [shape=(min(n, d),)]
        Cumulated, so that the last is 1.
    """
    from sklearn.decomposition import PCA

    return np.cumsum(PCA(random_state=SEED).fit(values).explained_variance_ratio_)


def range_of_k(n_speakers: int, n_values: int) -> list[int]:
    """Numbers of clusters worth trying: around one per gender and one per speaker.

    Parameters
    ----------
    n_speakers : int
        Number of speakers.
    n_values : int
        Number of vectors; there are fewer clusters than that.

    Returns
    -------
    list of int
        In ascending order.

    Examples
    --------
    >>> range_of_k(10, 100)
    [2, 3, 5, 9, 10, 11, 15, 20]
    """
    candidates = {2, 3, n_speakers // 2, n_speakers - 1, n_speakers, n_speakers + 1,
                  round(1.5 * n_speakers), 2 * n_speakers}
    return sorted(k for k in candidates if 2 <= k < n_values)
