"""What Python programs hold a recording in, told apart and opened."""

import contextlib
import inspect
import io
import numbers
import os
from collections.abc import Iterable, Iterator, Mapping
from typing import IO, Any

import numpy as np

from voxsight.sound.recording import Recording

Source = (str | os.PathLike | Recording | IO[bytes] | bytes | bytearray | memoryview
          | tuple[Any, Any] | Mapping[str, Any])
EXPECTED = ("a path, a file object that is open for reading bytes, the bytes of a sound file, "
            "(samples, rate), {'array': samples, 'sampling_rate': rate}, {'path': ...} or "
            "{'bytes': ...}")


def is_many(source: Any) -> bool:
    """Whether something holds recordings, and is not one.

    Lists, generators and whatever else can be gone through, but for a pair of samples and rate.
    """
    if (isinstance(source, str | os.PathLike | bytes | bytearray | memoryview | Mapping)
            or hasattr(source, "read") or _is_pair(source)):
        return False
    if hasattr(source, "dtype"):  # numbers are samples; a column of a table holds paths
        return np.asarray(_on_cpu(source)).dtype.kind in "OUT"
    return isinstance(source, Iterable)


def name_of(source: Source) -> str:
    """The caller's name for a recording; empty if it has none.

    Raises
    ------
    TypeError
        If it is no recording.
    """
    if isinstance(source, Recording):
        return source.path
    if isinstance(source, str | os.PathLike):
        return str(os.fsdecode(source))
    if isinstance(source, Mapping) and {"array", "bytes", "path"} & source.keys():
        name = source.get("path")
        return str(os.fsdecode(name)) if isinstance(name, str | os.PathLike) else ""
    if isinstance(source, bytes | bytearray | memoryview) or _is_pair(source):
        return ""
    if hasattr(source, "get_all_samples"):
        return ""
    if hasattr(source, "read") and not isinstance(source, io.TextIOBase):
        name = getattr(source, "name", "")  # a number, if it was opened from one
        return name if isinstance(name, str) else ""
    raise TypeError(f"found {_described(source)}, expected {EXPECTED}")


@contextlib.contextmanager
def opened(source: Source) -> Iterator[Recording]:
    """A recording of whatever kind, opened while the block runs.

    Parameters
    ----------
    source : str, os.PathLike, Recording, file object, bytes, tuple or mapping
        See `voxsight.classify`.

    Yields
    ------
    Recording

    Raises
    ------
    TypeError
        If it is no recording.
    ValueError
        If samples have another shape or type, the rate is below 1, or a file object is closed.
    RecordingError
        As `Recording`.
    """
    name_of(source)  # raises for what is no recording
    if isinstance(source, Recording):
        yield source
    elif isinstance(source, str | os.PathLike):
        with Recording(source) as recording:
            yield recording
    elif isinstance(source, Mapping):
        with opened(_of_mapping(source)) as recording:
            yield recording
    elif isinstance(source, tuple):
        yield _of_pair(*source)
    elif hasattr(source, "get_all_samples"):  # torchcodec's decoder, in newer data sets
        decoded = source.get_all_samples()
        yield _of_pair(decoded.data, decoded.sample_rate)
    else:
        file = source if hasattr(source, "read") else io.BytesIO(source)
        with _of_file(file) as recording:
            yield recording


def _of_mapping(source: Mapping[str, Any]) -> Source:
    """What of a row of a data set holds the sound; decoded samples before a file."""
    if source.get("array") is not None:
        if "sampling_rate" not in source:
            raise TypeError(f"found {_described(source)}, expected sampling_rate beside array")
        return source["array"], source["sampling_rate"]
    held = source.get("bytes")
    held = source.get("path") if held is None else held
    if held is None:
        raise TypeError(f"found {_described(source)}, but no sound in it, expected {EXPECTED}")
    return held


def _of_pair(first: Any, second: Any) -> Recording:
    """Samples and rate in either order: the number is the rate."""
    samples, rate = (second, first) if _is_number(first) else (first, second)
    try:
        array = np.asarray(_on_cpu(samples))
    except (TypeError, ValueError) as error:
        raise ValueError(f"found samples that are no array ({error}), expected numbers of shape "
                         "(n,), (n, channels) or (channels, n)") from error
    if array.dtype.kind not in "fiu":
        raise ValueError(f"found samples of type {array.dtype}, expected integers or floats")
    if array.ndim not in (1, 2) or not array.size:
        raise ValueError(f"found samples of shape {array.shape}, expected (n,), (n, channels) or "
                         "(channels, n) with n > 0")
    if not 1 <= float(rate) < float("inf"):
        raise ValueError(f"found a rate of {rate}, expected at least 1 Hz")
    # The longer side is time: no recording has more channels than samples.
    channels_first = array.ndim == 2 and array.shape[0] < array.shape[1]
    return Recording.of(array.T if channels_first else array, float(rate))


def _of_file(file: Any) -> Recording:
    """The recording in a file object, which is read from its start and left open."""
    if getattr(file, "closed", False):
        raise ValueError("found a closed file, expected one that is open for reading bytes")
    if inspect.iscoroutinefunction(file.read) or not isinstance(file.read(0), bytes):
        raise TypeError(f"found {_described(file)}, expected {EXPECTED}")
    if hasattr(file, "seek") and getattr(file, "seekable", lambda: True)():
        file.seek(0)
    return Recording(file)


def _is_pair(source: Any) -> bool:
    """Whether something is samples and rate, or rate and samples."""
    return (isinstance(source, tuple) and len(source) == 2
            and _is_number(source[0]) != _is_number(source[1])
            and not any(isinstance(side, str | os.PathLike) for side in source))


def _is_number(value: Any) -> bool:
    if isinstance(value, str | bytes | bool | np.bool_):
        return False
    return isinstance(value, numbers.Real) or getattr(value, "ndim", None) == 0


def _on_cpu(samples: Any) -> Any:
    """Samples as NumPy can take them; tensors may be on a GPU, or part of a graph."""
    if not hasattr(samples, "detach"):
        return samples
    samples = samples.detach().cpu()
    return samples.float() if samples.is_floating_point() else samples  # bfloat16 is unknown to it


def _described(source: Any) -> str:
    if source is None or _is_number(source):
        return repr(source)
    if isinstance(source, io.TextIOBase):
        return "a file that is open for reading text"
    if hasattr(source, "shape"):
        return f"an array of shape {tuple(source.shape)} without its sampling rate"
    if isinstance(source, Mapping):
        return f"a dictionary with {', '.join(map(str, source)) or 'nothing in it'}"
    if isinstance(source, tuple | list):
        kinds = ", ".join(type(item).__name__ for item in source[:3])
        return f"a {type(source).__name__} of {len(source)} ({kinds}{', ...' * (len(source) > 3)})"
    return f"an object of type {type(source).__name__}"
