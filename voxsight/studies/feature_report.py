"""An analysis of features as a folder: tables, figures and a page."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight import display
from voxsight.base import files
from voxsight.corpora.splits import check_labels
from voxsight.corpora.utterance import Utterance
from voxsight.display.pages import render
from voxsight.errors import RecordingError, UsageError
from voxsight.features.acoustic import FeatureConfig, statistics_names
from voxsight.features.properties import NAMES
from voxsight.features.storage import FeatureStore
from voxsight.studies import features
from voxsight.studies.features import FeatureTable, feature_table

SHOWN = 30  # rows of a table on the page; the CSV has all
Tables = dict[str, list[dict[str, Any]]]
_SECTIONS = {  # title, text and figure of each table on the page
    "corpora": ("Corpora", "Medians per corpus, and what is wrong with it.", "corpora.png"),
    "pitch": ("Fundamental frequency", "Of the whole recording, by label and age.",
              "properties.png"),
    "features": ("Features and the label", "r is the correlation with the label female, its "
                 "interval over speakers; p is of the speakers' means, corrected for the number "
                 "of features (Benjamini and Hochberg).", "correlations.png"),
    "normalisations": ("Normalisations", "Logistic regression on MFCC statistics, five folds of "
                       "speakers. Taking each speaker's own mean out takes the label with it.",
                       "normalisations.png"),
    "outliers": ("Outliers", f"More than {features.OUTLIER_Z:g} robust standard deviations from "
                 "the median.", "cepstra.png")}


def analyse(utterances: Sequence[Utterance], out: str | os.PathLike, *, seconds: float = 2.0,
            cache: str | os.PathLike = "features", command: str = "", jobs: int | None = None,
            quiet: bool = False) -> tuple[Tables, list[RecordingError]]:
    """Analyse the features of a corpus and write the results.

    Parameters
    ----------
    utterances : sequence of Utterance
        The recordings.
    out : str or os.PathLike
        Folder for ``features.csv``, ``outliers.csv``, ``normalisations.csv``, ``pitch.csv``,
        ``corpora.csv``, figures and ``index.html``.
    seconds : float
        Seconds of each recording that features describe.
    cache : str or os.PathLike
        Folder of the store of features.
    command : str
        The command that was run, to be stated on the page.
    jobs : int, optional
        Worker processes (default: all cores).
    quiet : bool
        No progress bar.

    Returns
    -------
    tables : dict of str to list of dict
        Contents of the CSV files.
    failures : list of RecordingError
        One for each recording that could not be read.

    Raises
    ------
    UsageError
        If no recording could be read, or a label has fewer than two speakers.
    """
    check_labels([u.voice for u in utterances], [u.gender for u in utterances], fewest=2)
    table, failures = _described(utterances, seconds, cache, jobs, quiet)
    tables = {"features": features.correlations(table), "outliers": features.outliers(table),
              "normalisations": features.normalisation_effects(table),
              "pitch": features.pitch_groups(table),
              "corpora": features.corpus_properties(table)}
    folder = Path(out)
    for name, rows in tables.items():
        files.write_csv(folder / f"{name}.csv", list(rows[0]) if rows else ["nothing"],
                        [{key: _rounded(value) for key, value in row.items()} for row in rows])
    _draw(folder, table, tables)
    files.write_text(folder / "index.html", _page(table, tables, command))
    return tables, failures


def _described(utterances: Sequence[Utterance], seconds: float, cache: str | os.PathLike,
               jobs: int | None, quiet: bool) -> tuple[FeatureTable, list[RecordingError]]:
    """Features of the recordings that could be read, and the errors of the others."""
    config = FeatureConfig(seconds=seconds, properties=True)
    with FeatureStore(cache, config) as store:
        results = store.of([(u.path, "") for u in utterances], jobs=jobs, quiet=quiet)
    read, described, failures = [], [], []
    for utterance, result in zip(utterances, results):
        if isinstance(result, RecordingError):
            failures.append(result)
        else:
            read.append(utterance)
            described.append(result[0])
    if not read:
        raise UsageError(f"{failures[0]}; so are the others")
    check_labels([u.voice for u in read], [u.gender for u in read],
                 "recordings that could be read", fewest=2)
    return feature_table(read, described), failures


def _draw(folder: Path, table: FeatureTable, tables: Tables) -> None:
    cepstra = [name for name in table.names if name.startswith("MFCC") and name.endswith("mean")]
    display.save_distributions(folder / "cepstra.png", _by_label(table, cepstra),
                               "mean of each MFC coefficient, by label")
    display.save_distributions(folder / "statistics.png", _by_label(table, statistics_names()),
                               "statistics of the spectrum, by label")
    display.save_distributions(folder / "properties.png", _by_label(table, NAMES),
                               "properties, by label", columns=3)
    display.save_intervals(folder / "correlations.png",
                           _intervals(tables["features"][:SHOWN], "feature", "r"),
                           "correlation with the label female, 95 % interval over speakers")
    display.save_intervals(
        folder / "normalisations.png",
        _intervals(tables["normalisations"], "normalisation", "uar"),
        "recall of logistic regression on MFCC statistics, 95 % interval over speakers")
    display.save_boxes(folder / "corpora.png", _by_corpus(table))


def _by_label(table: FeatureTable,
              names: Sequence[str]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Values of female and of male recordings, by feature."""
    female = table.is_female
    return {name: (table.column(name)[female], table.column(name)[~female]) for name in names}


def _by_corpus(table: FeatureTable) -> dict[str, dict[str, np.ndarray]]:
    """Known values of each property, by corpus."""
    corpora = np.array([u.corpus for u in table.utterances])
    groups: dict[str, dict[str, np.ndarray]] = {}
    for name in NAMES:
        values = table.column(name)
        groups[name] = {corpus: values[(corpora == corpus) & ~np.isnan(values)]
                        for corpus in sorted(set(corpora.tolist()))}
    return groups


def _intervals(rows: Sequence[Mapping[str, Any]], name: str,
               figure: str) -> list[tuple[str, float, float, float]]:
    """Name, value, low and high of each row."""
    return [(row[name], row[figure], row[f"{figure}_low"], row[f"{figure}_high"])
            for row in rows]


def _page(table: FeatureTable, tables: Tables, command: str) -> str:
    sections = []
    for name, (title, text, picture) in _SECTIONS.items():
        rows = tables[name][:SHOWN]
        sections.append({
            "name": name, "title": title, "text": text, "picture": picture,
            "head": list(rows[0]) if rows else [],
            "rows": [[str(_rounded(value, 4)) for value in row.values()] for row in rows]})
    return render("features.html.j2", n_recordings=len(table.utterances),
                  n_speakers=len(set(table.speakers)), command=command, sections=sections)


def _rounded(value: Any, digits: int = 6) -> Any:
    """Floats with so many significant digits; an empty text for NaN."""
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else float(f"{value:.{digits}g}")
    return value
