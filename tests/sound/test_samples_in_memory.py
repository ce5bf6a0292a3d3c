"""Recordings of samples in memory are those of a file, to the bit."""

import numpy as np
import pytest
import soundfile

from voxsight.errors import RecordingError
from voxsight.sound.recording import Recording


@pytest.mark.parametrize("kind", ["int16", "float32", "stereo", "list"])
@pytest.mark.parametrize("rate", [None, 8_000, 44_100])
def test_samples_read_as_from_a_file(kind, rate, tmp_path, rng):
    samples = rng.normal(0, 0.2, (30_000, 2 if kind == "stereo" else 1)).astype(np.float32)
    samples = (samples * 32768).astype(np.int16) if kind == "int16" else samples
    subtype = "PCM_16" if kind == "int16" else "FLOAT"
    soundfile.write(tmp_path / "a.wav", samples, 16_000, subtype=subtype)
    given = samples[:, 0] if kind != "stereo" else samples
    from_file = Recording(tmp_path / "a.wav")
    in_memory = Recording.of(given.tolist() if kind == "list" else given, 16_000)
    assert in_memory.stored_as_integers == from_file.stored_as_integers == (kind == "int16")
    np.testing.assert_array_equal(in_memory.read(rate), from_file.read(rate))
    assert in_memory.duration_s == from_file.duration_s == 30_000 / 16_000
    assert in_memory.n_nonzero == from_file.n_nonzero


def test_a_loaded_recording_is_read_again_without_its_file(tmp_path, rng):
    samples = rng.normal(0, 0.1, (200_000, 2))
    soundfile.write(tmp_path / "a.flac", samples, 16_000)
    expected = Recording(tmp_path / "a.flac").read()
    recording = Recording(tmp_path / "a.flac").load()
    (tmp_path / "a.flac").unlink()
    for _ in range(2):
        np.testing.assert_array_equal(recording.read(), expected)
        assert recording.n_samples == 200_000
    blocks = [len(block) for block in recording.blocks(remove_dc=False)]
    assert blocks == [64_000, 64_000, 64_000, 8_000]


@pytest.mark.parametrize(("samples", "rate", "error", "words"), [
    (np.zeros((0,)), 16_000, ValueError, "shape"),
    (np.zeros((2, 2, 2)), 16_000, ValueError, "shape"),
    (np.zeros(9), 0, ValueError, "rate"), (np.zeros(9), 1_000, RecordingError, "sampling rate"),
    (np.zeros((9, 65)), 16_000, RecordingError, "65 channels")])
def test_impossible_samples_are_refused(samples, rate, error, words):
    with pytest.raises(error, match=words):
        Recording.of(samples, rate)


def test_nan_is_refused_when_read():
    with pytest.raises(RecordingError, match="NaN"):
        Recording.of([0.0, float("nan")], 16_000).read()
