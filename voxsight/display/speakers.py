"""Speakers: which of them are confused, and how their voices cluster."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from voxsight.display.lettering import legible
from voxsight.display.saving import save

_AGREEMENTS = {"silhouette": "silhouette", "ari_speaker": "Rand index, speakers",
               "ari_gender": "Rand index, gender"}


def save_speaker_confusions(path: str | os.PathLike, predicted: np.ndarray, truth: np.ndarray,
                            gender_of: Mapping[str, str]) -> None:
    """Draw how often each speaker is taken for each other one, women first.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    predicted, truth : np.ndarray of str [shape=(n,)]
        Speakers of the test chunks.
    gender_of : mapping of str to str
        Gender of every speaker.
    """
    names = sorted(gender_of, key=lambda name: (gender_of[name], name))
    row_of = {name: row for row, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    np.add.at(table, ([row_of[name] for name in truth], [row_of[name] for name in predicted]), 1)
    fractions = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    size = 3.5 + 0.16 * len(names)
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(fractions, cmap="Blues", vmin=0, vmax=1)
    border = sum(gender_of[name] == gender_of[names[0]] for name in names) - 0.5
    axis.axhline(border, color="gray", linewidth=0.8)
    axis.axvline(border, color="gray", linewidth=0.8)
    without_corpus = [legible(name.rpartition(":")[2], 24) for name in names]
    axis.set_xticks(range(len(names)), without_corpus, rotation=90, fontsize=6)
    axis.set_yticks(range(len(names)), without_corpus, fontsize=6)
    axis.set_xlabel("taken for")
    axis.set_ylabel("speaker")
    genders = dict.fromkeys(gender_of[name] for name in names)
    axis.set_title(" first, then ".join(genders), fontsize="small")
    figure.colorbar(image, ax=axis, label="fraction of the speaker's test chunks")
    save(figure, path)


def save_clusters(path: str | os.PathLike, rows: Sequence[Mapping[str, Any]],
                  variance: np.ndarray, n_speakers: int) -> None:
    """Draw the agreement of clusters over their number, and the explained variance.

    Parameters
    ----------
    path : str or os.PathLike
        PNG to write.
    rows : sequence of mapping
        Per number of clusters: ``k``, ``silhouette``, ``ari_speaker`` and ``ari_gender``.
    variance : np.ndarray [shape=(d,)]
        Fraction of the variance that the first so many principal components explain.
    n_speakers : int
        Number of speakers, marked by a line.
    """
    figure = Figure(figsize=(11, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for name, label in _AGREEMENTS.items():
        left.plot([row["k"] for row in rows], [row[name] for row in rows], marker="o",
                  label=label)
    left.axvline(n_speakers, color="gray", linestyle=":", label="number of speakers")
    left.set_xlabel("clusters")
    left.set_ylabel("agreement (adjusted for chance)")
    left.legend(fontsize="small")
    right.plot(np.arange(1, len(variance) + 1), variance)
    right.set_xscale("log")
    right.set_ylim(0, 1.02)
    right.grid(alpha=0.3)
    right.set_xlabel("principal components")
    right.set_ylabel("fraction of the variance explained")
    save(figure, path)
