"""Speaker classification and clustering of a corpus: figures, tables and plots in a folder."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from voxsight import display
from voxsight.base import files
from voxsight.base.tables import interval, markdown_table
from voxsight.corpora.utterance import Utterance
from voxsight.encoders.chunks import embed_chunks
from voxsight.encoders.mfcc import Mfcc
from voxsight.errors import UsageError
from voxsight.metrics import verification
from voxsight.studies import speakers
from voxsight.studies.clustering import cluster, explained_variance, range_of_k
from voxsight.studies.projection import write_projection
from voxsight.studies.speakers import Pieces

DURATIONS_S = (0.5, 1.0, 2.0, 5.0)
FIGURES = ("accuracy", "precision", "recall", "f1", "top5")
RULE_NOTES = {"chunk": "leaky: pieces of one recording are on both sides",
              "recording": "believe this for recordings of one day and microphone",
              "chapter": "believe this for other days and texts"}
MIN_SPEAKERS = 3

PiecesOf = Callable[[float, bool], Pieces]  # of a length in seconds, and whether only the first


def classify_speakers(utterances: Sequence[Utterance], features: str, out: str | os.PathLike, *,
                      chunk_s: float = 2.0, folder: str | os.PathLike = "embeddings",
                      options: Mapping[str, Any] | None = None, seed: int = 42,
                      command: str = "", quiet: bool = False) -> dict[str, Any]:
    """Measure how well speakers are recognised and clustered, and write the results.

    Parameters
    ----------
    utterances : sequence of Utterance
        Recordings of at least three speakers.
    features : str
        Key of `ENCODERS`.
    out : str or os.PathLike
        Folder for ``figures.json``, ``report.md``, tables and plots.
    chunk_s : float
        Length of a chunk, seconds.
    folder : str or os.PathLike
        Folder of the store of embeddings.
    options : mapping, optional
        ``source`` or ``layer`` of the encoder.
    seed : int
        Of the random numbers.
    command : str
        The command that was run, to be stated in the report.
    quiet : bool
        No progress bar.

    Returns
    -------
    dict
        Contents of ``figures.json``.

    Raises
    ------
    UsageError
        If there are fewer than three speakers, or none of them has two recordings.
    """
    if len({(u.corpus, u.speaker) for u in utterances}) < MIN_SPEAKERS:
        raise UsageError("found fewer than three speakers, expected three at least; name more")
    if max(Counter(u.voice for u in utterances).values()) < 2:
        raise UsageError("found one recording of each speaker, expected two of some at least, to "
                         "test on one; name more recordings")

    def pieces_of(seconds: float, first_only: bool) -> Pieces:
        chunks, values = embed_chunks(utterances, features, seconds, folder, options=options,
                                      first_only=first_only, quiet=quiet)
        return Pieces(chunks, *_vectors(values, features))

    pieces, place = pieces_of(chunk_s, False), Path(out)
    splits, results_by_rule = _by_rule(pieces, seed)
    if "recording" not in splits:
        raise UsageError(results_by_rule["recording"]["impossible"])
    train, test = splits["recording"]
    results = {"command": command, "features": features, "chunks": len(pieces.chunks),
               "speakers": len(set(pieces.speakers)), "recordings": len(set(pieces.paths)),
               "splits": results_by_rule,
               "durations": _durations(pieces.part(train), set(pieces.paths[test]), pieces_of,
                                       seed),
               "equal_error_rate": _error_rate(pieces.part(test)),
               "confusions": _confusions(place, pieces, train, test, seed),
               "clusters": _clusters(place, pieces, features)}
    files.write_json(place / "figures.json", results)
    files.write_text(place / "report.md", speaker_page(results))
    return results


def _vectors(values: np.ndarray, features: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """A vector per chunk, and the vectors within it."""
    if features != Mfcc.name:
        return values, [value[None] for value in values]
    unpacked = [Mfcc.unpack(value) for value in values]
    return np.array([summary for summary, _ in unpacked]), [frames for _, frames in unpacked]


def _by_rule(pieces: Pieces, seed: int) -> tuple[dict[str, tuple[np.ndarray, np.ndarray]],
                                                 dict[str, dict[str, Any]]]:
    """Split by each rule, and the figures of each split or why it is impossible."""
    splits, results = {}, {}
    for rule in speakers.RULES:
        try:
            splits[rule] = speakers.split_pieces(pieces, rule, seed)
        except UsageError as error:
            results[rule] = {"impossible": str(error)}
        else:
            results[rule] = _split_figures(pieces, *splits[rule], seed)
    return splits, results


def _split_figures(pieces: Pieces, train: np.ndarray, test: np.ndarray,
                   seed: int) -> dict[str, Any]:
    """Figures of each model, per chunk and per recording."""
    tested = pieces.part(test)
    result: dict[str, Any] = {"test_chunks": len(test)}
    for name in speakers.MODELS:
        model = speakers.fit_model(name, pieces.part(train), seed)
        scores = model.scores(tested)
        recordings, means = verification.mean_by_recording(scores, tested.paths)
        result[name] = {
            "chunk": verification.identification_figures(scores, model.names, tested.speakers),
            "recording": verification.identification_figures(
                means, model.names, _speakers_of(recordings, tested))}
    return result


def _speakers_of(recordings: np.ndarray, pieces: Pieces) -> np.ndarray:
    """Speaker of each recording."""
    speaker_of = dict(zip(pieces.paths, pieces.speakers))
    return np.array([speaker_of[path] for path in recordings])


def _durations(train: Pieces, test_paths: set[str], pieces_of: PiecesOf,
               seed: int) -> list[dict[str, Any]]:
    """Accuracy of each model on the first so many seconds of the test recordings."""
    rows = []
    models = {name: speakers.fit_model(name, train, seed) for name in speakers.MODELS}
    for seconds in DURATIONS_S:
        first = pieces_of(seconds, True)
        tested = first.part(np.flatnonzero(np.isin(first.paths, sorted(test_paths))))
        for name, model in models.items():
            accuracy = verification.identification_figures(model.scores(tested), model.names,
                                                           tested.speakers)["accuracy"]
            rows.append({"model": name, "seconds": seconds, "accuracy": accuracy["value"],
                         "accuracy_low": accuracy["low"], "accuracy_high": accuracy["high"]})
    return rows


def _error_rate(pieces: Pieces) -> dict[str, Any]:
    """Equal error rate of "the same speaker?" over pairs of recordings, with its interval."""
    recordings, values = verification.mean_by_recording(pieces.values, pieces.paths)
    names = _speakers_of(recordings, pieces)
    return verification.verification_figure(values, names)


def _confusions(folder: Path, pieces: Pieces, train: np.ndarray, test: np.ndarray,
                seed: int) -> dict[str, Any]:
    """Write and draw who is taken for whom by the centroid model."""
    model = speakers.fit_model("centroid", pieces.part(train), seed)
    tested = pieces.part(test)
    predicted = model.names[model.scores(tested).argmax(axis=1)]
    gender_of = {chunk.speaker: chunk.gender for chunk in pieces.chunks}
    rows, within, chance = verification.confusions(predicted, tested.speakers, gender_of)
    files.write_csv(folder / "confusions.csv", ("speaker", "taken_for", "times", "same_gender"),
                    rows)
    display.save_speaker_confusions(folder / "confusions.png", predicted, tested.speakers,
                                    gender_of)
    return {"mistakes": sum(row["times"] for row in rows), "same_gender": within,
            "same_gender_by_chance": chance, "most": rows[:10]}


def _clusters(folder: Path, pieces: Pieces, features: str) -> dict[str, Any]:
    """Write and draw the clusters of all chunks."""
    vectors = pieces.values
    if features == Mfcc.name:
        vectors = (vectors - vectors.mean(axis=0)) / (vectors.std(axis=0) + 1e-9)
    vectors = verification.unit_length(vectors)
    n_speakers = len(set(pieces.speakers))
    rows, assigned = cluster(vectors, range_of_k(n_speakers, len(vectors)),
                             {"speaker": pieces.speakers.tolist(),
                              "gender": [chunk.gender for chunk in pieces.chunks]})
    files.write_csv(folder / "clusters.csv", list(rows[0]), rows)
    variance = explained_variance(vectors)
    display.save_clusters(folder / "clusters.png", rows, variance, n_speakers)
    points = [{"path": chunk.path, "part": (chunk.start_s, chunk.end_s),
               "speaker": chunk.speaker, "gender": chunk.gender,
               "cluster": f"cluster {number + 1}", "mistake": False}
              for chunk, number in zip(pieces.chunks, assigned[n_speakers])]
    write_projection(folder, points, vectors, ("speaker", "gender", "cluster"),
                     f"{features} chunks")
    return {"by_k": rows, "k_speakers": next(row for row in rows if row["k"] == n_speakers),
            "components_for_90_percent": int(np.searchsorted(variance, 0.9)) + 1,
            "explained_by_two": float(variance[min(1, len(variance) - 1)])}


def speaker_page(results: Mapping[str, Any]) -> str:
    """The page ``report.md``: the command, the tables and what they say.

    Parameters
    ----------
    results : mapping
        Contents of ``figures.json``.

    Returns
    -------
    str
    """
    lines = [f"# Who speaks: {results['features']}", "", "Made with", "",
             f"    {results['command']}", "",
             f"{results['chunks']} chunks of {results['recordings']} recordings of "
             f"{results['speakers']} speakers. Brackets hold 95 % intervals over speakers: all "
             "chunks of a speaker are drawn together, and the interval is for other speakers "
             "when as many are known.", ""]
    lines += markdown_table(["split", "model", "per", *FIGURES[:-1], "top-5"],
                            list(_split_rows(results["splits"])))
    for rule, note in RULE_NOTES.items():
        lines += ["", f"By {rule}: " + results["splits"][rule].get("impossible", note) + "."]
    lines += ["", "## By seconds of test audio (split by recording)", ""]
    lines += markdown_table(["seconds", *speakers.MODELS],
                            list(_duration_rows(results["durations"])))
    lines += ["", _error_rate_text(results["equal_error_rate"]),
              "", _confusions_text(results["confusions"]),
              "", _clusters_text(results["clusters"]), ""]
    return "\n".join(lines)


def _split_rows(splits: Mapping[str, Mapping[str, Any]]) -> Iterator[list[str]]:
    for rule, result in splits.items():
        if "impossible" in result:
            continue
        for model in speakers.MODELS:
            for unit, figures in result[model].items():
                yield [f"by {rule}", model, unit, *(interval(figures[name]) for name in FIGURES)]


def _duration_rows(durations: Sequence[Mapping[str, Any]]) -> Iterator[list[str]]:
    for seconds in DURATIONS_S:
        yield [f"{seconds:g}", *(interval({"value": row["accuracy"], "low": row["accuracy_low"],
                                           "high": row["accuracy_high"]})
                                 for row in durations if row["seconds"] == seconds)]


def _error_rate_text(rate: Mapping[str, Any]) -> str:
    return (f"Same speaker or not, of {rate['pairs_same'] + rate['pairs_different']} pairs of "
            f"test recordings by their cosine: equal error rate {interval(rate)}, over "
            "speakers.")


def _confusions_text(confusions: Mapping[str, Any]) -> str:
    if not confusions["mistakes"]:
        return "No test chunk was taken for another speaker."
    return (f"Of {confusions['mistakes']} chunks taken for another speaker, "
            f"{confusions['same_gender']:.0%} were taken for one of the same gender; by chance "
            f"it would be {confusions['same_gender_by_chance']:.0%}. "
            "[All of them](confusions.csv).")


def _clusters_text(clusters: Mapping[str, Any]) -> str:
    best = clusters["k_speakers"]
    return (f"k-means with as many clusters as speakers ({best['k']}): adjusted Rand index "
            f"{best['ari_speaker']:.3f} against speakers, {best['ari_gender']:.3f} against "
            f"gender, silhouette {best['silhouette']:.3f}; with two clusters "
            f"{clusters['by_k'][0]['ari_gender']:.3f} against gender. "
            f"{clusters['components_for_90_percent']} principal components keep 90 % of the "
            f"variance, two {clusters['explained_by_two']:.0%}.")
