"""What a fastai user does with a learner works on ours, from a folder of pictures."""

import base64
import dataclasses
import io
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import soundfile
import torch
from conftest import ROOT, make_gendered_folder
from fastai.callback.core import Callback
from fastai.callback.mixup import MixUp
from fastai.callback.tracker import TerminateOnNaNCallback
from fastai.data.block import CategoryBlock, DataBlock
from fastai.data.transforms import IndexSplitter, RandomSplitter, get_image_files
from fastai.interpret import ClassificationInterpretation
from fastai.losses import CrossEntropyLossFlat
from fastai.vision.core import PILImage
from torch.nn import functional
from torchvision.models import resnet18

from voxsight.answer.picture_model import PictureModel
from voxsight.corpora.reading import read_sources
from voxsight.errors import UsageError
from voxsight.network import LabelBlock, MFCBlock, Teacher, dataloaders, learner
from voxsight.network.fine_tuning import TrainConfig, fit, log_odds, make_learner
from voxsight.network.folder import ModelFolder
from voxsight.network.resuming import Epochs
from voxsight.network.toolkit.blocks import loaders
from voxsight.network.toolkit.callbacks import Bfloat16, FiniteLosses
from voxsight.network.toolkit.losses import LabelLoss
from voxsight.network.toolkit.tensors import TensorMFC, players
from voxsight.pictures.conversion import convert
from voxsight.pictures.dataset import Picture, read_dataset
from voxsight.pictures.recipe import RECIPES

plt.switch_backend("agg")
RECIPE = RECIPES["voxsight"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Pictures of eight speakers, with their recordings."""
    root = tmp_path_factory.mktemp("voices")
    make_gendered_folder(root / "corpus")
    convert(read_sources([f"folder:{root}/corpus"]), RECIPE, root / "mfc_dataset", root / "maps",
            root=root, quiet=True)
    return root / "mfc_dataset"


@pytest.fixture
def dls(folder):
    return dataloaders(folder, valid=0.5, batch=4)


@pytest.fixture
def learn(dls):
    torch.manual_seed(1)
    made = learner(dls, "resnet18", "none")
    with made.no_bar(), made.no_logging():
        yield made
    plt.close("all")


def test_a_batch_is_shown_with_its_axes(dls):
    dls.show_batch(max_n=3)
    axes = plt.gcf().axes
    assert [a.get_title() in ("female", "male") for a in axes] == [True] * 3
    for drawn in axes:
        assert (drawn.get_xlabel(), drawn.get_ylabel()) == ("time (s)", "coefficient")
        left, right, bottom, top = drawn.images[0].get_extent()
        assert right - left == pytest.approx(0.985)
        assert (bottom, top) == (-0.5, 63.5) and drawn.images[0].origin == "lower"
    assert any(drawn.images[0].get_extent()[0] > 0 for drawn in axes), "not all start at 0"


def test_what_is_drawn_is_the_picture_and_when_it_was(dls):
    """Decoded from the normalised batch, to the pixel; the second picture of a recording."""
    item = next(p for p in dls.valid_ds.items if p.start_s > 0)
    batch = dls.test_dl([item]).one_batch()
    _, _, samples = dls.valid._pre_show_batch((*batch, torch.zeros(1)))
    axes = samples[0][0].show()
    pixels = plt.imread(item.path)
    np.testing.assert_allclose(axes.images[0].get_array(), pixels, atol=1)
    assert axes.images[0].get_extent()[:2] == pytest.approx((item.start_s, item.start_s + 0.985))
    plt.close("all")


def test_a_picture_is_heard_where_its_recording_is(dls, tmp_path):
    item = next(p for p in dls.valid_ds.items if p.start_s > 0)
    shows = dls.test_dl([dls.valid_ds.items[0], item]).one_batch()[0].shows
    found = players(shows, ["1: <a>", "2: b"])
    assert found.count("<audio controls") == 2 and "1: &lt;a&gt;" in found
    second = base64.b64decode(re.findall(r"base64,([^\"]+)", found)[1])
    samples, rate = soundfile.read(io.BytesIO(second))
    original, original_rate = soundfile.read(item.source)
    start = round(item.start_s * original_rate)
    assert rate == original_rate == 16_000
    expected = original[start: start + len(samples)]
    assert np.abs(samples - expected).max() < 1e-4
    assert not players(dls.test_dl([item.path]).one_batch()[0].shows, ["a path has no recording"])


def test_pictures_keep_their_recordings_through_batches(dls):
    """Shuffled, loaded by another process, put together, and taken apart."""
    loader = dls.train.new(num_workers=1)
    for x, _ in loader:
        for pixels, shown in zip(loader.decode((x,))[0], x.shows, strict=True):
            kept = TensorMFC.of(shown.picture)
            assert (torch.as_tensor(pixels) - torch.as_tensor(kept).long()).abs().max() <= 1
    both = torch.cat([x, x[[1, 0]]])
    assert both.shows == (*x.shows, x.shows[1], x.shows[0]) and both[1:3].shows == both.shows[1:3]


def test_it_trains_and_answers(learn, dls, folder):
    learn.fine_tune(1, freeze_epochs=1, base_lr=1e-3)
    learn.fit_one_cycle(1, slice(1e-5, 1e-3))
    assert learn.lr_find(num_it=8, stop_div=False, show_plot=False).valley > 0
    loss, accuracy = learn.validate()
    probabilities, targets, losses = learn.get_preds(with_loss=True)
    genders = [p.gender for p in dls.valid_ds.items]
    assert targets.tolist() == [float(gender == "male") for gender in genders]
    assert probabilities.sum(1).numpy() == pytest.approx(1)
    right = (probabilities.argmax(1) == targets).float().mean()
    assert accuracy == pytest.approx(float(right)) and losses.shape == targets.shape
    weights = losses / -probabilities[range(len(targets)), targets.long()].log()
    assert loss == pytest.approx(float(losses.sum() / weights.sum()), rel=0.05)  # bfloat16
    path = dls.valid_ds.items[0].path
    label, index, of_labels = learn.predict(path)
    assert label == dls.vocab[int(index)] == ("female", "male")[int(of_labels.argmax())]
    np.testing.assert_allclose(of_labels, probabilities[0], atol=1e-4)


def test_its_results_are_shown(learn, dls, capsys):
    learn.show_results(max_n=4, shuffle=False)
    titles = [axes.get_title().split("\n") for axes in plt.gcf().axes[:4]]
    decided = learn.get_preds()[0].argmax(1)
    assert titles == [[p.gender, dls.vocab[i]] for p, i in zip(dls.valid_ds.items[:4], decided)]
    found = ClassificationInterpretation.from_learner(learn)
    found.plot_confusion_matrix()
    counts = found.confusion_matrix()
    assert counts.sum(1).tolist() == [sum(p.gender == label for p in dls.valid_ds.items)
                                      for label in dls.vocab]
    found.print_classification_report()
    assert "female" in capsys.readouterr().out
    losses, _, items = found.top_losses(6, items=True)  # more than a batch of four
    found.plot_top_losses(6)
    titles = [axes.get_title() for axes in plt.gcf().axes[:6]]
    for title, loss, item in zip(titles, losses, items):
        assert f"/{item.gender} / {float(loss):.2f} / " in title
    assert "ResNet" not in str(learn.summary()) and "Linear" in str(learn.summary())


def test_fastais_own_parts_fit(folder):
    """A DataBlock of paths and of fastai's categories; the axes are those of recipe.json."""
    block = DataBlock((MFCBlock, CategoryBlock), get_items=get_image_files,
                      get_y=lambda path: path.name.split("_")[0], splitter=RandomSplitter(0.4, 1))
    dls = block.dataloaders(folder, bs=4, num_workers=0)
    learn = learner(dls, "resnet18", weights="none")
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
        assert learn.predict(get_image_files(folder)[0])[0] in ("female", "male")
    dls.show_batch(max_n=1)
    assert plt.gca().get_xlabel() == "time in the picture (s)"
    plt.close("all")


@pytest.mark.parametrize("mixing", [None, MixUp])
def test_fastais_losses_and_mixing_fit(dls, folder, mixing):
    """With our labels and with fastai's categories."""
    block = DataBlock((MFCBlock, CategoryBlock), get_items=get_image_files,
                      get_y=lambda path: path.name.split("_")[0], splitter=RandomSplitter(0.4, 1))
    for made in (dls, block.dataloaders(folder, bs=4, num_workers=0)):
        for learn in (learner(made, resnet18, None, loss_func=CrossEntropyLossFlat()),
                      learner(made, resnet18, None, cbs=TerminateOnNaNCallback())):
            with learn.no_bar(), learn.no_logging():
                learn.fit(1, cbs=mixing and mixing())
            assert np.isfinite(learn.recorder.values[-1]).all()


def test_pictures_without_a_label_are_shown_and_answered(learn, dls):
    paths = [item.path for item in dls.valid_ds.items[:3]]
    dls.test_dl(paths).show_batch()
    assert [a.get_title() for a in plt.gcf().axes] == [""] * 3
    assert all(a.images for a in plt.gcf().axes)
    expected = learn.predict(paths[0])[2]
    torch.testing.assert_close(learn.predict(PILImage.create(paths[0]))[2], expected)


def test_a_training_without_validation_has_its_history(folder):
    block = DataBlock((MFCBlock, LabelBlock), get_items=get_image_files,
                      get_y=lambda path: path.name.split("_")[0], splitter=IndexSplitter([]))
    learn = learner(block.dataloaders(folder, bs=4, num_workers=0), "resnet18", "none")
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
    assert set(learn.history.rows[0]) == {"epoch", "phase", "train_loss"}


def test_what_was_meant_otherwise_is_said(folder, dls):
    with pytest.raises(UsageError, match=r"size 64, expected .*\(64, 64\)"):
        dataloaders(folder, size=64)
    with pytest.raises(UsageError, match="found the label 'Female', expected female, male"):
        LabelBlock().type_tfms[0]("Female")
    with pytest.raises(UsageError, match=r"no matching tensor layer1\.2\.bn1\.bias"):
        learner(dls, "resnet18", ROOT / "models/default")
    taught = learner(dls, "resnet18", "none", cbs=Teacher(4))
    with taught.no_bar(), taught.no_logging(), pytest.raises(Exception, match="without embeddings"):
        taught.fit(1)
    with pytest.raises(UsageError, match="no folder of pictures"):
        dataloaders(folder.with_name("mistyped"))


def test_other_labels_are_refused(folder):
    for labels, words in ((CategoryBlock(["male", "female"], sort=False), "in this order"),
                          (LabelBlock, "of one label only")):
        dls = DataBlock((MFCBlock, labels), get_items=get_image_files, get_y=lambda _: "male",
                        splitter=RandomSplitter(0.4, 1)).dataloaders(folder, bs=2, num_workers=0)
        with pytest.raises(UsageError, match=words):
            learner(dls, "resnet18", weights="none")
    with pytest.raises(UsageError, match="expected one of resnet34, resnet18"):
        learner(dls, "vgg")


def test_labels_may_be_soft_or_missing():
    label = LabelBlock().type_tfms[0]
    picture = Picture("a.jpg", "a.wav", "s", "male", "c")
    child = dataclasses.replace(picture, augmentation="child")
    unknown = dataclasses.replace(picture, gender="unlabelled")
    for target, male, shown in (("female", 0, "female"), ("male", 1, "male"), (picture, 1, "male"),
                                (child, 0.5, "female or male"), (unknown, np.nan, "unlabelled"),
                                ("unlabelled", np.nan, "unlabelled")):
        encoded = label(target)
        assert float(encoded) == pytest.approx(male, nan_ok=True)
        assert str(label.decode(encoded)) == shown


def test_the_loss_is_torchs_where_labels_are_sure():
    torch.manual_seed(1)
    outputs, targets = torch.randn(9, 2), torch.tensor([0, 1, 1, 0, 1, 1, 1, 1, 1])
    weight = torch.tensor([0.5 / 0.25, 0.5 / 0.75])
    for reduction in ("mean", "sum", "none"):
        expected = functional.cross_entropy(outputs, targets, weight, reduction=reduction)
        for kind in (targets, targets.float()):
            torch.testing.assert_close(LabelLoss(0.25, reduction)(outputs, kind), expected)
    assert LabelLoss(reduction="none")(outputs[:1], torch.tensor([np.nan])) == 0


def test_a_teacher_is_a_callback(folder):
    """Its outputs and its part of the loss come with it; fastai sees labels alone."""
    pictures, recipe = read_dataset(folder)
    heard = np.random.default_rng(1).normal(size=(len(pictures), 5)).astype(np.float32)
    dls = loaders(pictures, np.arange(6), (64, 64), batch=4, recipe=recipe, embeddings=heard)
    learn = learner(dls, "resnet18", weights="none", cbs=[Teacher(5, weight=2.0)])
    with learn.no_bar(), learn.no_logging():
        learn.fit(1)
        probabilities, targets, losses = learn.get_preds(with_loss=True)
        assert probabilities.shape == (6, 2) and targets.shape == losses.shape == (6,)
        with torch.no_grad():
            x = torch.cat([torch.as_tensor(x) for x, *_ in dls.valid])
            outputs = learn.model.eval()(x)
        distances = 1 - functional.cosine_similarity(outputs[:, 2:], torch.from_numpy(heard[:6]))
        of_labels = functional.cross_entropy(outputs[:, :2], targets.long(),
                                             learn.loss_func.weight, reduction="none")
        expected = of_labels + 2 * distances
        torch.testing.assert_close(losses, expected, atol=2e-4, rtol=1e-3)
        dls.show_batch(max_n=2)
        learn.show_results(max_n=2)
        ClassificationInterpretation.from_learner(learn).plot_top_losses(2)
        assert learn.predict(pictures[0].path)[0] in ("female", "male")
    plt.close("all")


class Stumbles(Callback):
    """Fails within the network, as a notebook that is interrupted."""

    def before_batch(self):
        self.hook = self.model[0].register_forward_hook(self.stumble)

    def stumble(self, *_):
        self.hook.remove()
        self.was_autocast = torch.is_autocast_enabled("cpu")
        raise KeyboardInterrupt


def test_autocast_is_left_after_an_exception(learn, dls):
    if not learn.cbs.filter(lambda callback: isinstance(callback, Bfloat16)):
        pytest.skip("this processor computes without bfloat16")
    stumbles = Stumbles()
    with pytest.raises(KeyboardInterrupt):
        learn.fit(1, cbs=[stumbles])
    assert stumbles.was_autocast and not torch.is_autocast_enabled("cpu")
    learn.remove_cb(stumbles)
    x, _ = dls.one_batch()
    with torch.no_grad():
        assert learn.model(torch.as_tensor(x)).dtype == torch.float32
    learn.fit(1)
    assert not learn.to_fp32().cbs.filter(lambda callback: isinstance(callback, Bfloat16))


def test_log_odds_are_those_of_get_preds(folder):
    """After our own fit, whose callbacks are gone; one normalisation for all."""
    pictures, _ = read_dataset(folder)
    config = TrainConfig("resnet18", "none", head_epochs=0, epochs=1, batch=4, augment=1.0)
    learn = make_learner(pictures, np.arange(6), (64, 64), config, quiet=True)
    fit(learn, config)
    found = log_odds(learn, [p.path for p in pictures[:6]])
    pixels = torch.tensor(np.stack([plt.imread(p.path) for p in pictures[:6]])) / 255
    mean, std = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))
    with torch.no_grad():
        logits = learn.model.eval()(((pixels - mean) / std).permute(0, 3, 1, 2))
    np.testing.assert_allclose(found, logits[:, 0] - logits[:, 1], rtol=1e-3, atol=1e-3)
    learn.lr_find(num_it=5, stop_div=False, show_plot=False)
    assert not learn.cbs.filter(lambda callback: isinstance(callback, Epochs | FiniteLosses))


def test_ten_lines_of_the_page_train_a_model(folder, tmp_path, monkeypatch):
    """As they stand in docs/training.md, with another folder and without a download."""
    page = (ROOT / "docs/training.md").read_text()
    (lines,) = re.findall(r"```python\n(.+?)```", page, re.S)
    assert len(lines.splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    lines = lines.replace("mfc_dataset/mine", str(folder))
    assert '"imagenet"' in lines
    exec(lines.replace('"imagenet"', f'"{ROOT}/models/default"'), {})
    plt.close("all")
    model = PictureModel("models/mine")
    assert model.predict(ROOT / "my_wavs/slt_fox.wav").p_female is not None
    config = ModelFolder("models/mine").config
    assert (config.training["head_epochs"], config.training["epochs"]) == (2, 1)
    assert config.training["shared_speakers"] == "speakers shared 0 of 8"
    assert config.recipe == RECIPE and config.figures["n_speakers"] == 2
    rows = (tmp_path / "models/mine/history.csv").read_text().splitlines()
    assert [row.split(",")[1] for row in rows] == ["phase", "head", "head", "everything"]
