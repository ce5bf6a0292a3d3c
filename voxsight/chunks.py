"""Speech in consecutive pieces of one length, and what an encoder makes of each, kept."""

import dataclasses
import json
import os
from pathlib import Path

import numpy as np

from voxsight.corpora import librispeech_chapter
from voxsight.embeddings import RATE, cut_off_unfinished, find_encoder, hear_speech
from voxsight.parallel import progress

SHORTEST_S = 1.0  # a remainder shorter than this is left out, unless it is all there is


@dataclasses.dataclass(frozen=True)
class Chunk:
    """A piece of a recording's speech.

    Attributes
    ----------
    path : str
    speaker : str
        with the corpus in front
    gender : str
    number : int
        which piece of the recording
    chapter : str or None
        of a LibriSpeech recording
    """

    path: str
    speaker: str
    gender: str
    number: int
    chapter: str | None


def cut(speech, seconds):
    """Consecutive pieces of speech.

    Parameters
    ----------
    speech : np.ndarray [shape=(n,)]
        at 16 kHz, without long pauses
    seconds : float

    Returns
    -------
    list of np.ndarray
        of `seconds` each but for the last, which has `SHORTEST_S` at least or is the only one
    """
    size = int(seconds * RATE)
    pieces = [speech[start: start + size] for start in range(0, max(len(speech), 1), size)]
    if len(pieces) > 1 and len(pieces[-1]) < SHORTEST_S * RATE:
        pieces.pop()
    return pieces


def embed_chunks(utterances, encoder, seconds, folder="embeddings", *, options=None,
                 first_only=False, quiet=False):
    """Chunks of recordings and what an encoder makes of them, kept as JSON lines.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    encoder : str
        key of `embeddings.ENCODERS`
    seconds : float
        length of a chunk
    folder : str or os.PathLike
    options : dict, optional
        as for `embeddings.find_encoder`
    first_only : bool
        only the first chunk of each recording
    quiet : bool
        no progress bar

    Returns
    -------
    chunks : list of Chunk
    values : np.ndarray [shape=(len(chunks), d), float32]
    """
    kind = "first" if first_only else "chunks"
    path = Path(folder) / f"{encoder}-{kind}-{seconds:g}s.jsonl"
    known = _read(path)
    todo = [u for u in utterances if os.path.abspath(u.path) not in known]
    if todo:
        model = find_encoder(encoder, **(options or {}))
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            for u in progress(todo, len(todo), desc=f"{encoder} chunks", unit="recording",
                              quiet=quiet):
                pieces = cut(hear_speech(u.path).samples, seconds)[: 1 if first_only else None]
                found = [model.embed(piece) for piece in pieces]
                known[os.path.abspath(u.path)] = found
                row = {"filepath": os.path.abspath(u.path), "label": u.speaker,
                       "embedding": [np.round(v.astype(float), 6).tolist() for v in found]}
                file.write(json.dumps(row) + "\n")
    chunks = [Chunk(u.path, f"{u.corpus}:{u.speaker}", u.gender, number,
                    librispeech_chapter(u.path))
              for u in utterances for number in range(len(known[os.path.abspath(u.path)]))]
    return chunks, _stacked([v for u in utterances for v in known[os.path.abspath(u.path)]])


def _read(path):
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in cut_off_unfinished(path)]
    return {row["filepath"]: [np.array(v, np.float32) for v in row["embedding"]] for row in rows}


def _stacked(vectors):
    """Vectors as rows; NaN behind those of shorter pieces, where an encoder gives such."""
    width = max(map(len, vectors))
    return np.array([np.pad(v, (0, width - len(v)), constant_values=np.nan) for v in vectors],
                    np.float32)
