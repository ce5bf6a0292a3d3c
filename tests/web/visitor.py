"""A visitor of a server under test, with an address and a session of its own."""

import http.client
import json
import threading
import time
import uuid
from types import SimpleNamespace
from urllib.parse import urlsplit

from conftest import MY_WAVS, ROOT

FOX = (MY_WAVS / "slt_fox.wav").read_bytes()


def form(content, disposition='filename="a.wav"', field="file", more=b""):
    """Body and headers of a form with one file."""
    border = uuid.uuid4().hex
    head = f'Content-Disposition: form-data; name="{field}"; {disposition}\r\n\r\n'
    body = (f"--{border}\r\n{head}".encode() + content + b"\r\n"
            + more.replace(b"BORDER", border.encode()) + f"--{border}--\r\n".encode())
    return body, {"Content-Type": f"multipart/form-data; boundary={border}"}


class Visitor:
    """Asks a server from one of this machine's addresses, and keeps the cookie that it gets."""

    def __init__(self, url, address="127.0.0.1", **headers):
        self.port, self.address = urlsplit(url).port, address
        self.headers = headers

    def ask(self, path, body=None, headers=(), method=None):
        """Status, headers and content of the response."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60,
                                                source_address=(self.address, 0))
        try:
            connection.request(method or ("GET" if body is None else "POST"), path, body,
                               {**self.headers, **dict(headers)})
            response = connection.getresponse()
            if cookie := response.headers["Set-Cookie"]:
                self.headers["Cookie"] = cookie.split(";")[0]
            return SimpleNamespace(status=response.status, headers=response.headers,
                                   content=response.read())
        finally:
            connection.close()

    def json(self, path, *args, **more):
        """What the response says, whatever its status."""
        return json.loads(self.ask(path, *args, **more).content)

    def classify(self, content=FOX, *args, **more):
        """The response to a file."""
        return self.ask("/api/classify", *form(content, *args, **more))

    def add(self, content=FOX):
        """The path of a recording on the page."""
        return "/page/recordings/" + self.json("/page/recordings", *form(content))["id"]

    def wait(self, recording, states=("done", "failed", "stopped")):
        """What is said of a recording once it is in one of these states."""
        until = time.monotonic() + 60
        while (said := self.json(recording))["state"] not in states:
            assert time.monotonic() < until, said
        return said


def answered_in_time(url, seconds=8.0):
    """Whether somebody else gets an answer, whatever others do to the server.

    On a quiet machine it takes well under 2 s; whoever can hold the server up does so for longer
    than this, which a busy machine keeps too.
    """
    start = time.monotonic()
    (row,) = json.loads(Visitor(url, "127.0.0.99").classify().content)
    assert row["label"] == "female"
    assert (took_s := time.monotonic() - start) < seconds, took_s
    return True


def serving(**settings):
    """A server in this process; its address and its application."""
    from voxsight.web.application import build_app
    from voxsight.web.limits import FOR_ONESELF
    from voxsight.web.server import serve

    app = build_app(ROOT / "models/default", **settings)
    ready, ports = threading.Event(), []
    threading.Thread(target=serve, args=(app, "127.0.0.1", 0, lambda port: (
        ports.append(port), ready.set())), daemon=True, kwargs={
            "limits": settings.get("limits", FOR_ONESELF)}).start()
    assert ready.wait(60)
    return SimpleNamespace(url=f"http://127.0.0.1:{ports[0]}", app=app)
