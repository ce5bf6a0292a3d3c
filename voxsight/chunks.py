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
    start_s, end_s : float
        where it lies in the recording, pauses included
    """

    path: str
    speaker: str
    gender: str
    number: int
    chapter: str | None
    start_s: float = 0.0
    end_s: float = 0.0


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
                heard = hear_speech(u.path)
                pieces = cut(heard.samples, seconds)[: 1 if first_only else None]
                # Rounded as it is kept, so that a second run finds the same.
                found = [np.round(model.embed(piece).astype(float), 6) for piece in pieces]
                places = _places(pieces, heard.spans)
                known[os.path.abspath(u.path)] = found, places
                row = {"filepath": os.path.abspath(u.path), "label": u.speaker, "place": places,
                       "embedding": [v.tolist() for v in found]}
                file.write(json.dumps(row) + "\n")
    chunks = [Chunk(u.path, u.voice, u.gender, number,
                    librispeech_chapter(u.path), *place)
              for u in utterances
              for number, place in enumerate(known[os.path.abspath(u.path)][1])]
    return chunks, _stacked([v for u in utterances for v in known[os.path.abspath(u.path)][0]])


def _places(pieces, spans):
    """Start and end of each piece in the recording, seconds."""
    starts, lengths = np.array(spans or [(0.0, 0.0)]).T
    before = np.concatenate([[0.0], np.cumsum(lengths)[:-1]])
    places, heard_s = [], 0.0
    for piece in pieces:
        ends = heard_s, heard_s + len(piece) / RATE
        inside = [int(np.searchsorted(before, time, side)) - 1
                  for time, side in zip(ends, ("right", "left"))]
        places.append([round(float(starts[max(i, 0)] + time - before[max(i, 0)]), 3)
                       for i, time in zip(inside, ends)])
        heard_s = ends[1]
    return places


def _read(path):
    if not path.is_file():
        return {}
    rows = [json.loads(line) for line in cut_off_unfinished(path)]
    return {row["filepath"]: ([np.array(v, np.float32) for v in row["embedding"]], row["place"])
            for row in rows}


def _stacked(vectors):
    """Vectors as rows; NaN behind those of shorter pieces, where an encoder gives such."""
    width = max(map(len, vectors))
    return np.array([np.pad(v, (0, width - len(v)), constant_values=np.nan) for v in vectors],
                    np.float32)
