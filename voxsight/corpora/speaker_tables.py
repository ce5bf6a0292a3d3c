"""The tables of speakers that corpora bring along: where they are, and whom they do not name."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from voxsight.base.texts import listed, note


def find_table(folders: Iterable[Path], name: str) -> Path | None:
    """The file of a name in the first of some folders that has it, or in other capitals.

    Parameters
    ----------
    folders : iterable of Path
    name : str

    Returns
    -------
    Path or None
    """
    for folder in folders:
        found = [path for path in sorted(folder.glob("*.*")) if path.is_file()
                 and path.name.lower() == name.lower()]
        if found:
            return min(found, key=lambda path: path.name != name)
    return None


class LeftOut:
    """Counts the recordings that are left out, since a table does not name their speakers.

    Parameters
    ----------
    table : Path
    """

    def __init__(self, table: Path) -> None:
        self._table = table
        self._speakers: Counter[str] = Counter()
        self._nameless: list[str] = []

    def add(self, path: str, speaker: str | None) -> None:
        """Count a recording; `speaker` is None if its name is not as the corpus names them."""
        if speaker is None:
            self._nameless.append(path)
        else:
            self._speakers[speaker] += 1

    def tell(self) -> None:
        """Say on stderr what was left out, if anything was."""
        if self._speakers:
            note(f"{self._table}: left out {self._speakers.total()} recordings of "
                 f"{len(self._speakers)} speakers that the table does not name: "
                 f"{listed(self._speakers)}")
        if self._nameless:
            note(f"{self._table}: left out {len(self._nameless)} recordings whose names do not "
                 f"say who speaks: {listed(self._nameless)}")
