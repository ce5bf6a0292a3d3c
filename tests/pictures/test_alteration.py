import librosa
import numpy as np
import pyroomacoustics
import pytest
import soxr
from conftest import praat_f0

from voxsight.pictures.alteration import CHILD_F0_HZ, MEDIAN_F0_HZ, altered_copies
from voxsight.sound import codecs, effects
from voxsight.sound.pitch import median_f0
from voxsight.sound.vocoder import Vocoder


def smooth_spectrum(samples, rate):
    """Mean log spectrum with the harmonics smoothed away, 50 Hz steps up to 4 kHz."""
    power = np.abs(librosa.stft(samples, n_fft=1024)) ** 2
    loud = power.sum(axis=0) > 0.1 * power.sum(axis=0).max()
    cepstrum = np.fft.irfft(np.log(power[:, loud] + 1e-12).mean(axis=1))
    cepstrum[25:-25] = 0
    spectrum = np.fft.rfft(cepstrum).real
    return np.interp(np.arange(100, 4000, 50), np.linspace(0, rate / 2, len(spectrum)), spectrum)


@pytest.mark.parametrize("hz", [110.0, 190.0, 320.0])
def test_another_pitch_and_the_same_vocal_tract(spoken, hz):
    samples, rate = spoken("rms_morning")
    other = Vocoder(samples, rate).resynthesise(hz)
    assert praat_f0(other, rate) == pytest.approx(hz, rel=0.05)
    assert len(other) == len(samples)
    assert np.abs(other).max() == pytest.approx(np.abs(samples).max(), rel=1e-3)
    same, shifted = smooth_spectrum(samples, rate), smooth_spectrum(other, rate)
    assert np.corrcoef(same, shifted)[0, 1] > 0.9


def test_a_shorter_vocal_tract_moves_all_resonances(spoken):
    samples, rate = spoken("rms_morning")
    before = smooth_spectrum(samples, rate)
    after = smooth_spectrum(Vocoder(samples, rate).resynthesise(formants=1.15), rate)
    hz = np.arange(100, 4000, 50)
    factors = np.arange(0.9, 1.4, 0.01)
    alike = [np.corrcoef(np.interp(hz / f, hz, before), after)[0, 1] for f in factors]
    assert factors[int(np.argmax(alike))] == pytest.approx(1.15, abs=0.04)


def test_noise_has_no_pitch_and_stays(rng):
    noise = rng.normal(0, 0.1, 16_000)
    vocoder = Vocoder(noise, 16_000)
    assert vocoder.median_f0 is None
    assert len(vocoder.resynthesise(200.0)) == len(noise)


def test_noise_at_its_ratio(rng, spoken):
    samples, _ = spoken("slt_three")
    noisy = effects.add_noise(samples, rng.normal(size=100), 10.0)
    ratio = np.sum(np.square(samples)) / np.sum(np.square(noisy - samples))
    assert 10 * np.log10(ratio) == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("slope", [0.0, 1.0, 2.0])
def test_coloured_noise_falls_as_its_slope(rng, slope):
    noise = effects.coloured_noise(2**17, slope, rng)
    assert np.mean(np.square(noise)) == pytest.approx(1.0)
    power = np.abs(np.fft.rfft(noise)) ** 2
    octaves = [power[2**k: 2 ** (k + 1)].mean() for k in range(8, 16)]
    fall = np.polyfit(range(8), 10 * np.log10(octaves), 1)[0]
    assert fall == pytest.approx(-slope * 10 * np.log10(2), abs=0.3)


def test_telephone_band_and_mu_law(rng):
    rate = 16_000
    heard = effects.telephone(rng.normal(size=4 * rate), rate)
    power = np.abs(np.fft.rfft(heard)) ** 2
    hz = np.fft.rfftfreq(len(heard), 1 / rate)

    def level(low, high):
        return 10 * np.log10(power[(hz >= low) & (hz < high)].mean())

    middle = level(600, 3000)
    assert level(0, 150) < middle - 20 and level(4200, 8000) < middle - 35
    assert level(350, 600) > middle - 3
    x = np.linspace(-1, 1, 2001)
    before, after = (librosa.mu_compress(y, mu=255, quantize=False)
                     for y in (x, effects._mu_law(x)))
    assert np.abs(after - before).max() == pytest.approx(0.5 / 127, rel=0.05)


@pytest.mark.parametrize("bit_rate", [8_000, 16_000])
def test_opus_comes_back_in_time(spoken, bit_rate):
    samples, rate = spoken("slt_fox")
    coded = codecs.opus(samples, rate, bit_rate)
    assert coded.shape == samples.shape
    lags = np.fft.irfft(np.fft.rfft(samples) * np.conj(np.fft.rfft(coded)))
    lag = int(np.argmax(lags))
    assert min(lag, len(samples) - lag) <= rate // 200
    assert np.abs(coded).max() == pytest.approx(np.abs(samples).max(), rel=0.5)
    assert np.abs(coded - samples).max() > 1e-3


def test_reverberation_time_and_direct_sound(rng):
    rate = 16_000
    response = effects.diffuse_response(rate, 0.5, 0.0, rng)
    assert pyroomacoustics.experimental.measure_rt60(response[1:], rate) == pytest.approx(
        0.5, rel=0.15)
    assert np.sum(np.square(response[1:])) == pytest.approx(1.0)  # 0 dB below the click
    click = np.zeros(2000)
    click[700] = 1.0
    wet = effects.reverberate(click, np.r_[np.zeros(40), response])
    assert np.argmax(np.abs(wet)) == 700
    assert np.sum(np.square(wet)) == pytest.approx(1.0)


def test_tilt_and_clipping(rng):
    rate, time = 16_000, np.arange(16_000) / 16_000
    tone = np.sin(2 * np.pi * 2000 * time)
    tilted = effects.tilted(tone, rate, 6.0)
    assert np.abs(tilted).max() == pytest.approx(10 ** (6 / 20), rel=1e-3)
    clipped = effects.clipped(tone, 20.0)
    assert np.abs(clipped).max() == pytest.approx(1.0)
    assert np.mean(np.abs(clipped) > 0.999) == 0.75  # all but the zeros of eight samples a period


@pytest.mark.slow
@pytest.mark.parametrize("gender", ["female", "male"])
def test_copies_keep_length_label_and_range_of_pitch(spoken, gender):
    samples, rate = spoken("kal_count")
    samples = soxr.resample(samples, rate, 16_000)[:24_000]
    copies = list(altered_copies(samples, 16_000, gender, 150, np.random.default_rng(3)))
    assert all(copy.shape == samples.shape and np.isfinite(copy).all() for copy, _, _ in copies)
    kinds = [kind for _, kind, _ in copies]
    assert {"pitch", "child", "word", "noise", "room"} <= {k for kind in kinds
                                                           for k in kind.split("+")}
    low, high = MEDIAN_F0_HZ[gender]
    heard = [f0 for copy, kind, _ in copies
             if kind in ("pitch", "pitch+microphone", "pitch+tilt", "pitch+bursts")
             and (f0 := median_f0(copy, 16_000))]
    assert len(heard) >= 3 and all(0.9 * low < f0 < 1.1 * high for f0 in heard)
    children = [f0 for copy, kind, _ in copies if kind.startswith("child") and "word" not in kind
                and (f0 := median_f0(copy, 16_000))]
    assert all(0.9 * CHILD_F0_HZ[0] < f0 < 1.1 * CHILD_F0_HZ[1] for f0 in children)
    for copy, kind, voice in copies:
        assert (voice is samples) == (not kind.startswith(("pitch", "child")))
        if kind in ("pitch", "child", "shift"):
            np.testing.assert_allclose(copy, voice, atol=1e-6)


def test_copies_repeat_from_their_seed(spoken):
    samples, rate = spoken("slt_three")
    one, two = (list(altered_copies(samples, rate, "female", 5, np.random.default_rng(1)))
                for _ in range(2))
    assert [kind for _, kind, _ in one] == [kind for _, kind, _ in two]
    assert all(np.array_equal(a, b) for (a, *_), (b, *_) in zip(one, two))
