"""Sphinx: the pages of this folder and a reference from the docstrings; ``make docs``."""

import importlib.metadata
import pkgutil
from pathlib import Path

import voxsight

project = "voxsight"
release = importlib.metadata.version("voxsight")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
html_theme = "furo"
html_title = "voxsight"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
# Links lead to stored results outside this folder; tests/test_docs.py looks whether they are there.
suppress_warnings = ["myst.xref_missing"]


def _modules():
    names = [info.name for info in pkgutil.walk_packages(voxsight.__path__, "voxsight.")]
    return [name for name in names if ".commands" not in name and not name.endswith("__main__")]


def _write_reference(app):
    """A page per module, from what is there."""
    folder = Path(app.srcdir) / "api"
    folder.mkdir(exist_ok=True)
    for name in _modules():
        text = f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n   :members:\n"
        (folder / f"{name}.rst").write_text(text)
    lines = ["API reference", "=============", "", ".. toctree::", ""]
    lines += [f"   api/{name}" for name in _modules()]
    (Path(app.srcdir) / "api.rst").write_text("\n".join(lines) + "\n")


def setup(app):
    app.connect("builder-inited", _write_reference)
