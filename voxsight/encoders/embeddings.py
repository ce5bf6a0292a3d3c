"""Embeddings of recordings, each computed once and kept in the store."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from voxsight.base import files
from voxsight.base.progress import progress
from voxsight.base.store import Store, file_key
from voxsight.encoders import find_encoder, settings_of
from voxsight.sound.excerpts import speech_only
from voxsight.sound.recording import Recording

VERSION = 2  # of the computation; stored embeddings of another version are not used


def embed_recordings(paths: Sequence[str], encoder: str, folder: str | os.PathLike = "embeddings",
                     *, options: Mapping | None = None, skip_silent: bool = False,
                     quiet: bool = False) -> np.ndarray:
    """Embeddings of recordings, from the store if they were computed before.

    Parameters
    ----------
    paths : sequence of str [shape=(n,)]
    encoder : str
        Key of `ENCODERS`.
    folder : str or os.PathLike
        Folder of the store.
    options : dict, optional
        As for `find_encoder`.
    skip_silent : bool
        Embeddings of recordings without speech are NaN. Else their loudest stretch is
        embedded.
    quiet : bool
        No progress bar.

    Returns
    -------
    np.ndarray [shape=(n, size), float32]

    Raises
    ------
    RecordingError
        If a recording cannot be decoded.
    UsageError
        If the encoder cannot be loaded.
    """
    options = dict(options or {})
    settings = settings_of(encoder, options)
    with Store(folder) as store:
        keys = [file_key(path, "embedding", VERSION, *settings) for path in paths]
        todo = {key: path for key, path in zip(keys, paths) if key not in store}
        if todo:
            model = find_encoder(encoder, **options)
            for key, path in progress(todo.items(), len(todo), desc=f"{encoder} embeddings",
                                      unit="recording", quiet=quiet):
                speech = speech_only(Recording(path))
                store.put(key, {"embedding": np.asarray(model.embed(speech.samples), np.float32),
                                "speech_s": np.asarray(speech.speech_s, np.float64)})
        stored = [store.get(key) for key in keys]
    rows = [np.full_like(row["embedding"], np.nan) if skip_silent and not row["speech_s"]
            else row["embedding"] for row in stored if row is not None]
    return np.array(rows, np.float32)


def write_embeddings(path: str | os.PathLike, recordings: Sequence[str], labels: Sequence[str],
                     embeddings: np.ndarray) -> None:
    """Write embeddings as JSON lines and, beside them, as Parquet.

    Parameters
    ----------
    path : str or os.PathLike
        The ``.jsonl`` file; a line has ``filepath``, ``label`` and ``embedding``.
    recordings, labels : sequence of str [shape=(n,)]
    embeddings : np.ndarray [shape=(n, d)]
    """
    import pyarrow
    import pyarrow.parquet

    places = [os.path.abspath(recording) for recording in recordings]
    with files.replacing(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        for place, label, embedding in zip(places, labels, embeddings):
            values = np.round(embedding.astype(float), 6).tolist()
            file.write(json.dumps({"filepath": place, "label": label, "embedding": values}) + "\n")
    vectors = pyarrow.array(list(embeddings.astype(np.float32)), pyarrow.list_(pyarrow.float32()))
    table = pyarrow.table({"filepath": places, "label": list(labels), "embedding": vectors})
    with files.replacing(Path(path).with_suffix(".parquet")) as temporary:
        pyarrow.parquet.write_table(table, temporary)
