"""Time and memory of answering: one recording, two thousand, and one of three hours."""

from statistics import median

from benchmarks import processes, sounds
from benchmarks.rows import row

RECORDINGS, SECONDS, HOURS = 2_000, 2.0, 3


def measure(work):
    """Rows of the table."""
    one = processes.ROOT / "my_wavs" / "slt_fox.wav"
    runs = [processes.script("deploy_model", one) for _ in range(9)]
    yield row("one recording, whole process", median(r.seconds for r in runs), ".2f", " s",
              "median of 9", at_most=0.8)
    sounds.voices(work / "voices", RECORDINGS, SECONDS)
    many = processes.script("deploy_model", work / "voices", "--jobs", "2", "--csv",
                            work / "answers.csv")
    yield row(f"{RECORDINGS} recordings of {SECONDS:g} s, `--jobs 2`",
              RECORDINGS * SECONDS / many.seconds, ".0f", " times real time",
              f"{many.seconds:.1f} s", at_least=250)
    yield row("its largest process", many.peak_mib * 1.048576, ".0f", " MB", at_most=500)
    sounds.conversation(work / "long.wav", HOURS)
    long = processes.script("deploy_model", work / "long.wav", "--timeline", work / "timeline",
                            cores=2)
    yield row(f"{HOURS} hours with `--timeline`, 2 cores", 3600 * HOURS / long.seconds, ".0f",
              " times real time", f"{long.seconds:.0f} s", at_least=150)
    yield row("its memory", long.peak_mib * 1.048576, ".0f", " MB", at_most=700)
