"""ONNX graphs, loaded; the only place where ONNX Runtime is imported."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnxruntime import InferenceSession


def open_session(graph: str | os.PathLike) -> "InferenceSession":
    """A graph, ready to compute on one thread.

    Parameters
    ----------
    graph : str or os.PathLike
        An ONNX file.

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    ValueError
        If it cannot be loaded.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime raises many kinds of its own
        raise ValueError(str(error)) from error
