"""Download, check and unpack public corpora; an interrupted download is resumed."""

import contextlib
import dataclasses
import email.utils
import os
import re
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxsight.base.progress import progress
from voxsight.errors import UsageError

if TYPE_CHECKING:
    import requests

ATTEMPTS = 8  # in a row that bring no new byte
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 600.0  # before another attempt; doubled with each failure
BLOCK = 1 << 16  # bytes
TIMEOUT_S = 30  # to wait for a connection, and for each block
PASSING_STATUSES = (429, 500, 502, 503, 504)  # too many requests, and failures of the server


@dataclasses.dataclass(frozen=True)
class Archive:
    """A file to download.

    Attributes
    ----------
    url : str
        Where it is.
    md5 : str or None
        Its MD5, if its publisher states one.
    unpacked : str
        The folder that it contains.
    """

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


def find_archive(corpus: str, subset: str = "dev-clean", site: str | None = None) -> Archive:
    """The archive of a corpus.

    Parameters
    ----------
    corpus : {"audiomnist", "librispeech"}
        Which corpus.
    subset : str
        Subset of LibriSpeech.
    site : str, optional
        URL of a mirror (default: where the corpus is published).

    Returns
    -------
    Archive

    Raises
    ------
    UsageError
        If there is no such subset.

    Examples
    --------
    >>> find_archive("librispeech", "dev-clean").url
    'https://www.openslr.org/resources/12/dev-clean.tar.gz'
    """
    site = (site or SITES[corpus]).rstrip("/")
    if corpus == "audiomnist":
        # GitHub packs it again for each request, so no checksum of the whole is constant; the
        # ZIP has one of each file.
        return Archive(f"{site}/master", None, "AudioMNIST-master")
    if subset not in LIBRISPEECH_MD5:
        raise UsageError(f"--subset {subset}: expected one of {', '.join(LIBRISPEECH_MD5)}")
    return Archive(f"{site}/{subset}.tar.gz", LIBRISPEECH_MD5[subset], f"LibriSpeech/{subset}")


def download_corpus(archive: Archive, out: str | os.PathLike, *, quiet: bool = False) -> Path:
    """Download an archive, check it and unpack it.

    Parameters
    ----------
    archive : Archive
        What to download.
    out : str or os.PathLike
        The folder to unpack into. An unfinished download waits there as ``.part``.
    quiet : bool
        No progress bar.

    Returns
    -------
    Path
        The unpacked folder. If it exists already, nothing is downloaded.

    Raises
    ------
    UsageError
        If the site cannot be reached, or the file is not the published one.
    """
    target = Path(out) / archive.unpacked
    if not target.is_dir():
        path = _download(archive, Path(out), quiet)
        _unpack(path, Path(out), archive.unpacked)
        path.unlink()
    return target


class ResumingDownloader:
    """Downloader for pooch that continues where an earlier attempt or run stopped.

    Parameters
    ----------
    part : Path
        Holds the beginning of the file. The version of the file on the server is remembered
        beside it, so that parts of two versions are never joined.
    quiet : bool
        No progress bar.
    """

    def __init__(self, part: Path, quiet: bool = False) -> None:
        self._part, self._quiet = part, quiet
        self._version = part.with_name(f"{part.name}.version")

    def __call__(self, url: str, output_file: str, pooch: object) -> None:
        """Download a file; see `pooch.retrieve`.

        Parameters
        ----------
        url : str
            What to download.
        output_file : str
            Where to write it once it is complete.
        pooch : object
            Not used.

        Raises
        ------
        UsageError
            After `ATTEMPTS` attempts in a row that brought nothing, or at once if another attempt
            is useless.
        """
        import requests

        failures = 0
        with progress(None, None, desc=self._part.stem, unit="B", quiet=self._quiet) as bar:
            bar.unit_scale = True
            while True:
                size = _size(self._part)
                try:
                    self._fetch_rest(url, bar)
                    break
                except requests.RequestException as error:
                    failures = 0 if _size(self._part) > size else failures + 1
                    if failures == ATTEMPTS or not _may_pass(error):
                        raise self._failure(url, error) from error
                    time.sleep(_pause_s(error, failures))
        self._version.unlink(missing_ok=True)
        os.replace(self._part, output_file)

    def _fetch_rest(self, url: str, bar: Any) -> None:
        """Append what is missing to the part, or all if the server does not continue."""
        import requests

        size = _size(self._part)
        headers = {"Accept-Encoding": "identity"}  # ranges and lengths of the file itself
        if size:
            headers |= {"Range": f"bytes={size}-"} | self._condition()
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_S) as response:
            if response.status_code == 416 and _stated_total(response) in (None, size):
                return  # nothing is missing
            if response.status_code == 416 or _stated_start(response) not in (None, size):
                self._part.unlink(missing_ok=True)
                raise requests.ConnectionError("the server has another version of the file")
            response.raise_for_status()
            if response.status_code != 206:
                size = 0
                self._part.unlink(missing_ok=True)  # first: it may be of another version
                self._remember_version(response)
            length = response.headers.get("Content-Length")
            total = size + int(length) if length else None
            bar.total, bar.n = total, size
            with open(self._part, "ab" if size else "wb") as file:
                for block in _blocks(response):
                    file.write(block)
                    bar.update(len(block))
        if total is not None and _size(self._part) < total:
            raise requests.ConnectionError("the connection was closed too early")

    def _condition(self) -> dict[str, str]:
        """Header by which the server continues only the version that the part is of."""
        with contextlib.suppress(FileNotFoundError):
            return {"If-Range": self._version.read_text()}
        return {}

    def _remember_version(self, response: "requests.Response") -> None:
        version = response.headers.get("ETag")
        if version is None or version.startswith("W/"):  # weak: the bytes may differ all the same
            version = response.headers.get("Last-Modified")
        if version:
            self._version.write_text(version)
        else:
            self._version.unlink(missing_ok=True)

    def _failure(self, url: str, error: "requests.RequestException") -> UsageError:
        if error.response is not None:
            return UsageError(f"{url}: found HTTP status {error.response.status_code}, expected "
                              "the file; try again later or name a mirror with --site")
        return UsageError(f"{url}: could not be downloaded ({_first_cause(error)}), expected a "
                          "connection; run the same command again to continue after "
                          f"{_size(self._part)} bytes")


def _download(archive: Archive, out: Path, quiet: bool) -> Path:
    """The path of the archive, whose checksum is right."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    name = archive.unpacked.replace("/", "-")
    downloader = ResumingDownloader(out / f"{name}.part", quiet)
    try:
        return Path(pooch.retrieve(archive.url, archive.md5 and f"md5:{archive.md5}",
                                   f"{name}.archive", out, downloader=downloader))
    except ValueError as error:  # it has removed the file
        raise UsageError(f"{archive.url}: found MD5 of another file, expected {archive.md5}; it "
                         "was removed, run the same command again") from error


def _unpack(path: Path, out: Path, name: str) -> None:
    """Unpack beside the target and rename, so that a corpus is there whole or not at all.

    pooch unpacks TAR files on Python 3.11 without a filter: they could write anywhere.
    """
    with tempfile.TemporaryDirectory(dir=out, prefix=".unpacking-") as temporary:
        try:
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as zip_file:
                    zip_file.extractall(temporary)
            else:
                with tarfile.open(path) as tar_file:
                    tar_file.extractall(temporary, filter="data")
        except (zipfile.BadZipFile, tarfile.TarError, EOFError, zlib.error) as error:
            path.unlink()
            raise UsageError(f"{path}: found a damaged archive ({error}), expected a whole one; "
                             "it was removed, run the same command again") from error
        if not (Path(temporary) / name).is_dir():
            path.unlink()
            raise UsageError(f"{path}: found no {name}/ in the archive, expected the corpus; it "
                             "was removed")
        _move(Path(temporary), out, Path(name))


def _move(source: Path, out: Path, name: Path) -> None:
    """Move a folder, or the subset of a corpus with the tables that all subsets share."""
    if len(name.parts) == 1:
        (source / name).rename(out / name)
        return
    top = name.parts[0]
    (out / top).mkdir(exist_ok=True)
    for item in sorted((source / top).iterdir(), key=Path.is_dir):  # the tables first
        item.replace(out / top / item.name)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _blocks(response: "requests.Response") -> Iterator[bytes]:
    """The content as it arrives; `requests` itself drops a block that is cut short."""
    import requests
    import urllib3

    try:
        while block := response.raw.read1(BLOCK):
            yield block
    except urllib3.exceptions.HTTPError as error:
        raise requests.ConnectionError(error) from error


def _stated_start(response: "requests.Response") -> int | None:
    """First byte of the answer to a request for a range, if the server states it."""
    match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(match[1]) if match and response.status_code == 206 else None


def _stated_total(response: "requests.Response") -> int | None:
    """Size of the file on the server, if it states one."""
    match = re.match(r"bytes .*/(\d+)$", response.headers.get("Content-Range", ""))
    return int(match[1]) if match else None


def _first_cause(error: BaseException) -> BaseException:
    """What the system said; `requests` wraps it in several errors."""
    while error.__context__ is not None:
        error = error.__context__
    return error


def _may_pass(error: "requests.RequestException") -> bool:
    """Whether another attempt may succeed."""
    if error.response is not None:
        return error.response.status_code in PASSING_STATUSES
    return not isinstance(error, ValueError)  # an invalid URL


def _pause_s(error: "requests.RequestException", failures: int) -> float:
    """Seconds to wait before another attempt: longer with each, or what the server asks for."""
    pause_s = FIRST_PAUSE_S * 2**failures
    if error.response is not None and error.response.status_code in (429, 503):
        pause_s = max(pause_s, _retry_after_s(error.response.headers.get("Retry-After", "")))
    return min(pause_s, LONGEST_PAUSE_S)


def _retry_after_s(value: str) -> float:
    """Seconds until the time of a Retry-After header, which is a number or a date."""
    if value.strip().isdecimal():
        return float(value)
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (TypeError, ValueError):
        return 0.0
