"""The model card: training data, figures, and what the model must not be used for."""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from voxsight.base import files
from voxsight.base.tables import figures_table
from voxsight.metrics.calibration import Calibration
from voxsight.network.folder import CARD, ModelConfig

LICENCES = {
    "librispeech": "CC BY 4.0",
    "speechocean762": "free download for commercial and non-commercial purposes",
    "ami": "CC BY 4.0",
    "audiomnist": "MIT",
    "arabic_commands": "CC BY 4.0",
}

MEANING = "## What the answer means\n"
_LIMITS = MEANING + """
`female` or `male` says how the corpora above labelled voices that look like this one in
a picture of mel-frequency cepstra. It says nothing about who a person is.

## What it must not be used for

- to decide anything about a person, or to address or sort people without asking them;
- to recognise or verify someone's identity;
- as evidence of a person's gender, sex, age or health.

## Known weaknesses

- Voices between the groups in pitch and vocal tract length: high-pitched men, low-pitched
  women, children. `uncertain` is the honest answer there and does not always come.
- Aroused, sung or whispered speech, and words shorter than 0.3 s.
- Only two labels were stated by the corpora, so it can give no third.
"""


def model_card(name: str, config: ModelConfig, command: str) -> str:
    """Markdown of the card of a model.

    Parameters
    ----------
    name : str
        Title of the card.
    config : ModelConfig
    command : str
        The command that trained it.

    Returns
    -------
    str
    """
    return "\n".join([
        f"# {name}", "", _description(config), "", "Trained with:", "", f"    {command}", "",
        "## Training data", "", *_data_table(config.training), "",
        f"Split `{config.training['split']}`: {config.training['shared_speakers']}."
        + _split_warning(config.training), "",
        "## Figures", "", *_validation_figures(config.figures), "", _calibration(config), "",
        _LIMITS])


def put_into_card(folder: str | os.PathLike, title: str, assessment: str) -> None:
    """Put an assessment into a model's card; it replaces one of the same title.

    Parameters
    ----------
    folder : str or os.PathLike
        A model folder.
    title : str
        Heading of its section.
    assessment : str
        Markdown that starts with ``# Assessment``.
    """
    path = Path(folder) / CARD
    files.write_text(path, with_section(path.read_text(encoding="utf-8"), title, assessment))


def with_section(card: str, title: str, assessment: str) -> str:
    """A card with an assessment put in, in place of one of the same title.

    Parameters
    ----------
    card : str
        Markdown of the card.
    title : str
        Heading of the section.
    assessment : str
        Markdown that starts with ``# Assessment``.

    Returns
    -------
    str
    """
    heading = f"## {title}\n"
    section = assessment.replace("\n## ", "\n### ").replace("# Assessment\n", heading, 1)
    if heading in card:
        before, _, old_section = card.partition(heading)
        card = before + old_section[old_section.index("\n## ") + 1:]
    before, meaning, after = card.partition(MEANING)
    return f"{before}{section}\n{meaning}{after}"


def _description(config: ModelConfig) -> str:
    network, recipe = config.architecture, config.recipe
    return (f"A {network.name} (last stage with stride {network.last_stride}) on pictures of "
            f"{network.size[0]}x{network.size[1]} pixels made with the `{recipe.name}` recipe, "
            f"started from weights: {_origin(config.training)}. Trained for "
            f"{config.training['head_epochs']} + {config.training['epochs']} epochs "
            "(head, everything). Weights in float16, safetensors." + _teacher(config))


def _origin(training: Mapping[str, Any]) -> str:
    return training.get("weights_from", training["weights"])


def _teacher(config: ModelConfig) -> str:
    encoder = config.training.get("teacher")
    if not encoder:
        return ""
    return (f" Beside the label it learnt the speaker embeddings of {encoder}; its answer is what "
            "a logistic regression on embeddings makes of those that it gives. The encoder's own "
            f"second opinion is asked with `--model MODEL+{encoder}`.")


def _data_table(training: Mapping[str, Any]) -> Iterator[str]:
    yield "| corpus | speakers female/male/not stated | recordings | pictures | licence |"
    yield "|---|---|---|---|---|"
    for corpus, counts in training["corpora"].items():
        licence = LICENCES.get(corpus.split("/")[0], "not known to this project")
        speakers = f"{counts['female']}/{counts['male']}/{counts.get('unlabelled', 0)}"
        yield (f"| {corpus} | {speakers} | {counts['recordings']} | "
               f"{counts['pictures']} | {licence} |")


def _split_warning(training: Mapping[str, Any]) -> str:
    if training["shared_speakers"].startswith("speakers shared 0 "):
        return ""
    return " **This does not tell how the model does on new voices.**"


def _validation_figures(figures: Mapping[str, Any]) -> Iterator[str]:
    yield (f"On the {figures['n']} validation recordings of {figures['n_speakers']} speakers "
           "(p_female >= 0.5 is called female; 95 % intervals over speakers):")
    yield ""
    yield from figures_table(figures)
    if "ece_debiased" in figures:
        yield ""
        yield ("`ece` is the expected calibration error over 15 bins of equal mass; chance alone "
               "makes it greater than 0. `ece_debiased` is the root of the mean squared error "
               "over the same bins, without what chance adds.")


def _calibration(config: ModelConfig) -> str:
    calibration = config.calibration
    return (f"Temperature {calibration.temperature:.3f}, bias {calibration.bias:.3f} and the "
            f"confidence of {calibration.min_confidence:.3f} under which the answer is `uncertain` "
            "were fitted on the same speakers, where there are any on altered copies of their "
            "recordings; the figures above are therefore a little kind to the calibration."
            + _promise(calibration))


def _promise(calibration: Calibration) -> str:
    """What is bounded of the answers given; nothing for models from before it was."""
    if calibration.accuracy_bound is None:
        return ""
    return (f" The model promises that at least {_rounded_down(calibration.accuracy_bound)} % of "
            "the answers `female` or `male` are right for speakers like these, every speaker of "
            "a label with the same weight: a lower bound over speakers that holds in 95 % of "
            "draws of them.")


def _rounded_down(fraction: float) -> str:
    return f"{np.floor(1000 * fraction + 1e-9) / 10:.1f}"
