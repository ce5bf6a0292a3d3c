"""Tables of the pages, each a function of the stored results; ``figures.py`` puts them in.

To add one, write a function that returns its Markdown, add it to `TABLES`, and write
``<!-- figures: NAME -->`` and ``<!-- end -->`` on a page. What follows the name goes to the
function as text.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from figure_store import FigureError, shown

from benchmarks.rows import HEAD, cells, is_met
from voxsight.base.tables import interval, markdown_table

if TYPE_CHECKING:
    from figure_store import Results

DEVELOPMENT = "results/default_development/"
CHILDREN = "results/default_children/"
ROBUSTNESS = "results/default_model/robustness.json"
SECOND_OPINION = "results/default_model_resemblyzer/robustness.json"
FAITHFULNESS, SENSITIVITY = (f"results/explanations/{name}.json"
                             for name in ("faithfulness", "sensitivity"))
AUDIOMNIST = "results/audiomnist/table.json"
CONVERSATIONS = "results/default_model/conversations.json"
BENCHMARKS = "results/benchmarks/runs.json"
AS_RECORDED = "as recorded"
DRAWN = "hirescam layer1"  # the method of the heat maps that `deploy_model.py` draws
CORPORA = {"librispeech/test-other": "LibriSpeech test-other",
           "audiomnist": "Azerbaijani digits", "ravdess": "acted emotions (RAVDESS)",
           "baved": "Arabic words (BAVED)"}
# By other people; nothing of ours changes them.
PUBLISHED_ERROR, PUBLISHED_F1 = "1.07 %", "0.973"
PUBLISHED_FOLDS = ("95.87 +/- 2.85 % (AlexNet, spectrograms), 91.74 +/- 8.60 % (AudioNet, "
                   "waveforms): **better**")
# Versions of the default model before the shipped one, whose networks were not kept.
VERSIONS = {
    "v1": "noise and +-6 % speed, 8 epochs",
    "v2": "pitch by WORLD, rooms, lines, words, children, a teacher, 5 epochs",
    "v3": "v2, then 3 epochs on new copies, less pitch, more words, vocal tracts moved to their "
          "own side",
    "v4": "12 epochs from the start; the teacher hears the voice of each copy, not of its "
          "recording",
    "v5": "v4, its outputs trained for 2 epochs, all of it for 1; the label read from the "
          "embedding as the teacher's logistic regression does",
    "v2_resemblyzer": "v2 with Resemblyzer's second opinion"}
METHODS = ("gradcam layer4", DRAWN, "layercam layer1", "occlusion-rows", "occlusion-frames")
# Columns of tests of heat maps; those that a run did not measure are left out.
TESTS = {"deletion minus random": "deletion-random", "minus loudness": "deletion-amplitude",
         "ROAD gap, linear": "road_linear", "ROAD gap, mean": "road_mean",
         "on the word": "on_word", "more than loudness": "on_word-amplitude",
         "shift": "stability"}
# Columns of the boards beside the figures.
FROM_FILES = {"training s": "train_s", "fit alone s": "fit_s", "ms per answer": "ms_per_recording"}

Rows = list[list[str]]


def write_table(name: str, results: "Results") -> str:
    """Markdown of a table.

    Parameters
    ----------
    name : str
        Key of `TABLES`, and what it needs to know.
    results : Results

    Returns
    -------
    str

    Raises
    ------
    FigureError
        If there is no such table, or a figure is not stored.
    """
    function, _, rest = name.strip().partition(" ")
    if function not in TABLES:
        raise FigureError(f"figures: {name}: found no such table, expected one of "
                          f"{', '.join(TABLES)}")
    return TABLES[function](results, *([rest] if rest else []))


def shipped(results: "Results") -> str:
    """The shipped model: held-out speakers, development corpora, and with a second opinion."""
    groups = results(f"{DEVELOPMENT}by_group.csv").values()
    measured = {
        "held out in training": results("models/default/config.json", "figures"),
        "the four development corpora": results(f"{DEVELOPMENT}metrics.json"),
        **{CORPORA.get(row["value"], row["value"]): row for row in groups
           if row["group"] == "corpus"},
        "the four with `models/default+resemblyzer`": results(SECOND_OPINION, "conditions",
                                                              AS_RECORDED, "figures")}
    return _table(["measured on", "recordings, speakers", "UAR", "answer rate",
                   "accuracy of the answers given"],
                  [[what, f"{found['n']}, {found['n_speakers']}",
                    *(interval(found[key]) for key in ("uar", "coverage", "accuracy_answered"))]
                   for what, found in measured.items()])


def conditions(results: "Results") -> str:
    """The shipped model in the conditions in which recordings are degraded."""
    from voxsight.evaluation.conditions import DEGRADED

    measured = results(ROBUSTNESS, "conditions")
    named = {name: row for name, row in measured.items() if name in (AS_RECORDED, *DEGRADED)}
    trained_on = any("trained_on" in row for row in named.values())
    rows = [[name, *([row.get("trained_on") or "-"] if trained_on else []),
             shown(row["mean_uar"]), *(interval(row["figures"][key])
                                       for key in ("coverage", "accuracy_answered"))]
            for name, row in named.items()]
    return _table(["condition", *(["in training"] if trained_on else []),
                   "mean UAR of the corpora", "answer rate", "accuracy of the answers given"], rows)


def weak(results: "Results") -> str:
    """Voices on which the shipped model fails, or abstains."""
    groups, children = f"{DEVELOPMENT}by_group.csv", f"{CHILDREN}metrics.json"

    def condition(name: str, *keys: str) -> str:
        return shown(results(ROBUSTNESS, "conditions", name, *keys))

    rows = [[f"{who}{' (simulated)' if simulated else ''}", what, figure]
            for who, simulated, what, figure in (
        ("men whose median pitch lies above 180 Hz", False, "accuracy",
         shown(results(groups, "unusual pitch, men above 180 Hz", "accuracy"))),
        ("everyone else whose pitch is known", False, "accuracy",
         shown(results(groups, "unusual pitch, everyone else", "accuracy"))),
        ("women", False, "answer rate", shown(results(groups, "sex, female", "coverage"))),
        ("men", False, "answer rate", shown(results(groups, "sex, male", "coverage"))),
        ("children of 6 to 10", False, "answer rate; most should be `uncertain`",
         shown(results(children, "coverage"))),
        ("girls of 6 to 10", False, "recall", shown(results(children, "recall"))),
        ("boys of 6 to 10", False, "recall", shown(results(children, "recall_male"))),
        ("whispered speech", True, "mean UAR of the corpora", condition("whispered", "mean_uar")),
        ("whispered speech", True, "answer rate", condition("whispered", "figures", "coverage")),
        ("sung speech", True, "mean UAR of the corpora", condition("sung", "mean_uar")),
        ("sustained vowels", True, "mean UAR of the corpora",
         condition("sustained vowel", "mean_uar")),
        ("recordings cut to their loudest 0.3 s", False, "labelled `no_speech`",
         condition("loudest 0.3 s", "refused")))]
    return _table(["voices", "measured", "figure"], rows)


def versions(results: "Results") -> str:
    """Versions of the default model; values alone for those that cannot be measured again."""
    corpora = list(results(ROBUSTNESS, "conditions", AS_RECORDED, "uar"))
    rows = [[f"[{name}]({name}/robustness.json): {about}",
             *_version(results(f"results/default_model/{name}/robustness.json", "conditions",
                               AS_RECORDED), corpora, value_alone)]
            for name, about in VERSIONS.items()]
    rows += [["[v6](robustness.md), shipped: v5 calibrated with a bias, on windows and recordings, "
              "clean and altered",
              *_version(results(ROBUSTNESS, "conditions", AS_RECORDED), corpora, shown)],
             ["[v6 with the second opinion](../default_model_resemblyzer/robustness.md), half a "
              "second kept around speech",
              *_version(results(SECOND_OPINION, "conditions", AS_RECORDED), corpora, shown)]]
    return _table(["model", *(CORPORA.get(corpus, corpus) for corpus in corpora), "mean", "ECE",
                   "answer rate", "accuracy of the answers given"], rows)


def conversations(results: "Results") -> str:
    """Timelines of half an hour of conversation."""
    named = {"label_accuracy": "answered time labelled correctly", "uncertain": "`uncertain`",
             "missed": "speech that is not found",
             "female_share": "share of female speech, answered",
             "true_female_share": "share of female speech, in truth"}
    measured = results(CONVERSATIONS, "conversations")
    keys = [key for key in named if all(key in row for row in measured.values())]
    return _table(["voices", *(named[key] for key in keys)], [
        [name, *(interval(row[key]) if isinstance(row[key], Mapping) else shown(row[key], ".2%")
                 for key in keys)] for name, row in measured.items()])


def heatmaps(results: "Results") -> str:
    """The heat maps that `deploy_model.py` draws, by corpus."""
    rows = []
    for corpus, methods in results(FAITHFULNESS, "corpora").items():
        found = methods[DRAWN]
        rows.append([CORPORA.get(corpus, corpus), str(found["n"]), str(found["n_speakers"]),
                     interval(found["deletion-random"]), interval(found["deletion-amplitude"]),
                     *(shown(found.get(key)) for key in ("on_word", "on_word-amplitude"))])
    correlation = interval(results(FAITHFULNESS, "sanity", DRAWN, "conv1"))
    return _table(["measured on", "pictures", "speakers", "deletion area minus random maps",
                   "minus loudness", "share of the map on the word",
                   "minus that of the loudest quarter"], rows) + (
        f"\n\nRank correlation with the maps of a randomised network: {correlation}.")


def faithfulness(results: "Results", corpus: str) -> str:
    """The tests of heat maps on a corpus; where words were used, also the randomised network."""
    methods = results(FAITHFULNESS, "corpora", corpus)
    first = methods[METHODS[0]]
    tests = {title: key for title, key in TESTS.items()
             if key in first and first[key]["value"] is not None}
    lines = [f"{CORPORA.get(corpus, corpus)}, {first['n']} pictures of {first['n_speakers']} "
             "speakers:", ""]
    rows = [[f"**`{name}`**" if name == DRAWN else f"`{name}`",
             *(interval(methods[name][key]) for key in tests.values())] for name in METHODS]
    return "\n".join([*lines, _table(["method", *tests], rows)])


def randomised(results: "Results") -> str:
    """Rank correlation with the maps of a network all of whose weights are random."""
    return _table(["method", "rank correlation"],
                  [[f"**`{name}`**" if name == DRAWN else f"`{name}`",
                    interval(results(FAITHFULNESS, "sanity", name, "conv1"))] for name in METHODS])


def speeds(results: "Results") -> str:
    """Milliseconds of each method that the page names."""
    return _table(["method", "ms per picture"],
                  [[f"`{name}`", f"{ms:.0f}"] for name, ms in results(FAITHFULNESS, "ms").items()])


def sensitivity(results: "Results") -> str:
    """Mean p(female) at the changes of a sound that the page speaks of."""
    from voxsight.explanation.sweeps import TITLES

    changes = (("resynthesised, nothing moved", "pitch", 0),
               ("an octave lower, formants kept", "pitch", -12),
               ("an octave higher, formants kept", "pitch", 12),
               ("formants 24 % lower, pitch kept", "formants", -24),
               ("formants 24 % higher, pitch kept", "formants", 24),
               ("without the half octave around 141 Hz", "bands", 100 * 2**0.5),
               ("without the half octave around 1.6 kHz", "bands", 1600))
    women, men = (results(SENSITIVITY, "bands", label) for label in ("female", "male"))
    rows = []
    for change, sweep, x in changes:
        number = min(range(len(TITLES[sweep][2])), key=lambda i: abs(TITLES[sweep][2][i] - x))
        rows.append([change, *(interval(results(SENSITIVITY, sweep, label)["curve"][number])
                               for label in ("female", "male"))])
    return _table(["change", f"women ({women['n_speakers']} speakers)",
                   f"men ({men['n_speakers']} speakers)"], rows)


def audiomnist(results: "Results") -> str:
    """The AudioMNIST splits, and their commands."""
    table = results(AUDIOMNIST)
    rows = [[cell["title"], cell["shared_speakers"].removeprefix("speakers shared "),
             *(interval(cell["figures"][key]) for key in ("uar", "accuracy")),
             _percent(cell["figures"]["error_rate"]), interval(cell["figures"]["f1_female"])]
            for cell in table.values()]
    commands = dict.fromkeys(cell["command"] for cell in table.values())
    return "\n".join([_table(["split", "speakers shared", "UAR", "accuracy", "error", "F1"], rows),
                      "", "Made with", "", *(f"    {command}" for command in commands)])


def published(results: "Results") -> str:
    """The shipped project beside published work."""
    random, folds = (results(AUDIOMNIST, cell, "figures") for cell in ("random", "paper"))
    return _table(
        ["", "voxsight", "the published AudioMNIST picture project",
         "AudioMNIST paper ([Becker et al., 2018](https://arxiv.org/abs/1807.03418))"],
        [["pictures", "its own recipe, and [the published one](pictures.md)",
          "12 cepstral coefficients at 224 x 224", "spectrograms, waveforms"],
         ["random split, speakers shared",
          f"error {_percent(random['error_rate'])}, F1 {shown(random['f1_female'])}, "
          "no ImageNet weights", f"error {PUBLISHED_ERROR}, F1 {PUBLISHED_F1}", "-"],
         ["the paper's four folds, speakers disjoint",
          f"accuracy {shown(folds['accuracy'])}, on cepstral pictures scaled to 98 x 48",
          "-", PUBLISHED_FOLDS],
         ["tested on voices and languages never trained on",
          "four corpora; also with telephone bandwidth, noise, reverberation and codecs", "-", "-"],
         ["`uncertain`, `no_speech`, calibrated probabilities", "yes", "-", "-"],
         ["heat maps", "five methods, tested; rows are labelled as what they are",
          "Grad-CAM, rows read as frequencies", "layer-wise relevance propagation"],
         ["own recordings, long recordings, a web page", "yes", "own recordings", "-"]])


def board(results: "Results", kind: str = "") -> str:
    """The board of classifiers on voices and corpora never trained on."""
    rows = _board(results, "results/classifiers")
    corpora = list(rows[0]["uar"]) if kind == "whole" else []
    extra = FROM_FILES | ({"parameters": "parameters"} if corpora else {})
    cells_of = [[f"`{row['classifier']}`" + ("" if corpora else f": {row['about']}"),
                 *(interval(row["figures"][name]) for name in ("uar", "auc")),
                 *(interval(row["uar"][corpus]) for corpus in corpora),
                 *(_short(row[key]) for key in extra.values())] for row in rows]
    head = ["classifier", "UAR", "AUC", *(f"UAR {CORPORA.get(corpus, corpus)}"
                                          for corpus in corpora), *extra]
    return (f"{_shared(rows).capitalize()}:\n\n{_table(head, cells_of)}\n\n"
            "Training is timed from files to a fitted classifier, an answer from a file, on one "
            "core.")


def leak(results: "Results") -> str:
    """The same classifiers with speakers apart and with speakers on both sides."""
    rows, others = (_board(results, f"results/classifiers_{name}") for name in ("honest", "leaky"))
    other = {row["classifier"]: row for row in others}
    return _table(
        ["classifier", f"UAR, {_shared(rows)}",
         f"UAR, **{_shared(others)}: does not predict performance on new voices**"],
        [[f"`{row['classifier']}`", interval(row["figures"]["uar"]),
          interval(other[row["classifier"]]["figures"]["uar"])] for row in rows])


def speakers(results: "Results", what: str) -> str:
    """Who speaks: by split, by seconds of test audio, or what else was found."""
    both = {"Resemblyzer": results("results/speakers/figures.json"),
            "MFCC": results("results/speakers_mfcc/figures.json")}
    return {"splits": _splits, "seconds": _seconds, "rest": _rest}[what](both)


def _splits(both: Mapping[str, Any]) -> str:
    titles = {"chunk": "by piece (leaky)", "recording": "by recording", "chapter": "by chapter"}
    units = {"recording": "per recording", "chunk": "per piece"}
    rows = [[title, model, *(interval(found["splits"][rule][model][unit]["accuracy"])
                             for unit in units for found in both.values())]
            for rule, title in titles.items() for model in ("mixtures", "network", "centroid")
            if all("impossible" not in found["splits"][rule] for found in both.values())]
    return _table(["split", "model", *(f"{name}, {per}" for per in units.values()
                                       for name in both)], rows)


def _seconds(both: Mapping[str, Any]) -> str:
    chosen = {"Resemblyzer": "centroid", "MFCC": "mixtures"}
    curves = {name: {row["seconds"]: {"value": row["accuracy"], "low": row["accuracy_low"],
                                      "high": row["accuracy_high"]}
                     for row in both[name]["durations"] if row["model"] == model}
              for name, model in chosen.items()}
    return _table(["seconds", *(f"{name}, {model}" for name, model in chosen.items())],
                  [[f"{seconds:g}", *(interval(curve[seconds]) for curve in curves.values())]
                   for seconds in curves["MFCC"]])


def _rest(both: Mapping[str, Any]) -> str:
    rate = both["MFCC"]["equal_error_rate"]
    pairs = rate["pairs_same"] + rate["pairs_different"]
    k = both["MFCC"]["clusters"]["k_speakers"]["k"]
    rows = [[f"equal error rate of the same speaker or not, over {pairs} pairs of test recordings",
             *(interval(found["equal_error_rate"]) for found in both.values())],
            [f"k-means with {k} clusters, adjusted Rand index against speakers",
             *(shown(found["clusters"]["k_speakers"]["ari_speaker"]) for found in both.values())],
            ["k-means with two clusters, adjusted Rand index against gender",
             *(shown(found["clusters"]["by_k"][0]["ari_gender"]) for found in both.values())]]
    return _table(["measured", *both], rows)


def features(results: "Results") -> str:
    """What the features of the corpora are like."""
    corpora = results("results/features/corpora.csv").values()
    correlations = list(results("results/features/features.csv").items())
    titles = {"none": "not normalised", "standard": "standardised",
              "robust": "scaled by the median and the quartiles",
              "cepstral mean": "cepstral mean subtracted",
              "per speaker": "each speaker's mean subtracted"}
    pitch = results("results/features/pitch.csv")
    rows = [[f"median fundamental frequency of {who} aged 18 to 29, Hz",
             "{median_hz:.0f} (10th to 90th percentile {p10_hz:.0f} to {p90_hz:.0f})".format(
                 **pitch[f"{label}, 18 to 29"])]
            for who, label in (("women", "female"), ("men", "male"))]
    rows += [[f"correlation with the label, {place}: {name}", interval(row["r"])]
             for place, (name, row) in zip(("strongest", "next"), correlations)]
    rows += [[f"UAR of logistic regression on MFCC statistics, {title}",
              interval(results("results/features/normalisations.csv", name, "uar"))]
             for name, title in titles.items()]
    n, n_speakers = (sum(row[key] for row in corpora) for key in ("n", "n_speakers"))
    return (f"From {n:,} recordings of {n_speakers:,} speakers of {len(corpora)} corpora:\n\n"
            + _table(["measured", "figure"], rows))


def processes(results: "Results") -> str:
    """Training with one process and with two."""
    rows = []
    for name, title in (("one_process", "1, of two threads"),
                        ("two_processes", "2, of one thread, by gloo")):
        last = list(results(f"results/scale/{name}.csv").values())[-1]
        rows.append([title, shown(results("results/scale/training.json", "uar", name)),
                     shown(last["accuracy"]), shown(last["valid_loss"]), f"[csv]({name}.csv)"])
    return _table(["processes", "UAR by recording, 50 speakers",
                   "accuracy by picture after the last epoch", "validation loss", "history"], rows)


def hours(results: "Results") -> str:
    """What many hours take, from the run of the benchmarks that is named scale."""
    stored = results(BENCHMARKS, "runs", "scale", "rows")
    found = {what: row["value"] for what, row in stored.items()}
    per_hour, megabytes = found["pictures of an hour of sound"], found["their size"]
    disk = {hours: (hours * megabytes / 1e3, hours * per_hour / 1e6) for hours in HOURS}
    rows = [[f"{what}, Dask",
             *(f"{2 * hours / found[f'{what}, Dask, 2 workers']:,.0f} core-hours"
               for hours in HOURS)]
            for what in ("pictures", "answers")]
    rows += [[f"{what}, 2 cores without Dask",
              *(_time(hours / found[f"{what}, 2 processes"]) for hours in HOURS)]
             for what in ("pictures", "answers")]
    rows += [["answers, 64 cores with Dask",
              *(_time(hours / found["answers, Dask, 2 workers"] / 32) for hours in HOURS)],
             ["disk for pictures", *(f"{size:,.0f} GB in {million:,.0f} million files"
                                     for size, million in disk.values())],
             ["an epoch of ResNet-34 on 2 cores", *(
                 _time(hours * per_hour / found["training at 64x64, 1 process of 2 threads"] / 3600)
                 for hours in HOURS)]]
    return _table(["", *HOURS.values()], rows)


HOURS = {960: "960 hours (LibriSpeech)", 100_000: "100,000 hours"}


def benchmarks(results: "Results", name: str = "") -> str:
    """A run of the benchmarks, or how many bars all of them miss."""
    runs = results(BENCHMARKS, "runs")
    if not name:
        met = [is_met(row) for run in runs.values() for row in run["rows"].values()]
        missed = met.count(False)
        return (f"The runs below have {missed + met.count(True)} rows with a bar; {missed} of "
                f"these miss it.")
    run = results(BENCHMARKS, "runs", name)
    found = run["instructions"]
    instructions = f"with {', '.join(found)}" if found else "instruction sets not recorded"
    return "\n".join([f"On {run['machine']}; {instructions}; stored with commit {run['commit']}, "
                      f"{run['date']}. Made with", "", f"    {run['command']}", "",
                      _table(HEAD, [cells(what, row) for what, row in run["rows"].items()])])


TABLES = {function.__name__: function for function in (
    shipped, conditions, weak, versions, conversations, heatmaps, faithfulness, randomised, speeds,
    sensitivity, audiomnist, published, board, leak, speakers, features, processes, hours,
    benchmarks)}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    return "\n".join(markdown_table(head, list(rows)))


def value_alone(figure: Any) -> str:
    """A figure without its interval."""
    return shown(figure, ".3f")


def _version(found: Mapping[str, Any], corpora: Iterable[str], form: Any) -> list[str]:
    return [*(form(found["uar"][corpus]) for corpus in corpora), form(found["mean_uar"]),
            *(form(found["figures"][key]) for key in ("ece", "coverage", "accuracy_answered"))]


def _shared(rows: Iterable[Mapping[str, Any]]) -> str:
    """Speakers on both sides, of those that each classifier used."""
    return "; ".join(dict.fromkeys(row["shared_speakers"] for row in rows))


def _short(value: float | None) -> str:
    """A count, or a number with two digits or all before the point."""
    if isinstance(value, int) or value is None:
        return shown(value)
    if value < 0.01:
        return "under 0.01"
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def _percent(figure: Mapping[str, float]) -> str:
    value, low, high = (100 * figure[key] for key in ("value", "low", "high"))
    return f"{value:.2f} % ({low:.2f} to {high:.2f})"


def _board(results: "Results", folder: str) -> list[dict[str, Any]]:
    """The rows of a board, best first."""
    from voxsight.evaluation.comparison.leaderboard import read_rows

    rows = read_rows(results.root / folder, results(f"{folder}/leaderboard.json", "plan"))
    if not rows:
        raise FigureError(f"{folder}: found no row of the plan in leaderboard.json, expected "
                          "some; measure again")
    return rows


def _time(hours_: float) -> str:
    """A duration in the unit that suits it."""
    if hours_ < 1:
        return f"{60 * hours_:.0f} minutes"
    return f"{hours_:.1f} hours" if hours_ < 100 else f"{hours_ / 24:,.0f} days"
