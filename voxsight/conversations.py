"""Long recordings whose truth is known, built from short ones, and a timeline against it."""

import dataclasses
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from voxsight import audio, files
from voxsight.corpora import sound_files
from voxsight.deployment import Outputs, deploy
from voxsight.errors import UsageError

RATE = 16_000
LEVEL = 0.05  # root mean square of each turn
TURNS = (1, 3)  # recordings of one voice in a row
GAP_S = (0.2, 1.5)
INTERLUDE_EVERY_S = 60.0  # on average, music or noise of at most 10 s
STEP_S = 0.01  # of the comparison in time


@dataclasses.dataclass(frozen=True)
class Stretch:
    """Part of a conversation: who speaks, or what else sounds; times in seconds."""

    start_s: float
    end_s: float
    kind: str  # "female", "male" or "noise"; pauses are not listed
    speaker: str = ""


def build(utterances, noise, minutes, seed=0):
    """A conversation of voices in turn, with pauses, music and noise.

    Parameters
    ----------
    utterances : list of corpora.Utterance
        used in random order, again when all were used
    noise : str or os.PathLike
        folder with recordings of music and noise
    minutes : float
    seed : int

    Returns
    -------
    samples : np.ndarray [shape=(n,), float32]
        at 16 kHz
    stretches : list of Stretch
        in time order

    Raises
    ------
    UsageError
        if there are fewer than two speakers or no noise
    """
    rng = np.random.default_rng(seed)
    others = sound_files(noise)
    if len({u.speaker for u in utterances}) < 2 or not others:
        raise UsageError(f"found {len({u.speaker for u in utterances})} speakers and "
                         f"{len(others)} recordings of noise, expected two speakers at least "
                         "and some noise to build a conversation")
    parts, stretches, length = [], [], 0
    turns = _turns(utterances, rng)
    while length < minutes * 60 * RATE:
        if rng.random() < GAP_S[1] * 4 / INTERLUDE_EVERY_S:
            path, kind, speaker = others[rng.integers(len(others))], "noise", ""
        else:
            chosen = next(turns)
            path, kind, speaker = chosen.path, chosen.gender, chosen.speaker
        samples = _levelled(path)
        stretches.append(Stretch(length / RATE, (length + len(samples)) / RATE, kind, speaker))
        pause = (1e-4 * rng.standard_normal(int(rng.uniform(*GAP_S) * RATE))).astype(np.float32)
        parts += [samples, pause]
        length += len(samples) + len(pause)
    return np.concatenate(parts), stretches


def compare(segments, stretches):
    """A timeline against the truth.

    Parameters
    ----------
    segments : list of dict
        ``start_s, end_s, label``, as `timeline.timeline` gives them
    stretches : list of Stretch

    Returns
    -------
    dict
        ``label_accuracy``: share of the answered time of speech with the right label;
        ``uncertain``: share of the speech found that is called so; ``missed``: share of
        speech in no segment, pauses within turns included; ``female_share`` and
        ``true_female_share`` of the labelled speaking time; ``noise_as_speech``: share of
        music, noise and pauses that lies in a segment
    """
    steps = int(stretches[-1].end_s / STEP_S) + 1
    truth, said = np.full(steps, "pause", "U9"), np.full(steps, "nothing", "U9")
    for stretch in stretches:
        truth[_steps(stretch.start_s, stretch.end_s)] = stretch.kind
    for segment in segments:
        said[_steps(float(segment["start_s"]), float(segment["end_s"]))] = segment["label"]
    voice, found = np.isin(truth, ("female", "male")), said != "nothing"
    answered = voice & np.isin(said, ("female", "male"))
    return {
        "label_accuracy": float(np.mean((said == truth)[answered])),
        "uncertain": float(np.mean((said == "uncertain")[voice & found])),
        "missed": float(np.mean(~found[voice])),
        "female_share": float(np.mean((said == "female")[answered])),
        "true_female_share": float(np.mean((truth == "female")[voice & found])),
        "noise_as_speech": float(np.mean(found[~voice])),
        "minutes": steps * STEP_S / 60}


def measure(utterances, noise, model, minutes, seed=0):
    """Build a conversation, run ``deploy --timeline`` on it and compare.

    Returns
    -------
    dict
        as `compare` gives it
    """
    samples, stretches = build(utterances, noise, minutes, seed)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "conversation.wav")
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        for prediction in deploy([path], model, outputs=Outputs(timelines=folder), quiet=True):
            if prediction.error:
                raise UsageError(f"{path}: {prediction.error}")
        segments = files.read_csv(Path(folder) / "conversation.csv")
    return compare(segments, stretches)


def write_measured(measured, out, command):
    """Write ``conversations.json``: the command and what `measure` found per conversation."""
    files.write_json(Path(out) / "conversations.json",
                     {"command": command, "conversations": measured})
    return json.dumps(measured, indent=1)


def _turns(utterances, rng):
    """Utterances without end, one to three of a voice in a row."""
    speakers = sorted({u.speaker for u in utterances})
    own = {s: [u for u in utterances if u.speaker == s] for s in speakers}
    last = None
    while True:
        speaker = speakers[rng.integers(len(speakers))]
        if speaker == last:
            continue
        last = speaker
        for _ in range(rng.integers(TURNS[0], TURNS[1] + 1)):
            yield own[speaker][rng.integers(len(own[speaker]))]


def _levelled(path):
    samples, rate = audio.read(path)
    samples = soxr.resample(samples, rate, RATE)
    level = np.sqrt(np.mean(np.square(samples, dtype=np.float64)))
    return (samples * (LEVEL / max(level, 1e-6))).astype(np.float32)


def _steps(start_s, end_s):
    return slice(round(start_s / STEP_S), round(end_s / STEP_S))
