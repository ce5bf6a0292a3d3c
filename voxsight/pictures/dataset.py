"""Reads a dataset: a folder of pictures as `preprocess_wavs.py` writes it."""

import dataclasses
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np

from voxsight.base import files
from voxsight.corpora import splits
from voxsight.corpora.audiomnist import audiomnist_speaker
from voxsight.corpora.librispeech import librispeech_chapter
from voxsight.corpora.utterance import LABELS, UNLABELLED
from voxsight.encoders import ENCODERS
from voxsight.errors import UsageError
from voxsight.pictures.alteration import CHILD
from voxsight.pictures.recipe import RECIPES, Recipe

COLUMNS = ("image", "source", "start_s", "end_s", "speaker", "gender", "corpus", "age",
           "accent", "text", "augmentation", "state")  # of the manifest
AMBIGUOUS = 0.5  # target of a copy that nobody can tell


@dataclasses.dataclass(frozen=True)
class Picture:
    """One picture of a dataset.

    Attributes
    ----------
    path : str
        The JPEG.
    source : str
        The recording that it shows.
    speaker : str
        With the corpus in front, since corpora number their speakers alike.
    gender : str
        ``female``, ``male`` or ``unlabelled``.
    corpus : str
    augmentation : str
        How the sound was altered, such as ``pitch+telephone``; empty if it was not.
    start_s : float
        Where the picture starts in the recording, seconds.
    """

    path: str
    source: str
    speaker: str
    gender: str
    corpus: str
    augmentation: str = ""
    start_s: float = 0.0

    @property
    def target(self) -> float:
        """Training target: 1 for female, 0 for male, 0.5 if ambiguous, NaN if unlabelled."""
        if self.gender == UNLABELLED:
            return math.nan
        if CHILD in self.augmentation.split("+"):
            return AMBIGUOUS
        return 1.0 if self.gender == "female" else 0.0


def read_dataset(folder: str | os.PathLike) -> tuple[list[Picture], Recipe]:
    """Pictures of a dataset and the recipe that made them.

    Parameters
    ----------
    folder : str or os.PathLike
        A folder with ``manifest.csv`` and ``recipe.json``; or one with ``maps/<gender>.json``
        beside it, as the AudioMNIST pictures are published; or the folder that contains
        ``mfc_dataset/``.

    Returns
    -------
    pictures : list of Picture
    recipe : Recipe

    Raises
    ------
    UsageError
        If there is no dataset.
    """
    folder = dataset_folder(folder)
    if (folder / "manifest.csv").is_file():
        pictures = _from_manifest(folder)
    elif _has_maps(folder):
        pictures = _from_maps(folder)
    else:
        raise UsageError(f"{folder}: has neither manifest.csv nor ../maps/female.json and "
                         "../maps/male.json, so it is no folder of pictures; make one with "
                         "scripts/preprocess_wavs.py")
    if not pictures:
        raise UsageError(f"{folder}: there is no picture, but some of both genders are needed; "
                         "make them with scripts/preprocess_wavs.py")
    return pictures, read_recipe(folder)


def is_dataset(folder: str | os.PathLike) -> bool:
    """Whether a folder contains pictures that `read_dataset` can read.

    Parameters
    ----------
    folder : str or os.PathLike

    Returns
    -------
    bool
    """
    folder = dataset_folder(folder)
    has_manifest = (folder / "manifest.csv").is_file() and (folder / "recipe.json").is_file()
    return has_manifest or _has_maps(folder)


def read_embeddings(folder: str | os.PathLike, encoder: str) -> np.ndarray:
    """Embedding of the voice in each picture of a dataset.

    Parameters
    ----------
    folder : str or os.PathLike
    encoder : str
        Key of `ENCODERS`; one that the pictures were made with.

    Returns
    -------
    np.ndarray [shape=(n, d), float32]
        In the order of `read_dataset`.

    Raises
    ------
    UsageError
        If the pictures were made without that encoder.
    """
    path = embeddings_path(dataset_folder(folder), encoder)
    if not path.is_file():
        raise UsageError(f"--teacher {encoder}: there is no {path} with the embedding of the "
                         "voice in each picture; make the pictures with preprocess_wavs.py "
                         f"--teacher {encoder}")
    size = ENCODERS[encoder].size
    assert size is not None  # a teacher's embeddings have one length
    return np.fromfile(path, np.float16).reshape(-1, size).astype(np.float32)


def split_pictures(pictures: Sequence[Picture], rule: str, valid_fraction: float,
                   seed: int) -> tuple[list[Picture], list[Picture]]:
    """Divide pictures into training and validation.

    Altered copies never validate. They train only if their recording trains and none of its
    pictures validates. Unlabelled pictures train, but not those of speakers or recordings that
    only validate. Some pictures may be on neither side.

    Parameters
    ----------
    pictures : sequence of Picture
    rule, valid_fraction, seed
        As `rule`, `valid` and `seed` of `splits.split`.

    Returns
    -------
    train, valid : list of Picture

    Raises
    ------
    UsageError
        If the rule is unknown or leaves a side without one of the genders.
    """
    labelled = [p for p in pictures if p.gender != UNLABELLED]
    unaltered = [p for p in labelled if not p.augmentation]
    sides = splits.split([p.speaker for p in unaltered], [p.gender for p in unaltered], rule,
                         valid_fraction, seed,
                         chapters=[librispeech_chapter(p.source) for p in unaltered])
    train, valid = ([unaltered[i] for i in side] for side in sides)
    sources = {p.source for p in train} - {p.source for p in valid}
    held_out = {p.speaker for p in valid} - {p.speaker for p in train}
    validating = {p.source for p in valid}
    train += [p for p in labelled if p.augmentation and p.source in sources]
    train += [p for p in pictures if p.gender == UNLABELLED and p.speaker not in held_out
              and p.source not in validating]
    return train, valid


def in_one_list(train: Sequence[Picture], valid: Sequence[Picture]
                ) -> tuple[list[Picture], np.ndarray]:
    """Both sides of a split as a learner takes them.

    Parameters
    ----------
    train, valid : sequence of Picture

    Returns
    -------
    pictures : list of Picture
        Those that train, then those that validate.
    valid : np.ndarray of int
        Indices, in this list, of those that validate.
    """
    return [*train, *valid], np.arange(len(valid)) + len(train)


def is_assessable(picture: Picture) -> bool:
    """Whether a picture shows a labelled recording as it is, so that a model can be measured."""
    return picture.gender in LABELS and not picture.augmentation


def not_assessable(folder: str | os.PathLike) -> int:
    """How many pictures of a dataset are altered copies or show a recording without a label."""
    pictures, _ = read_dataset(folder)
    return sum(not is_assessable(picture) for picture in pictures)


def altered_copies_of(pictures: Iterable[Picture], sources: Iterable[str]) -> list[Picture]:
    """Altered pictures of some recordings, those that still have a label.

    Parameters
    ----------
    pictures : iterable of Picture
    sources : iterable of str
        Recordings.

    Returns
    -------
    list of Picture
    """
    sources = set(sources)
    return [p for p in pictures if p.source in sources and p.augmentation
            and p.target in (0.0, 1.0)]


def read_recipe(folder: str | os.PathLike) -> Recipe:
    """Recipe of a dataset.

    Parameters
    ----------
    folder : str or os.PathLike

    Returns
    -------
    Recipe
        That of AudioMNIST if the folder has none, as the published one.

    Raises
    ------
    UsageError
        If ``recipe.json`` does not contain a recipe.
    """
    path = Path(folder) / "recipe.json"
    if not path.is_file():
        return RECIPES["audiomnist"]
    try:
        return Recipe.from_dict(files.read_json(path)["recipe"])
    except (KeyError, TypeError) as error:
        raise UsageError(f"{path}: there is no recipe under the key 'recipe'; make the dataset "
                         "again") from error
    except ValueError as error:
        raise UsageError(f"{path}: {error}; make the dataset again") from error


def dataset_folder(folder: str | os.PathLike) -> Path:
    """The folder of the pictures: ``mfc_dataset`` in a folder, or else the folder itself."""
    inside = Path(folder) / "mfc_dataset"
    return inside if inside.is_dir() else Path(folder)


def embeddings_path(folder: str | os.PathLike, encoder: str) -> Path:
    """File of a dataset with the embeddings of an encoder, rows of 16-bit floats."""
    return Path(folder) / f"{encoder}.float16"


def _has_maps(folder: Path) -> bool:
    return folder.is_dir() and all((folder.parent / "maps" / f"{gender}.json").is_file()
                                   for gender in LABELS)


def _from_manifest(folder: Path) -> list[Picture]:
    manifest, pictures = folder / "manifest.csv", []
    for number, row in enumerate(files.csv_rows(manifest), 1):
        try:
            pictures.append(_picture(folder, row))
        except (KeyError, TypeError, ValueError) as error:
            found = f"no column {error}" if isinstance(error, KeyError) else error
            raise UsageError(f"{manifest}, row {number}: found {found}, expected a row with the "
                             f"columns {','.join(COLUMNS)}; make the dataset again") from error
    return pictures


def _picture(folder: Path, row: Mapping[str, str]) -> Picture:
    """The picture in a row of the manifest; a speaker without a name is nobody else."""
    if row["gender"] not in (*LABELS, UNLABELLED):
        raise ValueError(f"gender {row['gender']!r}")
    return Picture(path=str(folder / row["image"]), source=row["source"],
                   speaker=f"{row['corpus']}:{row['speaker'] or row['source']}",
                   gender=row["gender"], corpus=row["corpus"],
                   augmentation=row.get("augmentation", ""), start_s=float(row["start_s"] or 0))


def _from_maps(folder: Path) -> list[Picture]:
    pictures = []
    for gender in LABELS:
        for image, source in _read_map(folder.parent / "maps" / f"{gender}.json").items():
            speaker = audiomnist_speaker(source)
            if speaker is None:
                raise UsageError(f"{source}: this path does not name the speaker as "
                                 "<speaker>/<digit>_<speaker>_<repetition>.wav does; add a "
                                 "manifest.csv that names the speakers")
            pictures.append(Picture(path=str(folder.parent / image), source=source,
                                    speaker=f"audiomnist:{speaker}", gender=gender,
                                    corpus="audiomnist"))
    return pictures


def _read_map(path: Path) -> dict[str, str]:
    """The recording of each picture of a label."""
    try:
        pairs = files.read_json(path)
    except ValueError as error:
        pairs = error
    if not isinstance(pairs, dict):
        raise UsageError(f"{path}: found no JSON object ({str(pairs)[:60]}), expected pictures and "
                         "their recordings; make the dataset again")
    return pairs
