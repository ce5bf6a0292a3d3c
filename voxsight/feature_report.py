"""An analysis of features as a folder: tables, pictures and one page."""

import html
from pathlib import Path

import numpy as np

from voxsight import analysis, display, files
from voxsight.features import FeatureConfig, FeatureStore, statistics_names
from voxsight.properties import NAMES
from voxsight.report import html_table, page

SHOWN = 30  # rows of a table on the page; the CSV has all


def analyse(utterances, out, *, seconds=2.0, cache="features", command="", jobs=None,
            quiet=False):
    """Analyse the features of a corpus and write what was found.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    out : str or os.PathLike
        folder for ``features.csv``, ``outliers.csv``, ``normalisations.csv``, ``pitch.csv``,
        ``corpora.csv``, pictures and ``index.html``
    seconds : float
        described of each recording
    cache : str or os.PathLike
        folder where features are kept
    command : str
        to stand beside the figures
    jobs, quiet
        as everywhere

    Returns
    -------
    tables : dict of str to list of dict
    failures : list of RecordingError
        recordings left out
    """
    table, failures = _described(utterances, seconds, cache, jobs, quiet)
    tables = {"features": analysis.correlations(table), "outliers": analysis.outliers(table),
              "normalisations": analysis.normalisation_effects(table),
              "pitch": analysis.pitch_groups(table),
              "corpora": analysis.corpus_properties(table)}
    out = Path(out)
    for name, rows in tables.items():
        files.write_csv(out / f"{name}.csv", list(rows[0]) if rows else ["nothing"],
                        [{k: _rounded(v) for k, v in row.items()} for row in rows])
    _draw(out, table, tables)
    files.write_bytes(out / "index.html", _page(table, tables, command).encode())
    return tables, failures


def _described(utterances, seconds, cache, jobs, quiet):
    config = FeatureConfig(seconds=seconds, properties=True)
    store = FeatureStore(Path(cache) / "features.sqlite", config)
    found = store.of([(u.path, "") for u in utterances], jobs=jobs, quiet=quiet)
    store.close()
    read = [i for i, features in enumerate(found) if isinstance(features, list)]
    table = analysis.make_table([utterances[i] for i in read], [found[i][0] for i in read])
    return table, [failure for failure in found if not isinstance(failure, list)]


def _draw(out, table, tables):
    female = table.is_female
    by_name = dict(zip(table.names, table.values.T))

    def sides(names):
        return {name: (by_name[name][female], by_name[name][~female]) for name in names}

    cepstra = [name for name in table.names if name.startswith("MFCC") and name.endswith("mean")]
    display.save_distributions(out / "cepstra.png", sides(cepstra),
                               "mean of each MFC coefficient, by label")
    display.save_distributions(out / "statistics.png", sides(statistics_names()),
                               "statistics of the spectrum, by label")
    display.save_distributions(out / "properties.png", sides(NAMES), "properties, by label")
    strongest = [(row["feature"], row["r"], row["r_low"], row["r_high"])
                 for row in tables["features"][:SHOWN]]
    display.save_intervals(out / "correlations.png", strongest,
                           "correlation with the label female, 95 % interval over speakers")
    display.save_intervals(
        out / "normalisations.png",
        [(row["normalisation"], row["uar"], row["uar_low"], row["uar_high"])
         for row in tables["normalisations"]],
        "recall of logistic regression on MFCC statistics, 95 % interval over speakers")
    corpora = np.array([u.corpus for u in table.utterances])
    display.save_boxes(out / "corpora.png", {
        name: {corpus: by_name[name][(corpora == corpus) & ~np.isnan(by_name[name])]
               for corpus in sorted(set(corpora.tolist()))} for name in NAMES})


def _page(table, tables, command):
    titles = {
        "corpora": ("Corpora", "Medians per corpus, and what is wrong with it.", "corpora.png"),
        "pitch": ("Fundamental frequency", "Of the whole recording, by label and age.",
                  "properties.png"),
        "features": ("Features and the label", "r is the correlation with the label female, its "
                     "interval over speakers; p is of the speakers' means, corrected for the "
                     "number of features (Benjamini and Hochberg).", "correlations.png"),
        "normalisations": ("Normalisations", "Logistic regression on MFCC statistics, five folds "
                           "of speakers. Taking each speaker's own mean out takes the label with "
                           "it.", "normalisations.png"),
        "outliers": ("Outliers", f"More than {analysis.FAR:g} robust standard deviations from the "
                     "median.", "cepstra.png")}
    parts = [f"<p>{len(table.utterances)} recordings of {len(set(table.speakers))} speakers. "
             f"Made with: {html.escape(command)}</p>"]
    for name, (title, words, picture) in titles.items():
        rows = tables[name][:SHOWN]
        parts.append(f"<h2>{title}</h2><p>{html.escape(words)} All rows: "
                     f'<a href="{name}.csv">{name}.csv</a>.</p>')
        if rows:
            cells = [[str(_rounded(value, 4)) for value in row.values()] for row in rows]
            parts.append('<div style="overflow-x:auto;white-space:nowrap">'
                         f"{html_table(list(rows[0]), cells)}</div>")
        parts.append(f'<img src="{picture}" alt="{title}, drawn">')
    parts.append('<h2>Statistics of the spectrum</h2><img src="statistics.png" '
                 'alt="distribution of each statistic by label">')
    return page("Features", "\n".join(parts))


def _rounded(value, digits=6):
    if isinstance(value, float | np.floating):
        return "" if np.isnan(value) else float(f"{value:.{digits}g}")
    return value
