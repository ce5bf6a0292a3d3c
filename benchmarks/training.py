"""Pictures per second of training against a bare PyTorch loop over the same pictures."""

import time
from statistics import median

import numpy as np
import torch
import torchvision
from fastai.callback.core import Callback
from PIL import Image

from benchmarks.rows import row
from voxsight.network.fine_tuning import TrainConfig, make_learner
from voxsight.network.folder import Architecture
from voxsight.pictures import jpeg
from voxsight.pictures.dataset import Picture

BATCH, ROUNDS = 64, 3
SIZES = {(48, 96): 20, (224, 224): 4}  # batches of each


def measure(work):
    """Rows of the table."""
    for size, batches in SIZES.items():
        pictures = _pictures(work / f"{size[0]}x{size[1]}", size, BATCH * (batches + 1))
        pairs = [(_bare(pictures, size, batches), _ours(pictures, size, batches))
                 for _ in range(ROUNDS)]
        bare, ours = (median(values) for values in zip(*pairs))
        yield row(f"training at {size[0]}x{size[1]}, time over a bare loop",
                  100 * (bare / ours - 1), "+.0f", " %",
                  f"{ours:.1f} and {bare:.1f} pictures/s", at_most=10)


def _pictures(folder, size, count):
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True)
    pictures = []
    for i in range(count):
        path = folder / f"{i}.jpg"
        Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8)).save(path)
        pictures.append(Picture(str(path), str(path), f"s{i}", ("female", "male")[i % 2], "made"))
    return pictures


def _ours(pictures, size, batches):
    """Of a learner as train_model.py makes it; the last batch of pictures validates."""
    valid = np.arange(BATCH * batches, len(pictures))
    config = TrainConfig(weights="none", size=size, batch=BATCH, augment=0.5)
    learn = make_learner(pictures, valid, size, config, quiet=True)
    clock = _Clock()
    learn.fit(2, 1e-3, cbs=clock)  # the first epoch warms up
    return BATCH * batches / clock.seconds


class _Clock(Callback):
    """Seconds of the latest epoch's training."""

    def before_train(self):
        self.started = time.perf_counter()

    def after_train(self):
        self.seconds = time.perf_counter() - self.started


def _bare(pictures, size, batches):
    network = torchvision.models.resnet34(num_classes=2)
    first = network.layer4[0]
    first.conv1.stride = first.downsample[0].stride = (Architecture.last_stride,) * 2
    network = network.to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    mean, std = (torch.tensor(v)[:, None, None] for v in (Architecture.mean, Architecture.std))
    for _ in range(2):  # the first warms up
        started = time.perf_counter()
        for start in range(0, BATCH * batches, BATCH):
            chosen = pictures[start: start + BATCH]
            pixels = np.stack([jpeg.decode(p.path, size) for p in chosen])
            x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
            x = ((x - mean) / std).contiguous(memory_format=torch.channels_last)
            y = torch.tensor([p.gender == "male" for p in chosen]).long()
            with torch.autocast("cpu", torch.bfloat16,
                                enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported()):
                loss = torch.nn.functional.cross_entropy(network(x).float(), y)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        seconds = time.perf_counter() - started
    return BATCH * batches / seconds
