"""The graph of a text-generation pack, run step by step over one cache that never moves.

The keys and values of a text are allocated once, for all the tokens it may come to, and bound both as the graph's
past and as its present: a step writes what is new in place and copies nothing. The graph is the factory's
(`models/convert/llm_graph.py`), which says what its inputs are.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from appliance.errors import EngineError
from appliance.inference.session import open_session

Floats = npt.NDArray[np.float32]

PAST = "past."
PRESENT = "present."
INPUTS = {"input_ids", "seqlens_k", "total_sequence_length", "logit_rows"}


class CausalGraph:
    """A decoder-only language model. Stateless between calls, so threads may share one."""

    def __init__(self, path: Path, pack: str, threads: int) -> None:
        """Open the graph.

        Raises:
            EngineError: the file is not such a graph.
        """
        self.session = open_session(path, pack, threads)
        self.pack = pack
        inputs = {each.name: each for each in self.session.get_inputs()}
        outputs = {each.name: each for each in self.session.get_outputs()}
        self.past = [name for name in inputs if name.startswith(PAST)]
        presents = [name.replace(PAST, PRESENT, 1) for name in self.past]
        missing = sorted(INPUTS - set(inputs)) + sorted({"logits", *presents} - set(outputs))
        if missing or not self.past:
            raise EngineError(pack=pack, reason=f"{path.name} lacks {', '.join(missing) or 'past keys and values'}")
        _, heads, _, head_size = inputs[self.past[0]].shape
        _, vocabulary = outputs["logits"].shape
        if not all(isinstance(size, int) for size in (heads, head_size, vocabulary)):
            raise EngineError(pack=pack, reason=f"{path.name} leaves the size of its cache or vocabulary open")
        self.heads, self.head_size, self.vocabulary = int(heads), int(head_size), int(vocabulary)

    def start(self, capacity: int) -> Decoding:
        """Begin a text of at most `capacity` tokens."""
        return Decoding(self, capacity)


class Decoding:
    """One text on its way: its cache, and how many tokens are in it."""

    def __init__(self, graph: CausalGraph, capacity: int) -> None:
        self._graph, self.capacity, self.length = graph, capacity, 0
        self._binding = graph.session.io_binding()
        for name in graph.past:
            # Zeros take no memory until they are written over.
            empty = np.zeros((1, graph.heads, capacity, graph.head_size), np.float32)
            value = ort.OrtValue.ortvalue_from_numpy(empty)
            self._binding.bind_ortvalue_input(name, value)
            self._binding.bind_ortvalue_output(name.replace(PAST, PRESENT, 1), value)

    def step(self, ids: Sequence[int], rows: Sequence[int]) -> Floats:
        """Read the tokens `ids` after those read before; logits (rows, vocabulary) of the places `rows` in `ids`.

        Raises:
            ValueError: no tokens, or more than fit in the cache.
            EngineError: the graph cannot go on, as one made for shorter texts than its pack says.
        """
        total = self.length + len(ids)
        if not ids or total > self.capacity:
            raise ValueError(f"{len(ids)} tokens after {self.length} in a cache of {self.capacity}")
        binding = self._binding
        binding.bind_cpu_input("input_ids", np.array([ids], np.int64))
        binding.bind_cpu_input("seqlens_k", np.array([total - 1], np.int32))
        binding.bind_cpu_input("total_sequence_length", np.array(total, np.int32))
        binding.bind_cpu_input("logit_rows", np.array(rows, np.int64))
        logits = np.empty((len(rows), self._graph.vocabulary), np.float32)
        value = ort.OrtValue.ortvalue_from_numpy(logits)
        binding.bind_ortvalue_output("logits", value)
        try:
            self._graph.session.run_with_iobinding(binding)
        except RuntimeError as error:
            raise EngineError(pack=self._graph.pack, reason=str(error)) from error
        self.length = total
        return logits
