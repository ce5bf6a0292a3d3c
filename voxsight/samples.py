"""A small corpus made of the synthetic voices in ``my_wavs/``, to try things on.

Its speakers are variations of a few synthesised voices. Figures on it say that a tool
works, and nothing of how well a model does on people.
"""

from pathlib import Path

import numpy as np

from voxsight import audio, files
from voxsight.vocoder import Vocoder

MY_WAVS = Path(__file__).resolve().parent.parent / "my_wavs"
RATE = 16_000
VOICES = {"female": ("slt_fox", "slt_hello", "slt_three", "slt_seven"),
          "male": ("rms_morning", "kal_count", "rms_seven", "awb_three")}
ACCENTS = {"slt": "US", "rms": "US", "kal": "US", "awb": "Scottish"}
SEMITONES, FORMANTS = 4.0, 0.06  # how far a speaker may lie from the voice it varies


def make_corpus(folder, speakers=12, recordings=4, seed=0):
    """Write a corpus of synthetic speakers, as many of each gender.

    Parameters
    ----------
    folder : str or os.PathLike
    speakers : int
    recordings : int
        of each speaker, at most four
    seed : int

    Returns
    -------
    Path
        its CSV, as ``--corpus csv`` reads it
    """
    folder, rng, rows = Path(folder), np.random.default_rng(seed), []
    for number in range(speakers):
        gender = ("female", "male")[number % 2]
        pitch = 2 ** (rng.uniform(-SEMITONES, SEMITONES) / 12)
        formants, age = 1 + rng.uniform(-FORMANTS, FORMANTS), int(rng.integers(18, 70))
        for name in VOICES[gender][:recordings]:
            path = folder / f"{gender[0]}{number}" / f"{name}.wav"
            if not path.is_file():
                path.parent.mkdir(parents=True, exist_ok=True)
                samples, _ = audio.read(MY_WAVS / f"{name}.wav", RATE)
                voice = Vocoder(samples, RATE)
                wanted = voice.median_f0 and voice.median_f0 * pitch
                audio.write_wav(path, voice.resynthesise(wanted, formants=formants), RATE)
            rows.append({"path": path.relative_to(folder).as_posix(),
                         "speaker": f"{gender[0]}{number}", "gender": gender, "age": age,
                         "accent": ACCENTS[name[:3]], "corpus": "synthetic"})
    files.write_csv(folder / "corpus.csv", list(rows[0]), rows)
    return folder / "corpus.csv"
