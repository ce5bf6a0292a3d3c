"""Speaker embeddings to answers in stages that also run alone: embed, train, plot, predict."""

import dataclasses
from pathlib import Path

import numpy as np

from voxsight import files
from voxsight.assessment import stored_answers
from voxsight.classifiers import Options
from voxsight.comparison import compare, make_plan
from voxsight.embeddings import embed_recordings, stored_embeddings
from voxsight.errors import RecordingError, UsageError
from voxsight.leaderboard import write_leaderboard
from voxsight.post_analysis import draw_mistakes, mistakes_in_common
from voxsight.projection import write_projection

STAGES = ("embed", "train", "plot")
COLOURS = ("gender", "corpus", "speaker")


@dataclasses.dataclass(frozen=True)
class Stages:
    """What the stages share.

    Attributes
    ----------
    encoder : str
        key of `embeddings.ENCODERS`
    options : dict
        its ``source`` or ``layer``
    folder : str
        where embeddings are kept
    out : str
        where results go
    quiet : bool
    """

    encoder: str
    options: dict
    folder: str
    out: str
    quiet: bool

    @property
    def classifier(self):
        """Name of the net on this encoder's embeddings."""
        return f"fnn-{self.encoder}"

    @property
    def model(self):
        """Folder of the trained net."""
        return Path(self.out) / self.classifier / "model"


def embed(stages, utterances):
    """Embed the speech of recordings and keep it as JSON lines and Parquet.

    Parameters
    ----------
    stages : Stages
    utterances : list of corpora.Utterance

    Returns
    -------
    spoken : list of corpora.Utterance
        those that hold speech
    failures : list of RecordingError
        of the others
    """
    found = embed_recordings([u.path for u in utterances], [u.gender for u in utterances],
                             stages.encoder, stages.folder, options=stages.options,
                             speech_only=True, quiet=stages.quiet)
    silent = np.isnan(found).all(axis=1) if found.size else np.ones(len(utterances), bool)
    failures = [RecordingError(u.path, "found no speech", "a voice", "leave it out")
                for u, none in zip(utterances, silent) if none]
    write_parquet(Path(stages.folder) / f"{stages.encoder}.jsonl")
    return [u for u, none in zip(utterances, silent) if not none], failures


def train(stages, utterances, test, *, command, **split):
    """Train the net and write its board; `split` as for `comparison.make_plan`."""
    plan = make_plan(utterances, test, described=False, quiet=stages.quiet, **split)
    options = Options(encoder=stages.options, embeddings=stages.folder, quiet=stages.quiet)
    compare(plan, [stages.classifier], stages.out, options, command=command, quiet=stages.quiet)
    return write_leaderboard(stages.out, plan, {}, command)


def plot(stages, utterances):
    """Draw the embeddings and, where a net is trained, its mistakes and what they share."""
    values = embed_recordings([u.path for u in utterances], [u.gender for u in utterances],
                              stages.encoder, stages.folder, options=stages.options,
                              quiet=stages.quiet)
    if len(utterances) < 4:
        raise UsageError(f"--stage plot: found {len(utterances)} recordings, expected at least "
                         "four; name more")
    stored = Path(stages.out) / stages.classifier / "predictions.csv"
    answers = stored_answers(stored) if stored.is_file() else []
    if answers:
        mistakes_in_common(answers, stored.parent, quiet=stages.quiet)
        draw_mistakes(stored.parent / "mistakes", quiet=stages.quiet)
    wrong = {answer.path for answer in answers if answer.is_mistake}
    rows = [{"path": u.path, "gender": u.gender, "corpus": u.corpus,
             "speaker": u.voice, "mistake": u.path in wrong}
            for u in utterances]
    write_projection(Path(stages.out) / stages.classifier, rows, values, COLOURS,
                     f"{stages.encoder} embeddings")


def write_parquet(path):
    """Write the embeddings of a JSON-lines file beside it as Parquet.

    Parameters
    ----------
    path : path
        as `embeddings.embed_recordings` writes it
    """
    import pyarrow
    import pyarrow.parquet

    rows = stored_embeddings(path, labels=True)
    table = pyarrow.table({
        "filepath": list(rows), "label": [label for label, _ in rows.values()],
        "embedding": pyarrow.array([vector.tolist() for _, vector in rows.values()],
                                   pyarrow.list_(pyarrow.float32()))})
    with files.replacing(Path(path).with_suffix(".parquet")) as temporary:
        pyarrow.parquet.write_table(table, temporary)
