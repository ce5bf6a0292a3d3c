"""Measure speed and memory and write the table; run by ``make bench``."""

import argparse
import importlib
import platform
import shlex
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("conversion", "deployment", "web", "live", "scale", "growth", "training")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts (%(default)s)")
    parser.add_argument("--out", help="Markdown file for the table")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    lines = ["| measured | bar (aim) | found | |", "|---|---|---|---|"]
    for part in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix="voxsight-bench-") as work:
            for row in importlib.import_module(f"benchmarks.{part}").measure(Path(work)):
                lines.append("| {what} | {bar} | {found} | {note} |".format(**row))
                print(lines[-1], file=sys.stderr, flush=True)
    table = "\n".join(lines)
    print(table)
    if args.out:
        from voxsight.base.files import write_bytes

        command = shlex.join(["python", *sys.argv])
        write_bytes(args.out, f"# Speed and memory\n\n{_machine()} Made with\n\n    {command}\n\n"
                              f"{table}\n".encode())


def _machine():
    cores = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cores.read_text().splitlines()
             if line.startswith("model name")] if cores.is_file() else [platform.processor()]
    return (f"Measured on {len(names)} cores of {names[0]}, {platform.system()}, Python "
            f"{platform.python_version()}.")


if __name__ == "__main__":
    main()
