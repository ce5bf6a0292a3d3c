import tracemalloc

import numpy as np
import pytest
import soundfile
import soxr
from conftest import MY_WAVS

from voxsight.sound.signal import resample
from voxsight.sound.speech import SpeechTracker
from voxsight.sound.windows import _groups, _windows_of, speech_windows

RATE = 16_000


@pytest.fixture
def conversation(spoken):
    """Silence, a word, silence, a sentence, silence: samples and where speech is."""
    word, _ = spoken("slt_three")
    sentence, _ = spoken("slt_fox")
    gap = np.random.default_rng(0).normal(scale=1e-4, size=2 * RATE).astype(np.float32)
    samples = np.concatenate([gap, word, gap, sentence, gap])
    return samples, [audible(word, 2.0), audible(sentence, 4.0 + len(word) / RATE)]


def audible(samples, start_s):
    """Where a recording that begins at a time is louder than a fiftieth of full scale."""
    loud = np.flatnonzero(np.abs(samples) > 0.02) / RATE
    return start_s + loud[0], start_s + loud[-1]


def windows_of(samples, rate=RATE, window_s=0.985, cuts=()):
    tracker = SpeechTracker(rate)
    blocks = np.split(samples, cuts)
    return list(speech_windows(blocks, rate, window_s, tracker)), tracker


def test_windows_lie_on_the_speech(conversation):
    samples, spoken_at = conversation
    windows, tracker = windows_of(samples)
    assert all(window.speech for window in windows)
    found = [span for window in windows for span in window.speech]
    for (start, end), spans in zip(spoken_at, (found[:1], found[1:])):
        assert spans[0][0] == pytest.approx(start, abs=0.15)
        assert spans[-1][1] == pytest.approx(end, abs=0.15)
    assert 2.5 < tracker.speech_s < 3.9
    for window in windows:
        first = round(window.start_s * RATE)
        np.testing.assert_array_equal(window.samples, samples[first: first + 15_760])


def test_each_recording_has_a_detector_of_its_own():
    one, other = SpeechTracker(RATE), SpeechTracker(RATE)
    assert one._detector is not other._detector  # a detector remembers what it heard
    used = one._detector
    del one
    assert SpeechTracker(RATE)._detector is used  # to load another would take 50 ms


@pytest.fixture(scope="module")
def changing_level():
    """A second of noise, silence, a sentence at -40 dB, a gap, the same at full level."""
    sentence, _ = soundfile.read(MY_WAVS / "slt_fox.wav", dtype="float32")
    noise = np.random.default_rng(0).normal(size=RATE) * 0.1
    parts = noise, np.zeros(4 * RATE), sentence * 0.01, np.zeros(RATE), sentence, sentence * 0.05
    return np.concatenate(parts).astype(np.float32)


def random_cuts(samples, seed):
    rng = np.random.default_rng(seed)
    return np.sort(rng.integers(0, len(samples), int(10 ** rng.uniform(0, 3))))


def segments_of(samples, cuts, rate=RATE):
    tracker, segments = SpeechTracker(rate), []
    for block in np.split(samples, cuts):
        segments += tracker.feed(block)
    segments += tracker.feed(np.zeros(0, np.float32), last=True)
    return segments, tracker.speech_s


@pytest.mark.parametrize("rate", [RATE, 44_100])
def test_any_cutting_gives_the_same_segments(changing_level, rate):
    samples = changing_level if rate == RATE else soxr.resample(changing_level, RATE, rate)
    whole = segments_of(samples, [], rate)
    assert whole[1] > 3 * 2.4  # all three sentences, but for the pauses in them
    for seed in range(15):
        assert segments_of(samples, random_cuts(samples, seed), rate) == whole


def test_one_sample_at_a_time_gives_the_same_segments(changing_level):
    part = changing_level[int(4.5 * RATE): 8 * RATE]
    assert segments_of(part, range(1, len(part))) == segments_of(part, [])


def test_any_cutting_gives_the_same_windows(changing_level):
    def windows(cuts, samples=changing_level):
        blocks = np.split(samples, cuts)
        return list(speech_windows(blocks, RATE, 0.985, SpeechTracker(RATE), margin_s=0.5))

    for samples in (changing_level, changing_level[: 5 * RATE]):  # with speech and without
        whole = windows([], samples)
        for seed in range(15):
            for one, other in zip(windows(random_cuts(samples, seed), samples), whole,
                                  strict=True):
                assert (one.start_s, one.end_s, one.speech) == (
                    other.start_s, other.end_s, other.speech)
                np.testing.assert_array_equal(one.surroundings, other.surroundings)


@pytest.mark.parametrize("level_db", [-20, -40, -60])
def test_speech_is_found_at_any_level(changing_level, level_db):
    loud = changing_level[9 * RATE:]  # the last two sentences
    quiet = loud * np.float32(10 ** (level_db / 20))
    assert segments_of(quiet, []) == segments_of(loud, [])


def test_no_speech_gives_the_loudest_stretch(rng):
    samples = rng.normal(scale=1e-3, size=10 * RATE).astype(np.float32)
    samples[6 * RATE: 7 * RATE] *= 20
    windows, tracker = windows_of(samples, cuts=range(RATE, 10 * RATE, RATE))
    assert [window.speech for window in windows] == [()]
    assert windows[0].start_s == pytest.approx(6.0, abs=0.05)
    assert tracker.speech_s == 0


def test_a_short_recording_is_one_whole_window(spoken):
    samples, _ = spoken("slt_seven")
    windows, _ = windows_of(samples)
    assert len(windows) == 1 and windows[0].speech
    np.testing.assert_array_equal(windows[0].samples, samples)


def test_speech_ends_with_the_recording(spoken):
    sentence, _ = spoken("slt_fox")
    cut = sentence[: round(1.5 * RATE) + 100]  # in the middle of a word and of a frame
    windows, tracker = windows_of(cut)
    assert windows[-1].speech[-1][1] <= len(cut) / RATE
    assert tracker.speech_s <= len(cut) / RATE


def test_other_rates_find_the_same_speech(conversation):
    samples, _ = conversation
    up = np.concatenate(list(resample([samples], RATE, 48_000)))
    whole, _ = windows_of(samples)
    found, _ = windows_of(up, rate=48_000)
    assert [w.start_s for w in found] == pytest.approx([w.start_s for w in whole], abs=0.07)


def test_detector_remembers_nothing_of_the_recording_before(conversation, rng):
    samples, _ = conversation
    first, _ = windows_of(samples)
    windows_of(rng.normal(size=RATE).astype(np.float32))
    again, _ = windows_of(samples)
    assert [w.start_s for w in again] == [w.start_s for w in first]


@pytest.mark.slow
@pytest.mark.parametrize("loudness", [1.0, 0.0])
def test_memory_does_not_grow_with_the_recording(spoken, rng, loudness):
    sentence, _ = spoken("slt_fox")
    sentence = sentence * loudness + rng.normal(scale=1e-4, size=len(sentence))
    sentence = sentence.astype(np.float32)

    def peak_after(repeats):
        tracemalloc.start()
        tracker = SpeechTracker(RATE)
        blocks = (sentence.copy() for _ in range(repeats))
        count = sum(1 for _ in speech_windows(blocks, RATE, 0.985, tracker))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return count, peak

    (some, small), (many, large) = peak_after(20), peak_after(100)
    assert many > 4 * some or many == some == 1  # without speech one window, the loudest
    assert large < 1.3 * small


def test_groups_and_windows_by_hand():
    assert _groups([(0.0, 0.3), (0.6, 0.9), (1.1, 1.4)], 1.0) == [
        [(0.0, 0.3), (0.6, 0.9)], [(1.1, 1.4)]]
    assert _windows_of([(0.0, 0.3), (0.6, 0.8)], 1.0) == [
        (pytest.approx(-0.1), ((0.0, 0.3), (0.6, 0.8)))]
    assert _windows_of([(1.0, 4.0)], 1.0) == [
        (1.0, ((1.0, 2.0),)), (2.0, ((2.0, 3.0),)), (3.0, ((3.0, 4.0),))]
    assert [start for start, _ in _windows_of([(0.0, 1.4)], 1.0)] == [pytest.approx(0.2)]


@pytest.mark.parametrize("cuts", [(), range(5_000, 170_000, 5_000)])
def test_surroundings_are_the_samples_around(conversation, cuts):
    samples, _ = conversation
    blocks = np.split(samples, [c for c in cuts if c < len(samples)])
    windows = list(speech_windows(blocks, RATE, 0.985, SpeechTracker(RATE), margin_s=0.5))
    for window in windows:
        first = round(window.start_s * RATE)
        before = max(0, first - RATE // 2)
        expected = samples[before: first + 15_760 + RATE // 2]
        np.testing.assert_array_equal(window.surroundings, expected)
        assert window.offset == first - before
