"""ONNX Runtime sessions as the box uses them."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from appliance.errors import EngineError

ort.set_default_logger_severity(3)


def open_session(path: Path, pack: str, threads: int) -> ort.InferenceSession:
    """Open a graph on the CPU.

    No custom-op library is ever registered, so a graph can only use the operators of ONNX Runtime.

    Raises:
        EngineError: the file is not a graph that this ONNX Runtime can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    try:
        return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise EngineError(pack=pack, reason=f"{path.name}: {error}") from error
