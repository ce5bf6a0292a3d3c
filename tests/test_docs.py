"""README and docs: links lead somewhere, commands run, figures are stored, names explained."""

import csv
import doctest
import importlib
import inspect
import json
import pkgutil
import re
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, draws_umap

import voxsight
from voxsight.commands import COMMANDS
from voxsight.commands.runner import make_parser

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "models/default/README.md",
         *sorted((ROOT / "docs").glob("*.md")), ROOT / "results/default_model/README.md"]
SCRIPTS = {command.script: name for name, command in COMMANDS.items()}
# Run for real, in this order, in a folder where small synthetic corpora stand for those named.
# What one kind of work wrote, another does not use.
CHAINS = {
    "answers": [
        "deploy_model.py my_wavs/ --csv answers.csv", "deploy_model.py my_wavs/ --json",
        "deploy_model.py my_wavs/ --pictures results/pictures",
        "deploy_model.py my_wavs/ --timeline results/timelines",
        "deploy_model.py interviews/ --csv answers.csv --timeline who_speaks_when/",
        "deploy_model.py my_wavs/ --heatmaps results/mine --method gradcam",
        "explain_model.py models/default my_wavs/ --method hirescam --layer layer1",
        "evaluate_model.py models/default other_voices.csv --out results/mine",
        "deploy_model.py interviews/ --csv all.csv --shard 1/2",
        "deploy_model.py interviews/ --csv all.csv --shard 2/2", "merge_shards.py all.csv",
        "deploy_model.py my_wavs/ --model models/default+resemblyzer",
        "export_model.py models/default --to huggingface --out exported",
    ],
    "explanations": ["explain_model.py models/default my_wavs/ --sweeps --out results/mine"],
    "training": [
        "preprocess_wavs.py corpus.csv --corpus csv --out mfc_dataset/mine --maps maps/mine",
        "train_model.py mfc_dataset/mine --out models/mine --weights imagenet",
        "evaluate_model.py models/mine other_voices.csv --out results/mine",
        "deploy_model.py my_wavs/ --model models/mine",
        "preprocess_wavs.py corpus.csv --corpus csv --out mfc_dataset/whole --maps maps/whole "
        "--shard 1/2",
        "preprocess_wavs.py corpus.csv --corpus csv --out mfc_dataset/whole --maps maps/whole "
        "--shard 2/2",
        "merge_shards.py mfc_dataset/whole --maps maps/whole",
        "preprocess_wavs.py corpus.csv --corpus csv --recipe voxsight --out mfc_dataset/mine "
        "--maps maps/mine",
        "measure_robustness.py models/mine csv:other_voices.csv --noise noises/",
        "measure_conversations.py models/mine csv:other_voices.csv --noise noises/",
    ],
    "own voices": [
        "preprocess_wavs.py own_voices/ --corpus folder --out mfc_dataset/own --maps maps/own",
        "train_model.py mfc_dataset/own --weights models/default --head-epochs 4 --epochs 0 "
        "--valid 0.3 --out models/own",
    ],
    "features": ["analyse_features.py voices.csv --out results/my_features"],
    "classifiers": [
        "compare_classifiers.py voices.csv",
        "evaluate_model.py results/classifiers/gmm/model other_voices.csv",
        "compare_classifiers.py voices.csv --test other_voices.csv --only xgboost,cnn2d",
        "deploy_model.py my_wavs/ --model results/classifiers/xgboost/model",
    ],
    "embeddings": [
        "classify_embeddings.py voices.csv --test other_voices.csv",
        "classify_embeddings.py voices.csv --stage embed",
        "classify_embeddings.py my_wavs/ --stage predict",
    ],
    "speakers": ["classify_speakers.py voices.csv"],
    "benchmark": ["benchmark_models.py models/default --corpora voices.csv other_voices.csv "
                  "--out results/mine"],
}
RUN = [command for chain in CHAINS.values() for command in chain]
INSTEAD = {  # no network; and one classifier for all, which test_comparison.py runs
    "train_model.py mfc_dataset/mine --out models/mine --weights imagenet":
        "train_model.py mfc_dataset/mine --out models/mine --weights models/default",
    "compare_classifiers.py voices.csv": "compare_classifiers.py voices.csv --only gmm",
    "benchmark_models.py models/default --corpora voices.csv other_voices.csv --out results/mine":
        "benchmark_models.py models/default --corpora voices.csv --out results/mine",
}
# Run elsewhere, or not by a test: part of the command, and where.
ELSEWHERE = {
    "record_wav.py": "test_record.py", "my_wavs/me.wav": "test_record.py",
    "serve_web.py": "test_page.py", "download_corpus.py": "test_download.py",
    "command:": "test_benchmark.py",
    "--dask": "test_scale.py", "--source ecapa": "test_embeddings.py",
    "corpora/": "needs a corpus of recordings", "mfc_dataset/audiomnist": "needs a corpus",
    "mfc_dataset/dev-clean": "needs a corpus", "mfc_dataset/default": "makes the shipped model",
    "mfc_dataset/development": "needs a corpus", "--weights imagenet,none": "test_weights.py",
}


def commands_of(text):
    """Commands of a page: indented lines, joined where they end in a backslash."""
    text = re.sub(r"\\\n\s+", " ", text)
    for line in re.findall(r"^    (\S.*)$", text, re.M) + re.findall(r"`([^`\n]+)`", text):
        words = line.split("  #")[0].strip()
        if re.match(r"(python scripts/|voxsight )\S+ \S", words) and "..." not in words:
            yield words


def found_commands():
    for page in PAGES:
        for line in commands_of(page.read_text()):
            yield pytest.param(line, id=f"{page.stem}: {line[:60]}")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = page.read_text()
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"{include} (\S+)", text)
    for target in targets:
        if target.startswith(("http://", "https://", "data:")):
            continue
        path, _, anchor = target.partition("#")
        other = (page.parent / path).resolve() if path else page
        if page.name == "README.md" and "default_model" in str(page) and not other.exists():
            continue  # what a run leaves beside the table is not all tracked
        assert other.exists(), f"{page.name}: {target}"
        if anchor:
            titles = re.findall(r"^#+ (.+)$", other.read_text(), re.M)
            slugs = [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]
            assert anchor in slugs, f"{page.name}: {target}"


@pytest.mark.parametrize("line", list(found_commands()))
def test_commands_are_understood(line):
    """Every flag is one that the command knows, with a value that it takes."""
    words = shlex.split(line)
    if words[0] == "python":
        name, words = SCRIPTS[Path(words[1]).name], words[2:]
    else:
        name, words = words[1], words[2:]
    parser = make_parser(name)
    words = [word if word not in ("MODEL", "NAME") else "x" for word in words]
    if words != ["--help"]:
        parser.parse_args(words)


@pytest.mark.parametrize("line", list(found_commands()))
def test_commands_are_run_somewhere(line):
    assert line.endswith(tuple(RUN)) or any(part in line for part in ELSEWHERE)


def test_make_targets_exist():
    makefile = (ROOT / "Makefile").read_text()
    for page in PAGES:
        for target in re.findall(r"(?:^    |`)make ([a-z-]+)", page.read_text(), re.M):
            assert re.search(rf"^{target}:", makefile, re.M), f"{page.name}: make {target}"


@pytest.fixture(scope="session")
def places(tmp_path_factory):
    """A copy of the project's folders with corpora of the names that the pages use."""
    from voxsight.corpora.synthetic import make_corpus
    from voxsight.sound.writing import write_wav

    folder = tmp_path_factory.mktemp("places") / "workplace"
    (folder / "my_wavs").mkdir(parents=True)
    for name in ("slt_three", "slt_seven", "rms_seven"):
        shutil.copy(ROOT / f"my_wavs/{name}.wav", folder / "my_wavs")
    made = make_corpus(folder / "made", speakers=8, recordings=2)
    for name, count in (("corpus.csv", 16), ("voices.csv", 16), ("other_voices.csv", 8)):
        rows = list(csv.DictReader(made.open()))[:count]
        text = ",".join(rows[0]) + "\n" + "".join(
            ",".join({**row, "path": f"made/{row['path']}"}.values()) + "\n" for row in rows)
        (folder / name).write_text(text)
    shutil.copytree(folder / "my_wavs", folder / "interviews")
    for gender in ("female", "male"):
        for voice in folder.glob(f"made/{gender[0]}*"):
            shutil.copytree(voice, folder / "own_voices" / gender / voice.name)
    (folder / "noises").mkdir()
    hiss = np.random.default_rng(20260101).normal(0, 0.1, 160_000).astype("float32")
    write_wav(folder / "noises/hiss.wav", hiss, 16_000)
    return folder


@pytest.fixture
def workplace(places, tmp_path):
    """One of a test's own."""
    shutil.copytree(places, tmp_path / "workplace")
    (tmp_path / "workplace/models").mkdir()
    (tmp_path / "workplace/models/default").symlink_to(ROOT / "models/default")
    return tmp_path / "workplace"


@pytest.mark.slow
@pytest.mark.parametrize("chain", [
    pytest.param(chain, marks=draws_umap if chain in ("embeddings", "speakers") else ())
    for chain in CHAINS])
def test_commands_run(chain, script, workplace):
    """One after the other, since the later ones use what the earlier ones wrote."""
    pages = re.sub(r"\\\n\s+", " ", "\n".join(page.read_text() for page in PAGES))
    for command in CHAINS[chain]:
        assert command in pages, f"{command}: expected on some page"
        name, *args = shlex.split(INSTEAD.get(command, command))
        done = script(name.removesuffix(".py"), *args, "--quiet", cwd=workplace)
        assert done.returncode == 0, f"{command}: {done.stderr}"


@pytest.fixture(scope="session")
def figures():
    """The program that writes figures into pages."""
    return runpy.run_path(str(ROOT / "docs/figures.py"))


@pytest.fixture
def published(tmp_path):
    """A copy of all pages and of the stored results that they are written from."""
    for folder in ("docs", "results", "models"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".md", ".json", ".csv", ".html") and "_build" not in path.parts:
                copy = tmp_path / path.relative_to(ROOT)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, copy)
    (tmp_path / "results/audiomnist/class_means.png").touch()
    for path in (ROOT / "models/default").iterdir():
        if path.suffix in (".safetensors", ".onnx"):
            (tmp_path / "models/default" / path.name).symlink_to(path)
    for name in ("README.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def complaints(figures, root, capsys, *flags):
    capsys.readouterr()
    code = figures["main"]([*flags, "--root", str(root)])
    lines = capsys.readouterr().err.splitlines()
    assert code == bool(lines)
    return lines


def test_pages_are_as_stored(figures, capsys):
    """Every table, every marked figure, every page beside results; and no figure is unmarked."""
    assert complaints(figures, ROOT, capsys, "--check") == []


def test_no_digit_of_a_page_may_change(figures):
    """A page on which a digit of a figure is another is out of date; forty digits of each page."""
    results, changed = figures["Results"](ROOT), 0
    for path in figures["pages"](ROOT):
        text = seen = (ROOT / path).read_text()
        for name in ("NOT_OURS", "CODE", "NO_FIGURE"):
            seen = figures[name].sub(lambda match: "~" * len(match[0]), seen)
        digits = [place for match in re.finditer(r"(?<![\d.])\d+\.\d{2,4}\b(?!\.)|\d+(?= ?%)", seen)
                  for place in range(*match.span()) if text[place].isdigit()]
        for place in digits[::max(1, len(digits) // 40)]:
            other = f"{text[:place]}{(int(text[place]) + 1) % 10}{text[place + 1:]}"
            assert list(figures["faults"](path, other, results)), (path, text[place - 40:place + 9])
            changed += 1
    assert changed > 500


def test_figures_beside_the_wrong_label_are_found(figures, published, capsys):
    """Two rows of a table change places but for their names; a mark names another key."""
    page = published / "docs/limits.md"
    women, men = (re.search(rf"\| {who} \| answer rate \| (.+) \|", page.read_text())[1]
                  for who in ("women", "men"))
    page.write_text(page.read_text().replace(women, "~").replace(men, women).replace("~", men))
    readme = published / "README.md"
    readme.write_text(readme.read_text().replace("metrics.json: uar -->", "metrics.json: auc -->"))
    lines = complaints(figures, published, capsys, "--check")
    assert [line.split(":")[0] for line in lines] == ["README.md", "docs/limits.md"]


def test_pages_follow_what_is_stored(figures, published, capsys):
    """A figure that is measured again appears on all of its pages by one command."""
    path = published / "results/default_development/metrics.json"
    stored = json.loads(path.read_text())
    stored["uar"] |= {"value": 0.8125, "low": 0.75, "high": 0.875}
    path.write_text(json.dumps(stored))
    lines = complaints(figures, published, capsys, "--check")
    assert {line.split(":")[0] for line in lines} == {
        "README.md", "docs/figures.md", "models/default/README.md",
        *(f"results/default_development/card.{kind}" for kind in ("md", "html"))}
    assert not complaints(figures, published, capsys)
    assert "0.812 (0.750 to 0.875)<!--" in (published / "README.md").read_text()
    card = (published / "models/default/README.md").read_text()
    assert "| uar | 0.812 (0.750 to 0.875) |" in card
    assert complaints(figures, published, capsys, "--check") == []


@pytest.mark.parametrize("text, found", [
    ("The UAR is 0.987.", "0.987"), ("It answers 73 % of them.", "73 %"),
    ("r = 0.8 (0.7 to 0.9)", "0.8 (0.7 to 0.9)"), ("Set apart: `0.987`.", "0.987"),
    ("| men | 12.5 % |", "12.5 %")])
def test_figures_without_a_mark_are_refused(text, found, figures):
    assert [words.endswith(found) for words in figures["unmarked"](text)] == [True]


@pytest.mark.parametrize("text", [
    "Brackets hold 95 % intervals.", "Python 3.11 or newer", "`--valid 0.15`",
    "    voxsight train --lr 0.001", "at least 98 %<!-- set -->", "error 1.07 %<!-- cited -->",
    "[others](https://arxiv.org/abs/1807.03418)",
    "<!-- set -->\n| 0.97 | 12 % |\n<!-- end -->"])
def test_what_is_no_figure_needs_no_mark(text, figures):
    assert not list(figures["unmarked"](text))


@pytest.mark.parametrize("mark, complaint", [
    ("0.9<!-- results/default_model/robustness.json: conditions / dreamt -->", "dreamt"),
    ("0.9<!-- results/dreamt.json: uar -->", "no such file"),
    ("<!-- results/default_development/metrics.json: uar -->", "no figure before it"),
    ("<!-- figures: dreamt -->\n<!-- end -->", "no such table"),
    ("<!-- figures: weak -->\n<!-- figures: weak -->\n<!-- end -->", "no end of the table")])
def test_what_is_not_stored_is_told(mark, complaint, figures, published, capsys):
    (published / "docs/limits.md").write_text(f"# Limits\n\n{mark}\n")
    line, = complaints(figures, published, capsys)
    assert line.startswith("docs/limits.md: ") and complaint in line and "expected" in line


def test_bars_that_are_missed_are_marked():
    """Judged by the value that was measured, not by its rounded text."""
    from benchmarks.rows import cells, is_met, row

    assert [is_met(row("x", value, ".0f", **bar)) for value, bar in (
        (149.6, {"at_least": 150}), (150, {"at_least": 150}), (0.801, {"at_most": 0.8}),
        (-16, {"within": 15}), (3, {}))] == [False, True, False, False, None]
    found = row("speed", 149.6, ".0f", " times", "a note", at_least=150, aim=200)
    what = found.pop("what")
    assert cells(what, found) == ["speed", "at least 150 times (200)", "150 times", "**missed**",
                                  "a note"]
    page = (ROOT / "docs/benchmarks.md").read_text()
    stored = json.loads((ROOT / "results/benchmarks/runs.json").read_text())["runs"]
    missed = [what for run in stored.values() for what, row in run["rows"].items()
              if is_met(row) is False]
    assert page.count("**missed**") == len(missed) > 0
    assert all(f"<!-- figures: benchmarks {name} -->" in page for name in stored)


def test_runs_of_benchmarks_are_kept(tmp_path, capsys, monkeypatch):
    """Each under its name; and a page is no place for them."""
    from benchmarks import run

    for name, value in (("first", 1), ("second", 2), ("first", 3)):
        run.store_run(tmp_path / "runs.json", name, {"rows": {"x": {"value": value}}})
    stored = json.loads((tmp_path / "runs.json").read_text())["runs"]
    assert {name: kept["rows"]["x"]["value"] for name, kept in stored.items()} == {
        "first": 3, "second": 2}
    monkeypatch.setattr(sys, "argv", ["run.py", "--out", str(tmp_path / "page.md")])
    with pytest.raises(SystemExit, match="2"):
        run.main()
    assert "expected a file of runs that ends in .json" in capsys.readouterr().err


def public_names():
    for info in pkgutil.walk_packages(voxsight.__path__, "voxsight."):
        if ".commands" in info.name or info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        for name, thing in vars(module).items():
            own = getattr(thing, "__module__", "") == module.__name__
            if own and not name.startswith("_") and (
                    inspect.isfunction(thing) or inspect.isclass(thing)):
                yield f"{module.__name__}.{name}", thing
                yield from members_of(f"{module.__name__}.{name}", thing)


def members_of(name, thing):
    for inner, member in vars(thing).items() if inspect.isclass(thing) else ():
        if not inner.startswith("_") and (inspect.isfunction(member)
                                          or isinstance(member, property | classmethod)):
            yield f"{name}.{inner}", getattr(thing, inner)


@pytest.mark.slow
def test_public_names_are_explained():
    """With a docstring, inherited or own; one with Parameters names all of them, in order."""
    from numpydoc.validate import validate

    wrong, names = [], dict(public_names())
    assert len(names) > 300
    for name, thing in names.items():
        text = inspect.getdoc(thing) or ""
        if not text:
            wrong.append(f"{name}: no docstring")
        elif re.search(r"^Parameters\n-+$", text, re.M) and thing.__doc__:
            wrong += [f"{name}: {words}" for code, words in validate(name)["errors"]
                      if code in ("PR01", "PR02", "PR03", "GL06", "GL07")]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_examples_in_docstrings_hold():
    tried = 0
    for info in pkgutil.walk_packages(voxsight.__path__, "voxsight."):
        if not info.name.endswith("__main__"):
            found = doctest.testmod(importlib.import_module(info.name))
            assert not found.failed, info.name
            tried += found.attempted
    assert tried >= 12


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    """Without a warning, and with nothing to fetch from elsewhere."""
    shutil.copytree(ROOT / "docs", tmp_path / "project/docs",
                    ignore=shutil.ignore_patterns("_build", "api", "api.rst"))
    for name in ("results", "models", "nbs", "CONTRIBUTING.md"):
        (tmp_path / "project" / name).symlink_to(ROOT / name)
    done = subprocess.run([sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html",
                           tmp_path / "project/docs", tmp_path / "site"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    pages = {page.stem for page in (ROOT / "docs").glob("*.md")}
    assert pages <= {page.stem for page in (tmp_path / "site").glob("*.html")}
    assert (tmp_path / "site/api/voxsight.pictures.cepstra.html").is_file()
    for page in (tmp_path / "site").glob("*.html"):
        assert not re.search(r"<(script|link|img)[^>]+(src|href)=\"(https?:)?//", page.read_text())


def test_the_drawing_of_the_folders_is_of_this_code():
    draw = runpy.run_path(str(ROOT / "docs/diagram.py"))["draw"]
    assert draw(ROOT) == (ROOT / "docs/folders.svg").read_text(), "run python docs/diagram.py"
