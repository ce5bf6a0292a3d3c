"""Recording from the microphone, through PortAudio."""

import contextlib
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np

from voxsight.errors import UsageError
from voxsight.sound.writing import write_wav

FULL_SCALE = 0.999  # peaks from here on are clipped
SILENT = 0.003  # peaks below it, -50 dB, are the noise of an idle input


@dataclasses.dataclass(frozen=True)
class Take:
    """A finished recording.

    Attributes
    ----------
    path : str
        The WAV file.
    peak : float
        Largest absolute sample, from 0 to 1.
    warnings : tuple of str
        What is wrong with its level, if anything.
    """

    path: str
    peak: float
    warnings: tuple[str, ...]


def devices() -> list[tuple[int, str, int, int]]:
    """Input devices.

    Returns
    -------
    list of (int, str, int, int)
        Number, name, channels and default sampling rate in Hz of each.

    Raises
    ------
    UsageError
        If PortAudio is missing.
    """
    sounddevice = _sounddevice()
    return [(number, device["name"], device["max_input_channels"],
             int(device["default_samplerate"]))
            for number, device in enumerate(sounddevice.query_devices())
            if device["max_input_channels"] > 0]


def record(path: str | os.PathLike, seconds: float = 1.0, rate: int = 48_000,
           device: int | str | None = None, countdown: int = 3) -> Take:
    """Count down, record one channel and write it as 16-bit PCM WAV.

    Parameters
    ----------
    path : str or os.PathLike
        The WAV file to write.
    seconds : float
        Duration of the recording.
    rate : int
        Sampling rate, Hz.
    device : int or str, optional
        Number or name of an input device (default: that of the system).
    countdown : int
        Seconds to count down on stderr.

    Returns
    -------
    Take

    Raises
    ------
    UsageError
        If there is no microphone or no PortAudio, or the device does not support this rate.
    """
    sounddevice = _checked_sounddevice(device, rate)
    _count_down(countdown)
    try:
        samples = sounddevice.rec(round(seconds * rate), samplerate=rate, channels=1,
                                  device=device, dtype="float32", blocking=True)[:, 0]
    except sounddevice.PortAudioError as error:
        raise UsageError(_no_input(device, rate, error)) from error
    print("done", file=sys.stderr)
    write_wav(path, samples, rate)
    peak = float(np.abs(samples).max())
    return Take(str(path), peak, level_warnings(peak))


@contextlib.contextmanager
def input_stream(rate: int, device: int | str | None, size: int,
                 receive: Callable[[np.ndarray], object]) -> Iterator[None]:
    """Record from a microphone while the block runs.

    Parameters
    ----------
    rate : int
        Sampling rate, Hz.
    device : int or str, optional
        Number or name of an input device; None is that of the system.
    size : int
        Samples per call of `receive`.
    receive : callable
        Called in another thread with float32 samples, shape (size,).

    Raises
    ------
    UsageError
        If there is no microphone or no PortAudio, or the device does not support this rate.
    """
    sounddevice = _checked_sounddevice(device, rate)

    def callback(samples: np.ndarray, frames: int, times: Any, status: Any) -> None:
        receive(samples[:, 0].copy())

    try:
        with contextlib.closing(sounddevice.InputStream(
                rate, size, device, 1, "float32", "low", callback=callback)) as stream:
            stream.start()
            yield
            stream.abort()  # does not wait for pending samples: the device may be unplugged
    except sounddevice.PortAudioError as error:
        raise UsageError(_no_input(device, rate, error)) from error


def level_warnings(peak: float) -> tuple[str, ...]:
    """Warnings about the level of a recording.

    Parameters
    ----------
    peak : float
        Its largest absolute sample, from 0 to 1.

    Returns
    -------
    tuple of str
        Empty if the level is good.

    Examples
    --------
    >>> level_warnings(0.5), len(level_warnings(1.0))
    ((), 1)
    """
    if peak >= FULL_SCALE:
        return ("the recording is clipped: move away from the microphone or lower its gain",)
    if peak < SILENT:
        return ("the recording is silent: unmute the microphone, raise its gain or choose "
                "another with --device",)
    return ()


def _no_input(device: int | str | None, rate: int, error: Exception) -> str:
    which = "no default microphone" if device is None else f"no usable input device {device!r}"
    known = ", ".join(f"{number}: {name}" for number, name, *_ in devices()) or "none"
    return (f"found {which} at {rate} Hz ({error}), expected one that records; connect a "
            f"microphone or name one with --device (inputs: {known})")


def _count_down(seconds: int) -> None:
    for left in range(seconds, 0, -1):
        print(f"{left} ...", file=sys.stderr, flush=True)
        time.sleep(1)
    print("speak now", file=sys.stderr, flush=True)


def _checked_sounddevice(device: int | str | None, rate: int) -> ModuleType:
    """The library, if the device supports this rate."""
    sounddevice = _sounddevice()
    try:
        sounddevice.check_input_settings(device=device, channels=1, samplerate=rate)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UsageError(_no_input(device, rate, error)) from error
    return sounddevice


def _sounddevice() -> ModuleType:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise UsageError("sounddevice is not installed, expected it for recording; run: "
                         "pip install sounddevice") from error
    except OSError as error:  # the package is installed, but not the library that it needs
        raise UsageError(f"{error}, expected PortAudio for recording; install it (Debian and "
                         "Ubuntu: apt install libportaudio2, macOS: brew install "
                         "portaudio)") from error
    return sounddevice
