"""Run `voxsight benchmark`; --help tells the rest."""

import sys

from voxsight.commands.runner import run_command

if __name__ == "__main__":
    sys.exit(run_command("benchmark"))
