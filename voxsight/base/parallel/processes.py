"""What a process needs to share the machine with others and to be stopped cleanly."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

KEPT_BYTES = 32 * 2**20  # freed memory up to this stays with the process
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # options of mallopt(3)
_PARENT_DEATH_SIGNAL = 1  # option of prctl(2)
_is_worker = False


def available_cores() -> int:
    """Number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def prepare_process() -> None:
    """Prepare this process, and the workers that it will start, to share the machine.

    The numeric libraries stay on one thread, if NumPy is not imported yet. Freed memory is
    kept for the next array: returning it to the system and asking for it again takes longer
    than computing what goes into it. Ctrl-C waits for blocks that are `uninterrupted`.
    """
    if (threading.current_thread() is threading.main_thread()
            and signal.getsignal(signal.SIGINT) is signal.default_int_handler):
        signal.signal(signal.SIGINT, _Interrupts.arrive)
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    mallopt = _libc_function("mallopt")
    for option in (_TRIM_THRESHOLD, _MMAP_THRESHOLD) if mallopt else ():
        mallopt(option, KEPT_BYTES)


def return_freed_memory() -> None:
    """Return to the system what was freed, where the C library can; for after much was loaded."""
    if trim := _libc_function("malloc_trim"):
        trim(0)


def become_worker() -> None:
    """Turn this process into a worker: it ends with its parent, which alone handles Ctrl-C."""
    global _is_worker
    _is_worker = True
    _end_with_parent()
    with contextlib.suppress(ValueError):  # not in the main thread
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_threads()


class _Interrupts:
    """Ctrl-C, held back while a library runs that would lose it."""

    held = 0  # blocks that must end first
    waiting = False

    @classmethod
    def arrive(cls, signum: int, frame: FrameType | None) -> None:
        if not cls.held:
            raise KeyboardInterrupt
        cls.waiting = True


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Let the block finish before Ctrl-C takes effect.

    Python prints and forgets an exception that is raised while C code calls back into it.
    Needs `prepare_process`. Signals reach the main thread only, so nothing happens in others.
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


def is_worker() -> bool:
    """Whether this process is a worker, whose death costs no more than its item."""
    return _is_worker


@contextlib.contextmanager
def time_limit(cpu_s: float, wall_s: float) -> Iterator[None]:
    """Kill this worker process if the block computes for longer than `cpu_s`, or takes `wall_s`.

    Only the item that it was working on is lost. In other processes, and on systems without
    interval timers, nothing happens.
    """
    armed = _is_worker and hasattr(signal, "setitimer")
    limits = ((signal.ITIMER_PROF, cpu_s), (signal.ITIMER_REAL, wall_s)) if armed else ()
    for timer, seconds in limits:
        signal.setitimer(timer, seconds)
    try:
        yield
    finally:
        for timer, _ in limits:
            signal.setitimer(timer, 0)


def _libc_function(name: str) -> Any:
    """A function of the C library, or None where there is none of that name."""
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None


def _end_with_parent() -> None:
    """A killed parent would leave its workers, and the locks they inherited, behind."""
    parent = os.getppid()
    if prctl := _libc_function("prctl"):
        prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    threading.Thread(target=_watch_parent, args=(parent,), daemon=True).start()


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Let the block compute on one thread, in the libraries that are loaded by then."""
    limits: contextlib.AbstractContextManager = contextlib.nullcontext()
    with contextlib.suppress(ModuleNotFoundError):  # every package with OpenMP installs it
        import threadpoolctl

        limits = threadpoolctl.threadpool_limits(1)
    torch = sys.modules.get("torch")
    threads = torch.get_num_threads() if torch else 1
    with limits:
        try:
            if torch:
                torch.set_num_threads(1)
            yield
        finally:
            if torch:
                torch.set_num_threads(threads)


def _limit_threads() -> None:
    """OpenMP's threads do not survive a fork, and code that waits for them hangs."""
    with contextlib.suppress(ModuleNotFoundError):  # every package with OpenMP installs it
        import threadpoolctl

        threadpoolctl.threadpool_limits(1)
    if "torch" in sys.modules:  # whose MKL is linked in, where threadpoolctl does not see it
        sys.modules["torch"].set_num_threads(1)
