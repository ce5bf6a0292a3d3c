"""A recording from the microphone, through PortAudio."""

import contextlib
import dataclasses
import sys
import time

import numpy as np

from voxsight.audio import write_wav
from voxsight.errors import UsageError

FULL_SCALE = 0.999  # peaks from here on were cut off
SILENT = 0.003  # peaks below, -50 dB, are the noise of an idle input


@dataclasses.dataclass(frozen=True)
class Take:
    """A finished recording and what is wrong with it, if anything."""

    path: str
    peak: float
    warnings: tuple


def devices():
    """Input devices as (number, name, channels, default rate in Hz).

    Raises
    ------
    UsageError
        if PortAudio is missing
    """
    sounddevice = _sounddevice()
    return [(number, device["name"], device["max_input_channels"],
             int(device["default_samplerate"]))
            for number, device in enumerate(sounddevice.query_devices())
            if device["max_input_channels"] > 0]


def record(path, seconds=1.0, rate=48_000, device=None, countdown=3):
    """Count down, record one channel and write it as 16-bit PCM WAV.

    Parameters
    ----------
    path : str or os.PathLike
        WAV to write
    seconds : float
    rate : int
        Hz
    device : int or str, optional
        number or name of an input device; the system's default otherwise
    countdown : int
        seconds to count down on stderr

    Returns
    -------
    Take

    Raises
    ------
    UsageError
        if there is no microphone, no PortAudio, or the device cannot do this
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
def input_stream(rate, device, size, arrive):
    """Hear a microphone while the block runs.

    Parameters
    ----------
    rate : int
        Hz
    device : int or str, optional
    size : int
        samples at a time
    arrive : callable
        is given, in another thread, float32 samples of shape (size,)

    Raises
    ------
    UsageError
        if there is no microphone, no PortAudio, or the device cannot do this
    """
    sounddevice = _checked_sounddevice(device, rate)

    def callback(samples, frames, times, status):
        arrive(samples[:, 0].copy())

    try:
        with contextlib.closing(sounddevice.InputStream(
                rate, size, device, 1, "float32", "low", callback=callback)) as stream:
            stream.start()
            yield
            stream.abort()  # what is on its way is not waited for: the device may have gone
    except sounddevice.PortAudioError as error:
        raise UsageError(_no_input(device, rate, error)) from error


def level_warnings(peak):
    """What a peak between 0 and 1 says about the level of a recording."""
    if peak >= FULL_SCALE:
        return ("the recording is clipped: move away from the microphone or lower its gain",)
    if peak < SILENT:
        return ("the recording is silent: unmute the microphone, raise its gain or choose "
                "another with --device",)
    return ()


def _no_input(device, rate, error):
    which = "no default microphone" if device is None else f"no usable input device {device!r}"
    known = ", ".join(f"{number}: {name}" for number, name, *_ in devices()) or "none"
    return (f"found {which} at {rate} Hz ({error}), expected one that records; connect a "
            f"microphone or name one with --device (inputs: {known})")


def _count_down(seconds):
    for left in range(seconds, 0, -1):
        print(f"{left} ...", file=sys.stderr, flush=True)
        time.sleep(1)
    print("speak now", file=sys.stderr, flush=True)


def _checked_sounddevice(device, rate):
    """The library, if the device records at this rate."""
    sounddevice = _sounddevice()
    try:
        sounddevice.check_input_settings(device=device, channels=1, samplerate=rate)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise UsageError(_no_input(device, rate, error)) from error
    return sounddevice


def _sounddevice():
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise UsageError("sounddevice is not installed, expected it for recording; run: "
                         "pip install 'voxsight[record]'") from error
    except OSError as error:  # the package is there, the library it binds is not
        raise UsageError(f"{error}, expected PortAudio for recording; install it (Debian and "
                         "Ubuntu: apt install libportaudio2, macOS: brew install "
                         "portaudio)") from error
    return sounddevice
