"""Measures of maps: by hand, against pytorch-grad-cam's ROAD and SciPy, and on real maps."""

import json

import numpy as np
import pytest
import torch
from conftest import MY_WAVS, praat_f0
from PIL import Image

from voxsight.answer.picture_model import PictureModel
from voxsight.explanation import sweeps
from voxsight.explanation.methods import SHIPPED, Explainer
from voxsight.explanation.trials import faithfulness, localisation, sanity
from voxsight.network.architecture import STAGES
from voxsight.pictures import cepstra
from voxsight.pictures.recipe import RECIPES


@pytest.fixture
def one_pixel():
    """A picture of one bright pixel, and a network that asks whether it is there."""
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[2, 1] = 240
    return picture, lambda pictures: (pictures[:, 2, 1, 0] > 200).astype(float)


def test_deletion_and_insertion_by_hand(one_pixel, rng):
    picture, p_label = one_pixel
    heat = np.zeros((4, 4))
    heat[2, 1] = 1.0
    right, wrong = (faithfulness.order_of(sign * heat, rng) for sign in (1, -1))
    deletion, insertion = faithfulness.curves(picture, right, p_label)
    np.testing.assert_array_equal(deletion, [1, *[0] * 8])
    np.testing.assert_array_equal(insertion, [0, *[1] * 8])
    assert faithfulness.area(deletion) == 1 / 16 and faithfulness.area(insertion) == 15 / 16
    deletion, insertion = faithfulness.curves(picture, wrong, p_label)
    assert faithfulness.area(deletion) == 15 / 16 and faithfulness.area(insertion) == 1 / 16
    for fill in (faithfulness.fill_with_mean,
                 lambda p, keep: faithfulness.fill_from_neighbours(p, keep, rng)):
        assert faithfulness.road_gap(picture, right, p_label, fill) == 1.0
        assert faithfulness.road_gap(picture, wrong, p_label, fill) == -1.0


@pytest.mark.parametrize("label", [0, 1])
def test_deletion_pixel_by_pixel(tiny_model, rng, label):
    """As quantus.PixelFlipping does it, with which the curves agreed to within 1e-6 once.

    Its package is not among ours: it installs a second OpenCV over that of pytorch-grad-cam.
    """
    explainer = Explainer(PictureModel(tiny_model[0]))
    picture, heat = rng.integers(0, 256, (64, 64, 3), np.uint8), rng.random((64, 64))
    seen = torch.from_numpy(picture).permute(2, 0, 1).float()
    colour = seen.mean(dim=(1, 2)).round()
    expected = []
    for flipped, (row, column) in enumerate(
            sorted(np.ndindex(64, 64), key=lambda place: -heat[place])):
        if flipped % 512 == 0:
            expected.append(seen.clone())
        seen[:, row, column] = colour
    logits = explainer.network(torch.stack([*expected, seen])).detach().numpy()
    log_odds = (logits[:, 0] - logits[:, 1]) / 2  # the temperature of the tiny model
    p_female = 1 / (1 + np.exp(-log_odds))
    deletion, _ = faithfulness.curves(picture, faithfulness.order_of(heat, rng),
                                      explainer.p_label(("female", "male")[label]))
    np.testing.assert_allclose(deletion, p_female if label == 0 else 1 - p_female, atol=1e-4)


@pytest.mark.slow
def test_random_maps_are_of_each_picture_and_several(rng):
    """Twelve seeds agree, where one map for all pictures gives twelve figures."""
    pictures = rng.integers(0, 100, (3, 4, 4, 3), np.uint8)
    pictures[:, :2, :2] += 150

    def p_label(pictures):
        return pictures[:, :2, :2].mean(axis=(1, 2, 3)) / 255

    def figure(seed):
        return np.mean([faithfulness.random_measures(picture, (2, 2), p_label, seed)["deletion"]
                        for picture in pictures])

    def of_one_map(seed):
        heat = np.kron(np.random.default_rng(seed).random((2, 2)), np.ones((2, 2)))
        return np.mean([faithfulness.faithfulness_measures(
            picture, heat, p_label, np.random.default_rng(seed))["deletion"]
            for picture in pictures])

    spread, of_one = (np.std([function(seed) for seed in range(12)])
                      for function in (figure, of_one_map))
    assert spread < 0.03 and 3 * spread < of_one and faithfulness.RANDOM_MAPS >= 10
    one, other = (faithfulness.rng_of(picture, "random maps").random(4) for picture in pictures[:2])
    again = faithfulness.rng_of(pictures[0].copy(), "random maps").random(4)
    assert np.array_equal(one, again) and not np.array_equal(one, other)


def test_what_random_maps_measure_follows_by_hand(rng):
    """Of a linear network the mean curve is straight and no end of the order is better."""
    pictures = rng.integers(0, 256, (20, 4, 4, 3), np.uint8)

    def linear(pictures):
        return pictures[:, :2, :2].mean(axis=(1, 2, 3)) / 255

    found = [faithfulness.random_measures(picture, (4, 4), linear) for picture in pictures]
    ends = np.stack([linear(pictures), pictures.mean(axis=(1, 2, 3)) / 255])
    means = {name: np.mean([own[name] for own in found]) for name in found[0]}
    expected = {"deletion": ends.mean(), "insertion": ends.mean(), "road_linear": 0,
                "road_mean": 0}
    assert means == pytest.approx(expected, abs=0.01)


def test_ties_are_drawn():
    orders = {tuple(faithfulness.order_of(np.zeros((3, 3)), np.random.default_rng(seed)))
              for seed in range(5)}
    assert len(orders) == 5
    heat = np.array([[0.0, 3.0], [0.0, 2.0]])
    assert faithfulness.order_of(heat, np.random.default_rng(0))[:2].tolist() == [1, 3]


def test_road_is_that_of_pytorch_grad_cam(tiny_model, rng):
    from pytorch_grad_cam.metrics.road import ROADCombined

    explainer = Explainer(PictureModel(tiny_model[0]))
    picture = np.repeat(np.repeat(rng.integers(0, 256, (8, 8, 3)), 8, 0), 8, 1).astype(np.uint8)
    heat = rng.random((64, 64))  # no ties, which the library leaves to the sort
    p_label = explainer.p_label("female")

    class Asked(torch.nn.Module):
        def forward(self, batch):
            pictures = batch.permute(0, 2, 3, 1).numpy().round().clip(0, 255).astype(np.uint8)
            return torch.from_numpy(p_label(pictures))[:, None]

    batch = torch.from_numpy(picture).permute(2, 0, 1)[None].float()
    theirs = 2 * ROADCombined([10, 30, 50, 70, 90])(
        batch, heat[None], [lambda output: output[0]], Asked())[0]
    order = faithfulness.order_of(heat, rng)
    ours = faithfulness.road_gap(picture, order, p_label, lambda p, keep:
                                 faithfulness.fill_from_neighbours(p, keep, rng))
    assert ours == pytest.approx(float(theirs), abs=0.01)


def test_loudness_and_its_grid():
    picture = np.zeros((4, 4, 3), np.uint8)
    picture[:2, 2:, 1] = 200
    strong = faithfulness.amplitude(picture, RECIPES["voxsight"])
    np.testing.assert_array_equal(faithfulness.pooled(strong, (2, 2)), [[0, 200], [0, 0]])
    np.testing.assert_array_equal(faithfulness.pooled(strong, (1, 4)), [[0, 0, 100, 100]])
    grey = np.full((4, 4, 3), 7, np.uint8)
    assert faithfulness.amplitude(grey, RECIPES["audiomnist"]).min() == 7


def test_rank_correlation_is_spearmans(rng):
    from scipy.stats import spearmanr

    one, other = rng.random((8, 8)), rng.integers(0, 4, (8, 8)).astype(float)
    expected = spearmanr(one.ravel(), other.ravel()).statistic
    assert sanity.rank_correlation(one, other) == pytest.approx(expected)
    assert np.isnan(sanity.rank_correlation(one, np.ones((8, 8))))


def test_an_untrained_network_is_torchvisions(tiny_model, rng):
    """Its maps are as large at every stage as those of a ResNet that was never trained."""
    import torchvision

    explainer = Explainer(PictureModel(tiny_model[0]))
    architecture = explainer.model.config.architecture
    pictures = torch.from_numpy(rng.normal(size=(4, 3, 64, 64))).float()

    def ours(seed):
        random = sanity.untrained(architecture, seed=seed)
        return sanity.randomised(explainer.network, STAGES, random).resnet

    def fresh(seed):
        torch.manual_seed(seed)
        resnet = torchvision.models.resnet18(num_classes=2).eval()
        resnet.layer4[0].conv1.stride = resnet.layer4[0].downsample[0].stride = (1, 1)
        return resnet

    def spreads(make):
        """Of the maps at each stage, the median of networks with several seeds."""
        found = []
        for resnet in map(make, range(9)):
            for stage in STAGES[:-1]:
                getattr(resnet, stage).register_forward_hook(
                    lambda module, given, maps: found.append(float(maps.detach().std())))
            resnet(pictures)
        return np.median(np.reshape(found, (9, -1)), axis=0)

    np.testing.assert_allclose(spreads(ours), spreads(fresh), rtol=0.35)
    random = sanity.untrained(architecture, seed=1)
    other = sanity.untrained(architecture, seed=2).state_dict()
    assert not torch.equal(other["resnet.conv1.weight"], random.state_dict()["resnet.conv1.weight"])


def test_stages_are_randomised_and_nothing_else(tiny_model):
    explainer = Explainer(PictureModel(tiny_model[0]))
    network = explainer.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random = sanity.untrained(explainer.model.config.architecture, seed=1)
    for stages, parts in ((("fc", "layer4"), ("fc", "layer4")), (("conv1",), ("conv1", "bn1"))):
        own = sanity.randomised(network, stages, random).state_dict()
        for name, value in before.items():
            stage = name.removeprefix("resnet.").split(".")[0]
            source = random.state_dict() if stage in parts else before
            assert torch.equal(own[name], source[name]), name
            assert torch.equal(network.state_dict()[name], value), "the network is untouched"
    assert list(sanity.cascading())[:2] == [("fc", ("fc",)), ("layer4", ("fc", "layer4"))]
    assert list(sanity.cascading())[-1] == ("conv1", STAGES[::-1])
    assert list(sanity.independent())[-1] == ("conv1", ("conv1",))


def test_shifted_sound_shows_the_same_elsewhere(spoken):
    recipe = RECIPES["voxsight"]
    samples, rate = spoken("slt_fox")
    assert rate == recipe.sample_rate
    pair = sanity.shifted_pair(samples[4000: 4000 + recipe.window_samples], recipe)
    assert sanity.stability(pair[..., 1].astype(float), recipe) > 0.99
    assert sanity.rank_correlation(*pair[..., 1].astype(float)) < 0.97


def test_a_word_between_noise(rng):
    recipe = RECIPES["voxsight"]
    word = np.sin(2 * np.pi * 1000 * np.arange(4000) / 16_000)
    quiet = np.concatenate([np.zeros(3000), word, np.full(2000, 1e-4)])
    assert abs(len(localisation.trim(quiet, 16_000)) - 4000) <= 320
    noise = rng.standard_normal(40_000)
    picture, start, end = localisation.noise_word_noise(word, noise, recipe, rng)
    assert (end - start) * recipe.window_samples == pytest.approx(4000)
    row = np.abs(cepstra.band_centres(recipe) - 1000).argmin()
    band = faithfulness.amplitude(picture, recipe)[row]
    columns = np.arange(64) / 64
    inside = (columns > start + 0.05) & (columns < end - 0.05)
    outside = (columns < start - 0.05) | (columns > end + 0.05)
    assert band[inside].min() > band[outside].max(), "the tone is where it is said to be"
    with pytest.raises(ValueError, match="leave it out"):
        localisation.noise_word_noise(np.ones(15_000), noise, recipe, rng)


def test_fraction_on_by_hand():
    heat = np.zeros((2, 4))
    heat[:, 1], heat[:, 3] = 3.0, 1.0
    assert localisation.fraction_on(heat, 0.25, 0.5) == 0.75
    assert localisation.fraction_on(heat, 0.375, 0.5) == pytest.approx(0.375)
    assert localisation.fraction_on(heat, 0.0, 1.0) == 1.0
    assert np.isnan(localisation.fraction_on(0 * heat, 0, 1))


def test_measures_of_a_word_by_hand():
    """The sound is loud in the first half and the word is there; the map is strong in the first."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4, :4, 1] = 200
    heat = np.zeros((8, 8))
    heat[:, :2], heat[:, 6:] = 3.0, 1.0
    found = localisation.word_measures(picture, heat, RECIPES["voxsight"], 0.0, 0.25)
    assert found == pytest.approx({
        "on_word": 0.75, "strongest_on_word": 1.0, "loudest_on_word": 0.5, "word_width": 0.25,
        "on_word-random": 0.5, "on_word-amplitude": 0.25, "strongest_on_word-amplitude": 0.5})
    blind = localisation.word_measures(picture, 0 * heat, RECIPES["voxsight"], 0.0, 0.25)
    assert list(blind) == list(found) and np.isnan(list(blind.values())).all()


def test_every_word_has_noise_and_a_place_of_its_own():
    from voxsight.explanation.trials.report import _noise_word_noise
    from voxsight.sound.recording import Recording

    places = []
    for name in ("slt_seven", "rms_seven", "slt_three"):
        _, start, end = _noise_word_noise(Recording(MY_WAVS / f"{name}.wav"), RECIPES["voxsight"])
        places.append(start / (1 - (end - start)))
    assert np.ptp(places) > 0.1


def test_bands_are_left_out():
    t = np.arange(16_000) / 16_000
    tones = {hz: np.sin(2 * np.pi * hz * t) for hz in (300, 1000, 3000)}
    heard = sweeps.without_band(sum(tones.values()), 16_000, 1000.0)
    levels = {hz: float(heard @ tone) / 8000 for hz, tone in tones.items()}
    assert levels == pytest.approx({300: 1.0, 1000: 0.0, 3000: 1.0}, abs=0.01)


def test_pitch_and_formants_move_apart(spoken):
    import librosa

    samples, rate = spoken("slt_hello")
    found = {(name, x): own for name, x, own in sweeps.versions(samples, rate)}

    def f0(own):
        return praat_f0(own, rate)

    def centroid(own):
        return float(librosa.feature.spectral_centroid(y=own, sr=rate).mean())

    same = found["pitch", 0]
    assert f0(found["pitch", -6]) / f0(same) == pytest.approx(2 ** -0.5, rel=0.03)
    assert centroid(found["pitch", -6]) / centroid(same) == pytest.approx(1, abs=0.1)
    assert f0(found["formants", 20]) / f0(same) == pytest.approx(1, rel=0.02)
    assert centroid(found["formants", 20]) / centroid(same) > 1.08


def test_flip_by_hand():
    assert sweeps.flip([-2, 0, 2], [0.1, 0.9, 0.9]) == pytest.approx(-1)
    assert sweeps.flip([-4, -2, 0, 2], [0.9, 0.1, 0.8, 0.4]) == pytest.approx(-6 / 7)
    assert np.isnan(sweeps.flip([-2, 0, 2], [0.6, 0.9, 0.9]))


def test_means_weigh_speakers_alike():
    from voxsight.metrics.bootstrap import mean_over_speakers

    values = [1.0, 1.0, 1.0, 5.0, float("nan")]
    found = mean_over_speakers(values, ["a", "a", "a", "b", "c"])
    half = 12.706 * np.std([1, 5], ddof=1) / np.sqrt(2)  # Student's t with one degree of freedom
    assert found["value"] == 3.0
    assert (found["low"], found["high"]) == pytest.approx((3 - half, 3 + half), rel=1e-3)
    assert mean_over_speakers([float("nan")], ["a"])["value"] is None


@pytest.mark.slow
def test_commands_write_tables_and_pictures(script, tiny_model, gendered_folder, tmp_path):
    corpus = f"folder:{gendered_folder(speakers=2)}"
    done = script("explain_model", tiny_model[0], corpus, "--per-speaker", "1", "--faithfulness",
                  "--method", "hirescam", "--out", tmp_path, "--quiet", "--jobs", "1")
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "faithfulness.json").read_text())
    own = found["corpora"]["corpus"]["hirescam layer1"]
    assert own["n"] == 2 and 0 <= own["deletion"]["value"] <= 1
    assert own["deletion"]["low"] <= own["deletion"]["value"] <= own["deletion"]["high"]
    assert found["sanity_pictures"] == {"n": 2, "n_speakers": 2}
    for key in ("sanity", "sanity_independent"):
        stages = found[key]["hirescam layer1"]
        assert list(stages) == ["fc", "layer4", "layer3", "layer2", "layer1", "conv1"]
        assert max(abs(figure["value"]) for figure in stages.values()) < 0.95
    assert found["sanity"]["hirescam layer1"] != found["sanity_independent"]["hirescam layer1"]
    assert "| hirescam layer1 |" in done.stdout and "voxsight explain" in done.stdout
    done = script("explain_model", tiny_model[0], corpus, "--per-speaker", "1", "--sensitivity",
                  "--out", tmp_path, "--quiet")
    assert done.returncode == 0, done.stderr
    curves = json.loads((tmp_path / "sensitivity.json").read_text())
    assert len(curves["pitch"]["female"]["curve"]) == len(sweeps.SEMITONES)
    for name in ("faithfulness", "sensitivity"):
        assert np.asarray(Image.open(tmp_path / f"{name}.png").convert("L")).std() > 10
    done = script("explain_model", tiny_model[0], "nothing:here", "--faithfulness")
    assert done.returncode == 2 and "Traceback" not in done.stderr


@pytest.mark.slow
def test_the_difference_to_random_is_to_the_pictures_own_maps(tiny_model):
    from voxsight.corpora.utterance import Utterance
    from voxsight.explanation.trials.report import measure_methods

    path, model, windows = MY_WAVS / "slt_three.wav", PictureModel(tiny_model[0]), []
    found, _ = measure_methods([Utterance(str(path), "anna", "female")], tiny_model[0],
                               methods=[SHIPPED], jobs=1, quiet=True)
    prediction = model.predict(path, keep=windows)
    random = faithfulness.random_measures(
        windows[0].picture, (16, 16),
        Explainer(model).p_label("female" if prediction.p_female > 0.5 else "male"))
    (by_method,) = found["corpora"].values()
    for name, value in random.items():
        own = by_method[str(SHIPPED)]
        assert own[name]["value"] - own[f"{name}-random"]["value"] == pytest.approx(value)
    assert own["n_words"] == 1 and own["loudest_on_word"]["value"] > own["word_width"]["value"]
    # One speaker tells little of a fraction, and of others of what has no limits nothing.
    assert 0 <= own["on_word"]["low"] < own["on_word"]["high"] <= 1
    assert own["road_linear"]["low"] is own["on_word-amplitude"]["high"] is None


@pytest.mark.slow
@pytest.mark.parametrize("measure", [("--sensitivity",), ("--faithfulness", "--method", "gradcam")])
def test_recordings_that_cannot_be_read_are_named(script, tiny_model, tmp_path, measure):
    (tmp_path / "broken.wav").write_bytes(b"no sound")
    (tmp_path / "voices.csv").write_text("path,speaker,gender\nbroken.wav,a,female\n" + "".join(
        f"{MY_WAVS / name}.wav,{name},{gender}\n"
        for name, gender in (("slt_three", "female"), ("rms_seven", "male"))))
    done = script("explain_model", tiny_model[0], f"csv:{tmp_path / 'voices.csv'}", *measure,
                  "--out", tmp_path / "out", "--quiet", "--jobs", "1")
    assert done.returncode == 1 and "broken.wav: found no sound" in done.stderr
    assert list((tmp_path / "out").glob("*.json"))


@pytest.mark.slow
def test_the_measure_tells_a_right_map_from_a_wrong_one():
    """On the shipped model's own pictures, against its map turned upside down."""
    explainer = Explainer(PictureModel("models/default"))
    gaps = []
    for name, label in (("slt_fox", "female"), ("rms_morning", "male")):
        windows = []
        explainer.model.predict(MY_WAVS / f"{name}.wav", keep=windows)
        picture = windows[0].picture
        heat = explainer.maps(picture[None], [label], SHIPPED)[0]
        sign = 1 if label == "female" else -1

        def odds(pictures, sign=sign):  # probabilities of these clear voices hardly move
            return sign * explainer.log_odds(pictures)

        own, other = (faithfulness.faithfulness_measures(
            picture, np.kron(h, np.ones((4, 4))), odds, np.random.default_rng(0))
            for h in (heat, -heat))
        gaps.append((other["deletion"] - own["deletion"], own["road_linear"],
                     own["insertion"] - other["insertion"]))
    assert np.min(gaps) > 0.5


@pytest.mark.slow
@pytest.mark.corpora
def test_shipped_maps_beat_chance_on_real_voices(corpora):
    from voxsight.corpora.reading import read_sources
    from voxsight.explanation.trials.report import measure_methods

    utterances = read_sources([f"librispeech:{corpora}/LibriSpeech:test-other"], per_speaker=1)
    found, _ = measure_methods(utterances[::2], "models/default", methods=[SHIPPED], quiet=True)
    (own,) = found["corpora"].values()
    assert own[str(SHIPPED)]["deletion-random"]["value"] < -0.05
    assert own[str(SHIPPED)]["road_linear"]["value"] > 0.05
    assert abs(found["sanity"][str(SHIPPED)]["conv1"]["value"]) < 0.2


def test_probabilities_of_both_labels(tiny_model, rng):
    explainer = Explainer(PictureModel(tiny_model[0]))
    pictures = rng.integers(0, 256, (3, 64, 64, 3), np.uint8)
    female, male = (explainer.p_label(label)(pictures) for label in ("female", "male"))
    np.testing.assert_allclose(female + male, 1)
    np.testing.assert_allclose(np.log(female / male), explainer.log_odds(pictures))
    assert np.abs(female - 0.5).min() > 1e-3
