"""What commands print."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

from voxsight.base.texts import one_line

if TYPE_CHECKING:
    from voxsight.answer.prediction import Prediction


def print_predictions(predictions: "Iterable[Prediction]") -> int:
    """Print predictions as they come; exit code 1 if one of them is an error."""
    failed = False
    for prediction in predictions:
        print_prediction(prediction)
        failed = failed or bool(prediction.error)
    return 1 if failed else 0


def print_prediction(prediction: "Prediction") -> None:
    """One prediction on stdout, or one error on stderr."""
    if prediction.error:
        report(f"{prediction.path}: {prediction.error}")
        return
    probability = "" if prediction.p_female is None else f"{prediction.p_female:.3f}"
    if prediction.label == "no_speech":  # of what is no voice it means nothing
        probability = ""
    say(f"{prediction.label:9}  p_female {probability:5}  speech {prediction.speech_s:6.2f} s"
        f" of {prediction.duration_s:6.2f} s  {one_line(prediction.path)}"
        + (f"  ({prediction.reason})" if prediction.reason else ""), sys.stdout)
    warn_of_missing(prediction)


def warn_of_missing(prediction: "Prediction") -> None:
    """One line on stderr if a part of the recording could not be heard."""
    if prediction.missing:
        report(f"{prediction.path}: missing: {prediction.missing}; the label is for the "
               f"{prediction.heard_s:.2f} s that were heard")


def report(error: object) -> None:
    """One line on stderr for an input that could not be handled."""
    say(one_line(error), sys.stderr)


def say(line: str, file: TextIO) -> None:
    """Print a line, above the progress bar if there is one."""
    if "tqdm" in sys.modules:
        sys.modules["tqdm"].tqdm.write(line, file=file)
    else:
        print(line, file=file)
    file.flush()
