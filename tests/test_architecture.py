"""The layout holds: folders of a readable size, imports one way, types that are checked."""

import configparser
import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

PACKAGE = ROOT / "voxsight"
LARGEST_FOLDER = 14  # modules
# An import that breaks each contract of setup.cfg, and the module that it is added to.
BREAKS = {
    "layers": ("corpora/splits.py", "from voxsight.pictures import recipe"),
    "ground": ("base/files.py", "from voxsight.sound import signal"),
    "sound": ("sound/pitch.py", "from voxsight.corpora import utterance"),
    "soundfiles": ("answer/live.py", "import soundfile"),
    "pictures": ("pictures/dataset.py", "from voxsight.network import folder"),
    "network": ("network/learners.py", "from voxsight.answer import prediction"),
    "fastai": ("classifiers/networks.py", "from fastai.learner import Learner"),
    "answer": ("answer/timeline.py", "from voxsight.explanation import maps"),
    "light": ("answer/fusion.py", "import torch"),
    "explanation": ("explanation/maps.py", "from voxsight.evaluation import report"),
    "independent": ("evaluation/report.py", "from voxsight.studies import clustering"),
    "page": ("studies/clustering.py", "from voxsight.web import application"),
    "matplotlib": ("explanation/sweeps.py", "import matplotlib"),
    "onnxruntime": ("answer/fusion.py", "import onnxruntime"),
    "top": ("display/saving.py", "from voxsight.commands import output"),
}


def contracts():
    """Names of the contracts in setup.cfg by their keys."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    prefix = "importlinter:contract:"
    return {section.removeprefix(prefix): config[section]["name"]
            for section in config.sections() if section.startswith(prefix)}


def lint_imports(folder):
    """Output of import-linter on the package in a folder, without its line breaks."""
    done = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as lint; lint()",
         "--no-cache", "--config", ROOT / "setup.cfg"],
        cwd=folder, env={"PYTHONPATH": str(folder), "COLUMNS": "200", "PATH": ""},
        capture_output=True, text=True)
    return done.returncode, done.stdout


@pytest.mark.slow
def test_every_contract_on_imports_holds_and_can_break(tmp_path):
    code, output = lint_imports(ROOT)
    assert code == 0, output
    shutil.copytree(PACKAGE, tmp_path / "voxsight", ignore=shutil.ignore_patterns("__pycache__"))
    assert set(BREAKS) == set(contracts())
    for module, line in BREAKS.values():
        with open(tmp_path / "voxsight" / module, "a") as file:
            file.write(f"\n{line}\n")
    code, output = lint_imports(tmp_path)
    assert code == 1
    unbroken = [name for name in contracts().values() if f"{name} BROKEN" not in output]
    assert not unbroken, output


def test_folders_have_a_readable_size():
    top = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    assert top == {"__init__.py", "__init__.pyi", "__main__.py", "errors.py", "py.typed"}
    for folder in [path for path in PACKAGE.rglob("*") if path.is_dir()]:
        assert len(list(folder.glob("*.py"))) <= LARGEST_FOLDER, folder


def test_every_folder_is_a_layer():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    layers = re.findall(r"\w+", config["importlinter:contract:layers"]["layers"])
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders | {"errors"} == set(layers)


@pytest.mark.slow
@pytest.mark.parametrize("body", ["return nowhere_defined", "return 1 + 'x'", "return a.nothing"])
def test_mypy_looks_into_functions(body, tmp_path):
    """With the project's settings; it used to skip the body of every function."""
    (tmp_path / "module.py").write_text(f"def public(a: int) -> object:\n    {body}\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--config-file", ROOT / "setup.cfg",
                           "--cache-dir", tmp_path / "cache", tmp_path / "module.py"],
                          capture_output=True, text=True)
    assert done.returncode == 1 and "module.py:2: error" in done.stdout


@pytest.mark.slow
def test_mypy_asks_for_annotations(tmp_path):
    (tmp_path / "module.py").write_text("def public(a):\n    return a\n")
    done = subprocess.run([sys.executable, "-m", "mypy", "--config-file", ROOT / "setup.cfg",
                           "--cache-dir", tmp_path / "cache", tmp_path / "module.py"],
                          capture_output=True, text=True)
    assert "missing a type annotation" in done.stdout


def test_the_public_face():
    """Lazily loaded, and the same names for type checkers and for Python."""
    import voxsight

    names = {"classify", "open_model", "Recording", "picture", "Recipe", "RECIPES", "Prediction"}
    assert set(dir(voxsight)) == names
    recording = voxsight.Recording(ROOT / "my_wavs/slt_fox.wav")
    recipe = voxsight.RECIPES["voxsight"]
    assert voxsight.picture(recording.read(recipe.sample_rate), recipe).shape == (64, 64, 3)
    one, other = (voxsight.Prediction("a.wav", "female", 0.9) for _ in range(2))
    assert one == other and one != voxsight.Prediction("b.wav", "female", 0.9)
    assert isinstance(recipe, voxsight.Recipe)
    assert recipe == voxsight.Recipe.from_dict(recipe.to_dict())
