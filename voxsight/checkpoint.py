"""A model folder: weights as safetensors, ONNX graphs over them, config and card.

Nothing in it is pickled, and reading it runs no code from it.
"""

import dataclasses
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.calibration import Calibration
from voxsight.errors import UsageError
from voxsight.recipes import Recipe

WEIGHTS, GRAPH, CONFIG = "weights.safetensors", "model.onnx", "config.json"
EVIDENCE_GRAPH = "evidence.onnx"
CARD, HISTORY = "README.md", "history.csv"
LABELS = ("female", "male")


@dataclasses.dataclass(frozen=True)
class Architecture:
    """Which network the weights belong to.

    Attributes
    ----------
    name : str
        torchvision's name, ``resnet18`` or ``resnet34``
    size : (int, int)
        height and width of the pictures, pixels
    last_stride : int
        stride of the last stage; 1 keeps its maps, and so the heat maps, twice as fine
    mean, std : tuple of float
        normalisation per channel, of values in [0, 1]; ImageNet's
    """

    name: str = "resnet34"
    size: tuple = (64, 64)
    last_stride: int = 1
    mean: tuple = (0.485, 0.456, 0.406)
    std: tuple = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Everything about a model but its weights; stored as ``config.json``."""

    architecture: Architecture
    recipe: Recipe
    calibration: Calibration
    training: dict
    figures: dict

    def to_dict(self):
        """The contents of ``config.json``, without the digests."""
        return {
            "labels": list(LABELS),
            "architecture": dataclasses.asdict(self.architecture),
            "recipe": self.recipe.to_dict(),
            "calibration": dataclasses.asdict(self.calibration),
            "training": self.training,
            "figures": self.figures,
        }


@dataclasses.dataclass(frozen=True)
class ClassifierConfig:
    """The same for a classifier of `voxsight.classifiers`, which looks at no pictures.

    Attributes
    ----------
    classifier : str
        name under which it is registered
    features : dict
        fields of `features.FeatureConfig`
    calibration, training, figures
        as in `ModelConfig`
    """

    classifier: str
    features: dict
    calibration: Calibration
    training: dict
    figures: dict

    def to_dict(self):
        """The contents of ``config.json``, without the digests."""
        return {"labels": list(LABELS), **dataclasses.asdict(self)}


def save_model(folder, state, config, history=(), card=None):
    """Write a model folder.

    Parameters
    ----------
    folder : str or os.PathLike
    state : dict of str to np.ndarray
        tensors under torchvision's names; stored in float16
    config : ModelConfig
    history : list of dict
        a row per epoch
    card : str, optional
        Markdown of the model card
    """
    from safetensors.numpy import save_file

    from voxsight.onnx_graph import build_evidence_graph, build_graph

    folder = Path(folder)
    half = {name: np.ascontiguousarray(tensor, np.float16) for name, tensor in state.items()}
    with files.replacing(folder / WEIGHTS) as temporary:
        save_file(half, temporary, metadata={"format": "pt"})
    for name, build in ((GRAPH, build_graph), (EVIDENCE_GRAPH, build_evidence_graph)):
        files.write_bytes(folder / name, build(folder / WEIGHTS, config.architecture))
    if history:
        files.write_csv(folder / HISTORY, list(history[0]), history)
    if card:
        files.write_bytes(folder / CARD, card.encode())
    files.write_sealed_json(folder / CONFIG, config.to_dict(),
                            (WEIGHTS, GRAPH, EVIDENCE_GRAPH))


def load_config(folder, *, files_too=False):
    """Config of a model folder.

    Parameters
    ----------
    folder : str or os.PathLike
    files_too : bool
        check that weights and graph are those that belong to it

    Returns
    -------
    ModelConfig or ClassifierConfig

    Raises
    ------
    UsageError
        if the folder is no model, or a file of it was changed or cut
    """
    folder = find_model(folder)
    if not (folder / CONFIG).is_file():
        raise UsageError(f"{folder}: found no {CONFIG}, expected a model folder; name one with "
                         "--model, or train one with scripts/train_model.py")
    try:
        values = files.read_sealed_json(folder / CONFIG, files_too=files_too)
        return _config_of(values)
    except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise UsageError(f"{folder / CONFIG}: not the config of this model ({error}); restore "
                         "the folder or train again") from error


def _config_of(values):
    about = (Calibration(**values["calibration"]), values["training"], values["figures"])
    if "classifier" in values:
        return ClassifierConfig(values["classifier"], values["features"], *about)
    architecture = {key: tuple(value) if isinstance(value, list) else value
                    for key, value in values["architecture"].items()}
    return ModelConfig(Architecture(**architecture), Recipe.from_dict(values["recipe"]), *about)


def find_model(model):
    """Folder of a model as named or, where there is none, of the project or the package.

    So the shipped model is found from wherever a script is run, and in what was installed
    from a wheel. A second opinion (``FOLDER+ENCODER``) is not part of the folder's name.
    """
    folder = split_model(model)[0]
    return next((place for place in (folder, *_own_places(folder)) if place.is_dir()), folder)


def located(model):
    """The name of a model for a process that runs in another folder, or on another machine.

    One of the project or the package keeps its name, since each machine has it.
    """
    folder, encoder = split_model(model)
    found = find_model(model).resolve()
    if found not in [place.resolve() for place in _own_places(folder)]:
        folder = found
    return f"{folder}+{encoder}" if encoder else str(folder)


def _own_places(folder):
    package = Path(__file__).resolve().parent
    return package.parent / folder, package / "shipped" / folder


def split_model(model):
    """Folder and encoder of ``FOLDER+ENCODER``; the encoder is empty in ``FOLDER``.

    Returns
    -------
    folder : Path
    encoder : str
    """
    folder, plus, encoder = str(model).rpartition("+")
    if not plus or Path(model).is_dir():
        return Path(model), ""
    return Path(folder), encoder


def load_weights(path):
    """Tensors of a safetensors file or of a model folder, as float32.

    Returns
    -------
    dict of str to np.ndarray

    Raises
    ------
    UsageError
        if there is no such file or it is not in the safetensors format
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    path = find_model(path)
    path = path / WEIGHTS if path.is_dir() else path
    try:
        return {name: tensor.astype(np.float32) for name, tensor in load_file(path).items()}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{path}: no weights in the safetensors format ({error}); name a "
                         ".safetensors file or a voxsight model folder") from error
