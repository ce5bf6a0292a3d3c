"""Downloads from a server that breaks off, changes its file, or asks to wait."""

import email.utils
import http.server
import re
import threading
import time

import pytest
import requests

from voxsight.corpora import download
from voxsight.corpora.download import ResumingDownloader
from voxsight.errors import UsageError

CONTENT = bytes(range(256)) * 4
DATE = "Wed, 01 Jan 2025 00:00:00 GMT"


class Scripted(http.server.BaseHTTPRequestHandler):
    """Gives the answers of the server's list, one per request, and then the whole file."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.requests.append((self.headers.get("Range"), self.headers.get("If-Range")))
        answer = self.server.answers.pop(0) if self.server.answers else file()
        answer(self)
        self.close_connection = True

    def log_message(self, *_):
        pass


def file(etag='"v1"', modified=None, content=CONTENT, dropped_after=None, shift=0):
    """The file, or the rest of it if the version is the one that was asked for."""
    def answer(handler):
        wanted = re.match(r"bytes=(\d+)-", handler.headers.get("Range") or "")
        same = handler.headers.get("If-Range") in (None, etag, modified)
        start = int(wanted[1]) if wanted and same else 0
        if wanted and start >= len(content):
            status(416, Content_Range=f"bytes */{len(content)}")(handler)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range",
                                f"bytes {start + shift}-{len(content) - 1}/{len(content)}")
        for name, value in (("ETag", etag), ("Last-Modified", modified)):
            if value:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(content) - start))
        handler.end_headers()
        handler.wfile.write(content[start:][:dropped_after])
    return answer


def in_chunks(dropped_after=None):
    """The file without a length, as servers send what they make while they send it."""
    def answer(handler):
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, dropped_after or len(CONTENT), 100):
            chunk = CONTENT[start: start + 100]
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        if dropped_after is None:
            handler.wfile.write(b"0\r\n\r\n")
    return answer


def status(code, **headers):
    def answer(handler):
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
    return answer


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr(download, "FIRST_PAUSE_S", 0.0)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Scripted)
    server.answers, server.requests = [], []
    server.url = f"http://127.0.0.1:{server.server_port}/file"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def fetched(site, tmp_path):
    """Requests that it took to download the file, which is whole; nothing else is left."""
    def fetch(*answers, part=None):
        site.answers[:] = answers
        if part is not None:
            (tmp_path / "file.part").write_bytes(part)
        ResumingDownloader(tmp_path / "file.part", quiet=True)(site.url, str(tmp_path / "file"),
                                                               None)
        assert (tmp_path / "file").read_bytes() == CONTENT
        assert [path.name for path in tmp_path.iterdir()] == ["file"]
        return site.requests

    return fetch


@pytest.mark.parametrize("versions, asked_for", [
    ({"etag": '"v1"'}, '"v1"'), ({"etag": 'W/"a"', "modified": DATE}, DATE), ({"etag": None}, None),
], ids=["strong", "weak", "none"])
def test_the_rest_of_the_same_version_is_asked_for(fetched, versions, asked_for):
    requested = fetched(file(dropped_after=100, **versions), file(**versions))
    assert requested == [(None, None), ("bytes=100-", asked_for)]


def test_parts_of_two_versions_are_not_joined(fetched):
    requested = fetched(file(content=b"y" * len(CONTENT), etag='"old"', dropped_after=100))
    assert requested == [(None, None), ("bytes=100-", '"old"')]


def test_a_range_that_was_not_asked_for_is_not_taken(fetched):
    assert [asked for asked, _ in fetched(file(dropped_after=100), file(shift=5))] == [
        None, "bytes=100-", None]


def test_a_file_without_a_length_is_whole_or_fetched_again(fetched):
    assert len(fetched(in_chunks(dropped_after=300), in_chunks())) == 2


@pytest.mark.parametrize("part, n_requests", [(CONTENT, 1), (2 * CONTENT, 2)])
def test_a_part_that_was_complete_or_too_long(fetched, part, n_requests):
    assert len(fetched(part=part)) == n_requests


def test_passing_failures_are_tried_again(fetched):
    assert len(fetched(status(429), status(503), status(500))) == 4


@pytest.mark.parametrize("code, n_requests", [(500, download.ATTEMPTS), (403, 1)])
def test_what_stays_wrong_is_said(fetched, site, code, n_requests):
    with pytest.raises(UsageError, match=f"HTTP status {code}"):
        fetched(*[status(code)] * 9)
    assert len(site.requests) == n_requests


@pytest.mark.parametrize("url", ["nonsense", "http://127.0.0.1:9/"])
def test_no_server_at_all(site, tmp_path, url):
    with pytest.raises(UsageError, match="could not be downloaded"):
        ResumingDownloader(tmp_path / "part", quiet=True)(url, str(tmp_path / "file"), None)


def in_a_minute():
    return email.utils.formatdate(time.time() + 60, usegmt=True)


@pytest.mark.parametrize("wanted, pause_s", [
    ("7", 7.0), (in_a_minute, 60.0), ("soon", 0.0), ("", 0.0),
    ("99999", download.LONGEST_PAUSE_S)])
def test_the_pause_is_what_the_server_wants(site, wanted, pause_s):
    response = requests.Response()
    response.status_code = 429
    response.headers["Retry-After"] = wanted if isinstance(wanted, str) else wanted()
    error = requests.HTTPError(response=response)
    assert download._pause_s(error, failures=3) == pytest.approx(pause_s, abs=2)


def test_pauses_get_longer():
    error = requests.ConnectionError()
    assert [download._pause_s(error, n) for n in (0, 1, 2, 20)] == [
        download.FIRST_PAUSE_S, 2 * download.FIRST_PAUSE_S, 4 * download.FIRST_PAUSE_S,
        download.LONGEST_PAUSE_S]
