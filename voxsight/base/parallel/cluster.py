"""Work on many items by the workers of a Dask cluster, with results in the order of the items."""

import contextlib
import logging
import multiprocessing
import sys
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from itertools import islice
from typing import TYPE_CHECKING, Any

import voxsight
from voxsight.base.parallel.workers import Workers
from voxsight.errors import UsageError

if TYPE_CHECKING:
    from distributed import Client, Future

CHUNK = 64  # items of a task at most
AHEAD = 3  # tasks per thread of the cluster that are submitted and not yet yielded
SCHEDULER_S, WORKER_S = 5, 30  # to wait for a scheduler, and for its first worker
WATCH_S = 5  # between checks whether any worker is left
# On a Dask worker: for each of its threads, the id of the work and the process that does it.
_processes: dict[int, tuple[str, Workers]] = {}


@contextlib.contextmanager
def connected(address: str, open_function: Callable[[], Callable],
              lost: Callable | None) -> "Iterator[Cluster]":
    """Connect to a running Dask cluster.

    Parameters
    ----------
    address : str
        Address of its scheduler, such as ``tcp://10.0.0.1:8786``.
    open_function, lost : callable
        As for `workers.ordered_map`. They are pickled and sent to the workers.

    Yields
    ------
    Cluster

    Raises
    ------
    UsageError
        If there is no scheduler or no worker, a worker has another version of voxsight, or the
        connection to the scheduler is lost.
    """
    with _connect(address) as client:
        _check_workers(client, address)
        cluster = Cluster(client, open_function, lost)
        try:
            with _lost_connections(client, address), _watched(client, address):
                yield cluster
        finally:
            cluster.close()


class Cluster:
    """The workers of a cluster and the function that they compute.

    Parameters
    ----------
    client : distributed.Client
        The connection to the scheduler.
    open_function, lost : callable
        As for `connected`.
    """

    def __init__(self, client: "Client", open_function: Callable[[], Callable],
                 lost: Callable | None) -> None:
        self._client, self._work_id = client, uuid.uuid4().hex
        self._work = (self._work_id, open_function, lost)

    def close(self) -> None:
        """End the processes that the workers started."""
        with contextlib.suppress(OSError):  # no connection to the scheduler any more
            if self._client.status == "running":
                self._client.run(_stop, self._work_id, on_error="ignore")

    def map(self, items: Sequence) -> Iterator:
        """Results of the function over items, in order.

        The items of a worker that is lost are computed again by another.

        Parameters
        ----------
        items : sequence

        Yields
        ------
        object
            One result per item.
        """
        for future in self.futures(items):
            yield from future.result()

    def futures(self, items: Sequence) -> "Iterator[Future]":
        """The results of `map`, in chunks that stay on the workers until they are fetched.

        Parameters
        ----------
        items : sequence

        Yields
        ------
        distributed.Future
            Of a list of results, in the order of the items.
        """
        size = max(1, min(CHUNK, len(items) // self._tasks_ahead()))
        chunks = (items[i: i + size] for i in range(0, len(items), size))
        waiting: deque[Future] = deque()
        while True:
            room = max(self._tasks_ahead() - len(waiting), not waiting)
            waiting += [self._client.submit(_results, *self._work, chunk, pure=False)
                        for chunk in islice(chunks, room)]
            if not waiting:
                return
            yield waiting.popleft()

    def submit(self, function: Callable, *args: Any) -> "Future":
        """Call a function on a worker, before the work that `map` or `futures` submitted.

        Parameters
        ----------
        function : callable
            Should take little time.
        *args
            Its arguments. The result of a future is passed in place of the future.

        Returns
        -------
        distributed.Future
        """
        return self._client.submit(function, *args, pure=False, priority=1)

    def _tasks_ahead(self) -> int:
        """Tasks that keep the workers busy; workers may have joined since the last call."""
        return max(1, AHEAD * sum(self._client.nthreads().values()))


def _connect(address: str) -> "Client":
    try:
        from distributed import Client
    except ModuleNotFoundError as error:
        raise UsageError("distributed is not installed, expected it for --dask; run: pip install "
                         "'voxsight[cluster]'") from error
    for logger in ("distributed", "distributed.client"):  # they write tracebacks
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    try:
        return Client(address, timeout=SCHEDULER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: found no scheduler there ({error or 'no answer'}), "
                         "expected one such as tcp://HOST:8786; start it with: dask "
                         "scheduler") from error


def _check_workers(client: "Client", address: str) -> None:
    try:
        client.wait_for_workers(1, timeout=WORKER_S)
    except TimeoutError as error:
        raise UsageError(f"--dask {address}: found a scheduler without workers, expected at least "
                         f"one; start it with: dask worker {address}") from error
    versions: dict[str, Any] = client.run(_installed_version, on_error="return")
    for worker, version in versions.items():
        if version != voxsight.__version__:
            raise UsageError(f"--dask {address}: found {version!r} on the worker {worker}, "
                             f"expected voxsight {voxsight.__version__}; install it there")


@contextlib.contextmanager
def _lost_connections(client: "Client", address: str) -> Iterator[None]:
    """Raise UsageError if the scheduler, or one worker after the other, is lost in the block."""
    from distributed import KilledWorker
    from distributed.comm import CommClosedError

    try:
        yield
    except (OSError, CancelledError) as error:
        closed = isinstance(error, CommClosedError | CancelledError)
        if not closed and client.status == "running":  # an error of a disk, not of the network
            raise
        raise UsageError(f"--dask {address}: found that the scheduler went away, expected it to "
                         "keep running; start it again and repeat this command, which continues "
                         "where it stopped") from error
    except KilledWorker as error:
        raise UsageError(f"--dask {address}: found that several workers died ({error}), "
                         "expected them to keep running; see their logs, and give them more "
                         "memory") from error


@contextlib.contextmanager
def _watched(client: "Client", address: str) -> Iterator[None]:
    """Print a line when no worker is left; the work waits until another one joins."""
    from tqdm import tqdm

    ended = threading.Event()

    def watch() -> None:
        alone = False
        with contextlib.suppress(OSError):  # no connection to the scheduler any more
            while not ended.wait(WATCH_S):
                before, alone = alone, not client.nthreads()
                if alone and not before:
                    tqdm.write(f"--dask {address}: found no worker left, waiting for one; start "
                               f"it with: dask worker {address}", file=sys.stderr)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


def _results(work_id: str, open_function: Callable[[], Callable], lost: Callable | None,
             items: Sequence) -> list:
    """Results of items, computed on a Dask worker in a process of the calling thread.

    A decoder that crashes ends that process only, and not the worker with all of its tasks.
    """
    workers = _process_of_this_thread(work_id, open_function)
    return workers.results(items, workers.submit(items), lost)


def _process_of_this_thread(work_id: str, open_function: Callable[[], Callable]) -> Workers:
    thread = threading.get_ident()
    earlier_id, workers = _processes.get(thread, ("", None))
    if workers is not None and earlier_id == work_id:
        return workers
    if workers is not None:
        workers.stop()
    # Dask's workers are daemonic processes, which may not have children, because children could
    # outlive them. Those of `Workers` end with their parent.
    process: Any = multiprocessing.current_process()
    process._config["daemon"] = False
    # Forked processes would inherit locks that other threads of the worker hold.
    workers = Workers(open_function, 1, "spawn")
    _processes[thread] = work_id, workers
    return workers


def _stop(work_id: str) -> None:
    """End the processes of one work on this worker."""
    threads = [thread for thread, (other_id, _) in _processes.items() if other_id == work_id]
    for thread in threads:
        _processes.pop(thread)[1].stop()


def _installed_version() -> str:
    return voxsight.__version__
