"""Work on many items in several processes, results in the order of the items."""

import contextlib
import functools
import os
import signal
from concurrent.futures import ProcessPoolExecutor

from voxsight.errors import VoxsightError

_work = None


def available_cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def limit_threads():
    """Keep the numeric libraries of this process, and of its workers, on one thread.

    Works before NumPy is imported only; the processes share the cores instead.
    """
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")


def ordered_map(make_function, items, jobs=None):
    """Results of a function over items, in order, computed by several processes.

    Parameters
    ----------
    make_function : callable
        called once in each process; returns the function of one item. Both it and the
        items are sent to the processes.
    items : sequence
    jobs : int, optional
        processes; by default the cores available. One computes in this process.

    Yields
    ------
    object
        a result per item
    """
    jobs = min(jobs or available_cores(), len(items))
    if jobs <= 1:
        function = make_function()
        yield from map(function, items)
        return
    chunk = max(1, min(16, len(items) // (jobs * 4)))
    with ProcessPoolExecutor(jobs, initializer=_start, initargs=(make_function,)) as pool:
        try:
            yield from pool.map(_call, items, chunksize=chunk)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def progress(items, total, *, desc, unit, quiet=False):
    """A tqdm bar on stderr around an iterable; none when quiet."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=desc, unit=unit, disable=quiet)


def _start(make_function):
    global _work
    # Ctrl-C reaches the whole group; the parent alone answers it.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _work = make_function()
    except VoxsightError as error:
        # Raised here it would only break the pool; raised by a call it reaches the parent.
        _work = functools.partial(_raise, error)


def _raise(error, _):
    raise error


def _call(item):
    return _work(item)
