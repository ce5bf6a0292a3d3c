"""Speaker embeddings of recordings: stored, drawn, and on a page that plays the recordings.

These are the stages of ``classify_embeddings.py`` except for training, which is a comparison of
one classifier.
"""

import dataclasses
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.corpora.utterance import Utterance
from voxsight.encoders.embeddings import embed_recordings, write_embeddings
from voxsight.errors import RecordingError, UsageError
from voxsight.studies.projection import write_projection

COLOURS = ("gender", "corpus", "speaker")
FEWEST = 4  # recordings that can be projected


@dataclasses.dataclass(frozen=True)
class EmbeddingSettings:
    """Which encoder is used, and where its embeddings are stored.

    Attributes
    ----------
    encoder : str
        Key of `ENCODERS`.
    options : dict
        Its ``source`` or ``layer``.
    folder : str or os.PathLike
        Of the store of embeddings.
    quiet : bool
        No progress bars.
    """

    encoder: str
    options: Mapping[str, Any]
    folder: str | os.PathLike
    quiet: bool = False

    def embed(self, utterances: Sequence[Utterance], *, skip_silent: bool = False) -> np.ndarray:
        """Embeddings, shape (n, size); see `embed_recordings`."""
        return embed_recordings([u.path for u in utterances], self.encoder, self.folder,
                                options=self.options, skip_silent=skip_silent, quiet=self.quiet)


def embed_spoken(settings: EmbeddingSettings, utterances: Sequence[Utterance]
                 ) -> tuple[list[Utterance], list[RecordingError]]:
    """Embed the speech of recordings; write it as JSON lines and Parquet.

    Parameters
    ----------
    settings : EmbeddingSettings
    utterances : list of Utterance

    Returns
    -------
    spoken : list of Utterance
        Those that hold speech.
    failures : list of RecordingError
        One for each of the others.
    """
    embeddings = settings.embed(utterances, skip_silent=True)
    spoken = [not np.isnan(embedding).all() for embedding in embeddings]
    failures = [RecordingError(u.path, "found no speech", "a voice", "leave it out")
                for u, speaks in zip(utterances, spoken) if not speaks]
    with_speech = [u for u, speaks in zip(utterances, spoken) if speaks]
    write_embeddings(Path(settings.folder) / f"{settings.encoder}.jsonl",
                     [u.path for u in with_speech], [u.gender for u in with_speech],
                     embeddings[np.array(spoken, bool)])
    return with_speech, failures


def draw_embeddings(settings: EmbeddingSettings, utterances: Sequence[Utterance],
                    out: str | os.PathLike, mistakes: Collection[str] = ()) -> None:
    """Draw embeddings as points, and as a page on which a point plays its recording.

    Parameters
    ----------
    settings : EmbeddingSettings
    utterances : list of Utterance
    out : str or os.PathLike
        Folder for ``projection.png`` and ``projection.html``.
    mistakes : collection of str
        Paths of recordings that a classifier gets wrong; they are marked.

    Raises
    ------
    UsageError
        If there are fewer than four recordings.
    """
    embeddings = settings.embed(utterances)
    if len(utterances) < FEWEST:
        raise UsageError(f"--stage plot: found {len(utterances)} recordings, expected at least "
                         "four; name more")
    rows = [{"path": u.path, "gender": u.gender, "corpus": u.corpus, "speaker": u.voice,
             "mistake": u.path in mistakes} for u in utterances]
    write_projection(out, rows, embeddings, COLOURS, f"{settings.encoder} embeddings")
