"""Notebooks run from the top on voices that they make, and are stored without a machine's paths."""

import importlib.util
import json
import re

import pytest
from conftest import ROOT

NOTEBOOKS = sorted((ROOT / "nbs").glob("*.ipynb"))
pytestmark = pytest.mark.xdist_group("notebooks")


@pytest.fixture(scope="module")
def runner():
    spec = importlib.util.spec_from_file_location("run_notebooks", ROOT / "nbs/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_they_stand_in_the_order_of_the_work():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_eda", "02_preprocess_wav", "03_train_model", "04_evaluate_model", "05_deploy_model",
        "06_classifiers", "07_embeddings", "08_speakers", "09_explanations"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(runner, path, tmp_path, monkeypatch):
    monkeypatch.delenv("VOXSIGHT_NOTEBOOKS", raising=False)
    runner.run(path, tmp_path / path.name)
    assert (tmp_path / path.name).is_file()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_clean(path):
    """Run in order, with what it printed and drew; it checks itself and defines nothing."""
    text = path.read_text()
    notebook = json.loads(text)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert any("image/png" in o.get("data", {}) for cell in code for o in cell["outputs"]) or (
        path.stem == "03_train_model")
    assert not re.search(r"/(home|root|tmp|work|Users)/", text)
    source = "\n".join("".join(cell["source"]) for cell in code)
    assert "assert " in source and not re.search(r"^(class |def (?!maps_of))", source, re.M)
    assert len(text) < 700_000
