"""The AudioMNIST table: random, the paper's and speaker-disjoint splits, three seeds each.

Every run is stored when it is done; the same command goes on where it was stopped.
"""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.calibration import Calibration
from voxsight.checkpoint import load_config
from voxsight.class_means import class_means, write_class_means
from voxsight.datasets import read_dataset, split_pictures
from voxsight.evaluation import figures, point_figures
from voxsight.learner import TrainConfig, fit, make_learner
from voxsight.model_card import as_text
from voxsight.report import markdown_table
from voxsight.training import finish

SEEDS = (42, 43, 44)
FIGURES = ("accuracy", "error_rate", "uar", "f1_female", "auc")


@dataclasses.dataclass(frozen=True)
class Cell:
    """A row of the table: how it splits and trains.

    ``rules`` are the splits whose validation sides together are the test; each of them
    is trained with every seed. ``per_speaker`` pictures of a speaker train, or all.
    """

    title: str
    rules: tuple
    epochs: int
    lr: float = 5e-4
    batch: int = 32
    augment: float = 0.0
    row_jitter: float = 0.0
    per_speaker: int | None = None

    def config(self, rule, seed, size, arch):
        """How one of its networks is trained."""
        return TrainConfig(arch=arch, weights="none", split=rule, seed=seed, head_epochs=0,
                           epochs=self.epochs, lr=self.lr, batch=self.batch,
                           augment=self.augment, row_jitter=self.row_jitter, size=size)


_PAGE = """\
# AudioMNIST

Made with

{commands}

Forced decisions, all seeds pooled; brackets hold 95 % intervals, bootstrapped over speakers.

{table}
The random split puts other repetitions of the same words by the same people on both sides, so a
network may recognise who speaks and recall the label; it does not tell how a model does on new
voices. The other splits test people who were never trained on, and that is what a user's voice is.
Batch size and learning rate of the random split were chosen after looking at its own validation
pictures of seed 42, so its error is a little kind. Those of the paper's folds, and the random gain
and offset per coefficient that they train with, were chosen on the folds' validation speakers only,
and the six folds use the same.

About 80 % of the 60 speakers are male, so always answering male is right in 80 % of the recordings
of the first and the last row: read `uar`, the mean recall of the two labels, beside the accuracy.
The paper's folds hold as many of each. Published on the random split:
an error rate of 1.07 % and an F1 of 0.973, with ImageNet weights. Published on the paper's four
folds (Becker et al., 2018), with spectrograms of the waveforms: an accuracy of 0.9587 +/- 0.0285.
"""
_CLASS_MEANS = """
## Where the network of the random split looks

![Mean heat maps of females and males](class_means.png)

Mean Grad-CAM over the validation pictures of each label. A row of these pictures is a cepstral
coefficient, a quefrency, and not a frequency: a bright row does not say which frequencies matter.
"""

CELLS = {
    "random": Cell("random 24,000 / 6,000", ("random",), epochs=3),
    "paper": Cell("the paper's four folds, 12 training speakers",
                  tuple(f"paper:{k}/test" for k in range(4)), epochs=1, lr=4e-4, row_jitter=1.0),
    "folds": Cell("six speaker-disjoint folds of all 60 speakers",
                  tuple(f"fold:{k}/6" for k in range(6)), epochs=1, lr=4e-4, row_jitter=1.0,
                  per_speaker=160),
}


def make_table(dataset, out, *, cells=tuple(CELLS), seeds=SEEDS, size=(48, 96), arch="resnet34",
               command="", quiet=False):
    """Train what is missing and write the table.

    Parameters
    ----------
    dataset : str or os.PathLike
        folder of AudioMNIST pictures, of any recipe
    out : str or os.PathLike
        folder for ``table.json``, the class means of the random split and, per run,
        ``runs/<cell>/``; rows that the table has of other cells stay
    cells : sequence of str
        keys of `CELLS`
    seeds : sequence of int
    size : (int, int)
        pixels that the network sees
    arch : str
    command : str
        stands in the table beside these cells
    quiet : bool
        no progress bars

    Returns
    -------
    dict
        the contents of ``table.json``: per cell its command, how it was trained, the
        speakers shared, its figures with intervals over speakers, seeds pooled, and those
        of each seed
    """
    data, out = read_dataset(dataset), Path(out)
    path = out / "table.json"
    table = files.read_json(path) if path.is_file() else {}
    for name in cells:
        configs = [CELLS[name].config(rule, seed, tuple(size), arch)
                   for seed in seeds for rule in CELLS[name].rules]
        sides = [_run(data, out / "runs" / name, config, CELLS[name].per_speaker, quiet)
                 for config in configs]
        table[name] = {"command": command} | _summary(CELLS[name], configs, sides)
    table = {name: table[name] for name in CELLS if name in table}
    files.write_json(path, table)
    if "random" in cells and (model := _kept_model(out / "runs" / "random")).is_dir():
        draw_class_means(data, model, out, quiet=quiet)
    return table


def draw_class_means(data, model, out, *, quiet=False):
    """Mean heat maps of a network's validation pictures, as the published project drew.

    Writes ``female_cams.json``, ``male_cams.json`` and ``class_means.png``.

    Parameters
    ----------
    data : (list of Picture, Recipe)
        as `datasets.read_dataset` gives them
    model : str or os.PathLike
        model folder, trained on a random split of `data`
    out : str or os.PathLike
    quiet : bool
        no progress bar
    """
    pictures, recipe = data
    training = load_config(model).training
    kept, valid = split_pictures(pictures, "random", training["valid"], training["seed"])
    means = class_means(model, [kept[i] for i in valid], quiet=quiet)
    write_class_means(means, out, recipe)


def write_page(table, out):
    """Write the table as ``README.md``, with its commands and what it teaches."""
    commands = dict.fromkeys(cell["command"] for cell in table.values())
    text = _PAGE.format(commands="\n".join(f"    {command}" for command in commands),
                        table=markdown(table))
    if (Path(out) / "class_means.png").is_file():
        text += _CLASS_MEANS
    files.write_bytes(Path(out) / "README.md", text.encode())


def markdown(table):
    """The table as Markdown, a row per cell."""
    head = ["split", "speakers shared", *FIGURES, "error rate of each seed",
            "accuracy over folds, mean +/- sd"]
    rows = []
    for cell in table.values():
        values = [f"{as_text(f['value'])} ({as_text(f['low'])} to {as_text(f['high'])})"
                  for f in (cell["figures"][name] for name in FIGURES)]
        seeds = ", ".join(as_text(seed["error_rate"]) for seed in cell["seeds"].values())
        folds = "{:.4f} +/- {:.4f}".format(*cell["folds"]) if cell["folds"] else "-"
        rows.append([cell["title"], cell["shared_speakers"], *values, seeds, folds])
    return "\n".join(markdown_table(head, rows)) + "\n"


def _run(data, folder, config, per_speaker, quiet):
    """Answers of one training, from disk where it was done before."""
    rule = config.split
    path = folder / f"{rule.replace(':', '').replace('/', '-')}_seed{config.seed}.json"
    if path.is_file():
        return files.read_json(path)
    pictures, recipe = data
    kept, valid = split_pictures(pictures, rule, config.valid, config.seed)
    kept, valid = _thinned(kept, valid, per_speaker, config.seed)
    learn = make_learner(kept, valid, config.size, config, quiet=quiet)
    history = fit(learn, config)
    model, tested = finish(learn, recipe, kept, valid, config, _kept_model(folder),
                           history=history)
    answers = {"shared_speakers": model.training["shared_speakers"], "history": history,
               "speakers": _by_speaker(*tested)}
    files.write_json(path, answers, indent=None)
    return answers


def _kept_model(folder):
    """Where the network of a cell's latest run lies; the ones before it are not kept."""
    return folder / "model"


def _by_speaker(evidence, is_female, speakers):
    """What each speaker is labelled and the log-odds of each recording, for JSON."""
    grouped = {}
    for value, female, speaker in zip(evidence, is_female, speakers):
        own = grouped.setdefault(speaker, {"is_female": bool(female), "log_odds": []})
        own["log_odds"].append(round(float(value), 3))
    return grouped


def _thinned(kept, valid, per_speaker, seed):
    """At most so many training pictures of each speaker; all that validate stay."""
    if per_speaker is None:
        return kept, valid
    train, tested = kept[: len(kept) - len(valid)], kept[len(kept) - len(valid):]
    seen, chosen = Counter(), []
    for i in np.random.default_rng(seed).permutation(len(train)):
        seen[train[i].speaker] += 1
        if seen[train[i].speaker] <= per_speaker:
            chosen.append(train[i])
    return chosen + tested, np.arange(len(tested)) + len(chosen)


def _summary(cell, configs, sides):
    folds = [_figures([side], point=True)["accuracy"] for side in sides]
    seeds = {}
    for config, side in zip(configs, sides):
        seeds.setdefault(str(config.seed), []).append(side)
    return {
        **dataclasses.asdict(cell), "shared_speakers": sides[0]["shared_speakers"],
        "figures": _figures(sides),
        "seeds": {seed: _figures(own, point=True) for seed, own in seeds.items()},
        "folds": [float(np.mean(folds)), float(np.std(folds))] if len(cell.rules) > 1 else None}


def _figures(sides, point=False):
    """Figures of the answers of several runs together, forced decisions."""
    rows = [(name, own["is_female"], value) for side in sides
            for name, own in side["speakers"].items() for value in own["log_odds"]]
    speakers, is_female, evidence = zip(*rows)
    is_female = np.array(is_female)
    # Uncalibrated: a temperature moves no answer across one half.
    p_female = Calibration().p_female(np.array(evidence))
    return point_figures(is_female, p_female) if point else figures(is_female, p_female, speakers)
