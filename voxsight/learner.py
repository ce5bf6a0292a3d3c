"""Fine-tuning a ResNet on pictures with fastai: first the head, then everything."""

import dataclasses
import functools

import numpy as np
import torch
import torchvision
from fastai.callback.core import Callback
from fastai.callback.progress import ProgressCallback
from fastai.callback.schedule import fit_one_cycle  # noqa: F401  (a method of Learner)
from fastai.data.block import DataBlock, TransformBlock
from fastai.data.transforms import IndexSplitter, IntToFloatTensor, Normalize
from fastai.torch_core import TensorImage, set_seed
from fastai.vision.learner import vision_learner
from fasttransform import Transform
from torch import nn
from torch.nn.functional import cosine_similarity, log_softmax
from tqdm import tqdm

from voxsight import mfc
from voxsight.checkpoint import LABELS, Architecture, load_weights
from voxsight.data_parallel import is_first, processes
from voxsight.errors import UsageError
from voxsight.resuming import Epochs

ARCHITECTURES = ("resnet34", "resnet18")
_STAGES = {0: "conv1", 1: "bn1", 4: "layer1", 5: "layer2", 6: "layer3", 7: "layer4"}


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """How to train; what the flags of ``train_model.py`` say."""

    arch: str = "resnet34"
    weights: str = "imagenet"  # "imagenet", "none", a safetensors file or a model folder
    split: str = "speaker"
    valid: float = 0.2
    seed: int = 42
    head_epochs: int = 2
    epochs: int = 1
    lr: float | None = None  # by default 2e-3, discriminative where weights are given
    size: tuple | None = None  # pixels (height, width); the pictures' own by default
    augment: float = 0.0  # share of pictures with a time and a coefficient band masked
    batch: int = 64
    row_jitter: float = 0.0  # strength of a random gain and offset per coefficient, see JitterRows
    teacher: str | None = None  # encoder whose speaker embeddings are learnt beside the label


def make_learner(pictures, valid, size, config, *, embeddings=None, log_dir=None, quiet=False):
    """fastai learner over picture files.

    Parameters
    ----------
    pictures : list of datasets.Picture [shape=(n,)]
    valid : array of int
        indices of the pictures that validate
    size : (int, int)
        height and width the network sees, pixels
    config : TrainConfig
    embeddings : np.ndarray [shape=(n, d)], optional
        what a teacher heard in the voice behind each picture; the network then learns to
        tell that too, with outputs that are left out of what is saved
    log_dir : path, optional
        where TensorBoard's events go
    quiet : bool
        no progress bar

    Returns
    -------
    fastai.learner.Learner
        its model is ``[body, head]``, the head pooling and one linear layer

    Raises
    ------
    UsageError
        if the weights cannot be had
    """
    set_seed(config.seed, reproducible=True)
    targets = np.array([[p.p_female] for p in pictures], np.float32)
    if embeddings is not None:
        targets = np.hstack([targets, embeddings])
    shown = TransformBlock(type_tfms=functools.partial(_load, size=size),
                           batch_tfms=[IntToFloatTensor()])
    block = DataBlock(
        blocks=(shown, TransformBlock()), get_x=lambda i: pictures[i].path,
        get_y=lambda i: torch.from_numpy(targets[i]), splitter=IndexSplitter(valid),
        batch_tfms=[Normalize.from_stats(Architecture.mean, Architecture.std),
                    JitterRows(config.row_jitter), MaskBands(config.augment)])
    # An unfilled one would be dropped.
    batch = max(1, min(config.batch, len(pictures) - len(valid)) // processes())
    dls = block.dataloaders(range(len(pictures)), bs=batch, num_workers=0)
    outputs = len(LABELS) + targets.shape[1] - 1
    learn = vision_learner(
        dls, getattr(torchvision.models, config.arch), normalize=False, n_out=outputs,
        pretrained=False, custom_head=linear_head(outputs), metrics=[accuracy],
        loss_func=_Loss(np.delete(targets[:, 0], valid)), cbs=_callbacks(log_dir, quiet))
    learn.remove_cb(ProgressCallback)
    learn.logger = _silent
    set_last_stride(learn.model[0], Architecture.last_stride)
    if config.weights != "none":
        load_into(learn.model, initial_weights(config.weights, config.arch))
    return learn


def fit(learn, config, epochs=None):
    """Train the head with the body frozen, then everything; history as rows.

    Parameters
    ----------
    learn : fastai.learner.Learner
    config : TrainConfig
    epochs : resuming.Epochs, optional
        stores the state after each, and knows which are done

    Returns
    -------
    list of dict
        per epoch ``epoch, phase, train_loss, valid_loss, accuracy``
    """
    lr = config.lr or 2e-3
    # Filters that were learnt before move less the earlier they stand; those that start
    # from nothing all move alike.
    rates = lr if config.weights == "none" else slice(lr / 100, lr / 2)
    epochs = epochs or Epochs(config.seed)
    learn.add_cb(epochs)
    for phase, count, own_lr, enter in (("head", config.head_epochs, lr, learn.freeze),
                                        ("everything", config.epochs, rates, learn.unfreeze)):
        if count:
            enter()
            done = epochs.begin(phase)
            if done < count:
                learn.fit_one_cycle(count, own_lr, start_epoch=done)
    return epochs.rows


def log_odds(learn, paths, size):
    """Log-odds of female of picture files.

    Parameters
    ----------
    learn : fastai.learner.Learner
    paths : sequence of str [shape=(n,)]
    size : (int, int)
        height and width the network sees

    Returns
    -------
    np.ndarray [shape=(n,)]
    """
    mean, std = (torch.tensor(values)[:, None, None]
                 for values in (Architecture.mean, Architecture.std))
    logits, device = [], next(learn.model.parameters()).device
    learn.model.eval()
    with torch.no_grad():
        for start in range(0, len(paths), 64):
            x = torch.stack([_load(path, size) for path in paths[start: start + 64]])
            x = torch.as_tensor((x / 255 - mean) / std).to(device,
                                                           memory_format=torch.channels_last)
            logits.append(learn.model(x)[:, :2].float().cpu())
    logits = torch.cat(logits)
    return (logits[:, 0] - logits[:, 1]).numpy()


def initial_weights(weights, arch):
    """Tensors under torchvision's names to start from.

    Parameters
    ----------
    weights : str
        ``imagenet``, a safetensors file or a voxsight model folder
    arch : str

    Returns
    -------
    dict of str to np.ndarray

    Raises
    ------
    UsageError
        if they cannot be downloaded or read
    """
    if weights != "imagenet":
        return load_weights(weights)
    published = torchvision.models.get_model_weights(arch).IMAGENET1K_V1
    try:
        state = published.get_state_dict(progress=True, check_hash=True, weights_only=True)
    except OSError as error:
        raise UsageError(
            f"--weights imagenet: {published.url} could not be fetched ({error}), expected a "
            "download of 83 MB; connect to the internet once, or train from scratch with "
            "--weights none, or name a .safetensors file of a torchvision state dict or a "
            "voxsight model folder with --weights PATH") from error
    return {name: tensor.numpy() for name, tensor in state.items()}


def load_into(model, tensors):
    """Load tensors under torchvision's names into a learner's model.

    The final layer is left as it is where its shape differs (1000 ImageNet classes).

    Raises
    ------
    UsageError
        if the tensors belong to another network
    """
    fitting, odd = {}, []
    for key, own in model.state_dict().items():
        name = _torchvision_name(key)
        if name in tensors and tensors[name].shape == tuple(own.shape):
            fitting[key] = torch.from_numpy(np.array(tensors[name]))
        elif not name.startswith("fc.") and not name.endswith("num_batches_tracked"):
            odd.append(name)
    if odd:
        raise UsageError(f"--weights: found no matching tensor {odd[0]} ({len(odd)} missing or "
                         "of another shape), expected those of the network of --arch; name "
                         "weights of the same architecture")
    model.load_state_dict(fitting, strict=False)


def torchvision_state(model):
    """Tensors of a learner's model under torchvision's names.

    Without batch counters, and without the outputs that learnt from a teacher.
    """
    state = {name: tensor.detach().cpu().numpy() for key, tensor in model.state_dict().items()
             if not (name := _torchvision_name(key)).endswith("num_batches_tracked")}
    return state | {name: state[name][: len(LABELS)] for name in ("fc.weight", "fc.bias")}


class _Loss:
    """Cross-entropy with the label and, where there is one, distance from the teacher.

    Both labels weigh the same, however few speakers one of them has. Where the label is
    not known (NaN) the teacher alone counts.
    """

    teacher_weight = 1.0

    def __init__(self, trained):
        share = float(np.nanmean(trained))
        self.weight = torch.tensor([0.5 / share, 0.5 / (1 - share)])

    def __call__(self, outputs, targets):
        targets = torch.as_tensor(targets)  # without fastai's subclasses of tensors
        p_female, weight = targets[:, :1], self.weight.to(outputs.device)
        wanted = torch.cat([p_female, 1 - p_female], 1).nan_to_num(0.0) * weight
        named = log_softmax(torch.as_tensor(outputs[:, : len(LABELS)]), 1)
        loss = -(wanted * named).sum() / wanted.sum().clamp(min=1e-6)
        if targets.shape[1] > 1:
            alike = cosine_similarity(outputs[:, len(LABELS):], targets[:, 1:])
            loss = loss + self.teacher_weight * (1 - alike).mean()
        return loss


def accuracy(outputs, targets):
    """Share of pictures whose likelier label is right."""
    return ((outputs[:, 0] > outputs[:, 1]) == (targets[:, 0] > 0.5)).float().mean()


class MaskBands(Transform):
    """Grey out a stretch of time and a band of rows in a share of training pictures.

    SpecAugment without time warping (Park et al., 2019); pictures are never flipped,
    rotated or warped, since their axes are not interchangeable.
    """

    order, split_idx = 100, 0  # after normalisation, on training batches only

    def __init__(self, share, time=0.25, rows=0.15):
        self.share, self.time, self.rows = share, time, rows

    def encodes(self, x: TensorImage):
        n, _, height, width = x.shape
        drawn = torch.rand(n, 1, 1, 1) < self.share
        bands = (_bands(n, height, self.rows)[:, None, :, None]
                 | _bands(n, width, self.time)[:, None, None, :])
        return x.masked_fill((drawn & bands).to(x.device), 0.0)


class JitterRows(Transform):
    """Multiply and shift each of 12 bands of rows at random, for every training picture.

    A network that saw few speakers knows them by the mean and spread of each cepstral
    coefficient; with those drawn anew for every picture it has to look at the rest.

    Parameters
    ----------
    strength : float
        1 shifts by 0.3 of the normalised unit and multiplies by exp(0.2), standard deviations
    bands : int
    """

    order, split_idx = 99, 0  # as MaskBands, and before it

    def __init__(self, strength, bands=12):
        self.strength, self.bands = strength, bands

    def encodes(self, x: TensorImage):
        if not self.strength:
            return x
        n, _, height, _ = x.shape
        band_of_row = torch.arange(height) * self.bands // height
        drawn = torch.randn(2, n, self.bands)[..., band_of_row][:, :, None, :, None].to(x.device)
        return x * (0.2 * self.strength * drawn[0]).exp() + 0.3 * self.strength * drawn[1]


class _Progress(Callback):
    """One tqdm bar per phase, on stderr."""

    order = 60

    def __init__(self, quiet):
        self.quiet = quiet

    def before_fit(self):
        batches = self.n_epoch * len(self.dls.train)
        self.bar = tqdm(total=batches, desc="training", unit="batch", disable=self.quiet)

    def after_batch(self):
        if self.training:
            self.bar.update()

    def after_epoch(self):
        names, log = self.recorder.metric_names, self.recorder.log
        if len(log) < len(names):  # an epoch that a resumed training skips
            return
        values = dict(zip(names[1:], log[1:]))
        self.bar.set_postfix({k: f"{v:.4f}" for k, v in values.items() if k != "time"})

    def after_fit(self):
        self.bar.close()


class _Bfloat16(Callback):
    """Channels last and, where the processor or GPU has it, bfloat16: 1.8 times as fast."""

    order = 10

    def before_fit(self):
        self.model.to(memory_format=torch.channels_last)
        self.kind = next(self.model.parameters()).device.type
        self.run = (torch.cuda.is_bf16_supported() if self.kind == "cuda"
                    else torch.ops.mkldnn._is_mkldnn_bf16_supported())

    def before_batch(self):
        self.autocast = torch.autocast(self.kind, torch.bfloat16)
        self.autocast.__enter__()

    def after_pred(self):
        self.learn.pred = self.pred.float()

    def after_loss(self):
        self.autocast.__exit__(None, None, None)


def _bands(n, length, share):
    """One random band of up to `share` of `length` in each of n rows, shape (n, length)."""
    extent = torch.rand(n, 1) * share * length
    start = torch.rand(n, 1) * (length - extent)
    steps = torch.arange(length)
    return (steps >= start) & (steps < start + extent)


def linear_head(outputs):
    """Average pooling and one linear layer, behind which class maps are exact."""
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, outputs))


def set_last_stride(body, stride):
    """Give the last stage of a body another stride; 1 keeps its maps twice as fine."""
    first = body[7][0]
    first.conv1.stride = first.downsample[0].stride = (stride, stride)


def _torchvision_name(key):
    """``0.4.0.conv1.weight`` of a learner is ``layer1.0.conv1.weight`` of torchvision."""
    part, index, rest = key.split(".", 2)
    return f"fc.{rest}" if part == "1" else f"{_STAGES[int(index)]}.{rest}"


def _callbacks(log_dir, quiet):
    callbacks = [_Progress(quiet or not is_first()), _Bfloat16()]
    if log_dir is not None and is_first():
        from fastai.callback.tensorboard import TensorBoardCallback

        callbacks.append(TensorBoardCallback(str(log_dir), trace_model=False, log_preds=False))
    return callbacks


def _load(path, size):
    return TensorImage(torch.from_numpy(mfc.decode(path, size).copy()).permute(2, 0, 1))


def _silent(*_):
    """Take the place of fastai's table on stdout, which is for results."""
