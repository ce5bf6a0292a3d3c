"""What mistakes have in common, and what each of them looks like."""

from pathlib import Path

import numpy as np
import soxr

from voxsight import audio, display, files
from voxsight.analysis import difference
from voxsight.audio import EXTENSIONS
from voxsight.parallel import progress
from voxsight.pitch import HOP_S, track_f0
from voxsight.properties import NAMES, Properties, describe, properties_of_all

RATE = 16_000
LONGEST_S = 10.0  # drawn of a mistake


def mistakes_in_common(answers, out, *, jobs=None, quiet=False):
    """Compare the properties of recordings answered wrongly with those of the others.

    Writes ``mistakes_in_common.csv`` and, where there are mistakes, ``.png``: per property
    the mean of both and their difference, in standard deviations, with a 95 % interval over
    speakers.

    Parameters
    ----------
    answers : list of assessment.Answer
    out : str or os.PathLike
        folder
    jobs, quiet
        as everywhere

    Returns
    -------
    list of dict
        ``property, mistakes, right, difference, low, high``
    """
    found = properties_of_all([answer.path for answer in answers], jobs=jobs, quiet=quiet)
    known = [(answer, own) for answer, own in zip(answers, found) if isinstance(own, Properties)]
    wrong = np.array([answer.is_mistake for answer, _ in known], bool)
    speakers = [answer.speaker for answer, _ in known]
    rows = []
    for name in NAMES:
        values = np.array([getattr(own, name) for _, own in known], float)
        spread = np.nanstd(values) or 1.0
        value, low, high = difference(values / spread, wrong, speakers)
        rows.append({"property": name, "mistakes": _mean(values[wrong]),
                     "right": _mean(values[~wrong]), "difference": value, "low": low,
                     "high": high})
    files.write_csv(Path(out) / "mistakes_in_common.csv", list(rows[0]), rows)
    drawn = [(r["property"], r["difference"], r["low"], r["high"]) for r in rows
             if not np.isnan(r["difference"])]
    if drawn:
        display.save_intervals(
            Path(out) / "mistakes_in_common.png", drawn,
            f"{wrong.sum()} mistakes less {(~wrong).sum()} right answers, in standard deviations")
    return rows


def draw_mistakes(folder, *, quiet=False):
    """Draw the spectrogram and pitch of every recording below a folder of mistakes.

    Each gets a PNG beside it, which says its pitch, duration, noise level and share of
    speech.

    Parameters
    ----------
    folder : str or os.PathLike
    quiet : bool
        no progress bar

    Returns
    -------
    int
        how many were drawn
    """
    copies = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in EXTENSIONS)
    for path in progress(copies, len(copies), desc="mistakes", unit="recording", quiet=quiet):
        _draw(path)
    return len(copies)


def _draw(path):
    samples, rate = audio.read(path)
    own = describe(samples, rate)
    samples = soxr.resample(samples[: int(LONGEST_S * rate)], rate, RATE)
    f0 = track_f0(samples, RATE)
    pitch = "no pitch found" if np.isnan(own.f0_hz) else f"pitch {own.f0_hz:.0f} Hz"
    title = (f"{path.stem}, labelled {path.parent.name}\n{pitch}, {own.duration_s:.2f} s, "
             f"{own.speech_share:.0%} speech, pauses {-own.noise_db:.0f} dB below speech")
    display.save_spectrogram(path.with_suffix(".png"), samples, RATE, np.arange(len(f0)) * HOP_S,
                             f0, title)


def _mean(values):
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
