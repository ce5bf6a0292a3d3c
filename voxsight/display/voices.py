"""Who is taken for whom, and how voices group."""

import numpy as np
from matplotlib.figure import Figure

from voxsight.display.saving import save


def save_speaker_confusions(path, said, truth, gender_of):
    """Draw how often each speaker is taken for each, women first.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    said, truth : np.ndarray of str [shape=(n,)]
    gender_of : dict of str to str
    """
    names = sorted(gender_of, key=lambda name: (gender_of[name], name))
    at = {name: i for i, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    np.add.at(table, ([at[name] for name in truth], [at[name] for name in said]), 1)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = 3.5 + 0.16 * len(names)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axis = figure.subplots()
    shades = axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    border = sum(gender_of[name] == gender_of[names[0]] for name in names) - 0.5
    axis.axhline(border, color="gray", linewidth=0.8)
    axis.axvline(border, color="gray", linewidth=0.8)
    short = [name.rpartition(":")[2] for name in names]
    axis.set_xticks(range(len(names)), short, rotation=90, fontsize=6)
    axis.set_yticks(range(len(names)), short, fontsize=6)
    axis.set_xlabel("taken for")
    axis.set_ylabel("speaker")
    axis.set_title(f"{gender_of[names[0]]} first, then {gender_of[names[-1]]}", fontsize="small")
    figure.colorbar(shades, ax=axis, label="share of the speaker's test chunks")
    save(figure, path)


def save_clusters(path, rows, variance, n_speakers):
    """Draw what k-means finds over k, and the variance that principal components keep.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write
    rows : list of dict
        as `clustering.cluster` gives them
    variance : np.ndarray [shape=(d,)]
        cumulated share
    n_speakers : int
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    k = [row["k"] for row in rows]
    for name, label in (("silhouette", "silhouette"), ("ari_speaker", "Rand index, speakers"),
                        ("ari_gender", "Rand index, gender")):
        left.plot(k, [row[name] for row in rows], marker="o", label=label)
    left.axvline(n_speakers, color="gray", linestyle=":", label="speakers there are")
    left.set_xlabel("clusters")
    left.set_ylabel("agreement (adjusted for chance)")
    left.legend(fontsize="small")
    right.plot(np.arange(1, len(variance) + 1), variance)
    right.set_xscale("log")
    right.set_ylim(0, 1.02)
    right.grid(alpha=0.3)
    right.set_xlabel("principal components")
    right.set_ylabel("share of the variance kept")
    save(figure, path)
