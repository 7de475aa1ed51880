"""The encoder–decoder graphs of a translation pack, run step by step without copying the cache.

The factory (`models/graph.py`) gives the decoder two index inputs beside those of a plain export:
`past_rows` picks, for each row of this step, the row of the step before that it goes on from, and
`source_rows` the sentence it translates. Beam search reorders, widens and drops rows with them inside
the graph; the past keys and values go from output to input as `OrtValue`s and never become arrays.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from appliance.errors import EngineError
from appliance.inference.session import open_session

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]

PAST = "past_key_values."
PRESENT = "present."
EXTRA_INPUTS = {"past_rows", "source_rows", "use_cache_branch"}


class Seq2Seq:
    """The two graphs of a pack. Stateless between calls, so threads may share one."""

    def __init__(self, encoder: Path, decoder: Path, pack: str, threads: int) -> None:
        self._encoder = open_session(encoder, pack, threads)
        self._decoder = open_session(decoder, pack, threads)
        inputs = {each.name: each for each in self._decoder.get_inputs()}
        missing = EXTRA_INPUTS - set(inputs)
        if missing:
            raise EngineError(pack=pack, reason=f"{decoder.name} lacks the input(s) {', '.join(sorted(missing))}")
        self._past = [name for name in inputs if name.startswith(PAST)]
        self._presents = [name.replace(PAST, PRESENT) for name in self._past]
        shape = inputs[self._past[0]].shape
        self._heads, self._head_size = int(shape[1]), int(shape[3])

    def encode(self, ids: Ints, mask: Ints) -> ort.OrtValue:
        """Hidden states (sentences, length, width) of `ids` and `mask` (sentences, length)."""
        binding = self._encoder.io_binding()
        binding.bind_cpu_input("input_ids", ids)
        binding.bind_cpu_input("attention_mask", mask)
        binding.bind_output("last_hidden_state", "cpu")
        self._encoder.run_with_iobinding(binding)
        return binding.get_outputs()[0]

    def start(self, hidden: ort.OrtValue, mask: Ints) -> Decoding:
        """Begin decoding: `hidden` from `encode`, `mask` (sentences, length) as it was given there."""
        return Decoding(self._decoder, hidden, mask, self._past, self._presents, (self._heads, self._head_size))


class Decoding:
    """The state of one batch being decoded: the cache, as values that stay inside ONNX Runtime."""

    def __init__(
        self,
        session: ort.InferenceSession,
        hidden: ort.OrtValue,
        mask: Ints,
        past: list[str],
        presents: list[str],
        head_shape: tuple[int, int],
    ) -> None:
        self._session, self._hidden, self._mask = session, hidden, mask
        self._past, self._presents = past, presents
        nothing = np.zeros((mask.shape[0], head_shape[0], 1, head_shape[1]), np.float32)
        self._cache = {name: ort.OrtValue.ortvalue_from_numpy(nothing) for name in past}
        self._begun = False

    def step(self, tokens: Ints, past_rows: Ints, source_rows: Ints) -> Floats:
        """Logits (rows, vocabulary) after `tokens` (rows,).

        `past_rows` (rows,) are rows of the step before, `source_rows` (rows,) are sentences. In the
        first step both are 0..sentences-1.
        """
        binding = self._session.io_binding()
        binding.bind_cpu_input("input_ids", np.ascontiguousarray(tokens[:, None]))
        binding.bind_cpu_input("encoder_attention_mask", self._mask)
        binding.bind_ortvalue_input("encoder_hidden_states", self._hidden)
        binding.bind_cpu_input("past_rows", past_rows)
        binding.bind_cpu_input("source_rows", source_rows)
        binding.bind_cpu_input("use_cache_branch", np.array([self._begun]))
        for name, value in self._cache.items():
            binding.bind_ortvalue_input(name, value)
        binding.bind_output("logits", "cpu")
        for name in self._presents:
            binding.bind_output(name, "cpu")
        self._session.run_with_iobinding(binding)
        logits, *presents = binding.get_outputs()
        for name, value in zip(self._past, presents, strict=True):
            # Keys and values of the source are computed once, in the first step.
            if not self._begun or ".encoder." not in name:
                self._cache[name] = value
        self._begun = True
        scores: Floats = logits.numpy()[:, -1, :]
        return scores
