"""Speaker embeddings: what an encoder trained on thousands of voices hears in a recording."""

import json
import os
import warnings
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.audio import Recording
from voxsight.errors import UsageError
from voxsight.parallel import progress
from voxsight.speech import SpeechTracker, speech_windows

RATE = 16_000
MARGIN_S = 0.5  # kept around speech: an encoder hears worse what is cut close
LEVEL_DBFS = -30.0  # of the speech; Resemblyzer raises what is lower to it
PARTIAL_S = 1.6  # shorter speech is repeated, not padded with silence


class Resemblyzer:
    """Resemblyzer's encoder, an LSTM over mel bands trained to tell speakers apart.

    Wan et al., "Generalized end-to-end loss for speaker verification", 2018; the weights
    come with the package (https://github.com/resemble-ai/Resemblyzer, Apache-2.0).

    Raises
    ------
    UsageError
        if the package is not installed
    """

    name, size = "resemblyzer", 256

    def __init__(self):
        try:
            with warnings.catch_warnings():
                # Of its dependencies: scipy's and setuptools' old names.
                warnings.simplefilter("ignore")
                from resemblyzer import VoiceEncoder
        except ImportError as error:
            raise UsageError(f"the encoder resemblyzer could not be imported ({error}), expected "
                             "the extra: pip install 'voxsight[embeddings]'") from error
        self._encoder = VoiceEncoder("cpu", verbose=False)

    def embed(self, speech):
        """Embedding of speech without long pauses.

        Parameters
        ----------
        speech : np.ndarray [shape=(n,), float32]
            at 16 kHz

        Returns
        -------
        np.ndarray [shape=(256,), float32]
            of length 1
        """
        if not len(speech):
            return np.zeros(self.size, np.float32)
        speech = np.resize(speech, max(len(speech), int(PARTIAL_S * RATE)))
        level = np.sqrt(np.mean(np.square(speech, dtype=np.float64)))
        gain = 10 ** (LEVEL_DBFS / 20) / max(level, 1e-9)
        return self._encoder.embed_utterance((speech * gain).astype(np.float32))


ENCODERS = {"resemblyzer": Resemblyzer}


def find_encoder(name):
    """An encoder, loaded.

    Raises
    ------
    UsageError
        if there is none of that name, or its package is missing
    """
    if name not in ENCODERS:
        raise UsageError(f"encoder {name}: expected one of {', '.join(ENCODERS)}")
    return ENCODERS[name]()


class Voice:
    """Speech of a recording as an encoder wants it: without long pauses, not endless.

    Parameters
    ----------
    rate : int
        Hz
    longest_s : float
        what comes later is left out
    """

    def __init__(self, rate, longest_s=60.0):
        self._rate, self._left = rate, int(longest_s * rate)
        self._parts, self._end = [], 0

    def hearing(self, windows):
        """The same windows, each heard as it passes.

        Parameters
        ----------
        windows : iterable of Window
            with `MARGIN_S` of surroundings

        Yields
        ------
        Window
        """
        for window in windows:
            self._hear(window)
            yield window

    def _hear(self, window):
        origin = round(window.start_s * self._rate) - window.offset
        for start_s, end_s in window.speech or ((window.start_s, window.end_s),):
            # Margins of neighbours overlap, and nothing is heard twice.
            start = max(self._end, origin, round((start_s - MARGIN_S) * self._rate))
            part = window.surroundings[start - origin: round((end_s + MARGIN_S) * self._rate)
                                       - origin][: self._left]
            if len(part):
                self._left -= len(part)
                self._end = start + len(part)
                self._parts.append(part)

    @property
    def samples(self):
        """What was heard so far, shape (n,)."""
        return np.concatenate(self._parts) if self._parts else np.zeros(0, np.float32)


def speech_of(path):
    """The speech of a recording at 16 kHz, half a second kept around it.

    Its loudest stretch where no speech is found.

    Parameters
    ----------
    path : str or os.PathLike

    Returns
    -------
    np.ndarray [shape=(n,), float32]

    Raises
    ------
    RecordingError
    """
    voice = Voice(RATE)
    windows = speech_windows(Recording(path).blocks(RATE), RATE, 1.0, SpeechTracker(RATE), MARGIN_S)
    for _ in voice.hearing(windows):
        pass
    return voice.samples


def embed_recordings(paths, labels, encoder, folder="embeddings", *, quiet=False):
    """Embeddings of recordings, from disk where they were computed before.

    They are kept in ``<folder>/<encoder>.jsonl``, a line with ``filepath``, ``label`` and
    ``embedding`` for each.

    Parameters
    ----------
    paths, labels : sequence of str [shape=(n,)]
    encoder : str
        key of `ENCODERS`
    folder : str or os.PathLike
    quiet : bool
        no progress bar

    Returns
    -------
    np.ndarray [shape=(n, size), float32]
    """
    path = Path(folder) / f"{encoder}.jsonl"
    known = _read(path)
    paths = [os.path.abspath(p) for p in paths]
    todo = {p: label for p, label in zip(paths, labels) if p not in known}
    if todo:
        model = find_encoder(encoder)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "a", encoding="utf-8") as file:
            for p, label in progress(todo.items(), len(todo), desc=f"{encoder} embeddings",
                                     unit="recording", quiet=quiet):
                known[p] = model.embed(speech_of(p))
                row = {"filepath": p, "label": label,
                       "embedding": np.round(known[p].astype(float), 6).tolist()}
                file.write(json.dumps(row) + "\n")
    return np.array([known[p] for p in paths], np.float32)


def _read(path):
    """Embeddings stored so far; the unfinished line of a killed run is cut off."""
    if not path.is_file():
        return {}
    whole, _, unfinished = path.read_bytes().rpartition(b"\n")
    if unfinished:
        files.write_bytes(path, whole + b"\n")
    rows = [json.loads(line) for line in whole.splitlines()]
    return {row["filepath"]: np.array(row["embedding"], np.float32) for row in rows}
