"""A model folder: weights as safetensors, ONNX graphs over them, config and card.

Nothing in it is pickled, and reading it runs no code from it.
"""

import dataclasses
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.base import checksums, files
from voxsight.corpora.utterance import LABELS
from voxsight.errors import UsageError
from voxsight.metrics.calibration import Calibration
from voxsight.pictures.recipe import Recipe

WEIGHTS, GRAPH, CONFIG = "weights.safetensors", "model.onnx", "config.json"
ATTRIBUTION_GRAPH = "evidence.onnx"
CARD, HISTORY = "README.md", "history.csv"


@dataclasses.dataclass(frozen=True)
class Architecture:
    """The network that the weights belong to.

    Attributes
    ----------
    name : str
        torchvision's name, ``resnet18`` or ``resnet34``.
    size : (int, int)
        Height and width of the pictures, pixels.
    last_stride : int
        Stride of the last stage. With 1 its maps, and so the heat maps, are twice as fine.
    mean, std : tuple of float
        ImageNet's mean and standard deviation per channel, of values in [0, 1].
    """

    name: str = "resnet34"
    size: tuple[int, int] = (64, 64)
    last_stride: int = 1
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """Everything about a picture network but its weights; stored as ``config.json``.

    Attributes
    ----------
    architecture : Architecture
    recipe : Recipe
        How its pictures are made.
    calibration : Calibration
    training : dict
        Settings of the training, and the corpora and speakers that it used.
    figures : dict
        What was measured on the validation recordings.
    """

    architecture: Architecture
    recipe: Recipe
    calibration: Calibration
    training: dict[str, Any]
    figures: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The contents of ``config.json``, without the checksums."""
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
    """Everything about a classifier of `voxsight.classifiers`, which uses no pictures.

    Attributes
    ----------
    classifier : str
        Name under which it is registered.
    features : dict
        Fields of `FeatureConfig`.
    calibration : Calibration
    training, figures : dict
        As in `ModelConfig`.
    """

    classifier: str
    features: dict[str, Any]
    calibration: Calibration
    training: dict[str, Any]
    figures: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """The contents of ``config.json``, without the checksums."""
        return {"labels": list(LABELS), **dataclasses.asdict(self)}


def save_model(folder: str | os.PathLike, state: Mapping[str, np.ndarray], config: ModelConfig,
               history: Sequence[Mapping[str, Any]] = (), card: str | None = None) -> None:
    """Write a model folder.

    Parameters
    ----------
    folder : str or os.PathLike
        Made if it does not exist.
    state : dict of str to np.ndarray
        Tensors under torchvision's names; stored as float16.
    config : ModelConfig
    history : list of dict, optional
        A row per epoch.
    card : str, optional
        Markdown of the model card.

    Raises
    ------
    UsageError
        If a tensor is not finite, or float16 cannot hold it.
    """
    from safetensors.numpy import save_file

    from voxsight.network.graphs import build_attribution_graph, build_graph

    folder = Path(folder)
    with np.errstate(over="ignore"):
        half = {name: np.ascontiguousarray(tensor, np.float16) for name, tensor in state.items()}
    check_finite(half, folder, " of at most 65504 (float16); train with a smaller --lr")
    with files.replacing(folder / WEIGHTS) as temporary:
        save_file(half, temporary, metadata={"format": "pt"})
    for name, build in ((GRAPH, build_graph), (ATTRIBUTION_GRAPH, build_attribution_graph)):
        files.write_bytes(folder / name, build(folder / WEIGHTS, config.architecture))
    if history:
        files.write_csv(folder / HISTORY, list(history[0]), history)
    if card:
        files.write_text(folder / CARD, card)
    checksums.write_checksummed_json(folder / CONFIG, config.to_dict(),
                                     (WEIGHTS, GRAPH, ATTRIBUTION_GRAPH))


class ModelFolder:
    """A model's folder, found and read once; what it holds is passed on in this object.

    Parameters
    ----------
    name : str or os.PathLike
        A folder as ``train_model.py`` or ``compare_classifiers.py`` writes it, or
        ``FOLDER+ENCODER``. A relative folder that does not exist here is looked for in the
        project and in the package, so that the shipped model is found from everywhere.

    Attributes
    ----------
    name : str
        As given.
    path : Path
        The folder.
    encoder : str
        Of ``FOLDER+ENCODER``; empty for a folder alone.
    config : ModelConfig or ClassifierConfig

    Raises
    ------
    UsageError
        If the folder is no model, or its config was changed or cut.
    """

    def __init__(self, name: str | os.PathLike) -> None:
        self.name = os.fspath(name)
        self._named, self.encoder = _split(self.name)
        self.path = next((place for place in (self._named, *_shipped_places(self._named))
                          if place.is_dir()), self._named)
        self.config = self._read()
        self._checked = False

    @classmethod
    def of(cls, model: "ModelFolder | str | os.PathLike") -> "ModelFolder":
        """The model's folder, whether it was opened before or is only named."""
        return model if isinstance(model, ModelFolder) else cls(model)

    @staticmethod
    def exists(name: str | os.PathLike) -> bool:
        """Whether there is a model folder of this name."""
        folder, _ = _split(os.fspath(name))
        return any((place / CONFIG).is_file() for place in (folder, *_shipped_places(folder)))

    @property
    def portable_name(self) -> str:
        """A name under which a process in another folder, or on another machine, finds it.

        A model of the project or the package keeps its name, since each machine has it.
        """
        shipped = [place.resolve() for place in _shipped_places(self._named)]
        folder = self._named if self.path.resolve() in shipped else self.path.resolve()
        return f"{folder}+{self.encoder}" if self.encoder else str(folder)

    @property
    def picture_config(self) -> ModelConfig:
        """The config, of a picture network.

        Raises
        ------
        UsageError
            If it is another classifier.
        """
        if isinstance(self.config, ClassifierConfig):
            raise UsageError(f"{self.name}: found the classifier {self.config.classifier}, "
                             "expected a picture network, which alone makes pictures, heat maps "
                             "and timelines; name another model, such as models/default")
        return self.config

    def check_files(self) -> None:
        """Compare the checksums of weights and graphs with the config, once.

        Raises
        ------
        UsageError
            If a file is missing, or was changed or cut.
        """
        if not self._checked:
            self._read(files_too=True)
            self._checked = True

    def _read(self, files_too: bool = False) -> "ModelConfig | ClassifierConfig":
        path = self.path / CONFIG
        if not path.is_file():
            raise UsageError(f"{self.path}: found no {CONFIG}, expected a model folder; name one "
                             "with --model, or train one with scripts/train_model.py")
        try:
            return _config_of(checksums.read_checksummed_json(path, files_too=files_too))
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise UsageError(f"{path}: not the config of this model ({error}); restore the folder "
                             "or train again") from error


def load_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """Tensors of a safetensors file or of a model folder, as float32.

    Raises
    ------
    UsageError
        If there is no such file, it is not in the safetensors format, or a tensor is not finite.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    place = Path(path)
    if not place.exists():  # of the shipped model, perhaps
        place = next((found for found in _shipped_places(place) if found.exists()), place)
    place = place / WEIGHTS if place.is_dir() else place
    try:
        tensors = {name: tensor.astype(np.float32) for name, tensor in load_file(place).items()}
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{place}: no weights in the safetensors format ({error}); name a "
                         ".safetensors file or a voxsight model folder") from error
    check_finite(tensors, place, "; train again or name other weights")
    return tensors


def check_finite(tensors: Mapping[str, np.ndarray], place: str | os.PathLike,
                 expected: str) -> None:
    """Raise UsageError if a tensor holds NaN or infinity: its answers would be NaN."""
    for name, tensor in tensors.items():
        if not np.isfinite(tensor).all():
            raise UsageError(f"{place}: found weights that are NaN or infinite ({name}), expected "
                             f"finite ones{expected}")


def _config_of(values: dict[str, Any]) -> "ModelConfig | ClassifierConfig":
    common = (Calibration(**values["calibration"]), values["training"], values["figures"])
    if "classifier" in values:
        return ClassifierConfig(values["classifier"], values["features"], *common)
    architecture: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value
        for key, value in values["architecture"].items()}
    return ModelConfig(Architecture(**architecture), Recipe.from_dict(values["recipe"]), *common)


def _shipped_places(folder: Path) -> tuple[Path, Path]:
    """Where a relative folder lies in the project, and in an installed package."""
    package = Path(__file__).resolve().parent.parent
    return package.parent / folder, package / "shipped" / folder


def _split(name: str) -> tuple[Path, str]:
    """Folder and encoder of ``FOLDER+ENCODER``."""
    folder, plus, encoder = name.rpartition("+")
    if not plus or Path(name).is_dir():
        return Path(name), ""
    return Path(folder), encoder
