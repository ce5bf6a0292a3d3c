import functools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading

import pytest

from voxsight.base.parallel.processes import time_limit
from voxsight.base.parallel.workers import ahead, ordered_map
from voxsight.errors import UsageError


def make(deadly=(), endless=(), waiting=()):
    return functools.partial(square, deadly=deadly, endless=endless, waiting=waiting)


def square(item, deadly, endless, waiting):
    if item in deadly:
        os.kill(os.getpid(), signal.SIGKILL)
    with time_limit(0.2, 30 if item in endless else 0.4):
        while item in endless:
            pass
        if item in waiting:
            threading.Event().wait()
    return item * item


@pytest.mark.parametrize("jobs", [1, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 3))])
@pytest.mark.parametrize("n", [0, 1, 5, 300])
def test_results_come_in_order(jobs, n):
    assert list(ordered_map(make, range(n), jobs)) == [i * i for i in range(n)]


@pytest.mark.slow
def test_a_death_loses_its_item_alone():
    deadly, endless, waiting = (0, 7, 8, 99), (23,), (42,)
    lost = (*deadly, *endless, *waiting)
    results = ordered_map(functools.partial(make, deadly, endless, waiting), range(100), 2,
                          lost=lambda item: f"lost {item}")
    assert list(results) == [f"lost {i}" if i in lost else i * i for i in range(100)]


class Counted(list):
    """Counts how often a part of it is asked for."""

    taken = 0

    def __getitem__(self, part):
        self.taken += 1
        return super().__getitem__(part)


@pytest.mark.slow
def test_items_are_taken_as_results_are_wanted():
    """A generator that is left does not leave work behind."""
    items = Counted(range(10_000))
    results = ordered_map(make, items, 2)
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    assert 0 < items.taken < 20  # of hundreds of parts
    results.close()


def test_the_next_item_is_made_meanwhile():
    made = threading.Semaphore(0)

    def items():
        for i in range(5):
            made.release()
            yield i

    for i, item in enumerate(ahead(items())):
        assert item == i
        if i < 4:  # blocks for ever unless another thread makes the next one
            assert made.acquire(timeout=60) and made.acquire(timeout=60)
            made.release()


def test_an_error_ahead_reaches_the_user():
    def items():
        yield 1
        raise UsageError("broken")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(UsageError, match="broken"):
        next(found)


@pytest.mark.slow
def test_what_keeps_a_process_from_starting_reaches_the_caller():
    with pytest.raises(UsageError, match="no such model"):
        list(ordered_map(refuse, range(10), 2, lost=str))


def refuse():
    raise UsageError("no such model")


@pytest.mark.slow
def test_ctrl_c_waits_for_what_would_swallow_it():
    """Python raises in a callback from C are lost; held back, the interrupt comes after."""
    code = """if True:
        import ctypes, os, signal
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job has none
        from voxsight.base.parallel.processes import prepare_process, uninterrupted
        prepare_process()
        compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)(
            lambda a, b: os.kill(os.getpid(), signal.SIGINT) or 0)
        values = (ctypes.c_int * 2)(2, 1)
        try:
            with uninterrupted():
                ctypes.CDLL(None).qsort(values, 2, 4, compare)
                print("ended")
            print("lost")
        except KeyboardInterrupt:
            print("heeded")
        try:
            os.kill(os.getpid(), signal.SIGINT)
            print("lost")
        except KeyboardInterrupt:
            print("at once")
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split("\n")[:3] == ["ended", "heeded", "at once"], done.stderr
    assert not done.stderr


THREADED = {
    "torch": "import torch\n"
             "torch.set_num_threads(2)\n"
             "def answer(n): return n * bool(torch.ones(10**6).sum() == 10**6)\n",
    "torch's MKL": "import torch\n"
                   "torch.set_num_threads(2)\n"
                   "x = torch.ones(512, 512)\n"
                   "def answer(n): return n * bool((x @ x).sum() == 512**3)\n",
    "scikit-learn": "import numpy as np\n"
                    "from sklearn.ensemble import HistGradientBoostingClassifier\n"
                    "x = np.arange(20_000.0)[:, None]\n"
                    "model = HistGradientBoostingClassifier(max_iter=5).fit(x, x[:, 0] > 9_999)\n"
                    "def answer(n): return n * bool(model.predict([[2e4]])[0])\n"}


@pytest.mark.slow
@pytest.mark.skipif(multiprocessing.get_start_method() != "fork", reason="processes start anew")
@pytest.mark.parametrize("library", THREADED)
def test_threads_that_a_process_had_are_not_waited_for(library):
    code = (THREADED[library] + "from voxsight.base.parallel.workers import ordered_map\n"
            "print(answer(1), *ordered_map(lambda: answer, [2, 3], 2))\n")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
                          env={**os.environ, "OMP_NUM_THREADS": "2"})
    assert done.stdout == "1 2 3\n", done.stderr
