"""Commands as users run them, with their time and memory."""

import dataclasses
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished process: wall seconds, peak memory of its largest process in MiB, stdout."""

    seconds: float
    peak_mib: float
    stdout: str


def script(name, *args, cores=None):
    """Run a script of ``scripts/``; on `cores` cores, by default all."""
    return run([ROOT / "scripts" / f"{name}.py", *args, "--quiet"], cores)


def run(args, cores=None):
    """Run a Python file with arguments.

    Raises
    ------
    RuntimeError
        with what it said, if it failed
    """
    available = sorted(os.sched_getaffinity(0))

    def limited():
        os.sched_setaffinity(0, available[:cores])

    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen([sys.executable, *map(str, args)], stdout=out, stderr=said,
                                   preexec_fn=limited)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        if process.returncode:
            said.seek(0)
            raise RuntimeError(f"{args[0]} ended with {process.returncode}: {said.read()[-2000:]}")
        return Run(seconds, usage.ru_maxrss / 1024, out.read())
