"""Measure speed and memory, store the run and write the page; run by ``make bench``.

A run is stored under its name, beside the others. ``docs/benchmarks.md`` shows all of them.
"""

import argparse
import datetime
import importlib
import platform
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("conversion", "deployment", "web", "live", "scale", "growth", "training")
STORE, PAGE = ROOT / "results/benchmarks/runs.json", ROOT / "docs/benchmarks.md"
# What the network's arithmetic depends on; without them the same clock is several times slower.
INSTRUCTIONS = ("avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(PARTS), help="parts (%(default)s)")
    parser.add_argument("--out", type=_store, metavar="FILE.json",
                        help=f"file of runs to add this one to; if it is {_shown(STORE)}, the "
                             "page is written too")
    parser.add_argument("--name", help="name of the run; one of the same name is replaced "
                                       "(default: its parts, or everything)")
    args = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from benchmarks.rows import HEAD, cells
    from voxsight.base.tables import markdown_table

    run = {"command": shlex.join(["python", *sys.argv]), **_machine(), "rows": {}}
    for part in args.only.split(","):
        with tempfile.TemporaryDirectory(prefix="voxsight-bench-") as work:
            for row in importlib.import_module(f"benchmarks.{part}").measure(Path(work)):
                run["rows"][row.pop("what")] = row
                print(part, row, file=sys.stderr, flush=True)
    print("\n".join(markdown_table(HEAD, [cells(what, row) for what, row in run["rows"].items()])))
    if args.out:
        whole = args.only == ",".join(PARTS)
        store_run(args.out, args.name or ("everything" if whole else args.only), run)


def store_run(path, name, run, page=PAGE):
    """Add a run to the stored ones; if they are the published ones, show it on the page.

    Parameters
    ----------
    path : Path
        File of the runs; it need not exist.
    name : str
        One of the same name is replaced.
    run : dict
    page : Path
        Gets a section for a run that it does not show yet.
    """
    from voxsight.base.files import read_json, write_json, write_text

    stored = read_json(path) if path.is_file() else {"runs": {}}
    write_json(path, {"runs": {**stored["runs"], name: run}})
    if path.resolve() == STORE:
        text = page.read_text(encoding="utf-8")
        mark = f"<!-- figures: benchmarks {name} -->"
        if mark not in text:
            write_text(page, f"{text}\n## {name.capitalize()}\n\n{mark}\n<!-- end -->\n")
        subprocess.run([sys.executable, ROOT / "docs/figures.py"])


def _store(text):
    if not text.endswith(".json"):
        raise argparse.ArgumentTypeError(f"found {text}, expected a file of runs that ends in "
                                         f".json, such as {_shown(STORE)}")
    return Path(text)


def _shown(path):
    return path.relative_to(ROOT).as_posix()


def _machine():
    """The machine, the commit and the day of a run."""
    cores = Path("/proc/cpuinfo")
    lines = cores.read_text().splitlines() if cores.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    flags = {flag for line in lines if line.startswith("flags") for flag in line.split()}
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT,
                            capture_output=True, text=True)
    return {"machine": f"{len(names) or '?'} cores of {(names or [platform.processor()])[0]}, "
                       f"{platform.system()}, Python {platform.python_version()}",
            "instructions": [flag for flag in INSTRUCTIONS if flag in flags],
            "commit": commit.stdout.strip(), "date": datetime.date.today().isoformat()}


if __name__ == "__main__":
    main()
