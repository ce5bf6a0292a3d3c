"""Corpora of labelled speech as one kind of table: a list of utterances.

Readers: AudioMNIST, LibriSpeech, a CSV of one's own, and a folder with ``female/`` and
``male/``. None of them opens a recording.
"""

import dataclasses
import functools
import os
import re
from collections import defaultdict
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.audio import EXTENSIONS
from voxsight.errors import UsageError

GENDERS = ("female", "male")
UNLABELLED = "unlabelled"  # in place of a gender that the corpus does not state
_GENDER_OF = {"f": "female", "female": "female", "m": "male", "male": "male"}


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One labelled recording.

    ``path`` is where to read it, ``gender`` one of `GENDERS`; the rest is as the corpus
    states it, empty where it does not.
    """

    path: str
    speaker: str
    gender: str
    corpus: str = ""
    age: str = ""
    accent: str = ""
    text: str = ""
    language: str = ""

    @property
    def voice(self):
        """The speaker with the corpus in front, since corpora number theirs alike."""
        return f"{self.corpus}:{self.speaker}"


def read_corpus(source, kind, *, subset=None, speakers=None, per_speaker=None):
    """Utterances of a corpus, sorted, optionally fewer of them.

    Parameters
    ----------
    source : str or os.PathLike
        folder or CSV file
    kind : {"audiomnist", "librispeech", "csv", "folder", "unlabelled"}
        the last is a CSV whose gender, if it has any, is not read
    subset : str, optional
        LibriSpeech subset, such as ``dev-clean``; for a CSV, a value of ``corpus``
    speakers, per_speaker : int, optional
        keep the first so many speakers (females and males in turn), and of each speaker
        so many recordings spread evenly over all of them

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
        if the corpus is missing, empty or not laid out as its kind says
    """
    source = Path(source)
    if not source.exists():
        raise UsageError(f"{source}: found nothing there, expected a {kind} corpus; check the "
                         "path, or fetch a public corpus first")
    utterances = _READERS[kind](source, subset)
    if not utterances:
        what = f"subset {subset} of a" if subset else "a"
        raise UsageError(f"{source}: found no labelled recording, expected {what} {kind} "
                         f"corpus ({_LAYOUTS[kind]})")
    if speakers:
        utterances = _first_speakers(utterances, speakers)
    if per_speaker:
        utterances = _spread_per_speaker(utterances, per_speaker)
    return utterances


def read_sources(sources, *, per_speaker=None):
    """Utterances of several corpora.

    Parameters
    ----------
    sources : sequence of str
        each ``KIND:PATH`` or ``KIND:PATH:SUBSET``, or the path of a CSV alone
    per_speaker : int, optional
        as for `read_corpus`

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
    """
    utterances = []
    for source in sources:
        kind, _, rest = (f"csv:{source}" if Path(source).is_file() else source).partition(":")
        path, _, subset = rest.partition(":")
        if kind not in ("audiomnist", "librispeech", "csv", "folder") or not path:
            raise UsageError(f"{source}: expected a CSV, or KIND:PATH or KIND:PATH:SUBSET with "
                             "KIND one of audiomnist, librispeech, csv or folder")
        name = Path(path).parent.name if path.endswith(".csv") else Path(path).name
        own = read_corpus(path, kind, subset=subset or None, per_speaker=per_speaker)
        utterances += [dataclasses.replace(u, corpus=name) if kind in ("audiomnist", "folder")
                       or not u.corpus else u for u in own]
    return utterances


def draw_speakers(utterances, count=None, balanced=False, seed=42):
    """Recordings of some of the speakers, drawn.

    Parameters
    ----------
    utterances : list of Utterance
    count : int, optional
        of speakers; as many as there are
    balanced : bool
        as many of each gender; an odd one is left out
    seed : int

    Returns
    -------
    list of Utterance

    Raises
    ------
    UsageError
        if there are fewer
    """
    rng = np.random.default_rng(seed)
    drawn = {gender: rng.permutation(sorted({(u.corpus, u.speaker) for u in utterances
                                             if u.gender == gender})).tolist()
             for gender in GENDERS}
    if balanced:
        each = count // 2 if count else min(map(len, drawn.values()))
        drawn = {gender: names[:each] for gender, names in drawn.items()}
        wanted = 2 * each
    else:
        names = rng.permutation(sorted(drawn["female"] + drawn["male"])).tolist()
        wanted = count or len(names)
        drawn = {"all": names[:wanted]}
    chosen = {tuple(name) for names in drawn.values() for name in names}
    if len(chosen) < wanted:
        raise UsageError(f"--speakers {count}: found {len(chosen)} to draw, expected {wanted}; "
                         "ask for fewer, or name more recordings")
    return [u for u in utterances if (u.corpus, u.speaker) in chosen]


def sound_files(folder):
    """Sound files below a folder in sorted order; a link loop is walked once."""
    found = []
    for parent, folders, names in os.walk(folder):
        folders.sort()
        found += [os.path.join(parent, name) for name in names
                  if os.path.splitext(name)[1].lower() in EXTENSIONS]
    return sorted(found)


def audiomnist_speaker(path):
    """Speaker in an AudioMNIST path ``.../<speaker>/<digit>_<speaker>_<repetition>.wav``.

    Returns
    -------
    str or None
    """
    match = re.search(r"(?:^|/)([^/]+)/(\d)_\1_(\d+)\.\w+$", str(path).replace("\\", "/"))
    return match.group(1) if match else None


def librispeech_chapter(path):
    """Chapter in a LibriSpeech path ``.../<speaker>-<chapter>-<utterance>.flac``.

    Returns
    -------
    str or None
        ``<speaker>-<chapter>``

    Examples
    --------
    >>> librispeech_chapter("dev-clean/84/121123/84-121123-0001.flac")
    '84-121123'
    """
    match = re.search(r"(?:^|[/\\])(\d+-\d+)-\d+\.\w+$", str(path))
    return match.group(1) if match else None


def _read_audiomnist(root, subset):
    data = root / "data" if (root / "data").is_dir() else root
    meta_path = data / "audioMNIST_meta.txt"
    if not meta_path.is_file():
        raise UsageError(f"{meta_path}: not found, expected AudioMNIST's table of speakers; "
                         f"name the folder that holds data/")
    meta = files.read_json(meta_path)
    rows = []
    for path in sound_files(data):
        speaker = audiomnist_speaker(path)
        about = meta.get(speaker)
        if about is None:
            continue
        rows.append(Utterance(
            path=path, speaker=speaker, gender=_gender(about.get("gender"), meta_path),
            corpus="audiomnist", age=plausible_age(about.get("age", "")),
            accent=str(about.get("accent", "")), text=Path(path).name.split("_")[0]))
    return rows


def plausible_age(age):
    """Age as text, empty where it is no age (AudioMNIST has ``1234`` and strings).

    Examples
    --------
    >>> plausible_age("1234"), plausible_age(30)
    ('', '30')
    """
    text = str(age).strip()
    return text if text.isdecimal() and 0 < int(text) < 120 else ""


def _read_librispeech(root, subset):
    table = next((p for p in (root / "SPEAKERS.TXT", root.parent / "SPEAKERS.TXT")
                  if p.is_file()), None)
    if table is None:
        raise UsageError(f"{root / 'SPEAKERS.TXT'}: not found, expected LibriSpeech's table of "
                         "speakers; name the folder LibriSpeech/ itself")
    genders = {}
    for line in table.read_text(encoding="utf-8").splitlines():
        if not line.startswith(";"):
            speaker, sex, *_ = (field.strip() for field in line.split("|"))
            genders[speaker] = _gender(sex, table)
    present = [folder.name for folder in sorted(root.iterdir()) if folder.is_dir()]
    rows = []
    for name in [subset] if subset else present:
        for path in sound_files(root / name):
            speaker = Path(path).name.split("-")[0]
            if speaker in genders:
                rows.append(Utterance(path=path, speaker=speaker, gender=genders[speaker],
                                      corpus=f"librispeech/{name}", language="en"))
    return rows


def _read_csv(path, subset, labelled=True):
    rows = files.read_csv(path)
    needed = ("path", "speaker", "gender") if labelled else ("path", "speaker")
    missing = set(needed) - set(rows[0] if rows else ())
    if missing:
        raise UsageError(f"{path}: found no column {', '.join(sorted(missing))}, expected "
                         f"{','.join(needed)} and any of corpus,age,accent,text,language")
    known = [field.name for field in dataclasses.fields(Utterance)]
    utterances = []
    for row in rows:
        values = {name: (row.get(name) or "").strip() for name in known}
        values["path"] = str(path.parent / row["path"])
        values["gender"] = _gender(row["gender"], path) if labelled else UNLABELLED
        values["corpus"] = values["corpus"] or path.parent.resolve().name
        if subset in (None, values["corpus"]):
            utterances.append(Utterance(**values))
    return utterances


def _read_folder(root, subset):
    rows = []
    for gender in GENDERS:
        for path in sound_files(root / gender):
            inside = Path(path).relative_to(root / gender)
            # Without a folder per speaker nothing says who speaks; each recording then
            # counts as a speaker of its own.
            speaker = inside.parts[0] if len(inside.parts) > 1 else f"{gender}/{inside.stem}"
            rows.append(Utterance(path=path, speaker=speaker, gender=gender,
                                  corpus=root.resolve().name))
    return rows


def _gender(value, where):
    gender = _GENDER_OF.get(str(value).strip().lower())
    if gender is None:
        raise UsageError(f"{where}: found gender {value!r}, expected female or male; correct "
                         "the row or leave it out")
    return gender


def _first_speakers(utterances, count):
    by_gender = {gender: sorted({u.speaker for u in utterances if u.gender == gender})
                 for gender in GENDERS}
    turns = []
    for rank in range(max(map(len, by_gender.values()))):
        turns += [by_gender[g][rank] for g in GENDERS if rank < len(by_gender[g])]
    chosen = set(turns[:count])
    return [u for u in utterances if u.speaker in chosen]


def _spread_per_speaker(utterances, count):
    groups = defaultdict(list)
    for utterance in utterances:
        groups[utterance.corpus, utterance.speaker].append(utterance)
    kept = set()
    for group in groups.values():
        picks = np.linspace(0, len(group) - 1, min(count, len(group))).round().astype(int)
        kept.update(group[i].path for i in picks)
    return [u for u in utterances if u.path in kept]


_READERS = {"audiomnist": _read_audiomnist, "librispeech": _read_librispeech,
            "csv": _read_csv, "folder": _read_folder,
            "unlabelled": functools.partial(_read_csv, labelled=False)}
_LAYOUTS = {
    "audiomnist": "data/<speaker>/<digit>_<speaker>_<repetition>.wav",
    "librispeech": "<subset>/<speaker>/<chapter>/<utterance>.flac and SPEAKERS.TXT",
    "csv": "columns path,speaker,gender",
    "folder": "female/ and male/ with recordings, best in a folder per speaker",
    "unlabelled": "columns path,speaker",
}
