import sys

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS
from pyroomacoustics.experimental import measure_rt60

from voxsight.evaluation.conditions import CONDITIONS, LIKE_TRAINING, trained_on, under_condition
from voxsight.pictures import alteration
from voxsight.sound import codecs, effects, vocoder

RATE = 16_000
# Called by whatever changes a spectrum or a length; two that share them need not be alike.
TOOLS = {"fitted", "shaped", "_power", "gain"}
ALTERATIONS = {kind: change for kind, (_, change) in alteration._CHANGES.items()} | {
    "word": alteration._one_word,
    "pitch": lambda samples, rate, rng: alteration._other_voice(
        vocoder.Vocoder(samples, rate), "female", rng)[0]}


def functions_called(call):
    """What a call returns, and the functions of these three modules that ran meanwhile."""
    names = set()

    def note(frame, event, argument):
        if event == "call" and frame.f_globals.get("__name__") in (
                codecs.__name__, effects.__name__, vocoder.__name__):
            names.add(frame.f_code.co_name)
        if event == "call" and frame.f_locals.get("file_format") == "MP3":
            names.add("_through_codec")

    sys.setprofile(note)
    try:
        return call(), {name for name in names - TOOLS if not name.startswith("<")}
    finally:
        sys.setprofile(None)


def below_4_khz(samples):
    power = np.abs(np.fft.rfft(samples)) ** 2
    return power[: len(power) // 2].sum() > 0.9999 * power.sum()


def flat_top(samples):
    return max(np.mean(samples > 0.98 * samples.max()), np.mean(samples < 0.98 * samples.min()))


def frame_powers(samples):
    """Mean power of each 10 ms."""
    return np.square(samples[: len(samples) // 160 * 160]).reshape(-1, 160).mean(axis=1)


def audible_s(samples):
    powers = frame_powers(samples)
    return np.sum(powers > 1e-3 * powers.max()) / 100


def traits(change, speech, seed=0):
    """What a change does to a sound that then falls silent, as names."""
    samples = np.concatenate([speech, np.zeros(RATE, np.float32)])
    altered, names = functions_called(
        lambda: change(samples, RATE, np.random.default_rng(seed)))
    level = np.sqrt(frame_powers(altered) / altered.var())
    end = len(speech) // 160
    padded = np.pad(level, (0, end + 100))
    after, late = (padded[end + i: end + i + 10].mean() for i in (5, 90))
    found = {"below 4 kHz": below_4_khz(altered), "flat top": flat_top(altered) > 0.005,
             "hiss": level.min() > 0.003,
             "tail": after > 0.03 and late < after / 10,
             "short": audible_s(altered) < 0.6 * audible_s(samples)}
    return names | {name for name, holds in found.items() if holds}


@pytest.fixture(scope="module")
def speech():
    """Speech that ends in the middle of a vowel, and some noise, so that it reaches 8 kHz."""
    samples, rate = soundfile.read(MY_WAVS / "slt_fox.wav", dtype="float32")
    assert rate == RATE
    samples = samples[: 160 * (int(np.argmax(frame_powers(samples[RATE:]))) + 101)]
    hiss = np.random.default_rng(0).normal(size=len(samples)) * samples.std() / 30
    return (samples + hiss).astype(np.float32)


@pytest.fixture(scope="module")
def trained(speech):
    """Traits of each kind of copy that training makes, whatever is drawn."""
    return {kind: set().union(*(traits(change, speech, seed) for seed in range(3)))
            for kind, change in ALTERATIONS.items()}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_what_training_holds_is_said(condition, speech, trained):
    """A condition that does what some copy does, or by the same function, says so."""
    noises = [(np.random.default_rng(1).normal(size=RATE), RATE)]

    def change(samples, rate, rng):
        return under_condition(condition, samples, rate, noises, rng).read(rate, remove_dc=False)

    own = traits(change, speech)
    alike = {kind for kind, found in trained.items() if own & found}
    named = set(LIKE_TRAINING.get(condition, ()))
    assert named <= alike and bool(named) == bool(alike), (own, alike)
    assert trained_on(condition) == (
        f"similar: {', '.join(LIKE_TRAINING[condition])}" if alike else "no")


def test_every_kind_of_copy_is_looked_at(speech, rng):
    """By the names that training writes beside its pictures."""
    copies = alteration.altered_copies(speech[:RATE], RATE, "female", 60, rng)
    kinds = set().union(*(kinds.split("+") for _, kinds, _ in copies))
    assert set(ALTERATIONS) <= kinds <= set(ALTERATIONS) | {"shift", alteration.CHILD}


@pytest.mark.parametrize("condition", CONDITIONS)
def test_recordings_of_hardly_anything_survive(condition, rng):
    noises = [(np.ones(9), RATE)]
    assert len(under_condition(condition, np.ones(1, np.float32), 44_100, noises, rng).read())


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("condition, size_m, absorption", [
    ("small room", (3.7, 3.2, 2.8), 0.15), ("large room", (5.9, 5.2, 4.3), 0.17)])
def test_rooms_have_their_tail(condition, size_m, absorption, rate):
    """Of a click heard in them, against the formulas of Sabine and Eyring."""
    click = np.zeros(2 * rate, np.float32)
    click[100] = 1.0
    heard = under_condition(condition, click, rate, [], np.random.default_rng(0)).read(
        rate, remove_dc=False)
    x, y, z = size_m
    volume, surface = x * y * z, 2 * (x * y + x * z + y * z)
    for decay_db in (20, 30):
        measured = measure_rt60(heard[50:].astype(float), rate, decay_db)
        assert measured == pytest.approx(0.161 * volume / (surface * absorption), rel=0.15)
        assert measured == pytest.approx(
            0.161 * volume / (-surface * np.log(1 - absorption)), rel=0.15)


@pytest.mark.parametrize("scale", [1.0, 0.01])
def test_whatever_its_level_a_recording_is_clipped(scale, spoken, rng):
    """And to one side more than to the other, which training does not do."""
    samples, rate = spoken("slt_fox")
    clipped = under_condition("overdriven by 12 dB, clipped", scale * samples, rate, [], rng).read(
        remove_dc=False)
    assert np.abs(clipped).max() == pytest.approx(scale * np.abs(samples).max(), rel=0.01)
    assert clipped.std() > 1.4 * scale * samples.std()
    assert max(clipped.max(), -clipped.min()) > 1.3 * min(clipped.max(), -clipped.min())


def test_handset_is_as_in_p48():
    """Gains at frequencies of the table of P.862, relative to 1 kHz."""
    for hz, expected_db in [(200, -12), (300, -6), (2_000, 0), (3_250, 0), (3_500, -8)]:
        tone = np.sin(2 * np.pi * hz * np.arange(48_000) / 48_000)
        heard = effects.handset(tone, 48_000)
        assert 20 * np.log10(heard.std() / tone.std()) == pytest.approx(expected_db, abs=0.1)


def test_a_tenth_of_the_packets_is_lost():
    """20 ms each, two in a row on average; nothing else changes."""
    ones = np.ones(RATE * 600, np.float32)
    heard = effects.lose_packets(ones, RATE, 0.1, 2.0, np.random.default_rng(0))
    packets = heard.reshape(-1, 320)
    assert set(np.unique(packets.mean(axis=1))) == {0.0, 1.0}
    lost = packets[:, 0] == 0
    runs = np.sum(lost[1:] & ~lost[:-1])
    assert np.mean(lost) == pytest.approx(0.1, abs=0.01)
    assert np.sum(lost) / runs == pytest.approx(2.0, abs=0.15)


def test_codecs_of_telephones(spoken):
    """A-law has steps of an eighth of the octave at most; AMR is near the speech, and coarser."""
    samples, rate = spoken("slt_fox")
    narrow = effects.handset(samples, rate)
    a_law, amr = codecs.a_law(narrow, rate), codecs.amr(narrow, rate, 5_900)
    snr_db = 10 * np.log10(np.mean(narrow**2) / np.mean((a_law - narrow) ** 2))
    assert 30 < snr_db < 45  # G.711 promises at least 33 dB for loud tones
    lag = np.argmax(np.correlate(amr, narrow, "same")) - len(narrow) // 2
    assert 0 <= lag < 0.02 * rate
    agreement = np.corrcoef(amr[lag:], narrow[: len(narrow) - lag])[0, 1]
    assert 0.7 < agreement < 0.99
