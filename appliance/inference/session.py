"""ONNX Runtime sessions as the box uses them."""

from __future__ import annotations

from pathlib import Path

import onnxruntime as ort

from appliance.errors import EngineError
from appliance.inference.memory import keep_for_reuse
from appliance.inference.providers import ON_PROCESSOR, Provider

ort.set_default_logger_severity(3)
keep_for_reuse()

# Fusions that ONNX Runtime's processor kernels lose by: of 64 rows, SkipLayerNormalization takes seven times as long
# as the addition and the normalisation that it stands for (docs/speed.md).
SLOWER_TOGETHER = ["SkipLayerNormFusion"]

_used = ON_PROCESSOR


def use(provider: Provider) -> None:
    """Open the sessions that come with `provider`: a choice for the whole process, as a box has one processor."""
    global _used
    _used = provider


def used() -> Provider:
    """What sessions are opened with now."""
    return _used


def open_session(
    path: Path, pack: str, threads: int, *, waits: bool = False, arena: bool = False
) -> ort.InferenceSession:
    """Open a graph with the provider in use; the processor computes what that one cannot.

    No custom-op library is ever registered, so a graph can only use the operators of ONNX Runtime.

    With `waits` its threads sleep as soon as a run ends, for a graph that takes turns with another one on the same
    cores: threads that stay awake for more work take a tenth of the time of whatever runs next.

    Memory comes from malloc, whose heap all sessions share. `arena` gives the session a store of its own, which keeps
    the most that any run ever needed: that takes less where a few large arrays follow each other, as in an encoder of
    whole batches, and more where steps are many and small. Memory patterns, of which one would be kept for every shape
    that was ever seen, are not used.

    Raises:
        EngineError: the file is not a graph that this ONNX Runtime can run.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.enable_cpu_mem_arena = arena
    options.enable_mem_pattern = False
    if waits:
        options.add_session_config_entry("session.force_spinning_stop", "1")
    try:
        return ort.InferenceSession(str(path), options, providers=_used.order, disabled_optimizers=SLOWER_TOGETHER)
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        raise EngineError(pack=pack, reason=f"{path.name}: {error}") from error
