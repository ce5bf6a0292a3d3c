"""Speech in consecutive pieces of one length, and their embeddings, kept in the store."""

import dataclasses
import os
from collections.abc import Mapping, Sequence

import numpy as np

from voxsight.base.progress import progress
from voxsight.base.store import Store, file_key
from voxsight.corpora.librispeech import librispeech_chapter
from voxsight.corpora.utterance import Utterance
from voxsight.encoders import Encoder, find_encoder, settings_of
from voxsight.sound.excerpts import RATE, speech_only
from voxsight.sound.recording import Recording

SHORTEST_S = 1.0  # a shorter remainder is dropped, unless it is all there is
VERSION = 2  # of the computation; stored chunks of another version are not used


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A piece of a recording's speech.

    Attributes
    ----------
    path : str
    speaker : str
        With the corpus in front.
    gender : str
    number : int
        Which piece of the recording, from 0.
    chapter : str or None
        Of a LibriSpeech recording.
    start_s, end_s : float
        Where it lies in the recording, pauses included.
    """

    path: str
    speaker: str
    gender: str
    number: int
    chapter: str | None
    start_s: float = 0.0
    end_s: float = 0.0


def cut(speech: np.ndarray, seconds: float) -> list[np.ndarray]:
    """Consecutive pieces of speech.

    Parameters
    ----------
    speech : np.ndarray [shape=(n,)]
        At 16 kHz, without long pauses.
    seconds : float

    Returns
    -------
    list of np.ndarray
        Each lasts `seconds`, but for the last one, which lasts at least `SHORTEST_S` or is the
        only one.
    """
    size = int(seconds * RATE)
    pieces = [speech[start: start + size] for start in range(0, max(len(speech), 1), size)]
    if len(pieces) > 1 and len(pieces[-1]) < SHORTEST_S * RATE:
        pieces.pop()
    return pieces


def embed_chunks(utterances: Sequence[Utterance], encoder: str, seconds: float,
                 folder: str | os.PathLike = "embeddings", *, options: Mapping | None = None,
                 first_only: bool = False,
                 quiet: bool = False) -> tuple[list[Chunk], np.ndarray]:
    """Chunks of recordings and their embeddings, from the store if computed before.

    Parameters
    ----------
    utterances : list of Utterance
    encoder : str
        Key of `ENCODERS`.
    seconds : float
        Length of a chunk.
    folder : str or os.PathLike
        Folder of the store.
    options : dict, optional
        As for `find_encoder`.
    first_only : bool
        Only the first chunk of each recording.
    quiet : bool
        No progress bar.

    Returns
    -------
    chunks : list of Chunk
    values : np.ndarray [shape=(len(chunks), d), float32]

    Raises
    ------
    RecordingError
        If a recording cannot be decoded.
    UsageError
        If the encoder cannot be loaded.
    """
    options, most = dict(options or {}), 1 if first_only else None
    settings = (*settings_of(encoder, options), seconds, first_only)
    with Store(folder) as store:
        keys = [file_key(u.path, "chunks", VERSION, *settings) for u in utterances]
        todo = {key: u.path for key, u in zip(keys, utterances) if key not in store}
        if todo:
            model = find_encoder(encoder, **options)
            for key, path in progress(todo.items(), len(todo), desc=f"{encoder} chunks",
                                      unit="recording", quiet=quiet):
                store.put(key, _embedded(path, model, seconds, most))
        stored = [store.get(key) or {} for key in keys]
    chunks = [Chunk(u.path, u.voice, u.gender, number, librispeech_chapter(u.path), *place)
              for u, arrays in zip(utterances, stored)
              for number, place in enumerate(arrays["places"].tolist())]
    return chunks, _stacked([row for arrays in stored for row in arrays["embeddings"]])


def places_of(pieces: Sequence[np.ndarray],
              spans: Sequence[tuple[float, float]]) -> list[list[float]]:
    """Start and end of each piece in the recording, seconds.

    Parameters
    ----------
    pieces : sequence of np.ndarray
        Consecutive pieces of the speech.
    spans : sequence of (float, float)
        Start and length of each part of the speech in the recording, seconds.
    """
    starts, lengths = np.array(spans or [(0.0, 0.0)]).T
    before = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])  # speech before each part
    places, start_s = [], 0.0
    for piece in pieces:
        end_s = start_s + len(piece) / RATE
        first = max(int(np.searchsorted(before, start_s, "right")) - 1, 0)
        last = max(int(np.searchsorted(before, end_s, "left")) - 1, 0)
        places.append([round(float(starts[first] + start_s - before[first]), 3),
                       round(float(starts[last] + end_s - before[last]), 3)])
        start_s = end_s
    return places


def _embedded(path: str, model: Encoder, seconds: float,
              most: int | None) -> dict[str, np.ndarray]:
    """Embeddings and places of the chunks of one recording."""
    speech = speech_only(Recording(path))
    pieces = cut(speech.samples, seconds)[:most]
    return {"embeddings": _stacked([model.embed(piece) for piece in pieces]),
            "places": np.array(places_of(pieces, speech.spans))}


def _stacked(vectors: Sequence[np.ndarray]) -> np.ndarray:
    """Vectors as rows; shorter ones, of shorter pieces, are filled up with NaN."""
    width = max(map(len, vectors))
    return np.array([np.pad(v, (0, width - len(v)), constant_values=np.nan) for v in vectors],
                    np.float32)
