"""Time and memory of answering: one recording, two thousand, and one of three hours."""

from statistics import median

from benchmarks import processes, sounds

RECORDINGS, SECONDS, HOURS = 2_000, 2.0, 3


def measure(work):
    """Rows of the table."""
    one = processes.ROOT / "my_wavs" / "slt_fox.wav"
    runs = [processes.script("deploy_model", one) for _ in range(9)]
    yield {"what": "one recording, whole process", "bar": "at most 0.8 s",
           "found": f"{median(r.seconds for r in runs):.2f} s", "note": "median of 9"}
    sounds.voices(work / "voices", RECORDINGS, SECONDS)
    many = processes.script("deploy_model", work / "voices", "--jobs", "2", "--csv",
                            work / "answers.csv")
    yield {"what": f"{RECORDINGS} recordings of {SECONDS:g} s, --jobs 2",
           "bar": "at least 250 times real time",
           "found": f"{RECORDINGS * SECONDS / many.seconds:.0f}", "note": f"{many.seconds:.1f} s"}
    yield {"what": "its largest process", "bar": "at most 500 MB",
           "found": f"{many.peak_mib * 1.048576:.0f} MB", "note": ""}
    sounds.conversation(work / "long.wav", HOURS)
    long = processes.script("deploy_model", work / "long.wav", "--timeline", work / "timeline",
                            cores=2)
    yield {"what": f"{HOURS} hours with --timeline, 2 cores", "bar": "at least 150 times real time",
           "found": f"{3600 * HOURS / long.seconds:.0f}", "note": f"{long.seconds:.0f} s"}
    yield {"what": "its memory", "bar": "below 700 MB",
           "found": f"{long.peak_mib * 1.048576:.0f} MB", "note": ""}
