"""The server of an ASGI application, which does not wait for whoever sends no request."""

import asyncio
import socket
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import uvicorn
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from voxsight.errors import UsageError
from voxsight.web.access import App
from voxsight.web.limits import Limits
from voxsight.web.live import LARGEST_MESSAGE

LARGEST_HEAD = 2**15  # bytes
CONNECTIONS, CLIENT_CONNECTIONS = 600, 200  # at once, of all clients and of one
SHUTDOWN_S = 3  # that requests in progress have when the server ends


def serve(app: App, host: str, port: int, ready: Callable[[int], object] | None = None, *,
          limits: Limits, proxies: Sequence[str] = ()) -> None:
    """Serve until interrupted.

    Parameters
    ----------
    app : ASGI application
    host : str
        Address to serve at.
    port : int
        0 takes a free one.
    ready : callable, optional
        Called with the port once requests are accepted.
    limits : Limits
    proxies : sequence of str
        Addresses or networks of proxies, which are believed who the client is and whether it
        came by TLS.

    Raises
    ------
    UsageError
        If the address or the port cannot be used.
    """
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening_at = socket.create_server((host, port), family=family, backlog=256)
    except OSError as error:
        raise UsageError(f"--host {host} --port {port}: found '{error.strerror}', expected to "
                         "serve there; name another --port, or 0 for a free one") from error

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if ready:
                ready(listening_at.getsockname()[1])

    if proxies:
        app = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[assignment, arg-type]
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, server_header=False, proxy_headers=False,
        http=_impatient(limits, bool(proxies)), loop="asyncio", ws="websockets-sansio",
        ws_max_size=LARGEST_MESSAGE, h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_keep_alive=30, timeout_graceful_shutdown=SHUTDOWN_S, lifespan="on")
    Server(config).run(sockets=[listening_at])


def _impatient(limits: Limits, behind_proxy: bool) -> type[H11Protocol]:
    """HTTP for clients that send the head of a request in time, and open few connections."""
    connected: Counter[str] = Counter()

    class Impatient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None
        _from, _upgraded = "", False

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._from = self.client[0] if self.client else ""
            connected[self._from] += 1
            if connected.total() > CONNECTIONS or (
                    not behind_proxy and connected[self._from] > CLIENT_CONNECTIONS):
                transport.abort()
                return
            self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            connected[self._from] -= 1
            if not connected[self._from]:
                del connected[self._from]
            self._wait_no_longer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._upgraded or (self.cycle and not self.cycle.response_complete):
                self._wait_no_longer()
            elif self._timer is None:
                self._wait()

        def handle_websocket_upgrade(self, event: Any) -> None:
            self._upgraded = True
            connected[self._from] -= 1  # the WebSocket's own limits hold from here
            super().handle_websocket_upgrade(event)

        def _wait(self) -> None:
            self._timer = self.loop.call_later(limits.head_s, self._too_slow)

        def _wait_no_longer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = None

        def _too_slow(self) -> None:
            self._timer = None
            if self.cycle is None or self.cycle.response_complete:
                self.transport.close()

    return Impatient
