"""A folder of pictures as ``preprocess_wavs.py`` leaves it: read, written, resumed."""

import dataclasses
import math
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np

from voxsight import files, splits
from voxsight.augmentation import CHILD
from voxsight.corpora import GENDERS, UNLABELLED, audiomnist_speaker, librispeech_chapter
from voxsight.embeddings import ENCODERS
from voxsight.errors import UsageError
from voxsight.recipes import RECIPES, Recipe

COLUMNS = ("image", "source", "start_s", "end_s", "speaker", "gender", "corpus", "age",
           "accent", "text", "augmentation")


@dataclasses.dataclass(frozen=True)
class Picture:
    """One labelled picture of a dataset.

    ``speaker`` carries its corpus in front, since corpora number their speakers alike.
    """

    path: str
    source: str
    speaker: str
    gender: str
    corpus: str
    augmentation: str = ""
    start_s: float = 0.0

    @property
    def p_female(self):
        """What a network shall say: the label, or a half where nobody could tell.

        NaN where no label is known.
        """
        if self.gender == UNLABELLED:
            return math.nan
        if CHILD in self.augmentation.split("+"):
            return 0.5
        return 1.0 if self.gender == "female" else 0.0


def read_dataset(folder):
    """Pictures of a dataset and the recipe that made them.

    Parameters
    ----------
    folder : str or os.PathLike
        a folder with ``manifest.csv`` and ``recipe.json``; or one with
        ``maps/<gender>.json`` beside it, as the published AudioMNIST pictures come; or
        the folder that holds ``mfc_dataset/``

    Returns
    -------
    pictures : list of Picture
    recipe : Recipe

    Raises
    ------
    UsageError
        if there is no dataset
    """
    folder = _found(folder)
    if (folder / "manifest.csv").is_file():
        pictures = _from_manifest(folder)
    elif all((folder.parent / "maps" / f"{g}.json").is_file() for g in GENDERS):
        pictures = _from_maps(folder)
    else:
        raise UsageError(f"{folder}: found neither manifest.csv nor ../maps/female.json and "
                         "../maps/male.json, expected a folder of pictures; make one with "
                         "scripts/preprocess_wavs.py")
    if not pictures:
        raise UsageError(f"{folder}: found no picture, expected some of both genders; make "
                         "them with scripts/preprocess_wavs.py")
    return pictures, read_recipe(folder)


def is_dataset(folder):
    """Whether there are pictures there as `read_dataset` reads them."""
    folder = _found(folder)
    return ((folder / "manifest.csv").is_file() and (folder / "recipe.json").is_file()) or all(
        (folder.parent / "maps" / f"{gender}.json").is_file() for gender in GENDERS)


def read_embeddings(folder, encoder):
    """What an encoder heard in the voice behind each picture of a dataset.

    Parameters
    ----------
    folder : str or os.PathLike
    encoder : str
        key of `embeddings.ENCODERS`

    Returns
    -------
    np.ndarray [shape=(n, d), float32]
        in the order of `read_dataset`

    Raises
    ------
    UsageError
        if the pictures were made without
    """
    path = _embeddings_path(_found(folder), encoder)
    if not path.is_file():
        raise UsageError(f"--teacher {encoder}: found no {path}, expected what it heard in each "
                         f"picture; make them with preprocess_wavs.py --teacher {encoder}")
    return np.fromfile(path, np.float16).reshape(-1, ENCODERS[encoder].size).astype(np.float32)


def split_pictures(pictures, rule, share, seed):
    """Pictures to use and which of them validate.

    Altered copies never validate, and train only where their recording trains and no
    picture of it validates. Unlabelled pictures train.

    Parameters
    ----------
    pictures : list of Picture
    rule, share, seed
        as `rule`, `valid` and `seed` of `splits.split`

    Returns
    -------
    pictures : list of Picture
    valid : np.ndarray of int
        indices of those that validate
    """
    unlabelled = [p for p in pictures if p.gender == UNLABELLED]
    pictures = [p for p in pictures if p.gender != UNLABELLED]
    clean = [p for p in pictures if not p.augmentation]
    sides = splits.split([p.speaker for p in clean], [p.gender for p in clean], rule, share,
                         seed, chapters=[librispeech_chapter(p.source) for p in clean])
    train, valid = ([clean[i] for i in side] for side in sides)
    sources = {p.source for p in train} - {p.source for p in valid}
    copies = [p for p in pictures if p.augmentation and p.source in sources]
    train += copies + unlabelled
    return train + valid, np.arange(len(valid)) + len(train)


def altered_copies_of(pictures, sources):
    """Altered pictures of some recordings whose label still holds.

    Parameters
    ----------
    pictures : list of Picture
    sources : iterable of str

    Returns
    -------
    list of Picture
    """
    sources = set(sources)
    return [p for p in pictures if p.source in sources and p.augmentation
            and p.p_female in (0.0, 1.0)]


def read_recipe(folder):
    """Recipe of a dataset; AudioMNIST's where the folder, like the published, has none."""
    path = Path(folder) / "recipe.json"
    if not path.is_file():
        return RECIPES["audiomnist"]
    try:
        return Recipe.from_dict(files.read_json(path)["recipe"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: found no recipe, expected one under the key 'recipe'; make the "
                         "dataset again") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}; make the dataset again") from error


def _found(folder):
    inside = Path(folder) / "mfc_dataset"
    return inside if inside.is_dir() else Path(folder)


def _embeddings_path(folder, encoder):
    return Path(folder) / f"{encoder}.float16"


def _from_manifest(folder):
    return [Picture(path=str(folder / row["image"]), source=row["source"],
                    speaker=f"{row['corpus']}:{row['speaker']}", gender=row["gender"],
                    corpus=row["corpus"], augmentation=row.get("augmentation", ""),
                    start_s=float(row["start_s"] or 0))
            for row in files.read_csv(folder / "manifest.csv")]


def _from_maps(folder):
    pictures = []
    for gender in GENDERS:
        for image, source in files.read_json(folder.parent / "maps" / f"{gender}.json").items():
            speaker = audiomnist_speaker(source)
            if speaker is None:
                raise UsageError(f"{source}: found no speaker in this path, expected "
                                 "<speaker>/<digit>_<speaker>_<repetition>.wav; add a "
                                 "manifest.csv that names the speakers")
            pictures.append(Picture(path=str(folder.parent / image), source=source,
                                    speaker=f"audiomnist:{speaker}", gender=gender,
                                    corpus="audiomnist"))
    return pictures


class DatasetWriter:
    """Writes pictures and a manifest so that a killed run can be taken up again.

    Rows are added to ``manifest.csv.partial`` after their pictures are on disk, and the
    file takes its final name at the end. Pictures are numbered in the order of the
    recordings, so a resumed run writes the same bytes as an uninterrupted one.

    Parameters
    ----------
    folder, maps : str or path
        where pictures and maps go; URLs too
    settings : dict
        contents of ``recipe.json``; a ``teacher`` named there gives every picture an
        embedding
    """

    def __init__(self, folder, maps, settings):
        self.folder, self.maps = files.location(folder), files.location(maps)
        self._manifest = self.folder / "manifest.csv"
        self._partial = files.partial_of(self._manifest)
        self._beside = self.folder / ".tmp-picture"
        self._claim(settings)
        self.done, self._counts = set(), Counter()
        self._take_up()
        self._embeddings = self._open_embeddings(settings.get("teacher"))
        self._log = open(self._partial, "a", encoding="utf-8", errors="surrogateescape")

    @property
    def pictures(self):
        """How many the dataset has."""
        return sum(self._counts.values())

    def add(self, rows, jpegs, embeddings=()):
        """Store the pictures of one recording; `rows` lack their ``image``."""
        self.name(rows)
        for row, jpeg in zip(rows, jpegs):
            self._store(jpeg, self.folder / row["image"])
        self.log(rows, embeddings)

    def name(self, rows):
        """Give the pictures of one recording their names, the next that are free."""
        for row in rows:
            row["image"] = f"{row['gender']}_{self._counts[row['gender']]}.jpg"
            self._counts[row["gender"]] += 1

    def log(self, rows, embeddings=()):
        """Remember that the pictures of one recording, named before, are stored."""
        if self._embeddings:
            self._embeddings.write(np.asarray(embeddings, np.float16).tobytes())
            self._embeddings.flush()
        self._log.write("".join(files.csv_line(row[c] for c in COLUMNS) for row in rows))
        self._log.flush()

    def _store(self, jpeg, path):
        if not isinstance(path, Path):
            files.write_bytes(path, jpeg)
            return
        self._beside.write_bytes(jpeg)
        self._beside.replace(path)

    def finish(self):
        """Give the manifest its name and write one map per gender."""
        self._log.close()
        with files.replacing(self._manifest) as temporary:
            shutil.copyfile(self._partial, temporary)
        base = self.folder.resolve().parent if isinstance(self.folder, Path) else None
        for gender in GENDERS:
            files.write_json_pairs(self.maps / f"{gender}.json", (
                (f"{self.folder.name}/{row['image']}", portable_path(row["source"], base))
                for row in files.csv_rows(self._partial) if row["gender"] == gender))
        self._partial.unlink()

    def close(self):
        """Leave what is done for the next run."""
        self._log.close()
        if self._embeddings:
            self._embeddings.close()

    def _claim(self, settings):
        path = self.folder / "recipe.json"
        if path.is_file() and files.read_json(path) != settings:
            raise UsageError(f"{path}: found pictures made with other settings, expected "
                             "those of this command; choose another --out or remove the "
                             "folder")
        if not path.is_file():
            self._partial.unlink(missing_ok=True)  # that of a dataset which is gone
        files.write_json(path, settings)

    def _open_embeddings(self, teacher):
        if teacher is None:
            return None
        if not isinstance(self.folder, Path):
            raise UsageError(f"{self.folder}: found a URL, expected a folder of this machine for "
                             "what a teacher hears; name one with --out")
        file = open(_embeddings_path(self.folder, teacher), "ab")
        # A killed run may have written embeddings of pictures that are made again.
        file.truncate(self.pictures * 2 * ENCODERS[teacher].size)
        return file

    def _take_up(self):
        rows = ()
        if self._partial.is_file():
            rows = _finished(files.csv_rows(self._partial))
        elif self._manifest.is_file():
            rows = files.csv_rows(self._manifest)
        files.write_csv(self._partial, COLUMNS, self._counted(rows))

    def _counted(self, rows):
        for row in rows:
            self.done.add(row["source"])
            self._counts[row["gender"]] += 1
            yield row


def _finished(rows):
    """Rows of all recordings but the last: a run that was killed may have left some of it."""
    last = []
    for row in rows:
        if None in row.values():  # cut in its middle
            continue
        if last and row["source"] != last[0]["source"]:
            yield from last
            last = []
        last.append(row)


def portable_path(path, base):
    """`path` with ``/``, relative to the folder `base` or, outside it or without, absolute."""
    path = Path(os.path.abspath(path))
    return (path.relative_to(base) if base and path.is_relative_to(base) else path).as_posix()
