"""Writes every published figure from the stored results, or says which page is out of date.

    python docs/figures.py            # after a measurement: all pages follow
    python docs/figures.py --check    # exit code 1 if a page is out of date; changes nothing

A page that a command writes from stored results is written anew as a whole (``figure_pages.py``).
In other pages a figure stands in one of these places:

- In a table between ``<!-- figures: NAME -->`` and ``<!-- end -->`` (``figure_tables.py``).
- In a sentence, before a comment that names a file, the keys in it and, unless it is the usual
  one, the format: ``0.948<!-- results/default_development/metrics.json: uar as .3f -->``.
- Before ``<!-- cited -->``, if somebody else published it, or ``<!-- set -->``, if it was chosen
  and not measured. On a line of its own such a mark holds for all up to ``<!-- end -->``.

Anywhere else a number with two decimals or more, an interval and a percentage are refused. Code
and the 95 % of the intervals are not figures.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from voxsight.base import files
from voxsight.errors import UsageError

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # the benchmarks' rows
sys.path.insert(0, str(Path(__file__).resolve().parent))

from figure_pages import whole_pages
from figure_store import FigureError, Results, shown
from figure_tables import write_table

ROOT = Path(__file__).resolve().parents[1]
NUMBER = r"[-+]?\d[\d,]*(?:\.\d+)?"
FIGURE = rf"{NUMBER}(?:\s%)?(?:\s\({NUMBER}\sto\s{NUMBER}\))?|-"
TABLE = re.compile(r"(?P<start><!-- figures: (?P<name>[^>]+) -->\n).*?(?P<end><!-- end -->)", re.S)
MARK = r"<!-- (?P<path>\S+\.(?:json|csv)): (?P<keys>.+?)(?: as (?P<format>\S+))? -->"
SENTENCE = re.compile(rf"(?P<text>{FIGURE})?{MARK}")
NOT_OURS = re.compile(rf"(?:{FIGURE}|{NUMBER} \+/- {FIGURE})<!-- (?:cited|set) -->"
                      r"|^<!-- (?:cited|set) -->\n.*?^<!-- end -->$", re.M | re.S)
CODE = re.compile(rf"^```.*?^```$|^    [^\n]*$|`(?!(?:{FIGURE})`)[^`\n]*`|\]\([^)\s]*\)"
                  r"|https?://\S+", re.M | re.S)
NO_FIGURE = re.compile(r"95 %(?=(?: confidence)?\s+interval)|(?<=ntervals are )95 %|Python 3\.\d+")
REFUSED = re.compile(rf"(?<![\w.,-])(?:{NUMBER}\s\({NUMBER}\sto\s{NUMBER}\)"
                     rf"|[-+]?\d[\d,]*\.\d\d+(?!\.?\w)|{NUMBER}\s?%)")


def rewrite(text: str, results: Results) -> str:
    """A page with its tables and the marked figures of its sentences as they are stored.

    Parameters
    ----------
    text : str
    results : Results

    Returns
    -------
    str

    Raises
    ------
    FigureError
        If a table is not known, a figure is not stored, or a mark has no figure before it.
    """
    def table(match: re.Match) -> str:
        if match[0].count("<!-- figures: ") > 1:
            raise FigureError(f"figures: {match['name']}: found no end of the table before the "
                              "next one, expected <!-- end -->")
        return f"{match['start']}\n{write_table(match['name'], results).strip()}\n\n{match['end']}"

    def figure(match: re.Match) -> str:
        if not match["text"]:
            raise FigureError(f"{match[0]}: found no figure before it, expected one")
        new = shown(results(match["path"], *match["keys"].split(" / ")), match["format"])
        old = match["text"]
        return match[0] if " ".join(old.split()) == new else new + match[0].removeprefix(old)

    return SENTENCE.sub(figure, TABLE.sub(table, text))


def unmarked(text: str) -> Iterator[str]:
    """Figures of a page that stand neither in a table of stored results nor before a mark.

    Parameters
    ----------
    text : str

    Yields
    ------
    str
        The figure with the words before it.
    """
    for pattern in (TABLE, SENTENCE, NOT_OURS, CODE, NO_FIGURE):
        text = pattern.sub(lambda match: re.sub(r"[^\n]", "~", match[0]), text)
    for match in REFUSED.finditer(text):
        yield " ".join(text[max(0, match.start() - 40):match.end()].replace("~", "").split())


def pages(root: Path) -> Iterator[str]:
    """Pages with figures, relative to the folder of the project; history is left as it was."""
    yield from (name for name in ("README.md", "CONTRIBUTING.md") if (root / name).is_file())
    for folder in ("docs", "models/default", "results"):
        for path in sorted((root / folder).rglob("*.md")):
            if "_build" not in path.parts:
                yield path.relative_to(root).as_posix()
    yield from (path for path in whole_pages(root) if not (root / path).is_file()
                or not path.endswith(".md"))


def write_page(path: str, text: str | None, results: Results) -> tuple[str, list[str]]:
    """A page as it has to be.

    Parameters
    ----------
    path : str
        Relative to the folder of the project.
    text : str or None
        As it is, if it is there.
    results : Results

    Returns
    -------
    text : str
        As it has to be.
    faults : list of str
        What has to be mended by hand.
    """
    writer = whole_pages(results.root).get(path)
    try:
        if writer:
            return writer(results), []
        new = rewrite(text or "", results)
    except (FigureError, UsageError) as error:
        return text or "", [str(error)]
    except (KeyError, TypeError) as error:  # of the code that shows what another version stored
        return text or "", [f"found stored results of another version ({error!r}), expected them "
                            "as the commands write them now; measure again"]
    return new, [f"found ... {words}, expected a mark after it or a table around it "
                 "(docs/figures.py says which)" for words in unmarked(new)]


def faults(path: str, text: str | None, results: Results) -> Iterator[str]:
    """What is wrong with a page, a line each.

    Parameters
    ----------
    path : str
        Relative to the folder of the project.
    text : str or None
        As it is, if it is there.
    results : Results

    Yields
    ------
    str
    """
    new, by_hand = write_page(path, text, results)
    yield from (f"{path}: {fault}" for fault in by_hand)
    if text != new:
        old_lines, new_lines = (text or "").splitlines(), new.splitlines()
        number = next((i for i, (old, new) in enumerate(zip(old_lines, new_lines)) if old != new),
                      min(len(old_lines), len(new_lines)))
        old, new = (lines[number] if number < len(lines) else "nothing"
                    for lines in (old_lines, new_lines))
        yield (f"{path}:{number + 1}: found {old!r}, expected {new!r} as it is stored; "
               "run python docs/figures.py")


def main(arguments: list[str] | None = None) -> int:
    """Write or check all pages; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the project")
    args = parser.parse_args(arguments)
    results, found = Results(args.root), 0
    for path in pages(args.root):
        place = args.root / path
        text = place.read_text(encoding="utf-8") if place.is_file() else None
        if args.check:
            lines = list(faults(path, text, results))
        else:
            new, by_hand = write_page(path, text, results)
            lines = [f"{path}: {fault}" for fault in by_hand]
            if new != text:
                files.write_text(place, new)
                print(path)
        for line in lines:
            print(line, file=sys.stderr)
        found += len(lines)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
