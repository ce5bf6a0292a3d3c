"""Wrong predictions: copies to listen to, properties that they share, a spectrogram of each."""

import os
import re
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soxr

from voxsight import display
from voxsight.base import files
from voxsight.base.names import below_common_folder, distinct_names
from voxsight.base.progress import progress
from voxsight.evaluation.labelled import LabelledPrediction
from voxsight.features.properties import (
    NAMES,
    Properties,
    describe_properties,
    properties_of_all,
)
from voxsight.metrics.bootstrap import difference_of_means
from voxsight.sound.folders import sound_files
from voxsight.sound.pitch import HOP_S, track_f0
from voxsight.sound.recording import Recording

RATE = 16_000  # of spectrograms, Hz
WRITTEN = "written.txt"  # in the folder of mistakes
LONGEST_S = 10.0  # drawn of a recording


def mistake_names(recordings: Iterable[tuple[str, str, str]]) -> dict[str, str]:
    """Where the copies of recordings go below the folder of mistakes, if they are mistakes.

    Parameters
    ----------
    recordings : iterable of (path, speaker, gender)
        All that are assessed, so that the names do not depend on what is a mistake.

    Returns
    -------
    dict of str to str
        By path: folder and name, without an ending. No two are alike.
    """
    labelled = {path: (speaker, gender) for path, speaker, gender in recordings}
    below = below_common_folder(list(labelled))
    choices = [[f"{gender}/{_plain(f'{speaker}_{name}')}" for name in (
                    Path(path).stem, os.path.splitext(whole)[0], whole)]
               for (path, (speaker, gender)), whole in zip(labelled.items(), below)]
    return dict(zip(labelled, distinct_names(choices)))


def begin_mistakes(folder: str | os.PathLike, names: Iterable[str],
                   keep: Iterable[str] = ()) -> None:
    """Remove the copies of an earlier run from a folder of mistakes, and nothing else.

    Parameters
    ----------
    folder : str or os.PathLike
        Its file ``written.txt`` has the names of what a run may write, and so of what the next
        one removes.
    names : iterable of str
        Names that this run may give to copies, as `mistake_names` returns them.
    keep : iterable of str
        Names of copies that stay.
    """
    folder, keep = Path(folder), set(keep)
    written = folder / WRITTEN
    before = written.read_text("utf-8", "surrogateescape").splitlines() if written.is_file() else []
    for name in set(before) - keep:
        place = folder / name
        # Only below the folder, whatever somebody wrote into the list.
        if place.parent.is_dir() and folder.resolve() in place.resolve().parents:
            for copy in place.parent.iterdir():
                if copy.is_file() and copy.stem == place.name:
                    copy.unlink()
    text = "".join(f"{name}\n" for name in sorted({*names, *keep}))
    files.write_bytes(written, text.encode("utf-8", "surrogateescape"))


def copy_mistake(path: str | os.PathLike, folder: str | os.PathLike, name: str) -> Path:
    """Copy a recording or a picture into the folder of mistakes.

    Parameters
    ----------
    path : str or os.PathLike
        What to copy.
    folder : str or os.PathLike
        Folder of mistakes.
    name : str
        As `mistake_names` returns it.

    Returns
    -------
    Path
        The copy, without its ending.
    """
    copy = Path(folder) / name
    with files.replacing(f"{copy}{Path(path).suffix}") as temporary:
        shutil.copyfile(path, temporary)
    return copy


def mistakes_in_common(predictions: Sequence[LabelledPrediction], out: str | os.PathLike, *,
                       jobs: int | None = None, quiet: bool = False) -> list[dict[str, Any]]:
    """Compare the properties of wrongly labelled recordings with those of the others.

    Writes ``mistakes_in_common.csv`` and, if there are mistakes, ``mistakes_in_common.png``:
    for each property the mean of both groups and their difference, in standard deviations, with
    a 95 % interval over speakers.

    Parameters
    ----------
    predictions : list of LabelledPrediction
    out : str or os.PathLike
        Folder to write to.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    list of dict
        ``property, mistakes, right, difference, low, high``.
    """
    results = properties_of_all([p.path for p in predictions], jobs=jobs, quiet=quiet)
    described = [(prediction, properties) for prediction, properties in zip(predictions, results)
                 if isinstance(properties, Properties)]
    wrong = np.array([prediction.is_mistake for prediction, _ in described], bool)
    speakers = [prediction.speaker for prediction, _ in described]
    rows: list[dict[str, Any]] = []
    for name in NAMES:
        values = np.array([getattr(properties, name) for _, properties in described], float)
        rows.append({"property": name} | _compared(values, wrong, speakers))
    files.write_csv(Path(out) / "mistakes_in_common.csv", list(rows[0]), rows)
    intervals = [(row["property"], row["difference"], row["low"], row["high"]) for row in rows
                 if not np.isnan(row["difference"])]
    if intervals:
        display.save_intervals(
            Path(out) / "mistakes_in_common.png", intervals,
            f"{wrong.sum()} mistakes less {(~wrong).sum()} right answers, in standard deviations")
    return rows


def draw_mistakes(folder: str | os.PathLike, *, quiet: bool = False) -> int:
    """Draw the spectrogram and the pitch of every recording below a folder of mistakes.

    Each recording gets a PNG beside it. Its title holds pitch, duration, noise level and the
    fraction of speech.

    Parameters
    ----------
    folder : str or os.PathLike
    quiet : bool
        No progress bar.

    Returns
    -------
    int
        How many were drawn.
    """
    copies = [Path(path) for path in sound_files(folder)]
    for path in progress(copies, len(copies), desc="mistakes", unit="recording", quiet=quiet):
        _draw(path)
    return len(copies)


def _plain(text: str) -> str:
    """A file name that needs no escaping on a page."""
    return re.sub(r"[^\w.-]+", "_", text)


def _compared(values: np.ndarray, wrong: np.ndarray, speakers: Sequence[str]) -> dict[str, float]:
    """Means of a property over both groups, and their difference in standard deviations."""
    spread = np.nanstd(values) or 1.0
    difference, low, high = difference_of_means(values / spread, wrong, speakers)
    return {"mistakes": _mean(values[wrong]), "right": _mean(values[~wrong]),
            "difference": difference, "low": low, "high": high}


def _draw(path: Path) -> None:
    recording = Recording(path)
    samples, rate = recording.read(), recording.rate
    properties = describe_properties(samples, rate)
    samples = soxr.resample(samples[: int(LONGEST_S * rate)], rate, RATE)
    f0 = track_f0(samples, RATE)
    pitch = "no pitch found" if np.isnan(properties.f0_hz) else f"pitch {properties.f0_hz:.0f} Hz"
    title = (f"{display.legible(path.stem, 60)}, labelled {path.parent.name}\n"
             f"{pitch}, {properties.duration_s:.2f} s, {properties.speech_share:.0%} speech, "
             f"pauses {-properties.noise_db:.0f} dB below speech")
    display.save_spectrogram(path.with_suffix(".png"), samples, RATE, np.arange(len(f0)) * HOP_S,
                             f0, title)


def _mean(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else np.nan
