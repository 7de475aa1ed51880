"""What of ONNX Runtime computes: its own code for the processor, or a provider for a graphics card.

A wheel of ONNX Runtime holds some providers, and the machine can run some of those. A setting names one; where it
cannot be had, the processor computes, and the reason is told.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnxruntime as ort

PROCESSOR = "cpu"
NAMES = {
    PROCESSOR: "CPUExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "tensorrt": "TensorrtExecutionProvider",
    "xnnpack": "XnnpackExecutionProvider",
}
AUTO = "auto"


@dataclass(frozen=True)
class Provider:
    """A provider that was tried on this machine: its name in NAMES, and why it is used."""

    name: str
    reason: str

    @property
    def order(self) -> list[str]:
        """ONNX Runtime's names, the one to be used first; what it cannot compute the processor does."""
        return list(dict.fromkeys([NAMES[self.name], NAMES[PROCESSOR]]))


ON_PROCESSOR = Provider(PROCESSOR, "nothing else was asked for")


def choose(setting: str) -> Provider:
    """The provider for `setting` (AUTO or one of NAMES): itself if it computes here, else the processor.

    AUTO is the processor: the int8 graphs of the packs are made for it, and a card would hand their quantization
    back to it at every product. Whoever has a card measures, and sets it.
    """
    others = [name for name in NAMES if name != PROCESSOR and NAMES[name] in ort.get_available_providers()]
    if setting == AUTO:
        also = f"; to try {' or '.join(others)}, set BARAZA_PROVIDER" if others else ", and there is no other provider"
        return Provider(PROCESSOR, f"int8 is made for it{also}")
    if setting == PROCESSOR:
        return Provider(PROCESSOR, "it is set")
    if setting not in others:
        return Provider(PROCESSOR, f"{setting} is set, but this ONNX Runtime {ort.__version__} was built without it")
    refused = _refusal(setting)
    if refused:
        return Provider(PROCESSOR, f"{setting} is set, but does not start here: {refused}")
    return Provider(setting, "it is set, and computes here")


def _refusal(name: str) -> str:
    """Why a provider does not compute the smallest graph; "" if it does."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    try:
        session = ort.InferenceSession(SMALLEST_GRAPH, options, providers=[NAMES[name]])
        (sum_of,) = session.run(None, {"x": np.array([1.5], np.float32)})
    except Exception as error:  # onnxruntime's own exceptions have no common base but Exception
        return str(error).splitlines()[0]
    if NAMES[name] not in session.get_providers():
        return "its libraries or its device are missing"
    return "" if sum_of.tolist() == [3.0] else "it computes wrong"


def _field(number: int, value: int | bytes) -> bytes:
    """A field of a protocol buffer: a small whole number, or bytes of less than 128."""
    return bytes([number << 3, value]) if isinstance(value, int) else bytes([number << 3 | 2, len(value)]) + value


def _graph() -> bytes:
    """An ONNX model that adds a vector of one number to itself: y = x + x."""
    shape = _field(1, _field(1, 1))
    numbers = _field(1, _field(1, 1) + _field(2, shape))  # float, shape (1)
    node = _field(1, b"x") + _field(1, b"x") + _field(2, b"y") + _field(4, b"Add")
    ends = _field(11, _field(1, b"x") + _field(2, numbers)) + _field(12, _field(1, b"y") + _field(2, numbers))
    return _field(1, 8) + _field(7, _field(1, node) + _field(2, b"g") + ends) + _field(8, _field(2, 13))


SMALLEST_GRAPH = _graph()
