"""How long after a sound its answer stands in the terminal."""

import os
import signal
import subprocess
import sys
import time
from statistics import median

import numpy as np
import soundfile

from benchmarks import processes
from benchmarks.microphone import playing, virtual_microphone
from benchmarks.rows import row
from voxsight.answer.live import STEP_S

TIMES = 20
HEARD = 0.01  # the level, of 1, at which the meter shows three marks


def measure(work):
    """Rows of the table."""
    voice, rate = soundfile.read(processes.ROOT / "my_wavs/slt_fox.wav")
    voice = voice[np.argmax(np.abs(voice) > HEARD):]  # its silence at the start is no delay
    soundfile.write(work / "voice.wav", np.tile(voice, 20), rate)
    with virtual_microphone() as microphone:
        found = [_delays(work / "voice.wav", microphone, i / TIMES * STEP_S)
                 for i in range(TIMES)]
    seen, answered = (median(delays) for delays in zip(*found))
    slowest = max(s for s, _ in found)
    yield row("live: from the start of playing to a line that has heard it", seen, ".2f", " s",
              f"median of {TIMES}, slowest {slowest:.2f} s; at times spread over a step",
              at_most=0.5)
    yield row("live: from the start of playing to the right label", answered, ".2f", " s",
              f"median of {TIMES}; the label waits for as much speech as it needs to be sure")


def _delays(path, microphone, wait_s):
    """Seconds until the level, and until the label, is seen, if played so long after a line."""
    live = subprocess.Popen([sys.executable, processes.ROOT / "scripts/record_wav.py", "--live"],
                            stdout=subprocess.PIPE, text=True, cwd=processes.ROOT,
                            env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        for _ in range(10):  # two seconds of silence
            live.stdout.readline()
        time.sleep(wait_s)
        with playing(path, microphone):
            start, seen = time.perf_counter(), None
            for line in live.stdout:
                delay = time.perf_counter() - start
                if seen is None and line.startswith("[###"):
                    seen = delay
                if "] " in line and " female " in line:
                    return seen, delay
        raise AssertionError("the stream ended before an answer")
    finally:
        live.send_signal(signal.SIGINT)
        live.wait()
