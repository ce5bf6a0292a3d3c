"""The command line: one module per command, each with ``configure`` and ``run``."""

from voxsight.commands.runner import COMMANDS, run_command

__all__ = ["COMMANDS", "run_command"]
