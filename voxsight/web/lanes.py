"""Bounded queues of work, from which clients are served in turn."""

import threading
from collections import Counter, OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from voxsight.web.refusals import too_busy, too_many

_Job = tuple[Future, Callable[[], Any]]


class Lane:
    """Threads that work for one client after the other.

    Each client has at most all threads but one, so that whatever a client sends, the next one
    is served.

    Parameters
    ----------
    name : str
        Of the threads.
    threads : int
    waiting, client_waiting : int
        The longest queue, of all clients and of one.
    """

    def __init__(self, name: str, threads: int, waiting: int, client_waiting: int) -> None:
        self._most, self._client_most = waiting, client_waiting
        self._at_once = max(1, threads - 1)
        self._waiting: OrderedDict[str, deque[_Job]] = OrderedDict()
        self._running: Counter[str] = Counter()
        self._changed, self._closed = threading.Condition(), False
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name} {number}", daemon=True).start()

    def submit(self, client: str, work: Callable[[], Any]) -> Future:
        """A future of what a function returns.

        Raises
        ------
        Refusal
            If the queue is full.
        """
        future: Future = Future()
        with self._changed:
            if len(self._waiting.get(client, ())) >= self._client_most:
                raise too_many(f"found {self._client_most} of your recordings waiting, expected "
                               "fewer; wait for their answers", 5)
            if sum(map(len, self._waiting.values())) >= self._most:
                raise too_busy(f"found {self._most} recordings waiting, expected fewer; ask "
                               "again later", 10)
            self._waiting.setdefault(client, deque()).append((future, work))
            self._changed.notify()
        return future

    def close(self) -> None:
        """Take no more work, and let the threads end."""
        with self._changed:
            self._closed = True
            for jobs in self._waiting.values():
                for future, _ in jobs:
                    future.cancel()
            self._waiting.clear()
            self._changed.notify_all()

    def _work(self) -> None:
        while (taken := self._next()) is not None:
            client, (future, work) = taken
            try:
                if future.set_running_or_notify_cancel():
                    try:
                        future.set_result(work())
                    except BaseException as error:  # of a thread, which has to go on
                        future.set_exception(error)
            finally:
                del future, work, taken
                with self._changed:
                    self._running[client] -= 1
                    self._running += Counter()  # forgets those with nothing
                    self._changed.notify_all()

    def _next(self) -> tuple[str, _Job] | None:
        """The next client's first job, once there is one."""
        with self._changed:
            while not self._closed:
                for client in self._waiting:
                    if self._running[client] < self._at_once:
                        return client, self._taken(client)
                self._changed.wait()
        return None

    def _taken(self, client: str) -> _Job:
        jobs = self._waiting.pop(client)
        job = jobs.popleft()
        if jobs:
            self._waiting[client] = jobs  # behind the others
        self._running[client] += 1
        return job
