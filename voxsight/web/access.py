"""ASGI middleware that decides which requests reach the application.

Even a page on one's own machine can be reached by any web site that its user visits, and with
--host by others on the network. The middleware is around everything that is served.
"""

import asyncio
import base64
import binascii
import contextlib
import hashlib
import hmac
import ipaddress
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from voxsight.web.limits import Limits
from voxsight.web.refusals import CLOSE, Refusal, failure, too_many
from voxsight.web.sessions import Sessions
from voxsight.web.uploads import ENVELOPE_BYTES, too_large

FREE_TRIES, LONGEST_DELAY_S = 3, 300.0  # of wrong passwords, before and while they are delayed
REMEMBERED = 10_000  # clients whose rates and wrong passwords are known
DRAINED = 8  # times the largest file is read of a refused request before the connection closes
CLIENT, SESSION = "voxsight.client", "voxsight.session"  # what the application finds in a scope
DRAIN = "voxsight.drain"  # reads what still arrives of a request
OPEN_PATHS = ("/healthz",)  # need no password
HEADERS = {
    "content-security-policy":
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self' blob:; connect-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "permissions-policy": "microphone=(self), camera=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}

# Of ASGI, see https://asgi.readthedocs.io/en/latest/specs/main.html
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Access:
    """ASGI middleware: hosts, password, origin, rates, sessions, limits of size and time.

    Parameters
    ----------
    app : ASGI application
        Finds the client's address and session in the scope, as `CLIENT` and `SESSION`.
    limits : Limits
    hosts : sequence of str, optional
        Names that a request may be addressed to (default: any).
    any_address : bool
        Besides these names, take any IP address. No other site can be reached under one, so
        none can pretend to be this one.
    credentials : (str, str), optional
        User and password for HTTP Basic authentication.
    """

    def __init__(self, app: App, limits: Limits, *, hosts: Sequence[str] | None = None,
                 any_address: bool = False, credentials: tuple[str, str] | None = None) -> None:
        self._app, self._limits = app, limits
        self._hosts = None if hosts is None else {host.lower().rstrip(".") for host in hosts}
        self._any_address, self._sessions = any_address, Sessions()
        self._passwords = Passwords(*credentials) if credentials else None
        self._rates = Rates(limits.requests_per_s, limits.burst)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        request = Request(scope)
        session = self._sessions.read(request.headers.get("cookie", ""))
        scope[CLIENT] = request.client
        scope[SESSION] = session or self._sessions.new()
        if scope["type"] == "websocket":
            return await self._connect(request, session, scope, receive, send)
        cookie = ""
        if session is None and (request.path == "/" or request.path.startswith("/page/")):
            cookie = self._sessions.cookie(scope["voxsight.session"], request.is_secure)
        leaving = _Leaving(send, self._limits, cookie, request)
        arriving = _Arriving(receive, self._limits)
        scope[DRAIN] = arriving.drain
        try:
            self._check(request)
            await self._app(scope, arriving, leaving)
        except Refusal as refusal:
            await arriving.drain()
            await leaving.refuse(refusal)
        except (_Gone, ConnectionError, ClientDisconnect):  # nobody is there to be told
            pass
        except Exception as error:
            # No trace of it leaves, and it is no reason for a page on the terminal.
            print(f"{request.method} {request.path[:200]!r}: {type(error).__name__}",
                  file=sys.stderr)
            await leaving.refuse(failure())
        return None

    async def _connect(self, request: "Request", session: str | None, scope: Scope,
                       receive: Receive, send: Send) -> None:
        """A WebSocket; it needs the session of a page that was opened before."""
        try:
            self._check(request)
            if session is None:
                raise Refusal(403, "found no session, expected one; open the page first")
        except Refusal:
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        await self._app(scope, receive, send)

    def _check(self, request: "Request") -> None:
        """Raise `Refusal` for a request that may not reach the application."""
        self._check_host(request)
        if self._passwords and request.path not in OPEN_PATHS:
            self._passwords.check(request.client, request.headers.get("authorization", ""))
        makes_work = request.method not in ("GET", "HEAD", "OPTIONS") or request.is_websocket
        if makes_work:
            self._check_origin(request)
            self._rates.check(request.client)
        if request.content_length > self._limits.file_bytes + ENVELOPE_BYTES:
            raise too_large(self._limits)

    def _check_host(self, request: "Request") -> None:
        if self._hosts is None or request.host in self._hosts:
            return
        if self._any_address and _is_address(request.host):
            return
        raise Refusal(403, f"found a request to {request.host[:100] or 'no host'}, expected one to "
                           "a name of this server; add it with --name when the server is started")

    def _check_origin(self, request: "Request") -> None:
        origin = request.headers.get("origin")
        foreign = request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
        if foreign or (origin is not None
                       and urlsplit(origin).netloc != request.headers.get("host")):
            raise Refusal(403, f"found a request from {(origin or 'another site')[:100]}, expected "
                               "one from this page")


class Request:
    """What has to be known of a request.

    Attributes
    ----------
    headers : dict of str to str
    client : str
        Address of the client; of IPv6 the network, which one household has.
    host : str
        Name that it is addressed to.
    """

    def __init__(self, scope: Scope) -> None:
        self.path, self.method = scope["path"], scope.get("method", "GET")
        self.is_websocket = scope["type"] == "websocket"
        self.is_secure = scope.get("scheme") in ("https", "wss")
        self.headers = {name.decode("latin1"): value.decode("latin1")
                        for name, value in scope["headers"]}
        self.client = _network((scope.get("client") or ("unknown", 0))[0])
        try:
            name = urlsplit(f"//{self.headers.get('host', '')}").hostname or ""
        except ValueError:
            name = ""
        self.host = name.rstrip(".")

    @property
    def content_length(self) -> int:
        """Bytes that the body is said to have; 0 if that is unknown."""
        text = self.headers.get("content-length", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else 0


class Passwords:
    """Asks for a user and a password; who is wrong several times has to wait ever longer.

    Parameters
    ----------
    user, password : str
    clock : callable
        Seconds.
    """

    def __init__(self, user: str, password: str,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._expected, self._clock = _digest(f"{user}:{password}".encode()), clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how often, free when

    def check(self, client: str, authorization: str) -> None:
        """Raise `Refusal` unless a header holds the user and the password."""
        kind, _, token = authorization.partition(" ")
        given = _decoded(token) if kind.lower() == "basic" else None
        times, free_at = self._wrong.get(client, (0, 0.0))
        if given is not None:
            if (wait_s := free_at - self._clock()) > 0:
                raise too_many("found too many wrong passwords, expected the right one; wait "
                               f"{wait_s:.0f} s", wait_s)
            if hmac.compare_digest(_digest(given), self._expected):
                self._wrong.pop(client, None)
                return
            delay_s = min(2.0 ** (times + 1 - FREE_TRIES), LONGEST_DELAY_S)
            free_at = self._clock() + (delay_s if times + 1 >= FREE_TRIES else 0.0)
            self._wrong[client] = (min(times + 1, 64), free_at)
            self._wrong.move_to_end(client)
            if len(self._wrong) > REMEMBERED:
                self._wrong.popitem(last=False)
        raise Refusal(401, "found no valid user and password, expected those of this page",
                      headers={"WWW-Authenticate": 'Basic realm="voxsight", charset="UTF-8"'})


class Rates:
    """How many requests that make work a client may send.

    Parameters
    ----------
    per_s, burst : float
        How many a second, and how many at once.
    clock : callable
        Seconds.
    """

    def __init__(self, per_s: float, burst: float,
                 clock: Callable[[], float] = time.monotonic) -> None:
        self._per_s, self._burst, self._clock = per_s, burst, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()  # how many, at what time
        self._lock = threading.Lock()

    def check(self, client: str) -> None:
        """Raise `Refusal` if the client has to wait."""
        now = self._clock()
        with self._lock:
            left, at = self._left.get(client, (self._burst, now))
            left = min(self._burst, left + (now - at) * self._per_s)
            if left < 1:
                raise too_many("found too many requests, expected fewer; wait a little",
                               (1 - left) / self._per_s)
            self._left[client] = (left - 1, now)
            self._left.move_to_end(client)
            if len(self._left) > REMEMBERED:
                self._left.popitem(last=False)


def _digest(text: bytes) -> bytes:
    return hashlib.sha256(text).digest()


def _decoded(token: str) -> bytes:
    try:
        return base64.b64decode(token, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((int(parsed), 64), strict=False))
    return address


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Gone(Exception):
    """The client takes no more."""


class _Arriving:
    """The body of a request, while it is neither too large nor too slow."""

    def __init__(self, receive: Receive, limits: Limits) -> None:
        self._receive, self._limits = receive, limits
        self._until = time.monotonic() + limits.body_s
        self._bytes, self._whole = 0, False

    async def __call__(self) -> Message:
        if self._whole:
            return await self._receive()
        try:
            message = await self._next()
        except TimeoutError:
            self._whole = True  # nothing is waited for any longer
            raise Refusal(408, "found a request that did not arrive in time, expected it within "
                               f"{self._limits.body_s:g} s; use a faster connection",
                          headers=CLOSE) from None
        if self._bytes > self._limits.file_bytes + ENVELOPE_BYTES:
            raise too_large(self._limits)
        return message

    async def _next(self) -> Message:
        async with asyncio.timeout_at(asyncio.get_running_loop().time()
                                      + max(self._until - time.monotonic(), 0)):
            message = await self._receive()
        self._bytes += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        return message

    async def drain(self) -> None:
        """Read what still arrives, within limits: many clients read no response before."""
        with contextlib.suppress(TimeoutError):
            while not self._whole and self._bytes < DRAINED * self._limits.file_bytes:
                await self._next()


class _Leaving:
    """The response, with the headers of `HEADERS`."""

    def __init__(self, send: Send, limits: Limits, cookie: str, request: Request) -> None:
        self._send, self._limits, self._cookie, self._request = send, limits, cookie, request
        self._started = False

    async def refuse(self, refusal: Refusal) -> None:
        """Respond in the application's place, if it has not begun to."""
        if self._started:
            return
        refusal.headers |= CLOSE
        with contextlib.suppress(_Gone, ConnectionError):
            await refusal.response()({"type": "http"}, _nothing, self)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            message = {**message, "headers": [*message.get("headers", ()), *self._headers()]}
        try:
            async with asyncio.timeout(self._limits.send_s):
                await self._send(message)
        except TimeoutError:
            raise _Gone from None

    def _headers(self) -> list[tuple[bytes, bytes]]:
        headers = dict(HEADERS)
        if self._request.is_secure:
            headers["strict-transport-security"] = "max-age=31536000"
        headers["cache-control"] = ("no-cache" if self._request.path.startswith("/static/")
                                    else "no-store")
        if self._cookie:
            headers["set-cookie"] = self._cookie
        return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
