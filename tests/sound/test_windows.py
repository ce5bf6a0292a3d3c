import numpy as np
import pytest
import soundfile

from voxsight.pictures import cepstra
from voxsight.pictures.recipe import RECIPES
from voxsight.sound.recording import Recording
from voxsight.sound.windows import WindowReader

AUDIOMNIST = RECIPES["audiomnist"]


@pytest.fixture
def word(spoken):
    """A word and its rate, in steps of 16-bit PCM."""
    samples, rate = spoken("slt_seven")
    return np.round(samples * 32768) / 32768, rate


def audiomnist_picture(path):
    reader = WindowReader(Recording(path), AUDIOMNIST.window_settings, whole_if_short=True)
    (window,) = reader.windows()
    return cepstra.picture(window.samples, AUDIOMNIST).astype(int)


@pytest.fixture
def of_wav(tmp_path, word):
    soundfile.write(tmp_path / "pcm16.wav", *word)
    picture = audiomnist_picture(tmp_path / "pcm16.wav")
    assert picture[:20].mean() > 50  # the level is visible
    return picture


@pytest.mark.parametrize("name, subtype", [
    ("a.flac", "PCM_16"), ("a.flac", "PCM_24"), ("a.aiff", "PCM_16"), ("a.wav", "PCM_32"),
    ("a.caf", "ALAC_16")])
def test_lossless_files_give_the_audiomnist_picture_of_the_wav(tmp_path, word, of_wav, name,
                                                               subtype):
    soundfile.write(tmp_path / name, *word, subtype=subtype)
    np.testing.assert_array_equal(audiomnist_picture(tmp_path / name), of_wav)


@pytest.mark.parametrize("name, subtype", [
    ("a.mp3", None), ("a.ogg", "VORBIS"), ("a.opus", None), ("a.wav", "ULAW"),
    ("a.wav", "IMA_ADPCM")])
def test_lossy_files_give_nearly_that_picture(tmp_path, word, of_wav, name, subtype):
    form = {"a.opus": "OGG"}.get(name)
    soundfile.write(tmp_path / name, *word, format=form, subtype=subtype or (
        "OPUS" if form else None))
    difference = np.abs(audiomnist_picture(tmp_path / name) - of_wav)
    assert difference[:20].mean() < 30  # of the first coefficient, which follows the level


def test_a_float_wav_keeps_its_values(tmp_path, word, of_wav):
    samples, rate = word
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    assert audiomnist_picture(tmp_path / "a.wav")[:20].mean() < 1  # far quieter than the WAV
    soundfile.write(tmp_path / "a.wav", samples * 32768, rate, subtype="FLOAT")
    np.testing.assert_array_equal(audiomnist_picture(tmp_path / "a.wav"), of_wav)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_a_short_recording_is_whole_at_any_rate(tmp_path, rng, rate):
    noise = rng.normal(scale=0.1, size=rate * 9 // 10)
    soundfile.write(tmp_path / "a.wav", noise, rate)
    reader = WindowReader(Recording(tmp_path / "a.wav"), AUDIOMNIST.window_settings,
                          whole_if_short=True)
    (window,) = reader.windows()
    assert window.speech == ((0.0, window.end_s),)
    assert window.end_s == pytest.approx(0.9, abs=1e-4)
