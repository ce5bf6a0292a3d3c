import dataclasses
import json
import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, as_if_stopped

from voxsight.encoders import find_encoder, pinned_options
from voxsight.encoders.embeddings import embed_recordings
from voxsight.errors import UsageError
from voxsight.network.voice_head import (
    fit_voice_head,
    load_voice_head,
    save_voice_head,
)
from voxsight.pictures.dataset import read_dataset, read_embeddings
from voxsight.sound.excerpts import MARGIN_S, RATE, SpeechCollector, speech_only
from voxsight.sound.recording import Recording
from voxsight.sound.speech import SpeechTracker
from voxsight.sound.windows import Window, WindowReader


def speech_of(path):
    return speech_only(Recording(path)).samples


@pytest.fixture(scope="session")
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
    samples, rate = Recording(tmp_path / "x.wav").read(RATE), RATE
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
    voice = SpeechCollector(16_000, longest_s=1.25)
    assert list(voice.collecting(windows)) == windows
    np.testing.assert_array_equal(voice.samples, samples[:20_000])


@pytest.mark.slow
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
               for w in WindowReader(Recording(p), recipe.window_settings,
                                     margin_s=MARGIN_S).windows()}
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
    as_if_stopped(out)
    with open(out / "resemblyzer.float16", "ab") as file:
        file.write(b"1" * 700)
    assert script(*command).returncode == 0
    assert (out / "resemblyzer.float16").read_bytes() == whole


def test_pictures_without_a_teacher_are_refused(tmp_path):
    with pytest.raises(UsageError, match=r"preprocess_wavs\.py --teacher"):
        read_embeddings(tmp_path, "resemblyzer")


def test_embeddings_are_computed_once(tmp_path, monkeypatch):
    paths = [str(MY_WAVS / f"{name}.wav") for name in ("slt_fox", "kal_count")]
    first = embed_recordings(paths, "resemblyzer", tmp_path, quiet=True)
    monkeypatch.setattr("voxsight.encoders.embeddings.find_encoder", None)
    again = embed_recordings(paths[::-1], "resemblyzer", tmp_path, quiet=True)
    np.testing.assert_array_equal(first, again[::-1])


def test_a_voice_recorded_again_under_the_same_name_is_embedded_again(tmp_path):
    me = tmp_path / "me.wav"
    voices = []
    for name in ("slt_fox", "kal_count"):
        shutil.copy(MY_WAVS / f"{name}.wav", me)
        voices.append(embed_recordings([str(me)], "resemblyzer", tmp_path / "kept", quiet=True)[0])
    woman, man = embed_recordings([str(MY_WAVS / f"{name}.wav") for name in (
        "slt_fox", "kal_count")], "resemblyzer", tmp_path / "other", quiet=True)
    np.testing.assert_array_equal(voices, [woman, man])


def test_options_of_an_encoder_are_part_of_the_key(tmp_path):
    tiny_wav2vec2(tmp_path / "weights")
    path = str(MY_WAVS / "slt_three.wav")
    layers = [embed_recordings([path], "wav2vec2", tmp_path / "kept", quiet=True,
                               options={"source": str(tmp_path / "weights"), "layer": layer})[0]
              for layer in (0, 1, 0)]
    assert not np.allclose(layers[0], layers[1])
    np.testing.assert_array_equal(layers[0], layers[2])


def test_weights_that_change_in_their_folder_give_other_embeddings(tmp_path):
    path = str(MY_WAVS / "slt_three.wav")
    found = []
    for seed in (1, 2):
        tiny_wav2vec2(tmp_path / "weights", seed)
        found.append(embed_recordings([path], "wav2vec2", tmp_path / "kept", quiet=True,
                                      options={"source": str(tmp_path / "weights")})[0])
    assert not np.allclose(*found)


def test_a_revision_of_the_hub_is_used_and_named(tmp_path, monkeypatch):
    """From the hub's cache: a name alone is what its branch main stands for now."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place, path = tmp_path / "hub/models--some--model", str(MY_WAVS / "slt_three.wav")
    commits = {"main": "a" * 40, "v1": "b" * 40}
    for seed, (revision, commit) in enumerate(commits.items()):
        tiny_wav2vec2(place / "snapshots" / commit, seed)
        (place / "refs").mkdir(exist_ok=True)
        (place / "refs" / revision).write_text(commit)

    def embedded(source):
        options = {"source": source}
        assert pinned_options("wav2vec2", options) == {
            "source": f"some/model@{commits[source.partition('@')[2] or 'main']}"}
        return embed_recordings([path], "wav2vec2", tmp_path / "kept", options=options,
                                quiet=True)[0]

    main, old = embedded("some/model"), embedded("some/model@v1")
    assert not np.allclose(main, old)
    (place / "refs/main").write_text(commits["v1"])
    commits["main"] = commits["v1"]
    np.testing.assert_array_equal(embedded("some/model"), old)


def test_two_runs_at_once_keep_what_each_has_computed(tmp_path):
    """Both return what is stored, to the last digit."""
    voices = [str(MY_WAVS / f"{name}.wav") for name in ("slt_three", "kal_count", "rms_seven")]
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(embed_recordings, voices, "resemblyzer", tmp_path,
                            quiet=True) for _ in range(2)]
        first, second = (run.result() for run in runs)
    again = embed_recordings(voices, "resemblyzer", tmp_path, quiet=True)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(second, again)


def test_unknown_encoder_is_named():
    with pytest.raises(UsageError, match="expected one of resemblyzer"):
        find_encoder("ears")


def test_a_voice_head_separates_and_survives_its_file(tmp_path, rng):
    is_female = np.arange(200) % 3 == 0
    embeddings = rng.normal(size=(200, 8)) + np.outer(is_female, np.r_[3.0, np.zeros(7)])
    speakers = [f"s{i // 4}" for i in range(200)]
    head = fit_voice_head("resemblyzer", embeddings, is_female, speakers)
    log_odds = head.log_odds(embeddings)
    assert np.mean((log_odds > 0) == is_female) > 0.9
    save_voice_head(tmp_path, head)
    stored = load_voice_head(tmp_path, "resemblyzer")
    np.testing.assert_allclose(stored.log_odds(embeddings), log_odds, atol=1e-5)
    assert head.fused(2.0, -1.0) == pytest.approx(0.3 * 2.0 - 0.7)
    save_voice_head(tmp_path, dataclasses.replace(head, share=0.2))  # as an older release had it
    assert load_voice_head(tmp_path, "resemblyzer").fused(2.0, -1.0) == pytest.approx(1.4)
    (tmp_path / "resemblyzer.safetensors").write_bytes(b"otherwise")
    with pytest.raises(UsageError, match="restore the folder"):
        load_voice_head(tmp_path, "resemblyzer")


def test_deploy_with_a_second_opinion(script, tiny_model, tmp_path, encoder):
    folder = tmp_path / "model"
    shutil.copytree(tiny_model[0], folder)
    done = script("deploy_model", MY_WAVS, "--model", f"{folder}+resemblyzer")
    assert done.returncode == 2 and "--teacher resemblyzer" in done.stderr
    names = ("slt_fox", "slt_hello", "kal_count", "rms_morning")
    embeddings = np.array([encoder.embed(speech_of(MY_WAVS / f"{name}.wav")) for name in names])
    head = fit_voice_head("resemblyzer", embeddings, [True, True, False, False], names)
    save_voice_head(folder, head)
    done = script("deploy_model", *(MY_WAVS / f"{name}.wav" for name in ("slt_three", "rms_seven")),
                  "--model", f"{folder}+resemblyzer", "--json", "--min-confidence", "0.5")
    assert done.returncode == 0, done.stderr
    female, male = (row["p_female"] for row in json.loads(done.stdout))
    alone = script("deploy_model", MY_WAVS / "slt_three.wav", "--model", folder, "--json")
    assert female > male + 0.1  # where a random network would say the same of both
    assert json.loads(alone.stdout)[0]["p_female"] != female


def tiny_wav2vec2(folder, seed=1):
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2FeatureExtractor, Wav2Vec2Model

    torch.manual_seed(seed)
    config = Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        conv_dim=(8, 8), conv_kernel=(10, 8), conv_stride=(40, 40), num_feat_extract_layers=2,
        num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2)
    model = Wav2Vec2Model(config).eval()
    model.save_pretrained(folder)
    Wav2Vec2FeatureExtractor().save_pretrained(folder)
    return model


def test_wav2vec2_is_a_mean_over_time_of_the_layer_asked_for(tmp_path, rng):
    import torch

    model = tiny_wav2vec2(tmp_path)
    speech = rng.normal(size=16_000).astype(np.float32)
    normed = (speech - speech.mean()) / np.sqrt(speech.var() + 1e-7)
    with torch.no_grad():
        states = model(torch.from_numpy(normed)[None], output_hidden_states=True).hidden_states
    for layer in (-1, 1):
        found = find_encoder("wav2vec2", source=str(tmp_path), layer=layer).embed(speech)
        np.testing.assert_allclose(found, states[layer][0].mean(dim=0), atol=1e-5)


@pytest.mark.parametrize("name", ["ecapa", "wav2vec2"])
def test_weights_that_cannot_be_had_are_said_with_the_remedy(name, tmp_path):
    with pytest.raises(UsageError, match="--local-dir FOLDER"):
        find_encoder(name, source=str(tmp_path))
    with pytest.raises(UsageError, match="omit --source and --layer"):
        find_encoder("resemblyzer", layer=3)


def test_recordings_without_speech_are_left_alone(tmp_path):
    soundfile.write(tmp_path / "silence.wav", np.zeros(RATE), RATE)
    paths = [str(tmp_path / "silence.wav"), str(MY_WAVS / "slt_three.wav")]
    for skip_silent in (True, False):
        found = embed_recordings(paths, "resemblyzer", tmp_path, skip_silent=skip_silent,
                                 quiet=True)
        assert np.isnan(found[0]).all() == skip_silent and np.isfinite(found[1]).all()
