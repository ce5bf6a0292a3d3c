"""Work on many items in several processes, results in the order of the items."""

import contextlib
import ctypes
import functools
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice

KEPT_BYTES = 32 * 2**20  # freed memory up to this stays with the process
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # options of mallopt(3)
_work = None


def available_cores():
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_process():
    """Make this process, and its workers, fit to share the machine with each other.

    The numeric libraries stay on one thread, if NumPy is not imported yet. Memory that is
    freed is kept for the next array: handing it back and asking anew costs more time than
    computing what is in it. Ctrl-C waits for what is `uninterrupted`.
    """
    if (threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler):
        signal.signal(signal.SIGINT, _Interrupts.arrive)
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's
        for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD) if mallopt else ():
            mallopt(option, KEPT_BYTES)


def ordered_map(make_function, items, jobs=None, lost=None):
    """Results of a function over items, in order, computed by several processes.

    Parameters
    ----------
    make_function : callable
        called once in each process; returns the function of one item. Both it and the
        items are sent to the processes.
    items : sequence
    jobs : int, optional
        processes; by default the cores available. One computes in this process.
    lost : callable, optional
        gives the result of an item on which a process died, as decoders do on broken
        files; without it such a death is an error

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
    size = max(1, min(16, len(items) // (jobs * 4)))
    chunks = (items[i: i + size] for i in range(0, len(items), size))
    workers = Workers(make_function, jobs)
    try:
        # Sent a few at a time, so that neither results nor suspects pile up.
        waiting = deque((chunk, workers.submit(chunk)) for chunk in islice(chunks, 4 * jobs))
        while waiting:
            chunk, future = waiting.popleft()
            results = workers.results(chunk, future, lost)
            waiting += [(chunk, workers.submit(chunk)) for chunk in islice(chunks, 1)]
            yield from results
    finally:
        workers.stop()


def ahead(items):
    """The items of an iterable, each made in a thread while the one before is used."""
    items, end = iter(items), object()
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(next, items, end)
        while (item := future.result()) is not end:
            future = thread.submit(next, items, end)
            yield item


class _Interrupts:
    """Ctrl-C, held back while a library runs that would swallow it."""

    held = 0  # calls that are to end first
    waiting = False

    @classmethod
    def arrive(cls, signum, frame):
        if not cls.held:
            raise KeyboardInterrupt
        cls.waiting = True


@contextlib.contextmanager
def uninterrupted():
    """Let the block end before Ctrl-C is heeded.

    An exception that is raised while C code calls back into Python is printed and lost. Needs
    `prepare_process`; in other threads than the main one, which no signal reaches, nothing
    happens.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _Interrupts.held += 1
    try:
        yield
    finally:
        _Interrupts.held -= 1
    if _Interrupts.waiting and not _Interrupts.held:
        _Interrupts.waiting = False
        raise KeyboardInterrupt


@contextlib.contextmanager
def cpu_limit(seconds):
    """Let a worker process die should the block compute for longer.

    What it was working on is then lost alone. In other processes, and where there are no
    interval timers, nothing happens.
    """
    armed = _work is not None and hasattr(signal, "setitimer")
    if armed:
        signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        if armed:
            signal.setitimer(signal.ITIMER_PROF, 0)


def progress(items, total, *, desc, unit, quiet=False):
    """A tqdm bar on stderr around an iterable; none when quiet."""
    from tqdm import tqdm

    return tqdm(items, total=total, desc=desc, unit=unit, disable=quiet)


class Workers:
    """Processes that are replaced when one of them dies, and one apart for suspects.

    Parameters
    ----------
    make_function : callable
        called once in each process; returns the function of one item
    jobs : int
        processes
    start : {"spawn", "fork", "forkserver"}, optional
        how they are started; the system's way by default
    """

    def __init__(self, make_function, jobs, start=None):
        self._make_function, self._jobs = make_function, jobs
        self._context = multiprocessing.get_context(start)
        self._pool, self._apart = self._started(jobs), None

    def submit(self, chunk):
        """Future of the results of a list of items, for `results`."""
        try:
            return self._pool.submit(_call_all, chunk)
        except BrokenProcessPool:
            self._pool = self._started(self._jobs)
            return self._pool.submit(_call_all, chunk)

    def results(self, chunk, future, lost):
        """Of a chunk; where a process died meanwhile, of its items one by one."""
        try:
            return future.result()
        except BrokenProcessPool:
            if lost is None:
                raise
            return [self._result_apart(item, lost) for item in chunk]

    def _result_apart(self, item, lost):
        self._apart = self._apart or self._started(1)
        try:
            return self._apart.submit(_call_all, [item]).result()[0]
        except BrokenProcessPool:
            self._apart = None
            return lost(item)

    def _started(self, jobs):
        return ProcessPoolExecutor(jobs, self._context, _start, (self._make_function,))

    def stop(self):
        """End the processes."""
        for pool in (self._pool, self._apart):
            if pool is not None:
                pool.shutdown(wait=True, cancel_futures=True)


def _start(make_function):
    global _work
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    # Ctrl-C reaches the whole group; the parent alone answers it.
    with contextlib.suppress(ValueError):
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _keep_to_one_thread()
    try:
        _work = make_function()
    except Exception as error:
        # Raised here it would only break the pool; raised by a call it reaches the parent.
        _work = functools.partial(_raise, error)


def _keep_to_one_thread():
    """OpenMP's threads are not forked along, and whatever asks for them waits for ever."""
    with contextlib.suppress(ModuleNotFoundError):  # what brings OpenMP brings this
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)


def _end_with(parent):
    """A killed parent leaves its workers waiting for ever; end them."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _raise(error, _):
    raise error


def _call_all(items):
    return [_work(item) for item in items]
