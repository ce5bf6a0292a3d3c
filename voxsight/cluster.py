"""Work on many items by the workers of a Dask cluster, results in the order of the items."""

import contextlib
import logging
import multiprocessing
import sys
import threading
import uuid
from collections import deque
from concurrent.futures import CancelledError
from itertools import islice

import voxsight
from voxsight.errors import UsageError
from voxsight.parallel import Workers

CHUNK = 64  # items of a task at most
AHEAD = 3  # tasks per thread of the cluster that run, wait or have not been asked for
SCHEDULER_S, WORKER_S = 5, 30  # to wait for a scheduler, and for a worker of it
WATCH_S = 5  # from one look at whether workers are left to the next
_heard_by: dict[int, tuple] = {}  # thread of this worker -> name of the work, its Workers


@contextlib.contextmanager
def connected(address, make_function, lost):
    """A Dask cluster that runs already, ready to work.

    Parameters
    ----------
    address : str
        of its scheduler, such as ``tcp://10.0.0.1:8786``
    make_function, lost : callable
        as those of `parallel.ordered_map`; sent to the workers

    Yields
    ------
    Cluster

    Raises
    ------
    UsageError
        if there is no scheduler or no worker, a worker lacks this version of voxsight, or
        the scheduler goes
    """
    with _client(address) as client:
        from distributed import KilledWorker
        from distributed.comm import CommClosedError

        _check_workers(client, address)
        cluster = Cluster(client, make_function, lost)
        try:
            with _watched(client, address):
                yield cluster
        except (OSError, CancelledError) as error:
            gone = isinstance(error, CommClosedError | CancelledError)
            if not gone and client.status == "running":  # of a disk, then
                raise
            raise UsageError(f"--dask {address}: found that the scheduler went, expected it to "
                             "stay; start it again and then this command, which goes on where it "
                             "stopped") from error
        except KilledWorker as error:
            raise UsageError(f"--dask {address}: found that several workers went ({error}), "
                             "expected them to stay; see their logs, and give them more "
                             "memory") from error
        finally:
            cluster.close()


class Cluster:
    """The workers of a cluster, and the function that they are to compute.

    Parameters
    ----------
    client : distributed.Client
    make_function, lost : callable
        as for `connected`
    """

    def __init__(self, client, make_function, lost):
        self._client, self._name = client, uuid.uuid4().hex
        self._work = (self._name, make_function, lost)

    def close(self):
        """End the processes of the workers."""
        with contextlib.suppress(OSError):  # the scheduler has gone
            if self._client.status == "running":
                self._client.run(_stop, self._name, on_error="ignore")

    def map(self, items):
        """Results of the function over items, in order.

        What a worker was working on when it went is done again by another.
        """
        for future in self.futures(items):
            yield from future.result()

    def futures(self, items):
        """The results of `map` as they lie with the workers, a chunk of items each.

        Yields
        ------
        distributed.Future
            of a list of results, in the order of the items
        """
        size = max(1, min(CHUNK, len(items) // self._ahead()))
        chunks, waiting = (items[i: i + size] for i in range(0, len(items), size)), deque()
        while True:
            room = max(self._ahead() - len(waiting), not waiting)
            waiting += [self._client.submit(_results, *self._work, chunk, pure=False)
                        for chunk in islice(chunks, room)]
            if not waiting:
                return
            yield waiting.popleft()

    def submit(self, function, *args):
        """The future of a function that is done soon, before `map` goes on; of futures, too."""
        return self._client.submit(function, *args, pure=False, priority=1)

    def _ahead(self):
        """Tasks that keep the workers busy; more of them may have come since."""
        return max(1, AHEAD * sum(self._client.nthreads().values()))


@contextlib.contextmanager
def _watched(client, address):
    """Say when the last worker has gone; the work waits for another."""
    from tqdm import tqdm

    ended = threading.Event()

    def watch():
        alone = False
        with contextlib.suppress(OSError):  # the scheduler has gone
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


def _results(name, make_function, lost, items):
    """Runs on the workers, each of whose threads has a process of its own for the items.

    A decoder that dies then takes neither the worker nor the tasks that wait there with it.
    """
    thread = threading.get_ident()
    before, workers = _heard_by.get(thread, ("", None))
    if before != name:
        if workers:
            workers.stop()
        # Dask's workers are daemons, which may have no children, lest they outlive them; the
        # children of `Workers` end with their parent.
        multiprocessing.current_process()._config["daemon"] = False
        # Forked, they would inherit locks that other threads of the worker hold.
        _heard_by[thread] = name, Workers(make_function, 1, "spawn")
        workers = _heard_by[thread][1]
    return workers.results(items, workers.submit(items), lost)


def _client(address):
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


def _stop(name):
    """End the processes of a work on this worker."""
    for thread in [thread for thread, (own, _) in _heard_by.items() if own == name]:
        _heard_by.pop(thread)[1].stop()


def _check_workers(client, address):
    try:
        client.wait_for_workers(1, timeout=WORKER_S)
    except TimeoutError as error:
        raise UsageError(f"--dask {address}: found a scheduler without workers, expected one at "
                         f"least; start it with: dask worker {address}") from error
    for worker, found in client.run(_installed, on_error="return").items():
        if found != voxsight.__version__:
            raise UsageError(f"--dask {address}: found {found!r} on the worker {worker}, expected "
                             f"voxsight {voxsight.__version__}; install it there")


def _installed():
    return voxsight.__version__
