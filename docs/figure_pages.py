"""Pages that commands write from stored results, written again from the same results."""

import functools
import re
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from figure_store import Results

    from voxsight.evaluation.report import Card

Writer = Callable[["Results"], str]
CARD = "models/default/README.md"
# What stands in the card beside its own figures, in this order; each names its title itself, in
# the command that is stored with it.
ASSESSMENTS = ("results/default_development/metrics.json", "results/default_children/metrics.json",
               "results/explanations/sensitivity.json")


def whole_pages(root: Path) -> dict[str, Writer]:
    """Writers of the pages that stand beside stored results, by path relative to the project.

    Parameters
    ----------
    root : Path
        Folder of the project.

    Returns
    -------
    dict of str to callable
    """
    found: dict[str, Writer] = {CARD: write_card}
    for name, page, writer in (
            ("robustness.json", "robustness.md", _robustness),
            ("metrics.json", "card.md", _assessment),
            ("metrics.json", "card.html", _assessment_in_html),
            ("leaderboard.json", "leaderboard.md", _leaderboard),
            ("figures.json", "report.md", _speakers),
            ("faithfulness.json", "faithfulness.md", _trials),
            ("sensitivity.json", "sensitivity.md", _sensitivity),
            ("table.json", "README.md", _audiomnist)):
        for path in sorted(root.glob(f"results/*/{name}")):
            place = path.parent.relative_to(root).as_posix()
            found[f"{place}/{page}"] = functools.partial(writer, path=f"{place}/{name}")
    return found


def write_card(results: "Results") -> str:
    """The card of the default model: its configuration, then each assessment.

    Parameters
    ----------
    results : Results

    Returns
    -------
    str
    """
    from voxsight.network.card import model_card, with_section
    from voxsight.network.folder import ModelFolder

    folder = results.root / Path(CARD).parent
    # The card is where the command of the training is kept; there are no figures in it.
    command = re.search(r"Trained with:\n\n    (.+)", (results.root / CARD).read_text())
    card = model_card("default", ModelFolder(folder).config, command[1] if command else "")
    for path in ASSESSMENTS:
        words = shlex.split(results(path, "command"))
        text = (f"# Assessment\n\n{_sensitivity(results, path)}" if "sensitivity" in path
                else stored_card(results, path).markdown())
        card = with_section(card, words[words.index("--into-card") + 1], text)
    return card


def stored_card(results: "Results", path: str) -> "Card":
    """The card of a stored assessment.

    Parameters
    ----------
    results : Results
    path : str
        Its ``metrics.json``.

    Returns
    -------
    Card
    """
    from voxsight.evaluation.report import Card
    from voxsight.network.folder import ModelFolder

    groups = results(f"{Path(path).parent.as_posix()}/by_group.csv").values()
    # These were not always counted.
    return Card({"incomplete": 0, "left_out": 0, **results(path)}, [_flat(row) for row in groups],
                ModelFolder(results.root / "models/default").config)


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as `group_figures` makes it: a column for each number of a figure."""
    flat: dict[str, Any] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            flat |= {name: value["value"], f"{name}_low": value["low"],
                     f"{name}_high": value["high"]}
        else:
            flat[name] = value
    return flat | {"value": str(flat["value"])}


def _assessment(results: "Results", path: str) -> str:
    return stored_card(results, path).markdown()


def _assessment_in_html(results: "Results", path: str) -> str:
    return stored_card(results, path).html()


def _robustness(results: "Results", path: str) -> str:
    from voxsight.evaluation.robustness import robustness_page

    return robustness_page(results(path))


def _leaderboard(results: "Results", path: str) -> str:
    from voxsight.evaluation.comparison.leaderboard import leaderboard_page, read_rows

    rows = read_rows(results.root / Path(path).parent, results(path, "plan"))
    return leaderboard_page(results(path), rows)


def _speakers(results: "Results", path: str) -> str:
    from voxsight.studies.speaker_report import speaker_page

    return speaker_page(results(path))


def _trials(results: "Results", path: str) -> str:
    from voxsight.explanation.trials.report import trials_page

    return trials_page(results(path))


def _sensitivity(results: "Results", path: str) -> str:
    from voxsight.explanation.sensitivity import sensitivity_page

    return sensitivity_page(results(path))


def _audiomnist(results: "Results", path: str) -> str:
    from voxsight.evaluation.audiomnist_page import audiomnist_page

    return audiomnist_page(results(path), (results.root / path).parent)
