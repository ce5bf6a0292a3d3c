"""Sphinx: the pages of this folder and a reference from the docstrings; ``make docs``."""

import importlib
import importlib.metadata
import pkgutil
import shutil
import sys
from pathlib import Path

import voxsight

sys.path.insert(0, str(Path(__file__).resolve().parent))
from diagram import read_layers

project = "voxsight"
release = importlib.metadata.version("voxsight")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode", "numpydoc"]
html_theme = "furo"
html_title = "voxsight"
exclude_patterns = ["_build"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_member_order = "bysource"
suppress_warnings = [
    "myst.xref_missing",  # stored results outside this folder; a test checks that they exist
    "ref.python",  # annotations name classes without their modules, and two may have one name
    "ref.citation",  # a module may list its references without citing each in a sentence
]

FACE = {"classify": "autofunction", "open_model": "autofunction", "Prediction": "autoclass",
        "Recording": "autoclass", "picture": "autofunction", "Recipe": "autoclass"}
LEFT_OUT = ("commands",)  # the command line, which `--help` explains
REFERENCE = """
What you need to use voxsight from Python is in the package itself::

    import voxsight
    voxsight.classify("a.wav")

``voxsight.RECIPES`` holds the recipes by name. All other modules follow, folder by folder from the
ground up: each folder imports only from those before it (see :doc:`how_it_works`).
"""


def _title(text, underline="="):
    return [text, underline * len(text), ""]


def _toctree(names):
    return [".. toctree::", "   :maxdepth: 1", "", *(f"   {name}" for name in names), ""]


def _folders():
    """Folders of the package from the ground up, in the order of the import contract."""
    root = Path(voxsight.__file__).parents[1]
    names = [name for layer in reversed(read_layers(root)) for name in layer]
    return [name for name in names if name not in LEFT_OUT]


def _modules(name):
    """Full names of the modules in a folder and in its subfolders."""
    package = importlib.import_module(name)
    return [info.name for info in pkgutil.walk_packages(getattr(package, "__path__", ()),
                                                        f"{name}.")]


def _write_reference(app):
    """The public face, then a page per folder and a page per module, from what is there."""
    source = Path(app.srcdir)
    shutil.rmtree(source / "api", ignore_errors=True)  # pages of modules that are gone
    (source / "api").mkdir()
    folders = [f"voxsight.{name}" for name in _folders()]
    lines = [*_title("API reference"), REFERENCE]
    for name, directive in FACE.items():
        lines += [f".. {directive}:: voxsight.{name}",
                  *(["   :members:"] if directive == "autoclass" else []), ""]
    lines += [*_title("Folders", "-"), *_toctree(f"api/{name}" for name in folders)]
    (source / "api.rst").write_text("\n".join(lines))
    for folder in folders:
        modules = _modules(folder)
        _write_page(source, folder, _toctree(modules) if modules else [])
        for module in modules:
            _write_page(source, module, [])


def _write_page(source, name, rest):
    lines = [*_title(name), f".. automodule:: {name}", "   :members:", "", *rest]
    (source / "api" / f"{name}.rst").write_text("\n".join(lines))


def setup(app):
    app.connect("builder-inited", _write_reference)
