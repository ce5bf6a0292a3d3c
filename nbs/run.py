"""Run the notebooks in their order and store what they print and draw; ``make notebooks``."""

import argparse
import os
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).resolve().parent


def run(path, out):
    """Run one notebook from the top and store it with its outputs.

    Parameters
    ----------
    path, out : Path

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        if a cell fails
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=1800, kernel_name="python3",
                            resources={"metadata": {"path": str(FOLDER)}})
    client.execute()
    for cell in notebook.cells:
        cell.metadata.clear()  # times of day
        if cell.cell_type == "code":  # warnings of libraries, with paths of this machine
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    notebook.metadata.get("language_info", {}).pop("version", None)
    out.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, out)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="notebooks; all by default")
    parser.add_argument("--corpus", help="CSV or KIND:PATH; synthetic voices by default")
    parser.add_argument("--out", help="folder for the results; in place by default")
    args = parser.parse_args()
    if args.corpus:
        kind, colon, rest = args.corpus.rpartition(":")
        os.environ["VOXSIGHT_NOTEBOOKS"] = f"{kind}{colon}{os.path.abspath(rest)}"
    elif "VOXSIGHT_NOTEBOOKS" in os.environ:
        del os.environ["VOXSIGHT_NOTEBOOKS"]
    paths = [FOLDER / Path(name).name for name in args.names] or sorted(FOLDER.glob("*.ipynb"))
    for path in paths:
        start = time.perf_counter()
        run(path, Path(args.out or FOLDER) / path.name)
        print(f"{path.name}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
