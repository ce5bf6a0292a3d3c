import json

import numpy as np
import pytest

from voxsight.classifiers import Examples, Options, all_classifiers, balanced_weights, find
from voxsight.errors import UsageError
from voxsight.features.acoustic import STATISTICS

ON_FEATURES = ("majority", "f0", "logistic", "gradient_boosting", "gmm", "xgboost", "mlp", "dnn",
               "cnn1d", "cnn2d")
SHAPES = {"f0": (1,), "mfcc_statistics": (160,), "statistics": (4 * sum(n for _, n in STATISTICS),),
          "mfcc": (40, 87)}


def examples(kind, count=32, seed=0, apart=0.0):
    """Random inputs with random labels, `apart` from each other in their means."""
    rng = np.random.default_rng(seed)
    is_female = np.arange(count) % 2 == 0
    inputs = rng.normal(size=(count, *SHAPES[kind])).astype(np.float32)
    inputs += apart * is_female.reshape(-1, *[1] * len(SHAPES[kind]))
    return Examples(np.abs(inputs) * 50 + 100 if kind == "f0" else inputs, is_female,
                    [f"s{i}" for i in range(count)])


def fitted(name, epochs=None, **options):
    classifier = find(name)()
    if epochs and hasattr(classifier, "epochs"):
        classifier.epochs = epochs
    train, valid = (examples(classifier.inputs, seed=s, **options) for s in (0, 1))
    history = classifier.fit(train, valid)
    return classifier, train, valid, history


def test_all_of_the_field_are_there():
    import voxsight.evaluation.comparison.picture_classifier  # noqa: F401 adds the picture network

    assert set(all_classifiers()) == {*ON_FEATURES, "resnet34", "hf", "fnn-resemblyzer",
                                      "fnn-ecapa", "fnn-wav2vec2"}
    with pytest.raises(UsageError, match="expected one of"):
        find("oracle")


@pytest.mark.parametrize("name, parameters", [
    # four convolutions, 3,480 halved four times and rounded up, two dense layers
    ("cnn1d", (6 + 1) * 16 + (6 * 16 + 1) * 8 + (6 * 8 + 1) * 16 + (6 * 16 + 1) * 8
     + (218 * 8 + 1) * 256 + 257),
    # convolutions, batch norms of four numbers per channel, (3 * 8 * 8) inputs to the dense
    ("cnn2d", (36 + 1) * 16 + 64 + (36 * 16 + 1) * 16 + 64 + (9 * 16 + 1) * 8 + 32
     + (192 + 1) * 256 + 257)])
def test_parameters_are_those_of_the_published_networks(name, parameters):
    from voxsight.classifiers.networks import _standardised

    classifier = find(name)()
    classifier.network = _standardised(classifier.build((40, 87)), np.zeros((2, 40, 87)))
    assert classifier.parameters == parameters == {"cnn1d": 449_425, "cnn2d": 60_809}[name]
    fixed = [tensor.numel() for key, tensor in classifier.network[1].state_dict().items()
             if "running" in key]
    assert sum(fixed) == {"cnn1d": 0, "cnn2d": 80}[name]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mlp", "dnn", "cnn1d", "cnn2d"])
def test_networks_learn_32_recordings_by_heart(name):
    classifier = find(name)()
    own = examples(classifier.inputs)
    history = classifier.fit(own, own)
    np.testing.assert_array_equal(classifier.predict_proba(own.inputs)[:, 0] > 0.5, own.is_female)
    assert history[-1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.slow
def test_the_picture_network_learns_32_pictures_by_heart(tmp_path):
    from PIL import Image

    from voxsight.network.fine_tuning import TrainConfig, fit, log_odds, make_learner
    from voxsight.pictures.dataset import Picture

    rng, pictures = np.random.default_rng(0), []
    for i in range(40):
        path = tmp_path / f"{i}.jpg"
        Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(path, quality=95)
        pictures.append(Picture(str(path), str(path), f"s{i}", ("female", "male")[i % 2], "made"))
    config = TrainConfig(arch="resnet18", weights="none", head_epochs=0, epochs=20, lr=1e-3,
                         batch=16)
    learn = make_learner(pictures, np.arange(32, 40), (32, 32), config, quiet=True)
    fit(learn, config)
    said = log_odds(learn, [p.path for p in pictures[:32]])
    np.testing.assert_array_equal(said > 0, [p.gender == "female" for p in pictures[:32]])


@pytest.mark.parametrize("name", ON_FEATURES)
def test_saved_and_loaded_it_says_the_same(name, tmp_path):
    classifier, _, valid, _ = fitted(name, epochs=8, apart=1.0, count=120)
    said = classifier.predict_proba(valid.inputs)
    assert said.shape == (120, 2)
    np.testing.assert_allclose(said.sum(axis=1), 1, atol=1e-9)
    names = classifier.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    loaded = find(name).load(tmp_path)
    np.testing.assert_array_equal(loaded.predict_proba(valid.inputs), said)
    assert loaded.parameters == classifier.parameters > 0
    if name != "majority":
        assert np.mean((said[:, 0] > 0.5) == valid.is_female) > 0.6


@pytest.mark.parametrize("name", ["mlp", "cnn2d"])
def test_the_best_epoch_is_kept_and_the_rest_not_waited_for(name):
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits as loss

    classifier, _, valid, history = fitted(name)  # random labels: it can only get worse
    losses = [row["valid_loss"] for row in history]
    assert len(history) == 1 + losses.index(min(losses)) + classifier.patience
    evidence = torch.from_numpy(classifier.log_odds(valid.inputs))
    own = loss(evidence, torch.from_numpy(valid.is_female.astype(float)))
    assert own.item() == pytest.approx(min(losses), abs=1e-4)


def test_missing_frames_count_as_the_mean():
    classifier, train, _, _ = fitted("cnn1d", epochs=3, apart=1.0)
    mean = np.asarray(train.inputs).mean(axis=(0, 2))
    short = [x[:, :40] for x in train.inputs]
    filled = [np.hstack([x, np.repeat(mean[:, None], 47, axis=1)]) for x in short]
    np.testing.assert_allclose(classifier.predict_proba(short), classifier.predict_proba(filled),
                               atol=1e-4)


def test_all_of_a_longer_stretch_is_looked_at():
    classifier = find("cnn2d")(Options(seconds=4.0))
    classifier.epochs = 3
    side = examples("mfcc")
    longer = [np.hstack([x, x])[:, :173] for x in side.inputs]
    classifier.fit(Examples(longer, side.is_female, side.speakers),
                   Examples(longer, side.is_female, side.speakers))
    changed = [x + 5.0 * (np.arange(173) > 120) for x in longer]
    assert np.abs(classifier.log_odds(changed) - classifier.log_odds(longer)).max() > 1e-3


def test_xgboost_is_xgboost():
    import xgboost

    classifier, train, valid, history = fitted("xgboost", apart=0.3)
    x = (train.inputs - train.inputs.mean(axis=0)) / train.inputs.std(axis=0)
    direct = xgboost.XGBClassifier(n_estimators=len(history), learning_rate=0.05, max_depth=4,
                                   subsample=0.8, colsample_bytree=0.5, random_state=42, n_jobs=1)
    direct.fit(x, train.is_female, sample_weight=balanced_weights(train.is_female))
    y = (valid.inputs - train.inputs.mean(axis=0)) / train.inputs.std(axis=0)
    best = min(range(len(history)), key=lambda i: history[i]["valid_loss"])
    expected = direct.predict_proba(y, iteration_range=(0, best + 1))[:, 1]
    np.testing.assert_allclose(classifier.predict_proba(valid.inputs)[:, 0], expected, atol=1e-5)
    importance = classifier.importance()
    assert len(importance) == 76 and sum(importance.values()) == pytest.approx(1, abs=1e-3)


def test_logistic_is_scikit_learns():
    from sklearn.linear_model import LogisticRegression

    classifier, train, valid, _ = fitted("logistic", apart=0.3)
    mean, spread = train.inputs.mean(axis=0), train.inputs.std(axis=0)
    direct = LogisticRegression(C=0.01, max_iter=2000, class_weight="balanced")
    direct.fit((train.inputs - mean) / spread, train.is_female)
    expected = direct.predict_proba((valid.inputs - mean) / spread)[:, 1]
    np.testing.assert_allclose(classifier.predict_proba(valid.inputs)[:, 0], expected, atol=1e-5)


def test_gradient_boosting_is_scikit_learns():
    from sklearn.ensemble import HistGradientBoostingClassifier

    classifier, train, valid, _ = fitted("gradient_boosting", apart=0.3, count=120)
    direct = HistGradientBoostingClassifier(learning_rate=0.05, max_leaf_nodes=15,
                                            l2_regularization=1.0, random_state=42)
    direct.fit(train.inputs, train.is_female)
    expected = direct.predict_proba(valid.inputs)[:, 1]
    np.testing.assert_allclose(classifier.predict_proba(valid.inputs)[:, 0], expected, atol=1e-9)


def test_mixtures_say_the_ratio_of_two_densities():
    from scipy.special import logsumexp
    from scipy.stats import multivariate_normal

    classifier, _, valid, _ = fitted("gmm", apart=0.5)
    frames = valid.inputs[0][1:].T
    log_density = [logsumexp([np.log(w) + multivariate_normal(m, np.diag(c)).logpdf(frames)
                              for w, m, c in zip(mix.weights_, mix.means_, mix.covariances_)],
                             axis=0) for mix in classifier.model]
    ratio = np.mean(log_density[0] - log_density[1])
    assert classifier.log_odds(valid.inputs[:1])[0] == pytest.approx(
        np.clip(ratio, -20.7, 20.7), abs=1e-3)


def test_pitch_is_compared_with_a_threshold_between_the_groups():
    classifier = find("f0")()
    hertz = np.array([[100.0], [120.0], [130.0], [190.0], [210.0], [230.0], [np.nan]])
    is_female = np.array([False, False, False, True, True, True, True])
    side = Examples(hertz, is_female, list("abcdefg"))
    classifier.fit(side, side)
    assert 130 < classifier.values[0] < 190
    p_female = classifier.predict_proba([[90.0], [classifier.values[0]], [300.0], [np.nan]])[:, 0]
    assert p_female[0] < 0.1 and p_female[2] > 0.9
    np.testing.assert_allclose(p_female[[1, 3]], 0.5)


@pytest.fixture
def tiny_hub_model(tmp_path):
    """A folder as Hugging Face's hub holds it, its network small and random."""
    import torch
    from transformers import (
        Wav2Vec2Config,
        Wav2Vec2FeatureExtractor,
        Wav2Vec2ForSequenceClassification,
    )

    def make(labels):
        torch.manual_seed(0)
        config = Wav2Vec2Config(
            hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
            conv_dim=(8, 8), conv_kernel=(10, 8), conv_stride=(40, 40), num_feat_extract_layers=2,
            num_conv_pos_embeddings=4, num_conv_pos_embedding_groups=2, classifier_proj_size=8,
            feat_extract_norm="layer", initializer_range=0.3, hidden_dropout=0.0, layerdrop=0.0,
            id2label=dict(enumerate(labels)), label2id={v: k for k, v in enumerate(labels)})
        folder = tmp_path / "_".join(labels)
        Wav2Vec2ForSequenceClassification(config).save_pretrained(folder)
        Wav2Vec2FeatureExtractor().save_pretrained(folder)
        return folder

    return make


def samples(count=6):
    rng = np.random.default_rng(0)
    return [rng.normal(size=20_000).astype(np.float32) for _ in range(count)]


def test_hugging_face_models_are_used_as_they_are(tiny_hub_model, tmp_path):
    from transformers import pipeline

    folder = tiny_hub_model(["male", "female"])
    classifier = find("hf")(Options(hf=str(folder), seconds=1.0))
    side = Examples(samples(), np.arange(6) % 2 == 0, list("abcdef"))
    assert classifier.fit(side, side) == []
    said = classifier.predict_proba(side.inputs)
    own = pipeline("audio-classification", model=str(folder))
    for row, x in zip(said, side.inputs):
        expected = {a["label"]: a["score"] for a in own(x[:16_000])}
        assert row[0] == pytest.approx(expected["female"], abs=1e-5)
    classifier.save(tmp_path)
    loaded = find("hf").load(tmp_path, Options(seconds=1.0))
    np.testing.assert_array_equal(loaded.predict_proba(side.inputs), said)


def test_hugging_face_models_are_fine_tuned(tiny_hub_model):
    import torch
    from safetensors.torch import load_file

    folder = tiny_hub_model(["happy", "sad", "angry"])
    is_female = np.arange(6) % 2 == 0
    voices = [np.cumsum(x) if female else x for x, female in zip(samples(), is_female)]
    side = Examples(voices, is_female, list("abcdef"))
    with pytest.raises(UsageError, match="--hf-fine-tune"):
        find("hf")(Options(hf=str(folder))).fit(side, side)
    classifier = find("hf")(Options(hf=str(folder), hf_fine_tune=True, seconds=1.0))
    classifier.lr, classifier.epochs, classifier.patience = 3e-2, 40, 40
    history = classifier.fit(side, side)
    assert min(row["valid_loss"] for row in history) < history[0]["train_loss"]
    before = load_file(folder / "model.safetensors")
    moved = [name for name, tensor in classifier.model.state_dict().items()
             if name in before and not torch.equal(tensor, before[name])]
    assert any("encoder" in name for name in moved)  # not the new head alone
    assert classifier.model.config.id2label == {0: "female", 1: "male"}


def test_a_hub_model_that_cannot_be_had_is_said_with_the_remedy(tmp_path):
    side = Examples(samples(2), np.array([True, False]), ["a", "b"])
    with pytest.raises(UsageError, match="expected --hf NAME"):
        find("hf")().fit(side, side)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "wav2vec2"}))
    with pytest.raises(UsageError, match="local-dir"):
        find("hf")(Options(hf=str(tmp_path))).fit(side, side)
