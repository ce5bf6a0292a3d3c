"""Work on many items by the workers of a Dask cluster, results in the order of the items."""

import contextlib
import threading
import uuid
from collections import deque
from itertools import islice

import voxsight
from voxsight.errors import UsageError
from voxsight.parallel import be_expendable

CHUNK = 64  # items of a task at most
AHEAD = 3  # tasks per thread of the cluster that wait or have not been asked for
SCHEDULER_S, WORKER_S = 5, 30  # to wait for a scheduler, and for a worker of it
_lock, _functions = threading.Lock(), {}


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
        from distributed import Client
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
        yield Cluster(client)


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

        What a worker was working on when it died is done again by another; an item on which
        several died is `lost`.
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
        work = (uuid.uuid4().hex, make_function)
        threads = sum(self._client.nthreads().values())
        size = max(1, min(CHUNK, len(items) // (threads * AHEAD)))
        chunks = (items[i: i + size] for i in range(0, len(items), size))
        waiting = deque()
        while True:
            waiting += [(chunk, self.submit(_call_all, *work, chunk))
                        for chunk in islice(chunks, AHEAD * threads - len(waiting))]
            if not waiting:
                return
            yield self._survived(work, *waiting.popleft(), lost)

    def submit(self, function, *args):
        """The future of a function, which may be given futures."""
        return self._client.submit(function, *args, pure=False)

    def _survived(self, work, chunk, future, lost):
        """The future of a chunk; where workers died of it, of its items one by one."""
        if not _killed(future):
            return future
        alone = [self.submit(_call_all, *work, [item]) for item in chunk]
        return self.submit(_joined, [
            [lost(item)] if _killed(future) else future for item, future in zip(chunk, alone)])


def _killed(future):
    """Whether workers died of a task; waits for its end."""
    from distributed import KilledWorker

    return isinstance(future.exception(), KilledWorker)


def _joined(results):
    return [result for part in results for result in part]


def _call_all(name, make_function, items):
    """Runs on the workers, which keep the last functions: making one may load a model."""
    be_expendable()
    with _lock:
        if name not in _functions:
            if len(_functions) > 1:
                _functions.pop(next(iter(_functions)))
            _functions[name] = make_function()
        function = _functions[name]
    return [function(item) for item in items]


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
