import hashlib
import http.server
import io
import re
import tarfile
import threading
import zipfile

import pytest

from voxsight.corpora import download
from voxsight.errors import UsageError


def tarball(subset):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in (("LibriSpeech/SPEAKERS.TXT", b"84 | F | x | 8 | C\n"),
                           (f"LibriSpeech/{subset}/84/1/84-1-0000.flac", b"flac" * 90_000)):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    return out.getvalue()


class Dropping(http.server.BaseHTTPRequestHandler):
    """Serves files, goes on from ranges, and drops each connection after a while."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server = self.server
        server.requests.append(self.headers.get("Range"))
        content = server.contents.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = 0
        asked = re.match(r"bytes=(\d+)-", self.headers.get("Range") or "")
        if asked and server.ranges:
            start = int(asked.group(1))
            if start >= len(content):
                self.send_error(416)
                return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        limit = server.drop_after if server.drop_after is not None else len(content)
        self.wfile.write(content[start: start + limit])
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Dropping)
    server.contents, server.requests, server.ranges = {}, [], True
    server.drop_after = None
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def published(site, monkeypatch):
    def publish(subset):
        content = tarball(subset)
        site.contents[f"/{subset}.tar.gz"] = content
        monkeypatch.setitem(download.LIBRISPEECH_MD5, subset, hashlib.md5(content).hexdigest())
        return download.find_archive("librispeech", subset, site.url)

    return publish


def test_connections_that_drop_are_taken_up(site, published, tmp_path):
    archive = published("dev-clean")
    site.drop_after = len(site.contents["/dev-clean.tar.gz"]) // 5
    folder = download.download_corpus(archive, tmp_path, quiet=True)
    assert len(site.requests) == 6 and all(site.requests[1:])
    assert (folder / "84" / "1" / "84-1-0000.flac").read_bytes() == b"flac" * 90_000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["LibriSpeech"]
    download.download_corpus(archive, tmp_path, quiet=True)
    assert len(site.requests) == 6  # what is there is not fetched again


def test_a_killed_run_goes_on(site, published, tmp_path):
    archive = published("dev-clean")
    content = site.contents["/dev-clean.tar.gz"]
    (tmp_path / "LibriSpeech-dev-clean.part").write_bytes(content[:300])
    download.download_corpus(archive, tmp_path, quiet=True)
    assert site.requests == ["bytes=300-"]


def test_a_server_without_ranges_starts_anew(site, published, tmp_path):
    archive = published("dev-clean")
    site.ranges = False
    (tmp_path / "LibriSpeech-dev-clean.part").write_bytes(b"old")
    assert download.download_corpus(archive, tmp_path, quiet=True).is_dir()


def test_subsets_share_a_folder(published, tmp_path):
    for subset in ("dev-clean", "test-other"):
        download.download_corpus(published(subset), tmp_path, quiet=True)
    assert sorted(p.name for p in (tmp_path / "LibriSpeech").iterdir()) == [
        "SPEAKERS.TXT", "dev-clean", "test-other"]


def test_wrong_content_is_refused_and_removed(site, published, tmp_path):
    archive = published("dev-clean")
    site.contents["/dev-clean.tar.gz"] += b"more"
    with pytest.raises(UsageError, match=r"found MD5 .*, expected"):
        download.download_corpus(archive, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())


def test_nothing_comes(site, tmp_path):
    site.contents["/dev-clean.tar.gz"], site.drop_after = b"x" * 1000, 0
    archive = download.find_archive("librispeech", "dev-clean", site.url)
    with pytest.raises(UsageError, match="run the same command again"):
        download.download_corpus(archive, tmp_path, quiet=True)
    with pytest.raises(UsageError, match="HTTP status 404"):
        download.download_corpus(download.find_archive("audiomnist", site=site.url), tmp_path,
                                 quiet=True)


def test_audiomnist_archive_and_script(site, script, tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("AudioMNIST-master/data/01/0_01_0.wav", b"wav")
    site.contents["/master"] = out.getvalue()
    done = script("download_corpus", "audiomnist", "--out", tmp_path, "--site", site.url)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "AudioMNIST-master" / "data" / "01" / "0_01_0.wav").read_bytes() == b"wav"
    done = script("download_corpus", "librispeech", "--subset", "x", "--site", site.url)
    assert done.returncode == 2 and "expected one of dev-clean" in done.stderr


def test_an_archive_cannot_write_outside(site, tmp_path, monkeypatch):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("../evil"), io.BytesIO())
    site.contents["/dev-clean.tar.gz"] = out.getvalue()
    monkeypatch.setitem(download.LIBRISPEECH_MD5, "dev-clean",
                        hashlib.md5(out.getvalue()).hexdigest())
    archive = download.find_archive("librispeech", "dev-clean", site.url)
    with pytest.raises(UsageError, match="damaged archive"):
        download.download_corpus(archive, tmp_path / "in", quiet=True)
    assert not (tmp_path / "evil").exists()
