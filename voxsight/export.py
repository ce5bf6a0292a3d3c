"""A model folder for use elsewhere: one ONNX file, a fastai learner, a Hugging Face folder."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.checkpoint import CARD, GRAPH, LABELS, WEIGHTS, find_model, load_config, load_weights
from voxsight.errors import UsageError
from voxsight.models import check_shows_pictures

KINDS = ("onnx", "fastai", "huggingface")
LEARNER = "learner.json"
_FRONT_MATTER = """---
library_name: voxsight
license: mit
pipeline_tag: audio-classification
tags:
- gender-recognition
- mel-frequency-cepstra
---

"""


def export(model, kind, out=None):
    """Write a model in another form.

    Parameters
    ----------
    model : str or os.PathLike
        model folder of a picture network
    kind : {"onnx", "fastai", "huggingface"}
        a single ONNX file with the weights in it; a folder that `load_learner` reads; or a
        folder as ``huggingface_hub`` uploads it
    out : str or os.PathLike, optional
        file or folder; by default beside the model, named after it and the kind

    Returns
    -------
    Path
        what was written

    Raises
    ------
    UsageError
        if the model is missing or no picture network, or `out` holds something else
    """
    folder = find_model(model)
    config = load_config(folder, files_too=True)
    check_shows_pictures(config, model)
    ending = ".onnx" if kind == "onnx" else f"_{kind}"
    out = Path(out or f"{folder}{ending}")
    if (kind == "onnx" and out.is_dir()) or (kind != "onnx" and out.is_file()):
        raise UsageError(f"--out {out}: found a {'folder' if out.is_dir() else 'file'}, expected "
                         f"to write a {'file' if kind == 'onnx' else 'folder'}; name another")
    _WRITERS[kind](folder, config, out)
    return out


def _write_onnx(folder, config, out):
    """One file: what the graph needs beside it goes into it, and how to use it."""
    import onnx

    graph = onnx.load(folder / GRAPH, load_external_data=True)
    about = {"labels": list(LABELS), "recipe": config.recipe.to_dict(),
             "calibration": dataclasses.asdict(config.calibration),
             "size": list(config.architecture.size)}
    for key, value in about.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))
    with files.replacing(out) as temporary:
        onnx.save(graph, temporary)


def _write_fastai(folder, config, out):
    """Weights under torchvision's names and the numbers that make the learner again."""
    out.mkdir(parents=True, exist_ok=True)
    with files.replacing(out / WEIGHTS) as temporary:
        shutil.copyfile(folder / WEIGHTS, temporary)
    files.write_json(out / LEARNER, config.to_dict())


def load_learner(folder, dls):
    """A fastai learner with the weights that `export` wrote; nothing is unpickled.

    Parameters
    ----------
    folder : str or os.PathLike
    dls : fastai.data.core.DataLoaders
        of pictures with two classes, ``female`` and ``male`` in this order; unless they
        normalise already, ImageNet's statistics are added

    Returns
    -------
    fastai.learner.Learner
        as ``vision_learner`` makes it: ``fine_tune``, ``predict`` and the rest

    Raises
    ------
    UsageError
        if the folder holds no such export
    """
    import torchvision
    from fastai.data.transforms import Normalize
    from fastai.vision.learner import vision_learner

    from voxsight.learner import linear_head, load_into, set_last_stride

    path = Path(folder) / LEARNER
    if not path.is_file():
        raise UsageError(f"{path}: not found, expected a folder that export_model.py --to fastai "
                         "wrote")
    architecture = files.read_json(path)["architecture"]
    if not any(isinstance(step, Normalize) for step in dls.after_batch.fs):
        dls.add_tfms([Normalize.from_stats(architecture["mean"], architecture["std"])],
                     "after_batch")
    learn = vision_learner(dls, getattr(torchvision.models, architecture["name"]),
                           pretrained=False, n_out=len(LABELS),
                           custom_head=linear_head(len(LABELS)))
    set_last_stride(learn.model[0], architecture["last_stride"])
    load_into(learn.model, load_weights(Path(folder) / WEIGHTS))
    return learn


def _write_huggingface(folder, config, out):
    """``config.json``, ``model.safetensors`` and a card, by huggingface_hub's own mixin."""
    network = hub_network()(**_hub_arguments(config))
    state = {name: _tensor(values) for name, values in load_weights(folder).items()}
    network.resnet.load_state_dict(state, strict=False)
    network.save_pretrained(out)
    stored = json.loads((out / "config.json").read_text())
    files.write_json(out / "config.json", stored | {"voxsight": config.to_dict()})
    card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    files.write_bytes(out / "README.md", (_FRONT_MATTER + card).encode())


def hub_network():
    """The network as a class with ``from_pretrained`` and ``push_to_hub``.

    Returns
    -------
    type
        takes ``name``, ``size``, ``last_stride``, ``mean`` and ``std`` of the architecture;
        its input are pictures in [0, 255], shape (n, 3, height, width), its output logits
    """
    from huggingface_hub import PyTorchModelHubMixin

    from voxsight.checkpoint import Architecture
    from voxsight.network import Network

    class HubNetwork(Network, PyTorchModelHubMixin):
        def __init__(self, name, size, last_stride, mean, std):
            super().__init__(Architecture(name, tuple(size), last_stride, tuple(mean), tuple(std)))

    return HubNetwork


def _hub_arguments(config):
    return {key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(config.architecture).items()}


def _tensor(values):
    import torch

    return torch.from_numpy(np.array(values))


_WRITERS = {"onnx": _write_onnx, "fastai": _write_fastai, "huggingface": _write_huggingface}
