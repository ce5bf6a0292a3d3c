"""Notebooks run from the top on voices that they make, and are stored without a machine's paths."""

import importlib.util
import json
import re

import pytest
from conftest import ROOT, draws_umap

from voxsight.corpora.synthetic import make_corpus

NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))


@pytest.fixture(scope="session")
def voices(tmp_path_factory):
    """The corpus that a notebook makes where none is named, made once for all of them."""
    return make_corpus(tmp_path_factory.mktemp("voices"))


def test_they_stand_in_the_order_of_the_work():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_eda", "02_preprocess_wav", "03_train_model", "04_evaluate_model", "05_deploy_model",
        "06_classifiers", "07_embeddings", "08_speakers", "09_explanations"]


@pytest.mark.slow
@pytest.mark.parametrize("path", [
    pytest.param(path, marks=draws_umap if path.stem in ("07_embeddings", "08_speakers") else ())
    for path in NOTEBOOKS], ids=lambda path: path.stem)
def test_it_runs(path, voices, monkeypatch):
    """From the top, in names of its own; each cell says by its asserts whether it is right."""
    import matplotlib.pyplot

    monkeypatch.setenv("VOXSIGHT_NOTEBOOKS", str(voices))
    monkeypatch.chdir(path.parent)
    matplotlib.pyplot.switch_backend("agg")
    names = {"__name__": "__main__"}
    for number, source in enumerate(sources_of(path), 1):
        exec(compile(source, f"{path.name}, cell {number}", "exec"), names)
    matplotlib.pyplot.close("all")


@pytest.mark.slow
def test_one_is_run_and_stored_by_the_script(tmp_path, monkeypatch):
    """As make notebooks does it, in a kernel, with voices that the notebook makes."""
    spec = importlib.util.spec_from_file_location("run_notebooks", ROOT / "nbs/run.py")
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    monkeypatch.delenv("VOXSIGHT_NOTEBOOKS", raising=False)
    path = ROOT / "nbs/02_preprocess_wav.ipynb"
    runner.run(path, tmp_path / path.name)
    assert sources_of(tmp_path / path.name) == sources_of(path)
    cells = json.loads((tmp_path / path.name).read_text())["cells"]
    assert any("image/png" in o.get("data", {}) for cell in cells for o in cell.get("outputs", ()))


def sources_of(path):
    """The cells of code of a notebook."""
    return ["".join(cell["source"]) for cell in json.loads(path.read_text())["cells"]
            if cell["cell_type"] == "code"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_clean(path):
    """Run in order, with what it printed and drew; it checks itself and defines nothing."""
    text = path.read_text()
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in o.get("data", {}) for cell in code for o in cell["outputs"])
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    source = "\n".join(sources_of(path))
    assert "assert " in source and not re.search(r"^(class |def (?!maps_of))", source, re.M)
    assert len(text) < 700_000
