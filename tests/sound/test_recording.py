import math
import re

import av
import numpy as np
import pytest
import scipy.signal
import soundfile
import soxr

from voxsight.errors import RecordingError
from voxsight.sound import signal, writing
from voxsight.sound.recording import Recording


def tone(rate, seconds=1.0, hz=440.0, amplitude=0.5):
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(round(rate * seconds)) / rate)).astype(
        np.float32)


def loudest_hz(samples, rate):
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return spectrum.argmax() * rate / len(samples)


def write_with_ffmpeg(path, samples, rate, codec):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="flt", layout="mono")
        frame.rate, frame.pts = rate, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


@pytest.mark.parametrize("form, subtype", [
    ("WAV", "PCM_U8"), ("WAV", "PCM_16"), ("WAV", "PCM_24"), ("WAV", "PCM_32"), ("WAV", "FLOAT"),
    ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("MP3", "MPEG_LAYER_III")])
def test_reads_what_libsndfile_writes(tmp_path, form, subtype):
    path = tmp_path / f"tone.{form.lower()}"
    soundfile.write(path, tone(44_100), 44_100, format=form, subtype=subtype)
    samples, rate = Recording(path).read(16_000), 16_000
    assert rate == 16_000
    # FFmpeg leaves out the first block of Vorbis, in which its windows do not overlap yet.
    assert len(samples) == pytest.approx(16_000, abs=50 if form == "OGG" else 2)
    assert loudest_hz(samples, rate) == pytest.approx(440, abs=2)
    assert np.abs(samples[2000:-2000]).max() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("name, codec, rate", [
    ("tone.m4a", "aac", 44_100), ("tone.webm", "libopus", 48_000), ("tone.aac", "aac", 44_100)])
def test_reads_what_ffmpeg_writes(tmp_path, name, codec, rate):
    write_with_ffmpeg(tmp_path / name, tone(rate), rate, codec)
    samples = Recording(tmp_path / name).read()
    assert loudest_hz(samples, rate) == pytest.approx(440, abs=2)
    if not name.endswith(".aac"):  # a bare AAC stream does not say how long it is
        assert len(samples) == rate


def test_m4a_starts_where_the_sound_starts(tmp_path):
    click = np.zeros(44_100, np.float32)
    click[22_050:22_150] = 0.9
    write_with_ffmpeg(tmp_path / "click.m4a", click, 44_100, "aac")
    samples = Recording(tmp_path / "click.m4a").read(remove_dc=False)
    assert np.abs(samples).argmax() == pytest.approx(22_100, abs=120)


@pytest.mark.parametrize("rate", [4_000, 8_000, 22_050, 96_000, 192_000])
@pytest.mark.parametrize("channels", [1, 6])
def test_any_rate_and_channels(tmp_path, rate, channels):
    soundfile.write(tmp_path / "a.wav", np.stack([tone(rate)] * channels, 1), rate)
    samples = Recording(tmp_path / "a.wav").read(16_000)
    assert len(samples) == pytest.approx(16_000, abs=2)
    assert loudest_hz(samples, 16_000) == pytest.approx(440, abs=2)


def test_blocks_are_the_whole(tmp_path, rng):
    noise = rng.normal(scale=0.1, size=44_100 * 11).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 44_100, subtype="FLOAT")
    recording = Recording(tmp_path / "a.wav")
    blocks = list(recording.blocks(16_000, remove_dc=False))
    assert len(blocks) > 2
    whole = soxr.resample(noise, 44_100, 16_000)
    np.testing.assert_allclose(np.concatenate(blocks), whole, atol=1e-5)
    assert recording.duration_s == pytest.approx(11)


def test_high_pass_is_the_recursion(rng):
    rate, noise = 16_000, rng.normal(size=50_001).astype(np.float32) + 0.7
    blocks = [noise[:17], noise[17:30_000], noise[30_000:]]
    found = np.concatenate(list(signal.high_pass(blocks, rate)))
    a = math.exp(-2 * math.pi * signal.DC_CUTOFF_HZ / rate)
    start = noise[: rate // 4].mean()
    mean, _ = scipy.signal.lfilter([1 - a], [1, -a], noise.astype(float), zi=[a * start])
    np.testing.assert_allclose(found, noise - mean, atol=2e-5)


@pytest.mark.parametrize("cuts", [[1], range(1, 2_000), [50, 3_999, 4_000, 30_000]])
def test_high_pass_does_not_depend_on_the_blocks(rng, cuts):
    drifting = (np.linspace(0.5, -0.3, 40_000) + rng.normal(scale=0.1, size=40_000)).astype(
        np.float32)
    whole = np.concatenate(list(signal.high_pass([drifting], 16_000)))
    parts = np.concatenate(list(signal.high_pass(np.split(drifting, cuts), 16_000)))
    np.testing.assert_allclose(parts, whole, atol=1e-6)


def test_offset_is_removed_and_level_kept(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16_000, amplitude=0.2) + 0.5, 16_000)
    samples = Recording(tmp_path / "a.wav").read()
    assert abs(samples.mean()) < 1e-3
    assert np.abs(samples[4000:-4000]).max() == pytest.approx(0.2, abs=0.01)


def mixed(*parts):
    """The mono mix of some parts of a recording, at 8 kHz."""
    recording = Recording.of(np.concatenate(parts), 8_000)
    return recording.read(remove_dc=False)


def test_mono():
    left, right = tone(8_000, hz=300), tone(8_000, hz=500)
    silent = np.zeros_like(left)
    for channels, expected in (((left, right), (left + right) / 2), ((left, -left), left),
                               ((silent, left), left), ((silent, silent), silent)):
        np.testing.assert_allclose(mixed(np.stack(channels, 1)), expected, atol=1e-7)


def test_channels_are_mixed_in_one_way_from_start_to_end():
    voice = tone(8_000, seconds=5)
    calls = [np.stack([voice, voice * np.float32(10 ** (level_db / 20))], 1)
             for level_db in (-60, -34, -60)]  # crosstalk that comes and goes
    levels = [np.abs(part).max() for part in np.split(mixed(*calls), 3)]
    assert levels == pytest.approx([levels[0]] * 3, rel=0.03)
    in_phase, opposite = np.stack([voice, voice], 1), np.stack([voice, -voice], 1)
    np.testing.assert_array_equal(mixed(in_phase, opposite[:4000]),
                                  np.concatenate([voice, voice[:4000]]))


def test_a_long_recording_of_several_channels_is_decoded_twice(tmp_path, rng, monkeypatch):
    stereo = rng.normal(scale=0.1, size=(8_000 * 11, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", stereo, 8_000, subtype="FLOAT")
    at_once = Recording(tmp_path / "a.wav").read()
    monkeypatch.setattr("voxsight.sound.recording.MIXED_AT_ONCE", 100_000)
    np.testing.assert_array_equal(Recording(tmp_path / "a.wav").read(), at_once)


def test_stored_integers_come_back(tmp_path, rng):
    stored = rng.integers(-32768, 32768, 4000).astype(np.int16)
    soundfile.write(tmp_path / "a.wav", stored, 48_000, subtype="PCM_16")
    samples = Recording(tmp_path / "a.wav").read(remove_dc=False)
    np.testing.assert_array_equal(samples * 32768, stored)


def test_write_wav_round_trip_and_clips(tmp_path):
    writing.write_wav(tmp_path / "new" / "a.wav", np.array([0.0, 0.5, 1.5, -2.0]), 8_000)
    stored, rate = soundfile.read(tmp_path / "new" / "a.wav", dtype="int16")
    assert rate == 8_000
    assert stored.tolist() == [0, 16384, 32767, -32768]


@pytest.mark.parametrize("content, what", [
    (b"", "empty file"),
    (b"these are words, not sound\n" * 20, "no sound"),
    (b"RIFF\x24\x00\x00\x00WAVEfmt \x10", "no sound"),
])
def test_no_sound_in_it(tmp_path, content, what):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=what) as error:
        Recording(path).read()
    assert re.match(rf"{re.escape(str(path))}: .*, expected .*, .*", str(error.value))


def test_nan_no_samples_folder_missing(tmp_path):
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), 16_000, subtype="FLOAT")
    soundfile.write(tmp_path / "none.wav", np.zeros(0), 16_000)
    for name, what in (("nan.wav", "NaN"), ("none.wav", "without samples"), ("", "a folder"),
                       ("missing.wav", "no such file")):
        with pytest.raises(RecordingError, match=what):
            Recording(tmp_path / name).read()


def test_a_recording_cut_short_is_read_up_to_there(tmp_path):
    soundfile.write(tmp_path / "a.wav", tone(16_000), 16_000)
    whole = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(whole[: 44 + 16_000])
    assert len(Recording(tmp_path / "a.wav").read()) == 8_000


def test_errors_survive_the_way_between_processes():
    import pickle

    error = RecordingError("a.wav", "found this", "that", "do so")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.path, copy.reason) == (str(error), error.path, error.reason)
