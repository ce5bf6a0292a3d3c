"""Puts the shipped model into the wheel; all else stands in setup.cfg."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

MODEL = Path("models/default")


class BuildWithModel(build_py):
    """The package with the folder of the default model inside."""

    def run(self):
        super().run()
        if not self.editable_mode:
            shutil.copytree(MODEL, Path(self.build_lib) / "voxsight/shipped" / MODEL,
                            dirs_exist_ok=True)


setup(cmdclass={"build_py": BuildWithModel})
