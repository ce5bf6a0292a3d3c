"""README and docs: links lead somewhere, commands run, figures are stored, names explained."""

import csv
import doctest
import importlib
import inspect
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
INTERVAL = re.compile(r"(-?\d\.\d{3,4}) \((-?\d\.\d{3,4}) to (-?\d\.\d{3,4})\)")
# Run for real, in this order, in a folder where small synthetic corpora stand for those named.
# What one kind of work wrote, another does not use.
CHAINS = {
    "answers": [
        "deploy_model.py my_wavs/ --csv answers.csv", "deploy_model.py my_wavs/ --json",
        "deploy_model.py my_wavs/ --pictures results/pictures",
        "deploy_model.py my_wavs/ --timeline results/timelines",
        "deploy_model.py interviews/ --csv answers.csv --timeline who_speaks_when/",
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
}
RUN = [command for chain in CHAINS.values() for command in chain]
INSTEAD = {  # no network; and one classifier for all, which test_comparison.py runs
    "train_model.py mfc_dataset/mine --out models/mine --weights imagenet":
        "train_model.py mfc_dataset/mine --out models/mine --weights models/default",
    "compare_classifiers.py voices.csv": "compare_classifiers.py voices.csv --only gmm",
}
# Run elsewhere, or not by a test: part of the command, and where.
ELSEWHERE = {
    "record_wav.py": "test_record.py", "my_wavs/me.wav": "test_record.py",
    "serve_web.py": "test_page.py", "download_corpus.py": "test_download.py",
    "--dask": "test_scale.py", "--source ecapa": "test_embeddings.py",
    "corpora/": "needs a corpus of recordings", "mfc_dataset/audiomnist": "needs a corpus",
    "mfc_dataset/dev-clean": "needs a corpus", "mfc_dataset/default": "makes the shipped model",
    "mfc_dataset/development": "needs a corpus",
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


def test_figures_are_stored():
    """Each figure with an interval stands in a stored result, to three digits."""
    stored = set()
    for path in [*(ROOT / "results").rglob("*.md"), ROOT / "models/default/README.md"]:
        stored |= {rounded(found) for found in INTERVAL.findall(path.read_text())}
    for path in (ROOT / "results").rglob("*.csv"):
        for row in csv.DictReader(path.open()):
            stored |= {rounded((row[name], row[f"{name}_low"], row[f"{name}_high"]))
                       for name in row if row.get(f"{name}_low") and row[name]}
    for page in PAGES:
        text = re.sub(r"\s+", " ", page.read_text())
        unknown = [found for found in INTERVAL.findall(text) if rounded(found) not in stored]
        assert not unknown, f"{page.name}: {unknown}"


def rounded(numbers):
    return tuple(f"{float(number):.3f}" for number in numbers)


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
