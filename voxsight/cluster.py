"""Work on many items by the workers of a Dask cluster, results in the order of the items."""

import contextlib
import multiprocessing
import threading
import uuid
from collections import deque
from itertools import islice

import voxsight
from voxsight.errors import UsageError
from voxsight.parallel import Workers

CHUNK = 64  # items of a task at most
AHEAD = 3  # tasks per thread of the cluster that wait or have not been asked for
SCHEDULER_S, WORKER_S = 5, 30  # to wait for a scheduler, and for a worker of it
_own = threading.local()


@contextlib.contextmanager
def connected(address):
    """A Dask cluster that runs already, ready to work.

    Parameters
    ----------
    address : str
        of its scheduler, such as ``tcp://10.0.0.1:8786``

    Yields
    ------
    Cluster

    Raises
    ------
    UsageError
        if there is no scheduler or no worker, or a worker lacks this version of voxsight
    """
    try:
        from distributed import Client, KilledWorker
    except ModuleNotFoundError as error:
        raise UsageError("distributed is not installed, expected it for --dask; run: pip install "
                         "'voxsight[cluster]'") from error
    try:
        client = Client(address, timeout=SCHEDULER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise UsageError(f"--dask {address}: found no scheduler there ({error or 'no answer'}), "
                         "expected one such as tcp://HOST:8786; start it with: dask "
                         "scheduler") from error
    with client:
        _check_workers(client, address)
        try:
            yield Cluster(client)
        except KilledWorker as error:
            raise UsageError(f"--dask {address}: found that several workers went ({error}), "
                             "expected them to stay; see their logs, and give them more "
                             "memory") from error


class Cluster:
    """The workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client):
        self._client = client

    def map(self, make_function, items, lost):
        """As `parallel.ordered_map`, by the workers.

        What a worker was working on when it went is done again by another.
        """
        for future in self.futures(make_function, items, lost):
            yield from future.result()

    def futures(self, make_function, items, lost):
        """The results of `map` as they lie with the workers, a chunk of items each.

        Yields
        ------
        distributed.Future
            of a list of results, in the order of the items
        """
        work = (uuid.uuid4().hex, make_function, lost)
        threads = sum(self._client.nthreads().values())
        size = max(1, min(CHUNK, len(items) // (threads * AHEAD)))
        chunks = (items[i: i + size] for i in range(0, len(items), size))
        waiting = deque(self.submit(_results, *work, chunk)
                        for chunk in islice(chunks, AHEAD * threads))
        while waiting:
            yield waiting.popleft()
            waiting += [self.submit(_results, *work, chunk) for chunk in islice(chunks, 1)]

    def submit(self, function, *args):
        """The future of a function, which may be given futures."""
        return self._client.submit(function, *args, pure=False)


def _results(name, make_function, lost, items):
    """Runs on the workers, each of whose threads has a process of its own for the items.

    A decoder that dies then takes neither the worker nor the tasks that wait there with it.
    """
    if getattr(_own, "name", None) != name:
        if hasattr(_own, "workers"):
            _own.workers.stop()
        # Dask's workers are daemons, which may have no children, lest they outlive them; the
        # children of `Workers` end with their parent.
        multiprocessing.current_process()._config["daemon"] = False
        # Forked, they would inherit locks that other threads of the worker hold.
        _own.name, _own.workers = name, Workers(make_function, 1, "spawn")
    return _own.workers.results(items, _own.workers.submit(items), lost)


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
