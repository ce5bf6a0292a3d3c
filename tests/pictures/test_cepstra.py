import dataclasses
import io
import math

import librosa
import numpy as np
import pytest
from PIL import Image
from skimage.transform import resize

from voxsight.pictures import cepstra, jpeg
from voxsight.pictures.recipe import RECIPES, Recipe
from voxsight.pictures.resizing import resize_matrix
from voxsight.sound.recording import Recording

AUDIOMNIST, VOXSIGHT = RECIPES["audiomnist"], RECIPES["voxsight"]


def published_picture(samples, front):
    """The AudioMNIST picture as librosa and scikit-image make it."""
    padded = np.pad(samples, (front, 47_998 - len(samples) - front))
    emphasised = np.append(padded[0], padded[1:] - 0.97 * padded[:-1]).astype(float)
    coefficients = librosa.feature.mfcc(
        y=emphasised, sr=48_000, n_mfcc=12, lifter=22, n_fft=1200, hop_length=480, n_mels=40,
        center=False)
    grey = resize(coefficients, (224, 224))
    return (np.clip(grey, 0, 255) + 0.5).astype(np.uint8)


@pytest.mark.parametrize("length, front", [(47_998, 0), (30_001, 7), (9_000, 38_998)])
def test_audiomnist_recipe_is_the_published_picture(rng, length, front):
    loudness = np.hanning(length) * 9_000
    samples = (rng.normal(size=length).cumsum() % 2 * loudness).astype(np.int16)
    found = cepstra.picture(samples.astype(np.float32), AUDIOMNIST, front)
    assert found.shape == (224, 224, 3)
    for channel in range(3):
        np.testing.assert_array_equal(found[..., channel], published_picture(samples, front))


def test_jpeg_is_pillows_default(rng):
    pixels = np.repeat(rng.integers(0, 256, (224, 224, 1), np.uint8), 3, axis=2)
    expected = io.BytesIO()
    Image.fromarray(pixels).save(expected, "JPEG", quality=75)
    assert jpeg.encode(pixels, AUDIOMNIST) == expected.getvalue()


@pytest.mark.corpora
def test_golden_pictures(corpora):
    recordings = sorted((corpora / "golden_mfc").glob("*.wav"))
    assert len(recordings) == 4
    unpadded = dataclasses.replace(AUDIOMNIST, window_samples=1)
    for path in recordings:
        recording = Recording(path)
        samples, rate = recording.read(remove_dc=False), recording.rate
        assert (len(samples), rate) == (47_520, 48_000)
        found = jpeg.decode(jpeg.encode(cepstra.picture(samples, unpadded), unpadded)).astype(int)
        golden = np.asarray(Image.open(path.with_suffix(".jpg")).convert("RGB"))
        assert np.abs(found - golden).max() <= 3
        assert np.abs(found - golden).mean() < 0.01


def test_voxsight_coefficients_are_librosas(rng):
    samples = rng.normal(scale=0.1, size=15_760).astype(np.float32)
    emphasised = np.append(samples[0], samples[1:] - np.float32(0.97) * samples[:-1])
    # librosa centres a short window in a longer transform; framing is then ours.
    expected = librosa.feature.mfcc(
        y=np.pad(emphasised, 192), sr=16_000, n_mfcc=64, lifter=128, n_fft=1024, win_length=640,
        hop_length=240, n_mels=64, fmin=50, fmax=4000, htk=True, center=False)
    decibels = cepstra.log_mel(samples, VOXSIGHT)
    np.testing.assert_allclose(cepstra.mfcc(decibels, VOXSIGHT), expected, atol=0.02)


def test_flat_spectrum_has_only_the_first_coefficient():
    coefficients = cepstra.mfcc(np.full((40, 5), 3.0), AUDIOMNIST)
    first = 3 * math.sqrt(40) * (1 + 11 * math.sin(math.pi / 22))  # DCT-II, then lifter
    np.testing.assert_allclose(coefficients[0], first)
    np.testing.assert_allclose(coefficients[1:], 0, atol=1e-10)


def test_slope_of_a_ramp():
    ramp = np.arange(20.0) * np.ones((3, 1)) * 0.5  # dB per frame
    per_second = 0.5 * 16_000 / 240
    np.testing.assert_allclose(cepstra.delta(ramp, VOXSIGHT)[:, 2:-2], per_second)


@pytest.mark.parametrize("n, m", [(12, 224), (98, 224), (98, 96), (98, 48), (64, 20), (7, 7)])
def test_resizing_is_scikit_images(rng, n, m):
    matrix = rng.normal(size=(n, 3))
    np.testing.assert_allclose(resize_matrix(n, m) @ matrix, resize(matrix, (m, 3)),
                               atol=1e-12)


@pytest.mark.parametrize("level_db", [-20, -40, -60])
@pytest.mark.parametrize("name", ["slt_seven", "rms_morning", "slt_fox"])
def test_level_does_not_matter_but_for_rounding(spoken, name, level_db):
    samples, _ = spoken(name)  # shorter than a window, or longer, with pauses
    loud = cepstra.picture(samples[:15_760], VOXSIGHT).astype(int)
    quiet = samples[:15_760] * np.float32(10 ** (level_db / 20))
    assert np.abs(loud - cepstra.picture(quiet, VOXSIGHT)).max() <= 1


def test_silence_and_the_quietest_sound_have_pictures():
    silence = cepstra.picture(np.zeros(15_760, np.float32), VOXSIGHT)
    assert (silence == silence[:, :1]).all()  # nothing changes over time
    quietest = np.full(15_760, 1e-30, np.float32)  # its power is below the least float32
    assert (cepstra.picture(quietest, VOXSIGHT) == silence).all()


def test_voxsight_picture_shows_a_tone_where_it_is():
    samples = np.sin(2 * np.pi * 1000 * np.arange(15_760) / 16_000).astype(np.float32)
    log_mel = cepstra.picture(samples, VOXSIGHT)[..., VOXSIGHT.views.index("log_mel")]
    loudest = cepstra.band_centres(VOXSIGHT)[log_mel.mean(axis=1).argmax()]
    assert loudest == pytest.approx(1000, rel=0.03)


def test_short_sound_is_centred():
    assert cepstra.pad(np.ones(2), 5).tolist() == [0, 1, 1, 0, 0]
    assert cepstra.pad(np.ones(2), 5, leading_zeros=0).tolist() == [1, 1, 0, 0, 0]
    assert cepstra.picture(np.ones(3, np.float32), VOXSIGHT).shape == (64, 64, 3)


def test_front_offset_is_seeded_by_the_name():
    fronts = {cepstra.random_leading_zeros(f"{i}.wav", 40_000, AUDIOMNIST) for i in range(50)}
    assert len(fronts) > 40 and min(fronts) >= 0 and max(fronts) < 7_998
    once, again = (cepstra.random_leading_zeros("a", 10, AUDIOMNIST) for _ in range(2))
    assert once == again
    assert cepstra.random_leading_zeros("a", 47_998, AUDIOMNIST) == 0


def test_recipe_round_trip_and_refusals():
    for recipe in RECIPES.values():
        assert Recipe.from_dict(recipe.to_dict()) == recipe
    with pytest.raises(ValueError, match="hop_length=900 exceeds win_length=640"):
        dataclasses.replace(VOXSIGHT, hop_length=900)
    with pytest.raises(ValueError, match="not a recipe"):
        Recipe.from_dict({"name": "x"})
    with pytest.raises(ValueError, match=r"got \(2, 5\)"):
        cepstra.picture(np.zeros((2, 5)), VOXSIGHT)
