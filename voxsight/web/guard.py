"""ASGI middleware: allowed hosts, login, sessions, limits of size and time.

Even a page on one's own machine can be reached by any web site that its user visits, and with
--host by others on the network. The middleware is around everything that is served.
"""

import asyncio
import base64
import contextlib
import hmac
import json
import os
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import unquote, urlsplit

MAX_BYTES = 25 * 2**20
ENVELOPE_BYTES = 2**16  # that a form adds to the file in it
DRAINED_BYTES = 10 * MAX_BYTES  # read of a refused request before the connection is closed
BODY_S = 60.0  # within which a request has to arrive
COOKIE = "voxsight_session"
UPLOAD, FILE = "/gradio_api/upload", "/gradio_api/file"
# Routes of Gradio that this page does not use: files of other hosts, other APIs, code.
CLOSED = ("/monitoring", *(f"/gradio_api/{name}" for name in (
    "proxy", "vibe", "undo-vibe", "deep_link", "run", "api", "call", "stream", "dev",
    "process_recording", "custom_component", "component_server")))
HEADERS = {
    "content-security-policy": "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; "
                               "frame-ancestors 'none'; form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
}

# Of ASGI, see https://asgi.readthedocs.io/en/latest/specs/main.html
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Guard:
    """ASGI middleware that decides which requests reach the application.

    Parameters
    ----------
    app : ASGI application
    hosts : sequence of str, optional
        Host names that a request may be addressed to (default: any).
    credentials : (str, str), optional
        User and password for HTTP Basic authentication.
    body_s : float
        Seconds within which a request has to arrive.
    """

    def __init__(self, app: App, *, hosts: Sequence[str] | None = None,
                 credentials: tuple[str, str] | None = None, body_s: float = BODY_S) -> None:
        self.app, self.hosts, self.body_s = app, hosts, body_s
        self._owners: dict[str, str] = {}
        self._token: str | None = None
        if credentials:
            self._token = base64.b64encode(":".join(credentials).encode()).decode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return None
        request = _Request(scope)
        session = request.cookie or secrets.token_urlsafe(32)
        leaving = _Leaving(send, None if request.cookie else session)
        arriving = _Arriving(receive, self.body_s, leaving)
        if refusal := self._refusal(request):
            return await arriving.refuse(*refusal)
        with contextlib.suppress(_Refused):
            await self.app(scope, arriving, leaving)
        if request.path == UPLOAD and leaving.status == 200:
            self._remember(leaving.body, session)
        return None

    def owns(self, session: str | None, path: str) -> bool:
        """Whether a session uploaded a file."""
        return bool(session) and self._owners.get(os.path.realpath(path)) == session

    def forget(self, path: str) -> None:
        """Delete an upload."""
        self._owners.pop(os.path.realpath(path), None)
        if os.path.isfile(path):
            os.unlink(path)

    def _remember(self, body: bytes | bytearray, session: str) -> None:
        """Store whose the uploaded files are."""
        for path in json.loads(bytes(body)):
            self._owners[os.path.realpath(path)] = session
        # Gradio deletes uploads that were not used for a while.
        self._owners = {path: owner for path, owner in self._owners.items()
                        if os.path.exists(path)}

    def _refusal(self, request: "_Request") -> tuple[int, str] | None:
        """Status and message for a request that is refused."""
        if self.hosts and request.host not in self.hosts:
            return 403, f"found host {request.host}, expected one of {', '.join(self.hosts)}"
        if self._token and not hmac.compare_digest(request.token.encode(), self._token.encode()):
            return 401, "found no valid user and password, expected those of this page"
        origin = request.headers.get("origin", "")
        if request.method not in ("GET", "HEAD") and origin and (
                urlsplit(origin).netloc != request.headers.get("host")):
            return 403, f"found a request from {origin}, expected one from this page"
        if request.path.startswith(CLOSED):
            return 404, "found nothing here"
        if int(request.headers.get("content-length") or 0) > MAX_BYTES + ENVELOPE_BYTES:
            return _TOO_LARGE
        if request.path.startswith(FILE):
            path = unquote(request.path.removeprefix(FILE).lstrip("=/"))
            path = path if path.startswith("/") else f"/{path}"
            if not self.owns(request.cookie, path):
                return 403, "found a file of somebody else or none, expected one of this session"
        if request.path == UPLOAD and not request.cookie:
            return 403, "found no session, expected one; open the page first"
        return None


_TOO_LARGE = (413, f"found more than {MAX_BYTES // 2**20} MB, expected a smaller recording; "
                   "cut it, compress it, or use scripts/deploy_model.py")


class _Refused(Exception):
    """Ends the reading of a request that is refused while it arrives."""


class _Request:
    """What the guard needs to know of a request."""

    def __init__(self, scope: Scope) -> None:
        self.path, self.method = scope["path"], scope["method"]
        self.headers = {name.decode("latin1"): value.decode("latin1")
                        for name, value in scope["headers"]}
        host = self.headers.get("host", "")
        self.host = urlsplit(f"//{host}").hostname or ""
        kind, _, self.token = self.headers.get("authorization", "").partition(" ")
        self.token = self.token if kind.lower() == "basic" else ""
        cookies = SimpleCookie(self.headers.get("cookie", ""))
        self.cookie = cookies[COOKIE].value if COOKIE in cookies else ""


class _Arriving:
    """The body of a request, while it is neither too large nor too slow."""

    def __init__(self, receive: Receive, body_s: float, leaving: "_Leaving") -> None:
        self._receive, self._until = receive, time.monotonic() + body_s
        self._bytes, self._whole, self._leaving = 0, False, leaving

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError:
            await self._leaving.refuse(408, "found a request that did not arrive in time, "
                                            "expected it within a minute; use a faster connection")
            raise _Refused from None
        if self._bytes > MAX_BYTES + ENVELOPE_BYTES:
            await self.refuse(*_TOO_LARGE)
            raise _Refused
        return message

    async def _next(self) -> Message:
        remaining_s = max(self._until - time.monotonic(), 0)
        message = await asyncio.wait_for(self._receive(), remaining_s)
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    async def refuse(self, status: int, words: str) -> None:
        """Respond once the rest has arrived: many clients read no response before."""
        with contextlib.suppress(TimeoutError):
            while not self._whole and self._bytes < DRAINED_BYTES:
                await self._next()
        await self._leaving.refuse(status, words)


class _Leaving:
    """The response with the headers of `HEADERS`; remembers its status and its body."""

    def __init__(self, send: Send, new_session: str | None) -> None:
        self._send, self._new, self._refused = send, new_session, False
        self.started, self.status, self.body = False, 0, bytearray()

    async def refuse(self, status: int, words: str) -> None:
        """Respond in the application's place; what it still sends is dropped."""
        self._refused, self.status = True, status
        if not self.started:
            await _answer(self._send, status, words)

    async def __call__(self, message: Message) -> None:
        if self._refused:
            return
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = list(message.get("headers", ()))
            headers += [(name.encode(), value.encode()) for name, value in HEADERS.items()]
            if self._new:
                cookie = f"{COOKIE}={self._new}; Path=/; HttpOnly; SameSite=Strict"
                headers.append((b"set-cookie", cookie.encode()))
            message = {**message, "headers": headers}
        elif len(self.body) < ENVELOPE_BYTES:
            self.body += message.get("body", b"")
        await self._send(message)


async def _answer(send: Send, status: int, words: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if status == 401:
        headers.append((b"www-authenticate", b'Basic realm="voxsight"'))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps({"error": words}).encode()})
