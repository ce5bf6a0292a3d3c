"""A small corpus of synthetic voices, to try things out; it needs the project's ``my_wavs/``.

Its speakers are variations of a few synthesised voices. Figures on it show that a tool works. They
do not show how well a model does on people.
"""

import os
from pathlib import Path

import numpy as np

from voxsight.base import files
from voxsight.sound.recording import Recording
from voxsight.sound.vocoder import Vocoder
from voxsight.sound.writing import write_wav

MY_WAVS = Path(__file__).resolve().parents[2] / "my_wavs"
RATE = 16_000  # Hz
VOICES = {"female": ("slt_fox", "slt_hello", "slt_three", "slt_seven"),
          "male": ("rms_morning", "kal_count", "rms_seven", "awb_three")}
ACCENTS = {"slt": "US", "rms": "US", "kal": "US", "awb": "Scottish"}
# How far a speaker may differ from the original voice: pitch, and relative formant frequencies.
SEMITONES, FORMANTS = 4.0, 0.06


def make_corpus(folder: str | os.PathLike, speakers: int = 12, recordings: int = 4,
                seed: int = 0) -> Path:
    """Write a corpus of synthetic speakers, female and male in turn.

    Parameters
    ----------
    folder : str or os.PathLike
        Where to write it. Recordings that exist already are kept.
    speakers : int
        Number of speakers.
    recordings : int
        Recordings of each speaker, at most four.
    seed : int
        Of the random choice of voices and ages.

    Returns
    -------
    Path
        Its CSV, as ``--corpus csv`` reads it.
    """
    folder, rng, rows = Path(folder), np.random.default_rng(seed), []
    for number in range(speakers):
        gender = ("female", "male")[number % 2]
        speaker = f"{gender[0]}{number}"
        pitch = 2 ** (rng.uniform(-SEMITONES, SEMITONES) / 12)
        formants, age = 1 + rng.uniform(-FORMANTS, FORMANTS), int(rng.integers(18, 70))
        for name in VOICES[gender][:recordings]:
            path = folder / speaker / f"{name}.wav"
            if not path.is_file():
                _write_variation(path, MY_WAVS / f"{name}.wav", pitch, formants)
            rows.append({"path": path.relative_to(folder).as_posix(), "speaker": speaker,
                         "gender": gender, "age": age, "accent": ACCENTS[name[:3]],
                         "corpus": "synthetic"})
    files.write_csv(folder / "corpus.csv", list(rows[0]), rows)
    return folder / "corpus.csv"


def _write_variation(path: Path, original: Path, pitch: float, formants: float) -> None:
    """Write a recording with its pitch and its formants multiplied by factors."""
    path.parent.mkdir(parents=True, exist_ok=True)
    voice = Vocoder(Recording(original).read(RATE), RATE)
    median_f0 = voice.median_f0 and voice.median_f0 * pitch
    write_wav(path, voice.resynthesise(median_f0, formants=formants), RATE)
