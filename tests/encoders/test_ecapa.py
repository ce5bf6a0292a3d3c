"""ECAPA-TDNN's features against Kaldi's definition, and its embeddings against a graph by hand."""

import sys
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from voxsight.encoders.ecapa import Ecapa, kaldi_log_mel
from voxsight.errors import UsageError

RATE = 16_000


@pytest.fixture(scope="module")
def speech():
    """Two seconds like a voice: harmonics of a gliding pitch, a pause of zeros, some noise."""
    t = np.arange(2 * RATE) / RATE
    rng = np.random.default_rng(3)
    phase = 2 * np.pi * np.cumsum(130 + 40 * np.sin(2 * np.pi * t)) / RATE
    voice = sum(np.sin(k * phase) / k for k in range(1, 30)) + 0.02 * rng.normal(size=t.size)
    voice = 0.2 * voice + 0.01
    voice[12_000:16_000] = 0
    return voice.astype(np.float32)


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(4).normal(size=(80, 192)).astype(np.float32)


@pytest.fixture
def folder(tmp_path, weights):
    save_graph(tmp_path / Ecapa.weights, weights)
    return tmp_path


def save_graph(path, weights, feats="feats", embs="embs"):
    """A graph like WeSpeaker's from outside: relu, mean over time, a matrix."""
    size = weights.shape[1]
    nodes = [helper.make_node("Relu", [feats], ["positive"]),
             helper.make_node("ReduceMean", ["positive"], ["mean"], axes=[1], keepdims=0),
             helper.make_node("MatMul", ["mean", "weights"], [embs])]
    graph = helper.make_graph(
        nodes, "tiny",
        [helper.make_tensor_value_info(feats, TensorProto.FLOAT, ["B", "T", 80])],
        [helper.make_tensor_value_info(embs, TensorProto.FLOAT, ["B", size])],
        [numpy_helper.from_array(weights, "weights")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    onnx.save(model, path)


def kaldi_fbank(samples):
    """Log-mel energies as Kaldi's feature-window.cc and mel-computations.cc define them."""
    samples = np.asarray(samples, np.float64) * 32768
    width, shift, padded = 400, 160, 512
    starts = shift * np.arange(1 + (len(samples) - width) // shift)
    frames = samples[starts[:, None] + np.arange(width)]
    frames -= frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = frames - 0.97 * before
    frames *= 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(width) / (width - 1))
    power = np.abs(np.fft.rfft(frames, padded)) ** 2

    def mel(hertz):
        return 1127 * np.log(1 + hertz / 700)

    corners = np.linspace(mel(20), mel(8000), 80 + 2)
    low, centre, high = corners[:-2, None], corners[1:-1, None], corners[2:, None]
    bins = mel(np.arange(padded // 2 + 1) * RATE / padded)
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    energies = power @ np.maximum(triangles, 0).T
    return np.log(np.maximum(energies, np.finfo(np.float32).eps))


def embedding_by_hand(samples, weights):
    features = kaldi_fbank(samples)
    features -= features.mean(axis=0)
    found = np.maximum(features, 0).mean(axis=0) @ weights
    return found / np.linalg.norm(found)


def test_features_are_kaldis_less_their_mean(speech):
    expected = kaldi_fbank(speech)
    found = kaldi_log_mel(speech)
    assert found.shape == (198, 80) and found.dtype == np.float32
    np.testing.assert_allclose(found, expected - expected.mean(axis=0), atol=1e-3)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-4)


def test_embedding_is_that_of_the_graph_at_length_one(folder, weights, speech):
    found = Ecapa(str(folder)).embed(speech)
    assert found.shape == (Ecapa.size,) and found.dtype == np.float32
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
    np.testing.assert_allclose(found, embedding_by_hand(speech, weights), atol=1e-5)


def test_level_does_not_matter_where_nothing_is_silent(folder, speech):
    encoder, loud = Ecapa(str(folder)), speech[16_000:]
    np.testing.assert_allclose(encoder.embed(0.1 * loud), encoder.embed(loud), atol=1e-4)


def test_short_speech_is_repeated_and_none_is_zeros(folder, weights, speech):
    encoder = Ecapa(str(folder))
    for length in (1, 100, 5000):
        np.testing.assert_array_equal(encoder.embed(speech[:length]),
                                      encoder.embed(np.resize(speech[:length], 8000)))
    np.testing.assert_allclose(encoder.embed(speech[:5000]), atol=1e-5, desired=embedding_by_hand(
        np.concatenate([speech[:5000], speech[:3000]]), weights))
    nothing = encoder.embed(speech[:0])
    assert nothing.shape == (192,) and nothing.dtype == np.float32 and not nothing.any()
    assert np.isfinite(encoder.embed(np.zeros(RATE, np.float32))).all()


def test_the_graph_computes_on_one_thread(folder, monkeypatch):
    import onnxruntime

    seen, session = [], onnxruntime.InferenceSession
    monkeypatch.setattr(onnxruntime, "InferenceSession", lambda graph, options, providers: (
        seen.append((options.intra_op_num_threads, providers)),
        session(graph, options, providers=providers))[1])
    Ecapa(str(folder))
    assert seen == [(1, ["CPUExecutionProvider"])]


def test_the_published_graph_comes_from_the_hub(folder, monkeypatch, speech, weights):
    asked = []
    hub = SimpleNamespace(hf_hub_download=lambda source, name: (
        asked.append((source, name)), str(folder / name))[1])
    monkeypatch.setitem(sys.modules, "huggingface_hub", hub)
    for source in ("", "some/mirror"):
        np.testing.assert_allclose(Ecapa(source).embed(speech),
                                   embedding_by_hand(speech, weights), atol=1e-5)
    assert asked == [(Ecapa.published, Ecapa.weights), ("some/mirror", Ecapa.weights)]


def refusal(source):
    """The message with which a source is refused, which fits on a line."""
    with pytest.raises(UsageError) as caught:
        Ecapa(str(source))
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


def test_a_folder_without_the_graph_is_refused_with_the_remedy(tmp_path):
    message = refusal(tmp_path)
    assert f"loaded from {tmp_path} (the folder has no {Ecapa.weights})" in message
    assert f"hf download {Ecapa.published} {Ecapa.weights} --local-dir FOLDER" in message
    assert message.endswith("name the folder with --source")


def test_a_hub_that_cannot_be_reached_is_said_with_the_remedy(monkeypatch):
    def unreachable(source, name):
        raise OSError("An error happened.\nPlease check your connection.")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(
        hf_hub_download=unreachable))
    assert f"from {Ecapa.published} (An error happened.); it must have" in refusal("")
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    assert "no such folder either" in refusal("no/folder")


def test_what_is_not_the_graph_is_refused(tmp_path, weights):
    path = tmp_path / Ecapa.weights
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert "(" in refusal(tmp_path) and "--source" in refusal(tmp_path)
    save_graph(path, weights, feats="waveform")
    assert "waveform" in refusal(tmp_path)
    save_graph(path, weights, embs="logits")
    assert "embs" in refusal(tmp_path)
    save_graph(path, weights[:, :64])
    assert "(1, 64), not (1, 192)" in refusal(tmp_path)


def test_the_missing_package_is_named_before_anything_is_fetched(monkeypatch):
    monkeypatch.setitem(sys.modules, "kaldi_native_fbank", None)
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    message = refusal("")
    assert "kaldi_native_fbank" in message and "pip install 'voxsight[embeddings]'" in message
