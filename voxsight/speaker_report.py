"""Speaker classification and clustering of a corpus, measured and drawn, as a folder."""

from pathlib import Path

import numpy as np

from voxsight import display, files, speakers
from voxsight.chunks import embed_chunks
from voxsight.clustering import cluster, explained_variance, range_of_k
from voxsight.embeddings import Mfcc
from voxsight.errors import UsageError
from voxsight.projection import write_projection
from voxsight.report import interval, markdown_table

DURATIONS_S = (0.5, 1.0, 2.0, 5.0)
FIGURES = ("accuracy", "precision", "recall", "f1", "top5")
BELIEVE = {"chunk": "leaky: pieces of one recording are on both sides",
           "recording": "believe this for recordings of one day and microphone",
           "chapter": "believe this for other days and texts"}


def classify_speakers(utterances, features, out, *, chunk_s=2.0, folder="embeddings",
                      options=None, seed=42, command="", quiet=False):
    """Measure who is told from whom, and write all of it.

    Parameters
    ----------
    utterances : list of corpora.Utterance
    features : str
        key of `embeddings.ENCODERS`
    out : str or os.PathLike
        folder for ``figures.json``, ``report.md``, tables and pictures
    chunk_s : float
        length of a chunk, seconds
    folder : str or os.PathLike
        where embeddings are kept
    options : dict, optional
        ``source`` or ``layer`` of the encoder
    seed : int
    command : str
        to stand beside the figures
    quiet : bool
        no progress bar

    Returns
    -------
    dict
        the contents of ``figures.json``
    """
    if len({(u.corpus, u.speaker) for u in utterances}) < 3:
        raise UsageError("found fewer than three speakers, expected three at least; name more")

    def heard(seconds, first_only=False):
        chunks, values = embed_chunks(utterances, features, seconds, folder, options=options,
                                      first_only=first_only, quiet=quiet)
        return speakers.Speech(chunks, *_vectors(values, features))

    speech, out = heard(chunk_s), Path(out)
    found = {"command": command, "features": features, "chunks": len(speech.chunks),
             "speakers": len(set(speech.speakers)), "recordings": len(set(speech.paths)),
             "splits": {}, "durations": [], "equal_error_rate": {}, "confusions": {}}
    kept = {}
    for rule in speakers.RULES:
        try:
            train, test = speakers.split_speech(speech, rule, seed)
        except UsageError as error:
            found["splits"][rule] = {"impossible": str(error)}
            continue
        kept[rule] = train, test
        found["splits"][rule] = _split_figures(speech, train, test, seed)
    train, test = kept["recording"]
    found["durations"] = _durations(speech.part(train), set(speech.paths[test]), heard, seed)
    found["equal_error_rate"] = _error_rate(speech.part(test))
    found["confusions"] = _confusions(out, speech, train, test, seed)
    found["clusters"] = _clusters(out, speech, features)
    files.write_json(out / "figures.json", found)
    files.write_bytes(out / "report.md", _markdown(found).encode())
    return found


def _vectors(values, features):
    """A vector per chunk, and what lies within it."""
    if features != Mfcc.name:
        return values, [value[None] for value in values]
    unpacked = [Mfcc.unpack(value) for value in values]
    return np.array([summary for summary, _ in unpacked]), [frames for _, frames in unpacked]


def _split_figures(speech, train, test, seed):
    own, result = speech.part(test), {"test_chunks": len(test)}
    for name in speakers.MODELS:
        model = speakers.fit_model(name, speech.part(train), seed)
        scores = model.scores(own)
        recordings, summed = speakers.by_recording(scores, own.paths)
        truth = dict(zip(own.paths, own.speakers))
        result[name] = {
            "chunk": speakers.identification_figures(scores, model.names, own.speakers),
            "recording": speakers.identification_figures(
                summed, model.names, np.array([truth[path] for path in recordings]))}
    return result


def _durations(train, tested, heard, seed):
    """Figures of each model on the first so many seconds of the test recordings."""
    rows = []
    models = {name: speakers.fit_model(name, train, seed) for name in speakers.MODELS}
    for seconds in DURATIONS_S:
        first = heard(seconds, first_only=True)
        own = first.part(np.flatnonzero(np.isin(first.paths, sorted(tested))))
        for name, model in models.items():
            figures = speakers.identification_figures(model.scores(own), model.names,
                                                      own.speakers)
            rows.append({"model": name, "seconds": seconds, **{
                f"accuracy{end}": figures["accuracy"][key] for end, key in
                (("", "value"), ("_low", "low"), ("_high", "high"))}})
    return rows


def _error_rate(own):
    recordings, values = speakers.by_recording(own.values, own.paths)
    truth = dict(zip(own.paths, own.speakers))
    names = np.array([truth[path] for path in recordings])
    rate, same, different = speakers.equal_error_rate(values, names)
    rng, rates = np.random.default_rng(0), []
    people = np.unique(names)
    for _ in range(200):  # whole speakers, whose pairs are alike
        drawn = rng.permutation(people)[: max(2, len(people) * 2 // 3)]
        chosen = np.isin(names, drawn)
        if len(set(names[chosen])) < chosen.sum():
            rates.append(speakers.equal_error_rate(values[chosen], names[chosen])[0])
    low, high = np.percentile(rates, [2.5, 97.5]) if rates else (np.nan, np.nan)
    return {"value": rate, "low": float(low), "high": float(high), "pairs_same": same,
            "pairs_different": different}


def _confusions(out, speech, train, test, seed):
    model = speakers.fit_model("centroid", speech.part(train), seed)
    own = speech.part(test)
    said = model.names[model.scores(own).argmax(axis=1)]
    gender_of = {chunk.speaker: chunk.gender for chunk in speech.chunks}
    rows, within, chance = speakers.confusions(said, own.speakers, gender_of)
    files.write_csv(out / "confusions.csv", ("speaker", "taken_for", "times", "same_gender"), rows)
    display.save_speaker_confusions(out / "confusions.png", said, own.speakers, gender_of)
    return {"mistakes": sum(row["times"] for row in rows), "same_gender": within,
            "same_gender_by_chance": chance, "most": rows[:10]}


def _clusters(out, speech, features):
    unit = speech.values
    if features == Mfcc.name:
        unit = (unit - unit.mean(axis=0)) / (unit.std(axis=0) + 1e-9)
    unit = unit / np.maximum(np.linalg.norm(unit, axis=1, keepdims=True), 1e-12)
    genders = [chunk.gender for chunk in speech.chunks]
    n = len(set(speech.speakers))
    rows, assigned = cluster(unit, range_of_k(n, len(unit)),
                             {"speaker": speech.speakers, "gender": genders})
    files.write_csv(out / "clusters.csv", list(rows[0]), rows)
    variance = explained_variance(unit)
    display.save_clusters(out / "clusters.png", rows, variance, n)
    shown = [{"path": c.path, "part": (c.start_s, c.end_s), "speaker": c.speaker,
              "gender": c.gender, "cluster": f"cluster {assigned[n][i] + 1}", "mistake": False}
             for i, c in enumerate(speech.chunks)]
    write_projection(out, shown, unit, ("speaker", "gender", "cluster"), f"{features} chunks")
    return {"by_k": rows, "k_speakers": next(row for row in rows if row["k"] == n),
            "components_for_90_percent": int(np.searchsorted(variance, 0.9)) + 1,
            "explained_by_two": float(variance[min(1, len(variance) - 1)])}


def _markdown(found):
    lines = [f"# Who speaks: {found['features']}", "", "Made with", "", f"    {found['command']}",
             "", f"{found['chunks']} chunks of {found['recordings']} recordings of "
             f"{found['speakers']} speakers. Brackets hold 95 % intervals, recordings or chunks "
             "drawn anew.", ""]
    lines += markdown_table(["split", "model", "per", *FIGURES[:-1], "top-5"], [
        [f"by {rule}", model, unit, *(interval(figures[name]) for name in FIGURES)]
        for rule, own in found["splits"].items() if "impossible" not in own
        for model in speakers.MODELS for unit, figures in own[model].items()])
    for rule, words in BELIEVE.items():
        lines += ["", f"By {rule}: " + found["splits"][rule].get("impossible", words) + "."]
    lines += ["", "## By seconds of test audio (split by recording)", ""]
    lines += markdown_table(["seconds", *speakers.MODELS], [
        [f"{seconds:g}", *(interval({"value": row["accuracy"], "low": row["accuracy_low"],
                                     "high": row["accuracy_high"]})
                           for row in found["durations"] if row["seconds"] == seconds)]
        for seconds in DURATIONS_S])
    return "\n".join([*lines, *_rest(found), ""])


def _rest(found):
    rate, wrong, groups = found["equal_error_rate"], found["confusions"], found["clusters"]
    best = groups["k_speakers"]
    yield ""
    yield (f"Same speaker or not, of {rate['pairs_same'] + rate['pairs_different']} pairs of test "
           f"recordings by their cosine: equal error rate {interval(rate)}, two thirds of the "
           "speakers drawn.")
    yield ""
    if wrong["mistakes"]:
        yield (f"Of {wrong['mistakes']} chunks taken for another speaker, "
               f"{wrong['same_gender']:.0%} were taken for one of the same gender; by chance it "
               "would be "
               f"{wrong['same_gender_by_chance']:.0%}. [All of them](confusions.csv).")
    else:
        yield "No test chunk was taken for another speaker."
    yield ""
    yield (f"k-means with as many clusters as speakers ({best['k']}): adjusted Rand index "
           f"{best['ari_speaker']:.3f} against speakers, {best['ari_gender']:.3f} against gender, "
           f"silhouette {best['silhouette']:.3f}; with two clusters "
           f"{groups['by_k'][0]['ari_gender']:.3f} against gender. "
           f"{groups['components_for_90_percent']} principal components keep 90 % of the variance, "
           f"two {groups['explained_by_two']:.0%}.")
