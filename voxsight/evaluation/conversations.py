"""Timelines of long recordings whose truth is known, since they are built from short ones."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from voxsight.answer.picture_model import PictureModel
from voxsight.answer.timeline import timeline
from voxsight.base import files
from voxsight.corpora.utterance import Utterance
from voxsight.errors import UsageError
from voxsight.metrics.segments import Stretch, timeline_figures
from voxsight.network.folder import ModelFolder
from voxsight.sound.folders import sound_files
from voxsight.sound.recording import Recording
from voxsight.sound.writing import through_file

RATE = 16_000  # of conversations, Hz
LEVEL = 0.05  # root mean square of each turn
TURNS = (1, 3)  # fewest and most recordings of one voice in a row
GAP_S = (0.2, 1.5)  # shortest and longest pause
INTERLUDE_EVERY_S = 60.0  # of speech and pauses between music or noise, on average
INTERLUDE_S = 10.0  # longest music or noise
PAUSE_NOISE = 1e-4  # root mean square of the noise in pauses: digital silence is rare in reality


def build_conversation(utterances: Sequence[Utterance], noise: str | os.PathLike, minutes: float,
                       seed: int = 0) -> tuple[np.ndarray, list[Stretch]]:
    """A conversation of voices that take turns, with pauses, music and noise.

    Music or noise begins after a minute of turns and pauses on average, however long these are,
    and lasts 10 s at most.

    Parameters
    ----------
    utterances : list of Utterance
        Drawn at random, with repetition.
    noise : str or os.PathLike
        Folder with recordings of music and noise.
    minutes : float
        Least length.
    seed : int
        Of the random draws.

    Returns
    -------
    samples : np.ndarray [shape=(n,), float32]
        At 16 kHz.
    stretches : list of Stretch
        In time order.

    Raises
    ------
    UsageError
        If there are fewer than two speakers or no noise.
    """
    rng = np.random.default_rng(seed)
    interludes = sound_files(noise)
    n_speakers = len({u.voice for u in utterances})
    if n_speakers < 2 or not interludes:
        raise UsageError(f"found {n_speakers} speakers and {len(interludes)} recordings of noise, "
                         "expected two speakers at least and some noise to build a conversation")
    parts: list[np.ndarray] = []
    stretches: list[Stretch] = []
    length, until_interlude_s = 0, rng.exponential(INTERLUDE_EVERY_S)
    turns = _turns(utterances, rng)
    while length < minutes * 60 * RATE:
        if is_interlude := until_interlude_s <= 0:
            samples = _levelled(interludes[rng.integers(len(interludes))], INTERLUDE_S)
            kind, speaker = "noise", ""
            until_interlude_s = rng.exponential(INTERLUDE_EVERY_S)
        else:
            turn = next(turns)
            samples, kind, speaker = _levelled(turn.path), turn.gender, turn.voice
        stretches.append(Stretch(length / RATE, (length + len(samples)) / RATE, kind, speaker))
        pause = _pause(rng)
        parts += [samples, pause]
        length += len(samples) + len(pause)
        if not is_interlude:
            until_interlude_s -= (len(samples) + len(pause)) / RATE
    return np.concatenate(parts), stretches


def measure_conversation(utterances: Sequence[Utterance], noise: str | os.PathLike,
                         model: ModelFolder | str | os.PathLike, minutes: float,
                         seed: int = 0) -> dict[str, Any]:
    """Build a conversation and compare its timeline with the truth.

    Parameters
    ----------
    utterances : list of Utterance
        Drawn at random, with repetition.
    noise : str or os.PathLike
        Folder with recordings of music and noise.
    model : ModelFolder, str or os.PathLike
        Model folder of a picture network.
    minutes : float
        Least length.
    seed : int
        Of the random draws.

    Returns
    -------
    dict
        As `timeline_figures` returns it.

    Raises
    ------
    UsageError
        If no conversation can be built, or the model cannot be loaded.
    """
    samples, stretches = build_conversation(utterances, noise, minutes, seed)
    opened = PictureModel(model)
    windows: list = []
    prediction = opened.predict(through_file(samples, RATE), keep=windows)
    if prediction.error:
        raise UsageError(f"the conversation cannot be answered: {prediction.error}")
    return timeline_figures(timeline(windows, opened), stretches)


def write_conversations(measured: Mapping[str, Any], out: str | os.PathLike, command: str) -> str:
    """Write ``conversations.json``: the command and the figures of each conversation.

    Parameters
    ----------
    measured : dict of str to dict
        Figures by the name of the conversation, as `measure_conversation` returns them.
    out : str or os.PathLike
        Folder to write to.
    command : str
        The command that was run.

    Returns
    -------
    str
        The figures as JSON.
    """
    files.write_json(Path(out) / "conversations.json",
                     {"command": command, "conversations": measured})
    return json.dumps(measured, indent=1)


def _turns(utterances: Sequence[Utterance], rng: np.random.Generator) -> Iterator[Utterance]:
    """Utterances without end, one to three of a voice in a row."""
    speakers = sorted({u.voice for u in utterances})
    by_speaker = {s: [u for u in utterances if u.voice == s] for s in speakers}
    last = None
    while True:
        speaker = speakers[rng.integers(len(speakers))]
        if speaker == last:
            continue
        last = speaker
        for _ in range(rng.integers(TURNS[0], TURNS[1] + 1)):
            yield by_speaker[speaker][rng.integers(len(by_speaker[speaker]))]


def _pause(rng: np.random.Generator) -> np.ndarray:
    n_samples = int(rng.uniform(*GAP_S) * RATE)
    return (PAUSE_NOISE * rng.standard_normal(n_samples)).astype(np.float32)


def _levelled(path: str, longest_s: float = np.inf) -> np.ndarray:
    """The beginning of a recording at 16 kHz and at the level of all turns."""
    recording = Recording(path)
    samples = recording.read()
    if len(samples) > longest_s * recording.rate:
        samples = samples[:int(longest_s * recording.rate)]
    samples = soxr.resample(samples, recording.rate, RATE)
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    return (samples * (LEVEL / max(level, 1e-6))).astype(np.float32)
