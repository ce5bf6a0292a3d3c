import csv
import json
import os
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from conftest import MY_WAVS, draws_umap

from voxsight.corpora.selection import draw_speakers
from voxsight.corpora.utterance import Utterance
from voxsight.encoders.chunks import Chunk, cut, embed_chunks
from voxsight.encoders.mfcc import Mfcc
from voxsight.errors import UsageError
from voxsight.metrics.verification import (
    confusions,
    equal_error_rate,
    identification_figures,
    mean_by_recording,
)
from voxsight.sound.excerpts import RATE
from voxsight.studies.clustering import cluster, explained_variance, range_of_k
from voxsight.studies.speakers import MODELS, Pieces, fit_model, split_pieces


def speech_of(rng, speakers=6, recordings=8, pieces=2, apart=6.0):
    """Speakers as clouds, far from each other where `apart` is large."""
    chunks, values = [], []
    for s in range(speakers):
        centre = apart * np.eye(speakers, 12)[s]
        for r in range(recordings):
            for piece in range(pieces):
                chunks.append(Chunk(f"{s}-{r // 4}-{r}.flac", f"c:{s}", ("female", "male")[s % 2],
                                    piece, f"{s}-{r // 4}"))
                values.append(centre + rng.normal(size=12))
    values = np.array(values)
    return Pieces(chunks, values, [v + rng.normal(0, 0.5, (30, 12)) for v in values])


@pytest.mark.parametrize("seconds, lengths", [(0.4, [0.4]), (2.0, [2.0]), (2.9, [2.0]),
                                              (3.1, [2.0, 1.1]), (6.0, [2.0, 2.0, 2.0])])
def test_speech_is_cut_into_consecutive_pieces(seconds, lengths):
    speech = np.arange(int(seconds * RATE))
    pieces = cut(speech, 2.0)
    assert [len(piece) / RATE for piece in pieces] == lengths
    np.testing.assert_array_equal(np.concatenate(pieces), speech[: sum(map(len, pieces))])


@pytest.mark.parametrize("rule", ["chunk", "recording", "chapter"])
def test_nothing_that_belongs_together_is_parted(rng, rule):
    speech = speech_of(rng)
    sides = split_pieces(speech, rule)
    assert sorted(np.concatenate(sides)) == list(range(len(speech.chunks)))
    unit = {"chunk": lambda c: (c.path, c.number), "recording": lambda c: c.path,
            "chapter": lambda c: c.chapter}[rule]
    train, test = ({unit(speech.chunks[i]) for i in side} for side in sides)
    assert not train & test
    assert {c.speaker for c in speech.part(sides[0]).chunks} == set(speech.speakers)
    if rule == "chunk":
        recordings = [{speech.chunks[i].path for i in side} for side in sides]
        assert recordings[0] & recordings[1], "the leaky split must leak"


def test_a_split_that_cannot_be_is_refused(rng):
    with pytest.raises(UsageError, match="no speaker with two"):
        split_pieces(speech_of(rng, recordings=3), "chapter")


@pytest.mark.parametrize("name", MODELS)
def test_models_tell_clouds_apart_and_not_noise(rng, name):
    for apart, low, high in ((6.0, 0.97, 1.0), (0.0, 0.0, 0.45)):
        speech = speech_of(rng, apart=apart)
        train, test = split_pieces(speech, "recording")
        model = fit_model(name, speech.part(train))
        own = speech.part(test)
        scores = model.scores(own)
        assert scores.shape == (len(test), 6)
        accuracy = np.mean(model.names[scores.argmax(axis=1)] == own.speakers)
        assert low <= accuracy <= high


def test_adapted_mixtures_lie_between_background_and_speaker(rng):
    speech = speech_of(rng)
    model = fit_model("mixtures", speech)
    own = np.concatenate([f for f, s in zip(speech.frames, speech.speakers) if s == "c:0"])
    scaled = (own - model._centre) / model._spread
    shares = model._background.predict_proba(scaled)
    counts = shares.sum(axis=0)
    k = int(counts.argmax())
    mean = shares[:, k] @ scaled / counts[k]
    weight = counts[k] / (counts[k] + 16)
    expected = weight * mean + (1 - weight) * model._background.means_[k]
    np.testing.assert_allclose(model._adapted[0].means_[k], expected, atol=1e-9)


def test_figures_are_scikit_learns(rng):
    from sklearn.metrics import precision_recall_fscore_support, top_k_accuracy_score

    names = np.array(list("abcdefgh"))
    truth = names[rng.integers(8, size=200)]
    scores = rng.normal(size=(200, 8)) + 1.5 * (truth[:, None] == names)
    found = identification_figures(scores, names, truth)
    said = names[scores.argmax(axis=1)]
    expected = precision_recall_fscore_support(truth, said, average="macro", zero_division=0)
    assert [found[name]["value"] for name in ("precision", "recall", "f1")] == pytest.approx(
        expected[:3])
    assert found["accuracy"]["value"] == pytest.approx(np.mean(said == truth))
    assert found["top5"]["value"] == pytest.approx(
        top_k_accuracy_score(truth, scores, k=5, labels=names))
    for figure in found.values():
        assert figure["low"] <= figure["value"] <= figure["high"]


def test_scores_of_a_recording_are_the_mean_of_its_chunks():
    scores = np.array([[1.0, 0], [3, 2], [5, 5]])
    names, scores = mean_by_recording(scores, np.array(["b", "a", "b"]))
    assert names.tolist() == ["a", "b"]
    np.testing.assert_array_equal(scores, [[3, 2], [3, 2.5]])


def test_equal_error_rate_by_hand():
    # Angles on a circle: two of a speaker at 0 and 10 degrees, two of another at 80 and 25.
    angles = np.radians([0, 10, 80, 25])
    values = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    rate, same, different = equal_error_rate(values, np.array(["a", "a", "b", "b"]))
    # Same: 10 and 55 degrees apart. Different: 80, 25, 70, 15. Between 25 and 55 degrees one
    # of two is missed and two of four are accepted.
    assert (rate, same, different) == (0.5, 2, 4)
    apart = equal_error_rate(np.eye(4)[[0, 0, 1, 1]], np.array(["a", "a", "b", "b"]))
    assert apart[0] == 0.0


def test_confusions_say_whether_gender_explains_them():
    gender_of = {"a": "female", "b": "female", "c": "male", "d": "male"}
    truth, said = np.array(list("aaabcc")), np.array(list("abbbdc"))
    rows, within, chance = confusions(said, truth, gender_of)
    assert [(r["speaker"], r["taken_for"], r["times"]) for r in rows] == [("a", "b", 2),
                                                                          ("c", "d", 1)]
    assert within == 1.0 and chance == pytest.approx(1 / 3)


def test_clusters_find_the_clouds(rng):
    speech = speech_of(rng, apart=12.0)
    rows, assigned = cluster(speech.values, range_of_k(6, len(speech.values)),
                             {"speaker": speech.speakers})
    best = max(rows, key=lambda row: row["ari_speaker"])
    assert best["k"] == 6 and best["ari_speaker"] == pytest.approx(1.0)
    assert max(rows, key=lambda row: row["silhouette"])["k"] == 6
    assert len(set(assigned[2])) == 2
    variances = np.linalg.eigvalsh(np.cov(speech.values.T))[::-1]
    np.testing.assert_allclose(explained_variance(speech.values),
                               np.cumsum(variances) / variances.sum(), atol=1e-9)


def test_as_many_of_each_gender():
    people = [Utterance(f"{i}.wav", f"s{i}", ("female", "male", "male")[i % 3], "made")
              for i in range(30)]
    drawn = draw_speakers(people, 8, balanced=True)
    assert [u.gender for u in drawn].count("female") == 4 == len(drawn) // 2
    assert drawn == draw_speakers(people, 8, balanced=True) != draw_speakers(people, 8, True, 7)
    assert len(draw_speakers(people, 5)) == 5
    with pytest.raises(UsageError, match="ask for fewer"):
        draw_speakers(people, 40, balanced=True)


def test_cepstra_are_packed_with_their_summary(tmp_path):
    samples, _ = soundfile.read(MY_WAVS / "slt_three.wav")
    summary, frames = Mfcc.unpack(Mfcc().embed(samples))
    assert frames.shape[1] == 40 and summary.shape == (80,)
    np.testing.assert_allclose(summary[:40], frames.mean(axis=0), rtol=1e-5)
    utterances = [Utterance(str(MY_WAVS / f"{n}.wav"), n, "female") for n in ("slt_fox",
                                                                              "slt_three")]
    chunks, values = embed_chunks(utterances, "mfcc", 2.0, tmp_path, quiet=True)
    assert [c.number for c in chunks] == [0, 0] or [c.number for c in chunks] == [0, 1, 0]
    again = embed_chunks(utterances, "mfcc", 2.0, tmp_path, quiet=True)
    assert again[0] == chunks
    np.testing.assert_array_equal(again[1], values)


def test_a_piece_is_found_again_in_its_recording(tmp_path):
    word, rate = soundfile.read(MY_WAVS / "slt_hello.wav")
    silence = np.zeros(4 * rate)
    soundfile.write(tmp_path / "x.wav", np.concatenate([silence, word, silence, word]), rate)
    utterance = Utterance(str(tmp_path / "x.wav"), "slt", "female")
    chunks, _ = embed_chunks([utterance], "mfcc", 1.0, tmp_path, quiet=True)
    second = 8 + len(word) / rate
    assert chunks[0].start_s == pytest.approx(3.5, abs=0.3)  # half a second before the word
    assert chunks[0].end_s == pytest.approx(chunks[0].start_s + 1.0, abs=0.01)
    assert any(second - 0.6 < chunk.end_s for chunk in chunks)
    assert all(a.end_s <= b.start_s + 0.01 for a, b in pairwise(chunks))
    assert chunks[-1].end_s <= second + len(word) / rate + 0.01


@draws_umap
@pytest.mark.slow
def test_a_corpus_is_reported(script, gendered_folder, tmp_path):
    corpus = gendered_folder(speakers=6)
    for folder in corpus.glob("*/*"):  # four recordings each
        for path in list(folder.glob("*.wav")):
            samples, rate = soundfile.read(path)
            soundfile.write(folder / f"{path.stem}_again.wav", samples[len(samples) // 3:], rate)
    done = script("classify_speakers", f"folder:{corpus}", "--features", "mfcc", "--chunk", "1",
                  "--embeddings", tmp_path / "kept", "--out", tmp_path / "out", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["speakers"] == 6 and set(found["splits"]) == {"chunk", "recording", "chapter"}
    assert len(found["durations"]) == 12
    report = (tmp_path / "out/report.md").read_text()
    assert "leaky" in report and "equal error rate" in report and "k-means" in report
    for name in ("confusions", "clusters", "projection"):
        assert (tmp_path / "out" / f"{name}.png").stat().st_size > 8_000
    with open(tmp_path / "out/clusters.csv", newline="") as file:
        assert {"k", "silhouette", "ari_speaker", "ari_gender"} == set(next(csv.DictReader(file)))
    done = script("classify_speakers", f"folder:{corpus}", "--speakers", "40")
    assert done.returncode == 2 and "ask for fewer" in done.stderr


@draws_umap
@pytest.mark.slow
@pytest.mark.corpora
def test_ten_speakers_of_librispeech(script, tmp_path):
    done = script("classify_speakers", os.path.join(
        "librispeech:" + os.environ.get("VOXSIGHT_CORPORA", ""), "LibriSpeech"), "--subset",
        "test-other", "--embeddings", tmp_path, "--out", tmp_path / "out", "--quiet", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    by_recording = found["splits"]["recording"]["centroid"]["recording"]["accuracy"]["value"]
    assert by_recording >= 0.97
    assert found["clusters"]["k_speakers"]["ari_speaker"] >= 0.85
