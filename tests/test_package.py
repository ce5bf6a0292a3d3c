"""What holds for the project as a whole: light starts, one-way imports, the contract."""

import ast
import os
import subprocess
import sys

import pytest
from conftest import ROOT

SCRIPTS = sorted(path.stem for path in (ROOT / "scripts").glob("*.py"))
MODULES = sorted((ROOT / "voxsight").rglob("*.py"))


def imports_of(path, top_only=False):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.slow
@pytest.mark.parametrize("name", SCRIPTS)
def test_help_needs_nothing_heavy(name):
    code = ("import sys, runpy\n"
            f"sys.argv = ['{name}.py', '--help']\n"
            "try:\n"
            f"    runpy.run_path('scripts/{name}.py', run_name='__main__')\n"
            "except SystemExit as stop:\n"
            "    assert stop.code == 0\n"
            "assert not {'numpy', 'torch', 'onnxruntime', 'matplotlib'} & set(sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--quiet" in done.stdout


def test_each_script_is_a_command():
    from voxsight.commands import COMMANDS

    assert sorted(f"{name}.py" for name in SCRIPTS) == sorted(c.script for c in COMMANDS.values())
    for name, command in COMMANDS.items():
        assert f'run_command("{name}")' in (ROOT / "scripts" / command.script).read_text()


@pytest.mark.slow
def test_importing_the_package_loads_nothing_heavy():
    code = "import sys, voxsight; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "torch", "fastai", "matplotlib"} & set(done.stdout.split())
    with pytest.raises(AttributeError, match="classifi"):
        import voxsight

        voxsight.classifi  # noqa: B018


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_public_names_are_documented_and_modules_short(path):
    text = path.read_text()
    assert len(text.splitlines()) <= 400
    tree = ast.parse(text)
    assert not tree.body or ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            overload = "overload" in map(ast.unparse, node.decorator_list)
            plain = "commands" in path.parts and node.name in ("configure", "run")
            assert overload or plain or ast.get_docstring(node), f"{node.name} in {path.name}"


def test_names_that_help_lists_are_those_of_the_code():
    """They stand where a command can read them without the heavy imports of the code."""
    from voxsight import corpora, encoders, evaluation, explanation, pictures
    from voxsight.corpora import download, reading
    from voxsight.evaluation import audiomnist, grouping
    from voxsight.explanation import methods
    from voxsight.pictures import recipe

    assert set(recipe.RECIPES) == set(pictures.RECIPE_NAMES)
    assert tuple(audiomnist.CELLS) == evaluation.CELL_NAMES
    assert tuple(grouping.GROUPS) == evaluation.GROUP_NAMES
    assert set(download.SITES) == set(corpora.PUBLIC_CORPORA)
    assert set(reading.LAYOUTS) == set(corpora.KINDS)
    assert {methods.SHIPPED.name, *(m.name for m in methods.GRAPH_METHODS)} <= set(
        explanation.METHODS)
    assert {*encoders.NETWORKS, *encoders.TEACHERS} <= set(encoders.ENCODERS)


def test_nothing_unpickles():
    for path in MODULES:
        assert not {"pickle", "joblib", "dill"} & set(imports_of(path)), path
        assert "torch.load" not in path.read_text()


@pytest.mark.slow
def test_voxsight_command():
    run = [sys.executable, "-m", "voxsight"]
    assert subprocess.run([*run, "--help"], capture_output=True).returncode == 0
    assert subprocess.run([*run, "nothing"], capture_output=True).returncode == 2
    done = subprocess.run([*run, "deploy", "--help"], capture_output=True, text=True)
    assert done.stdout.startswith("usage: voxsight deploy")


@pytest.mark.xdist_group("together")
def test_tests_of_a_group_share_a_worker(request):
    """pytest-xdist tells groups by the ends of names, which not every pytest lets it set."""
    if "PYTEST_XDIST_WORKER" in os.environ and request.config.getoption("loadgroup"):
        assert request.node.nodeid.endswith("@together")
