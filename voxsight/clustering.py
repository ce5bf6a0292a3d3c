"""Whether voices fall into groups of their own accord, and what the groups are."""

import numpy as np

SEED = 42


def cluster(values, counts, labellings, seed=SEED):
    """k-means over a range of k.

    Parameters
    ----------
    values : np.ndarray [shape=(n, d)]
        of unit length, so that distances are cosines
    counts : sequence of int
        numbers of clusters to try
    labellings : dict of str to sequence [shape=(n,)]
        what clusters are compared with, such as the speakers
    seed : int

    Returns
    -------
    rows : list of dict
        per k: ``k``, ``silhouette`` (Rousseeuw, 1987) and, per labelling, ``ari_<name>``, the
        adjusted Rand index (Hubert and Arabie, 1985)
    assigned : dict of int to np.ndarray [shape=(n,)]
        the cluster of each, by k
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


def explained_variance(values):
    """Share of the variance that the first so many principal components keep, cumulated."""
    from sklearn.decomposition import PCA

    return np.cumsum(PCA(random_state=SEED).fit(values).explained_variance_ratio_)


def range_of_k(n_speakers, n_values):
    """Numbers of clusters worth trying: around one per gender and one per speaker."""
    steps = {2, 3, n_speakers // 2, n_speakers - 1, n_speakers, n_speakers + 1,
             round(1.5 * n_speakers), 2 * n_speakers}
    return sorted(k for k in steps if 2 <= k < n_values)
