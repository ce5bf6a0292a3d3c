import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS

from voxsight.errors import RecordingError
from voxsight.features.acoustic import (
    ALTERATIONS,
    RATE,
    FeatureConfig,
    describe,
    statistics_names,
    stretches,
)
from voxsight.features.storage import FeatureStore
from voxsight.sound.excerpts import CLOSE_S, speech_only
from voxsight.sound.recording import Recording

CONFIG = FeatureConfig()


def tone(hz, seconds=2.0, level=0.5):
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * RATE)) / RATE)
            ).astype(np.float32)


def named(samples):
    return dict(zip(statistics_names(), describe(samples, CONFIG)["statistics"]))


def test_statistics_of_a_tone_are_those_of_its_formula():
    found = named(tone(1000.0))
    assert found["zero-crossing rate, mean"] == pytest.approx(2 * 1000 / RATE, rel=0.03)
    assert found["centroid, mean"] == pytest.approx(1000, rel=0.02)
    assert found["rms, max"] == pytest.approx(0.5 / np.sqrt(2), rel=0.02)
    assert found["roll-off, mean"] == pytest.approx(1000, abs=2 * RATE / CONFIG.n_fft)
    assert found["flatness, mean"] < 1e-3


def test_noise_is_flat_and_wide(rng):
    noise, sine = (named(x) for x in (rng.normal(0, 0.1, 32_000).astype(np.float32), tone(300.0)))
    assert noise["flatness, mean"] > 100 * sine["flatness, mean"]
    assert noise["bandwidth, mean"] > 3 * sine["bandwidth, mean"]
    assert noise["contrast 3, mean"] < sine["contrast 3, mean"] + 30


def test_cepstra_are_those_of_a_dct_of_log_mel(rng):
    import librosa
    import scipy.fft

    samples = rng.normal(0, 0.1, 32_000).astype(np.float32)
    mel = librosa.feature.melspectrogram(y=samples, sr=RATE, n_fft=1488, hop_length=372)
    expected = scipy.fft.dct(librosa.power_to_db(mel), axis=0, norm="ortho")[:40]
    features = describe(samples, CONFIG)
    np.testing.assert_allclose(features["mfcc"], expected, atol=1e-2)
    assert features["mfcc"].shape == (40, CONFIG.frames) == (40, 87)
    np.testing.assert_allclose(features["mfcc_statistics"][40:80], expected.min(axis=1), atol=1e-2)


@pytest.mark.parametrize("seconds", [0.1, 0.5, 3.0])
def test_any_length_is_described(seconds):
    features = describe(tone(200.0, seconds), CONFIG)
    assert all(np.isfinite(values).all() for name, values in features.items() if name != "f0")
    assert features["statistics"].shape == (76,) == (len(statistics_names()),)
    if seconds >= 0.5:
        assert features["f0"][0] == pytest.approx(200.0, rel=0.01)


def speech_after(path, quiet, name="slt_fox", times=1):
    """Write a voice after something else, as a recording at 16 kHz."""
    voice = Recording(MY_WAVS / f"{name}.wav").read(RATE)
    soundfile.write(path, np.concatenate([quiet, *[voice] * times, quiet]), RATE, subtype="FLOAT")
    return Recording(path)


@pytest.mark.parametrize("level", [0.0, 1e-3])
@pytest.mark.parametrize("name", ["slt_three", "slt_fox"])
def test_the_same_speech_is_heard_wherever_it_begins(tmp_path, rng, level, name):
    """Silence and noise before and after it change no feature much, and are never described."""
    plain, late = (speech_after(tmp_path / f"{len(quiet)}.wav", quiet, name) for quiet in (
        np.zeros(0), level * rng.normal(size=3 * RATE)))
    parts = [stretches(recording.blocks(RATE), "x", "", CONFIG)[0] for recording in (plain, late)]
    assert abs(len(parts[0]) - len(parts[1])) < 0.07 * RATE
    loudness = [np.sqrt(np.mean(np.square(part))) for part in parts]
    assert loudness[0] == pytest.approx(loudness[1], rel=0.1)
    excerpt = speech_only(Recording(late.path), 2.0, CLOSE_S)
    np.testing.assert_array_equal(excerpt.samples, parts[1])  # answered as it was trained
    assert excerpt.duration_s == pytest.approx(6 + plain.duration_s, abs=0.01)


@pytest.mark.parametrize("times, lengths", [(1, [2.0]), (2, [2.0, 2.0, 1.5]),
                                            (3, [2.0, 2.0, 2.0])])
def test_stretches_follow_each_other(tmp_path, times, lengths):
    recording = speech_after(tmp_path / "x.wav", np.zeros(RATE), times=times)
    found = stretches(recording.blocks(RATE), "x.wav", "", FeatureConfig(windows=3))
    assert [len(samples) / RATE for samples in found] == pytest.approx(lengths, abs=0.05)
    whole = speech_only(Recording(tmp_path / "x.wav"), sum(map(len, found)) / RATE, CLOSE_S).samples
    np.testing.assert_array_equal(np.concatenate(found), whole)


def test_digital_silence_has_no_features(tmp_path):
    soundfile.write(tmp_path / "x.wav", np.zeros(2 * RATE), RATE)
    for properties in (False, True):
        with FeatureStore(tmp_path, FeatureConfig(properties=properties)) as store:
            [error] = store.of([(str(tmp_path / "x.wav"), "")], jobs=1, quiet=True)
        assert "found zeros only" in str(error)


def test_features_use_all_of_the_band(rng):
    """White noise at 16 kHz fills it: nothing was resampled to a rate with an empty band."""
    noise = named(rng.normal(0, 0.1, 32_000).astype(np.float32))
    assert noise["roll-off, mean"] == pytest.approx(0.85 * RATE / 2, rel=0.03)
    assert noise["bandwidth, mean"] == pytest.approx(RATE / 2 / np.sqrt(12), rel=0.05)
    assert noise["contrast 7, mean"] < 1.5 * noise["contrast 5, mean"]


@pytest.mark.parametrize("kind", ALTERATIONS)
def test_altered_copies_are_others_and_always_the_same(kind):
    path = MY_WAVS / "slt_fox.wav"
    plain, first, again = (stretches(Recording(path).blocks(RATE), path, k, CONFIG)[0]
                           for k in ("", kind, kind))
    np.testing.assert_array_equal(first, again)
    difference = np.sqrt(np.mean((first - plain) ** 2) / np.mean(plain ** 2))
    assert difference > (0.5 if kind == "pitch" else 0.03)
    if kind != "pitch":
        assert difference < 10 ** (-9.9 / 20)


def test_features_beside_properties_are_the_same(tmp_path, rng):
    from voxsight.features.properties import NAMES, properties_of

    path = tmp_path / "x.wav"
    soundfile.write(path, rng.normal(0.2, 0.1, 3 * 44_100), 44_100)
    plain, both = (FeatureStore(tmp_path / str(flag), FeatureConfig(properties=flag)).of(
        [(str(path), "")], jobs=1, quiet=True)[0][0] for flag in (False, True))
    own = both.pop("properties")
    for name, values in plain.items():
        np.testing.assert_allclose(both[name], values, rtol=1e-4, atol=1e-3)
    expected = properties_of(Recording(path))
    np.testing.assert_allclose(own, [getattr(expected, name) for name in NAMES], rtol=1e-5)


def test_features_are_computed_once(tmp_path):
    path = tmp_path / "x.wav"
    soundfile.write(path, tone(200.0), RATE)
    items = [(str(path), ""), (str(path), "white noise"), (str(tmp_path / "gone.wav"), "")]
    store = FeatureStore(tmp_path / "kept", CONFIG)
    first = store.of(items, jobs=1, quiet=True)
    assert isinstance(first[2], RecordingError)
    written = store._store._database.total_changes
    store.of(items, jobs=1, quiet=True)
    assert store._store._database.total_changes == written
    store.close()
    store = FeatureStore(tmp_path / "kept", CONFIG)
    again = store.of(items[:2], jobs=1, quiet=True)
    assert store._store._database.total_changes == 0
    for a, b in zip(first, again):
        assert a[0].keys() == b[0].keys()
        assert all(np.array_equal(a[0][name], b[0][name]) for name in a[0])
    soundfile.write(path, tone(300.0), RATE)  # another recording of the same name
    assert store.of(items[:1], jobs=1, quiet=True)[0][0]["f0"][0] == pytest.approx(300, rel=0.01)
