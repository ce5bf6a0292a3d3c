import json

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS

from voxsight.audio import read
from voxsight.datasets import read_dataset, read_embeddings
from voxsight.embeddings import MARGIN_S, RATE, Voice, embed_recordings, find_encoder, speech_of
from voxsight.errors import UsageError
from voxsight.listening import Listener
from voxsight.second_opinion import fit_opinion, load_opinion, save_opinion, together
from voxsight.speech import SpeechTracker, Window

# One process: the encoder takes seconds to import.
pytestmark = pytest.mark.xdist_group("learner")


@pytest.fixture(scope="module")
def encoder():
    return find_encoder("resemblyzer")


def test_one_voice_is_nearer_than_another(encoder):
    fox, hello, kal = (encoder.embed(speech_of(MY_WAVS / f"{name}.wav"))
                       for name in ("slt_fox", "slt_hello", "kal_count"))
    assert np.linalg.norm(fox) == pytest.approx(1.0, abs=1e-5)
    assert fox @ hello > fox @ kal + 0.1


def test_embedding_is_resemblyzers_own(encoder):
    from resemblyzer import VoiceEncoder
    from resemblyzer.audio import normalize_volume

    speech = speech_of(MY_WAVS / "slt_fox.wav")
    own = VoiceEncoder("cpu", verbose=False).embed_utterance(normalize_volume(speech, -30))
    np.testing.assert_allclose(encoder.embed(speech), own, atol=1e-5)


def test_level_and_shortness_do_not_matter(encoder):
    speech = speech_of(MY_WAVS / "slt_fox.wav")
    np.testing.assert_allclose(encoder.embed(speech), encoder.embed(0.03 * speech), atol=1e-4)
    word = speech_of(MY_WAVS / "slt_seven.wav")
    assert encoder.embed(word[:4000]).shape == (256,)
    assert not encoder.embed(word[:0]).any()


def test_long_pauses_are_cut_out_and_short_ones_kept(tmp_path):
    word, rate = soundfile.read(MY_WAVS / "slt_three.wav", dtype="float32")
    samples = np.concatenate([np.zeros(2 * rate, np.float32), word, word,
                              np.zeros(3 * rate, np.float32), word])
    soundfile.write(tmp_path / "x.wav", samples, rate, subtype="FLOAT")
    samples, rate = read(tmp_path / "x.wav", RATE)
    one, two, three = SpeechTracker(rate).feed(samples, last=True)
    assert two[0] - one[1] < 2 * MARGIN_S < three[0] - two[1]
    parts = [(one[0] - MARGIN_S, two[1] + MARGIN_S), (three[0] - MARGIN_S, None)]
    expected = np.concatenate([samples[round(start * rate): end and round(end * rate)]
                               for start, end in parts])
    np.testing.assert_array_equal(speech_of(tmp_path / "x.wav"), expected)


def test_a_voice_is_not_endless():
    samples = np.arange(32_000, dtype=np.float32)
    windows = [Window(start, start + 0.5, samples[int(start * 16_000):][:8000],
                      ((start, start + 0.5),), samples, int(start * 16_000))
               for start in (0.5, 1.0)]
    voice = Voice(16_000, longest_s=1.25)
    assert list(voice.hearing(windows)) == windows
    np.testing.assert_array_equal(voice.samples, samples[:20_000])


def test_a_teacher_hears_the_voice_of_each_picture(script, tmp_path, encoder):
    """The same voice in a room or by telephone has its embedding, another voice another."""
    lines = [f"{MY_WAVS / name}.wav,{name[:3]},{gender}"
             for name, gender in (("slt_hello", "female"), ("kal_count", "male"))]
    (tmp_path / "x.csv").write_text("path,speaker,gender\n" + "\n".join(lines) + "\n")
    out = tmp_path / "mfc_dataset"
    command = ("preprocess_wavs", tmp_path / "x.csv", "--corpus", "csv", "--augment", "3",
               "--teacher", "resemblyzer", "--out", out, "--maps", tmp_path / "maps")
    done = script(*command)
    assert done.returncode == 0, done.stderr
    pictures, recipe = read_dataset(tmp_path)
    heard = read_embeddings(tmp_path, "resemblyzer")
    windows = {(p, w.start_s): w for p in {p.source for p in pictures}
               for w in Listener(p, recipe, margin_s=MARGIN_S).windows()}
    voices = {}
    for picture, embedding in zip(pictures, heard, strict=True):
        key = picture.source, picture.start_s
        (start_s,) = [s for p, s in windows if p == key[0] and abs(s - key[1]) < 1e-3]
        own = encoder.embed(windows[key[0], start_s].surroundings)
        same = not picture.augmentation.startswith(("pitch", "child"))
        assert (embedding @ own > 0.999) == same
        voices[same] = voices.get(same, 0) + 1
    assert min(voices.values()) >= 2
    # A killed run wrote embeddings of pictures that its manifest does not know.
    whole = (out / "resemblyzer.float16").read_bytes()
    (out / "manifest.csv").rename(out / "manifest.csv.partial")
    with open(out / "resemblyzer.float16", "ab") as file:
        file.write(b"1" * 700)
    assert script(*command).returncode == 0
    assert (out / "resemblyzer.float16").read_bytes() == whole


def test_pictures_without_a_teacher_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"preprocess_wavs\.py --teacher"):
        read_embeddings(tmp_path, "resemblyzer")


def test_embeddings_are_stored_and_a_killed_run_goes_on(tmp_path, monkeypatch):
    paths = [str(MY_WAVS / f"{name}.wav") for name in ("slt_fox", "kal_count")]
    first = embed_recordings(paths, ["female", "male"], "resemblyzer", tmp_path, quiet=True)
    file = tmp_path / "resemblyzer.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(row["filepath"], row["label"]) for row in rows] == [
        (paths[0], "female"), (paths[1], "male")]
    file.write_bytes(file.read_bytes()[:-500])  # killed in the last line
    again = embed_recordings(paths, ["female", "male"], "resemblyzer", tmp_path, quiet=True)
    np.testing.assert_allclose(first, again, atol=2e-6)
    monkeypatch.setattr("voxsight.embeddings.find_encoder", None)
    embed_recordings(paths[::-1], ["male", "female"], "resemblyzer", tmp_path, quiet=True)


def test_unknown_encoder_is_named():
    with pytest.raises(UsageError, match="expected one of resemblyzer"):
        find_encoder("ears")


def test_opinion_separates_and_survives_its_file(tmp_path, rng):
    is_female = np.arange(200) % 3 == 0
    embeddings = rng.normal(size=(200, 8)) + np.outer(is_female, np.r_[3.0, np.zeros(7)])
    opinion = fit_opinion("resemblyzer", embeddings, is_female, [f"s{i // 4}" for i in range(200)])
    log_odds = opinion.log_odds(embeddings)
    assert np.mean((log_odds > 0) == is_female) > 0.9
    save_opinion(tmp_path, opinion)
    stored = load_opinion(tmp_path, "resemblyzer")
    np.testing.assert_allclose(stored.log_odds(embeddings), log_odds, atol=1e-5)
    (tmp_path / "resemblyzer.safetensors").write_bytes(b"otherwise")
    with pytest.raises(UsageError, match="restore the folder"):
        load_opinion(tmp_path, "resemblyzer")
    assert together(2.0, -1.0) == pytest.approx(0.3 * 2.0 - 0.7)


def test_deploy_with_a_second_opinion(script, tiny_model, tmp_path, encoder):
    import shutil

    folder = tmp_path / "model"
    shutil.copytree(tiny_model[0], folder)
    done = script("deploy_model", MY_WAVS, "--model", f"{folder}+resemblyzer")
    assert done.returncode == 2 and "--teacher resemblyzer" in done.stderr
    names = ("slt_fox", "slt_hello", "kal_count", "rms_morning")
    embeddings = np.array([encoder.embed(speech_of(MY_WAVS / f"{name}.wav")) for name in names])
    save_opinion(folder, fit_opinion("resemblyzer", embeddings, [True, True, False, False], names))
    done = script("deploy_model", *(MY_WAVS / f"{name}.wav" for name in ("slt_three", "rms_seven")),
                  "--model", f"{folder}+resemblyzer", "--json", "--min-confidence", "0.5")
    assert done.returncode == 0, done.stderr
    female, male = (row["p_female"] for row in json.loads(done.stdout))
    alone = script("deploy_model", MY_WAVS / "slt_three.wav", "--model", folder, "--json")
    assert female > male + 0.1  # where a random network would say the same of both
    assert json.loads(alone.stdout)[0]["p_female"] != female
