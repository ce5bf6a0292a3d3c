"""A model folder for use elsewhere: one ONNX file, a fastai learner, a Hugging Face folder."""

import dataclasses
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from voxsight.base import files
from voxsight.base.streams import is_stream
from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError
from voxsight.network.folder import CARD, GRAPH, WEIGHTS, ModelConfig, ModelFolder, load_weights
from voxsight.sound.folders import check_is_no_recording

if TYPE_CHECKING:
    import torch
    from fastai.data.core import DataLoaders
    from fastai.learner import Learner
    from huggingface_hub import EvalResult

LEARNER = "learner.json"
_TASK = "audio-classification"


def export(model: ModelFolder | str | os.PathLike, kind: str,
           out: str | os.PathLike | None = None) -> Path:
    """Write a model in another form.

    Parameters
    ----------
    model : ModelFolder, str or os.PathLike
        Model folder of a picture network.
    kind : {"onnx", "fastai", "huggingface"}
        A single ONNX file that includes the weights; a folder that `load_learner` reads; or a
        folder that ``huggingface_hub`` can upload.
    out : str or os.PathLike, optional
        File or folder to write (default: beside the model, named after it and the kind).

    Returns
    -------
    Path
        What was written.

    Raises
    ------
    UsageError
        If the model is missing or not a picture network, or `out` is a recording, or a folder
        where a file is to be written, or the other way round.
    """
    opened = ModelFolder.of(model)
    folder, config = opened.path, opened.picture_config
    opened.check_files()
    ending = ".onnx" if kind == "onnx" else f"_{kind}"
    out = Path(out or f"{folder}{ending}")
    if kind == "onnx" and not is_stream(out):
        check_is_no_recording(str(out), "--out")
    if kind != "onnx" and out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: found a file, expected to write a folder; name another")
    _WRITERS[kind](folder, config, out)
    return out


def load_learner(folder: str | os.PathLike, dls: "DataLoaders") -> "Learner":
    """A fastai learner with the weights that `export` wrote; nothing is unpickled.

    Parameters
    ----------
    folder : str or os.PathLike
        As written by ``export_model.py --to fastai``.
    dls : fastai.data.core.DataLoaders
        As for `learner`: of pictures with the labels ``female`` and ``male``.

    Returns
    -------
    fastai.learner.Learner
        As `learner` makes it, with its loss, ``fine_tune``, ``predict`` and ``show_results``.

    Raises
    ------
    UsageError
        If the folder is not such an export, or the labels are others.
    """
    from voxsight.network.architecture import set_last_stride
    from voxsight.network.learners import learner

    path = Path(folder) / LEARNER
    if not path.is_file():
        raise UsageError(f"{path}: not found, expected a folder that export_model.py --to fastai "
                         "wrote")
    architecture = files.read_json(path)["architecture"]
    learn = learner(dls, architecture["name"], Path(folder) / WEIGHTS)
    set_last_stride(learn.model[0], architecture["last_stride"])
    return learn


def hub_network() -> type:
    """The network as a class with ``from_pretrained`` and ``push_to_hub``.

    Returns
    -------
    type
        It takes ``name``, ``size``, ``last_stride``, ``mean`` and ``std`` of the architecture.
        Its input is pictures in [0, 255], shape (n, 3, height, width), and its output logits.
    """
    from huggingface_hub import PyTorchModelHubMixin

    from voxsight.network.architecture import Network
    from voxsight.network.folder import Architecture

    class HubNetwork(Network, PyTorchModelHubMixin):
        def __init__(self, name: str, size: list[int], last_stride: int, mean: list[float],
                     std: list[float]) -> None:
            fields: dict[str, Any] = {"size": tuple(size), "mean": tuple(mean), "std": tuple(std)}
            super().__init__(Architecture(name, last_stride=last_stride, **fields))

    return HubNetwork


def _write_onnx(folder: Path, config: ModelConfig, out: Path) -> None:
    """One file with the weights in it, and with what its user needs to know as metadata."""
    import onnx

    graph = onnx.load(folder / GRAPH, load_external_data=True)
    metadata = {"labels": list(LABELS), "recipe": config.recipe.to_dict(),
                "calibration": dataclasses.asdict(config.calibration),
                "size": list(config.architecture.size)}
    for key, value in metadata.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))
    with files.replacing(out) as temporary:
        onnx.save(graph, temporary)


def _write_fastai(folder: Path, config: ModelConfig, out: Path) -> None:
    """Weights under torchvision's names, and the settings that build the learner again."""
    out.mkdir(parents=True, exist_ok=True)
    with files.replacing(out / WEIGHTS) as temporary:
        shutil.copyfile(folder / WEIGHTS, temporary)
    files.write_json(out / LEARNER, config.to_dict())


def _write_huggingface(folder: Path, config: ModelConfig, out: Path) -> None:
    """``config.json`` and ``model.safetensors`` by huggingface_hub's mixin, and a card."""
    network = hub_network()(**_hub_arguments(config))
    state = {name: _tensor(values) for name, values in load_weights(folder).items()}
    network.resnet.load_state_dict(state, strict=False)
    network.save_pretrained(out)
    stored = json.loads((out / "config.json").read_text())
    files.write_json(out / "config.json", stored | {"voxsight": config.to_dict()})
    card = (folder / CARD).read_text(encoding="utf-8") if (folder / CARD).is_file() else ""
    files.write_text(out / "README.md", _hub_card(folder.name, config, card))


def _hub_card(name: str, config: ModelConfig, text: str) -> str:
    """The text of the model's card behind the metadata that the hub reads."""
    from huggingface_hub import ModelCard, ModelCardData

    metadata = ModelCardData(
        library_name="voxsight", license="mit", pipeline_tag=_TASK, model_name=name,
        tags=["gender-recognition", "mel-frequency-cepstra"], eval_results=_eval_results(config))
    return str(ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n{text}"))


def _eval_results(config: ModelConfig) -> "list[EvalResult] | None":
    """The unweighted average recall of the validation speakers; None if it was not measured."""
    from huggingface_hub import EvalResult

    uar = config.figures.get("uar", {}).get("value")
    if uar is None:
        return None
    corpora = ", ".join(config.training.get("corpora", ())) or "unknown"
    return [EvalResult(
        task_type=_TASK, dataset_type="speech", dataset_name=f"Validation speakers of {corpora}",
        dataset_split="validation", metric_type="uar",
        metric_name="Unweighted average recall (UAR)", metric_value=uar)]


def _hub_arguments(config: ModelConfig) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value
            for key, value in dataclasses.asdict(config.architecture).items()}


def _tensor(values: np.ndarray) -> "torch.Tensor":
    import torch

    return torch.from_numpy(np.array(values))


_WRITERS = {"onnx": _write_onnx, "fastai": _write_fastai, "huggingface": _write_huggingface}
