"""Whether time per file and memory stay as they are from a thousand inputs to fifty thousand."""

import os

from benchmarks import processes, sounds
from benchmarks.rows import row

COUNTS = (1_000, 10_000, 50_000)
FILES = 8


def measure(work):
    """Rows of the table."""
    few = sounds.voices(work / "few_voices", FILES, 0.5)
    for name, command in (("answers", _answer), ("pictures", _convert)):
        runs = {}
        for count in COUNTS:
            folder = work / f"{name}_{count}"
            for i in range(count):
                link = folder / ("female", "male")[i % 2] / f"s{i % 50}" / f"{i}.wav"
                link.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(few[i % FILES], link)
            runs[count] = command(work, folder)
        per_file = {count: 1000 * run.seconds / count for count, run in runs.items()}
        peaks = {count: run.peak_mib for count, run in runs.items()}
        for what, values, unit, bar in (("time per file", per_file, "ms", 15),
                                        ("largest process", peaks, "MiB", 20)):
            first, *_, last = values.values()
            yield row(f"{name}, {what}, {COUNTS[0]} to {COUNTS[-1]} inputs",
                      100 * (last / first - 1), "+.0f", " %",
                      ", ".join(f"{value:.2f}" for value in values.values()) + f" {unit}",
                      within=bar)


def _answer(work, folder):
    return processes.script("deploy_model", folder, "--csv", work / f"{folder.name}.csv")


def _convert(work, folder):
    return processes.script("preprocess_wavs", folder, "--corpus", "folder", "--out",
                            work / "converted" / folder.name / "mfc_dataset", "--maps",
                            work / "converted" / folder.name / "maps")
