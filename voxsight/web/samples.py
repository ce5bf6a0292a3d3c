"""The recordings that the page offers by name."""

import os
from pathlib import Path

from voxsight.sound.folders import sound_files

# The synthetic voices that come with the project; what else is in their folder is somebody's own.
SYNTHETIC = {
    "slt_fox": "woman (synthetic): the quick brown fox",
    "slt_hello": "woman (synthetic): hello, how are you today?",
    "slt_seven": "woman (synthetic): seven",
    "slt_three": "woman (synthetic): three",
    "rms_morning": "man (synthetic): good morning",
    "rms_seven": "man (synthetic): seven",
    "awb_three": "man (synthetic, Scottish): three",
    "kal_count": "man (synthetic, 8 kHz): zero, one, two, three, four",
}
SYNTHETIC_FOLDER = "my_wavs"


def offered_samples(folder: str | os.PathLike | None) -> dict[str, tuple[str, Path]]:
    """Title and path of each recording that the page offers.

    Parameters
    ----------
    folder : str, os.PathLike or None
        All sound files in it are offered; without one, the synthetic voices that are found.

    Returns
    -------
    dict of str to (str, Path)
        By name.
    """
    if folder is not None:
        return {Path(path).name: (Path(path).name, Path(path)) for path in sound_files(folder)}
    paths = {name: Path(SYNTHETIC_FOLDER) / f"{name}.wav" for name in SYNTHETIC}
    return {name: (SYNTHETIC[name], path) for name, path in paths.items() if path.is_file()}
