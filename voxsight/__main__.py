"""``python -m voxsight COMMAND ...``."""

import sys

from voxsight.commands.runner import main

sys.exit(main())
