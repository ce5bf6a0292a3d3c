"""Public corpora fetched, checked and unpacked; an interrupted download goes on."""

import dataclasses
import hashlib
import http.client
import shutil
import tarfile
import tempfile
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

from voxsight.errors import UsageError
from voxsight.parallel import progress

ATTEMPTS = 8  # without a single byte gained between them
BLOCK = 1 << 16  # bytes
TIMEOUT_S = 30


@dataclasses.dataclass(frozen=True)
class Archive:
    """A file to fetch: where it is, its MD5 if its publisher gives one, what it unpacks to."""

    url: str
    md5: str | None
    unpacked: str


# Not yet checked against a real download: compare with md5sum.txt of the same folder if one
# of these refuses an archive.
LIBRISPEECH_MD5 = {
    "dev-clean": "42e2234ba48799c1f50f24a7926300a1",
    "dev-other": "c8d0bcc9cca99d4f8b62fcc847357931",
    "test-clean": "32fa31d27d2e1cad72775fee3f4849a9",
    "test-other": "fb5a50374b501bb3bac4815ee91d3135",
    "train-clean-100": "2a93770f6d5c6c964bc36631d331a522",
    "train-clean-360": "c0e676e450a7ff2f54aeade5171606fa",
    "train-other-500": "d1a0fd59409feb2c614ce4d30c387708",
}
SITES = {"librispeech": "https://www.openslr.org/resources/12",
         "audiomnist": "https://codeload.github.com/soerenab/AudioMNIST/zip/refs/heads"}


def find_archive(corpus, subset="dev-clean", site=None):
    """Archive of a corpus.

    Parameters
    ----------
    corpus : {"audiomnist", "librispeech"}
    subset : str
        of LibriSpeech
    site : str, optional
        a mirror, instead of the corpus's own

    Returns
    -------
    Archive

    Raises
    ------
    UsageError
        if there is no such subset
    """
    site = (site or SITES[corpus]).rstrip("/")
    if corpus == "audiomnist":
        # GitHub packs it anew for each request, so that no digest of the whole holds; the
        # ZIP carries one of each file.
        return Archive(f"{site}/master", None, "AudioMNIST-master")
    if subset not in LIBRISPEECH_MD5:
        raise UsageError(f"--subset {subset}: expected one of {', '.join(LIBRISPEECH_MD5)}")
    return Archive(f"{site}/{subset}.tar.gz", LIBRISPEECH_MD5[subset], f"LibriSpeech/{subset}")


def download_corpus(archive, out, *, quiet=False):
    """Fetch an archive, check it and unpack it.

    Parameters
    ----------
    archive : Archive
    out : str or os.PathLike
        folder to unpack into; the download waits there as ``.part`` meanwhile
    quiet : bool
        no progress bar

    Returns
    -------
    Path
        the unpacked folder; at once where it is there already

    Raises
    ------
    UsageError
        if the site cannot be reached, or what came is not what was published
    """
    out = Path(out)
    target = out / archive.unpacked
    if target.is_dir():
        return target
    out.mkdir(parents=True, exist_ok=True)
    part = out / f"{archive.unpacked.replace('/', '-')}.part"
    fetch(archive.url, part, quiet=quiet)
    _check(archive, part)
    _unpack(part, out, archive.unpacked)
    part.unlink()
    return target


def fetch(url, path, *, quiet=False):
    """Fetch a file, going on where an earlier attempt or run broke off.

    Raises
    ------
    UsageError
        after `ATTEMPTS` attempts in a row that brought nothing
    """
    with progress(None, None, desc=Path(path).stem, unit="B", quiet=quiet) as bar:
        bar.unit_scale = True
        failures, have = 0, _size(path)
        while True:
            try:
                if _fetch_rest(url, path, bar):
                    return
                reason = "the connection broke off"
            except urllib.error.HTTPError as error:
                if error.code == 416:  # nothing is left to fetch
                    return
                raise UsageError(f"{url}: found HTTP status {error.code}, expected the file; "
                                 "try again later or name a mirror with --site") from error
            except (OSError, http.client.HTTPException) as error:
                reason = str(error)
            failures = 0 if _size(path) > have else failures + 1
            have = _size(path)
            if failures == ATTEMPTS:
                raise UsageError(f"{url}: could not be fetched ({reason}), expected a "
                                 "connection; run the same command again to go on from "
                                 f"{have} bytes")


def _fetch_rest(url, path, bar):
    """Append what is missing; whether the file is whole now."""
    have = _size(path)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        if have and answer.status != 206:  # this server does not go on; start anew
            have = 0
        length = answer.headers.get("Content-Length")
        whole = have + int(length) if length else None
        bar.total, bar.n = whole, have
        with open(path, "ab" if have else "wb") as file:
            while block := answer.read(BLOCK):
                file.write(block)
                bar.update(len(block))
    return whole is None or _size(path) >= whole


def _check(archive, path):
    if archive.md5 is None:
        if not zipfile.is_zipfile(path):
            path.unlink()
            raise UsageError(f"{archive.url}: found something else than a ZIP archive, expected "
                             "one; run the same command again")
        return
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != archive.md5:
        path.unlink()
        raise UsageError(f"{archive.url}: found MD5 {found}, expected {archive.md5}; it was "
                         "removed, run the same command again")


def _unpack(path, out, name):
    """Unpack beside the target and rename, so that a corpus is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=out, prefix=".unpacking-") as temporary:
        try:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    archive.extractall(temporary)
            else:
                with tarfile.open(path) as archive:
                    archive.extractall(temporary, filter="data")
        except (zipfile.BadZipFile, tarfile.TarError, EOFError) as error:
            path.unlink()
            raise UsageError(f"{path}: found a damaged archive ({error}), expected a whole one; "
                             "it was removed, run the same command again") from error
        top = Path(name).parts[0]
        if not (Path(temporary) / name).is_dir():
            raise UsageError(f"{path}: found no {name}/ in the archive, expected the corpus")
        if name == top:
            (Path(temporary) / top).rename(out / top)
            return
        # Subsets of one corpus share a folder, its tables of speakers among them.
        (out / top).mkdir(exist_ok=True)
        for item in (Path(temporary) / top).iterdir():
            if item.is_dir():
                item.rename(out / top / item.name)
            else:
                shutil.copyfile(item, out / top / item.name)


def _size(path):
    return Path(path).stat().st_size if Path(path).exists() else 0
