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

AT_ONCE, MANY, SECONDS = 50, 2_000, 2.0


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
        yield {"what": "web page, start to first answer", "bar": "within 3 s",
               "found": f"{time.perf_counter() - start:.2f} s", "note": ""}
        yield {"what": "web page, memory before the first request", "bar": "at most 300 MB",
               "found": f"{sum(idle):.0f} MB",
               "note": f"{idle[0]:.0f} MB of the server, the rest of its decoder"}
        alone = [_ask(url, path)[0] for path in recordings[:9]]
        yield {"what": f"web page, one recording of {SECONDS:g} s, loaded", "bar": "within 1 s",
               "found": f"{median(alone):.2f} s", "note": "median of 9"}
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            found = list(pool.map(lambda path: _ask(url, path), recordings))
            own = sum(name == path.name for (_, name), path in zip(found, recordings))
            yield {"what": f"web page, {AT_ONCE} at once", "bar": "median under 1.5 s",
                   "found": f"{median(s for s, _ in found):.2f} s",
                   "note": f"{own} of {AT_ONCE} answered with their own, "
                           f"slowest {max(s for s, _ in found):.2f} s"}
        before = sum(_resident_mb(server.pid))
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: _ask(url, recordings[i % AT_ONCE]), range(MANY)))
        after = sum(_resident_mb(server.pid))
        yield {"what": f"web page, memory over {MANY} requests", "bar": "flat",
               "found": f"{after - before:+.0f} MB",
               "note": f"{before:.0f} to {after:.0f} MB, decoders included"}
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
