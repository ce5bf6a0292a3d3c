import numpy as np
import pytest
from conftest import praat_f0

from voxsight.sound.pitch import median_f0, track_f0


@pytest.mark.parametrize("hz", [70, 100, 155.5, 220, 330, 430])
@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_harmonic_tones(hz, rate):
    time = np.arange(rate) / rate
    tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 9))
    assert median_f0(tone, rate) == pytest.approx(hz, rel=0.002)


@pytest.mark.parametrize("name", ["slt_fox", "slt_hello", "rms_morning", "kal_count"])
def test_voices_as_praat(spoken, name):
    samples, rate = spoken(name)
    assert median_f0(samples, rate) == pytest.approx(praat_f0(samples, rate), rel=0.05)


def test_noise_and_silence_have_none(rng):
    assert median_f0(rng.normal(size=16_000), 16_000) is None
    assert median_f0(np.zeros(16_000), 16_000) is None
    assert len(track_f0(np.zeros(100), 16_000)) == 0
