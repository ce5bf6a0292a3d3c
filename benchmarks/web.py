"""The web page's server: its start, its memory, fifty requests at once, and thousands in a row."""

import concurrent.futures
import json
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path
from statistics import median

import psutil

from benchmarks import processes, sounds
from benchmarks.rows import row

AT_ONCE, MANY, SECONDS = 50, 2_000, 2.0
FLAT_MB = 15  # growth of memory that a page which is left to run may have, in megabytes


def measure(work):
    """Rows of the table."""
    sounds.voices(work / "voices", AT_ONCE, SECONDS)
    recordings = sorted(Path(work / "voices").rglob("*.wav"))
    start = time.perf_counter()
    server = subprocess.Popen([sys.executable, processes.ROOT / "scripts/serve_web.py", "--port",
                               "0"], stdout=subprocess.PIPE, text=True, cwd=processes.ROOT)
    try:
        url = server.stdout.readline().strip() + "api/classify"
        idle = _resident_mb(server.pid)
        _ask(url, recordings[0])
        yield row("web page, start to first answer", time.perf_counter() - start, ".2f", " s",
                  at_most=3)
        yield row("web page, memory before the first request", sum(idle), ".0f", " MB",
                  f"{idle[0]:.0f} MB of the server, the rest of its decoder", at_most=300)
        alone = [_ask(url, path)[0] for path in recordings[:9]]
        yield row(f"web page, one recording of {SECONDS:g} s, loaded", median(alone), ".2f", " s",
                  "median of 9", at_most=1)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda path: _ask(url, path), recordings))
            own = sum(name == path.name for (_, name), path in zip(found, recordings))
            yield row(f"web page, {AT_ONCE} at once, median", median(s for s, _ in found), ".2f",
                      " s", f"{own} of {AT_ONCE} answered with their own, "
                      f"slowest {max(s for s, _ in found):.2f} s", at_most=1.5)
        before = sum(_resident_mb(server.pid))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: _ask(url, recordings[i % AT_ONCE]), range(MANY)))
        after = sum(_resident_mb(server.pid))
        yield row(f"web page, growth of memory over {MANY} requests", after - before, "+.0f",
                  " MB", f"{before:.0f} to {after:.0f} MB, decoders included", at_most=FLAT_MB)
    finally:
        server.terminate()
        server.wait()


def _ask(url, path):
    """Seconds that an answer took, and the name in it."""
    boundary = uuid.uuid4().hex
    head = (f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{path.name}"\r\n\r\n')
    body = head.encode() + path.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
    request = urllib.request.Request(url, body, {
        "Content-Type": f"multipart/form-data; boundary={boundary}"})
    start = time.perf_counter()
    with urllib.request.urlopen(request) as response:
        (row,) = json.loads(response.read())
    return time.perf_counter() - start, row["path"]


def _resident_mb(pid):
    """Of a process, and of all that it started."""
    process = psutil.Process(pid)
    return process.memory_info().rss / 1e6, sum(
        child.memory_info().rss for child in process.children(recursive=True)) / 1e6
