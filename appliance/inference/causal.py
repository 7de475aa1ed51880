"""The graph of a text-generation pack, run step by step over one cache that never moves.

The keys and values of a text are allocated once, for all the tokens it may come to, and bound both as the graph's
past and as its present: a step writes what is new in place and copies nothing. The graph is the factory's
(`models/convert/llm_graph.py`), which says what its inputs are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from appliance.errors import EngineError
from appliance.inference.session import open_session

Floats = npt.NDArray[np.float32]

PAST = "past."
PRESENT = "present."
READS = {"input_ids", "seqlens_k", "total_sequence_length"}
WRITES = READS | {"logit_rows"}


class CausalGraph:
    """A decoder-only language model. Stateless between calls, so threads may share one.

    A pack may have a second graph, which only reads prompts, over the same cache.
    """

    def __init__(self, path: Path, pack: str, threads: int, prompts: Path | None = None) -> None:
        """Open the graph, and the one that reads `prompts` if there is one.

        Raises:
            EngineError: a file is not such a graph, or the two do not fit together.
        """
        self.session = open_session(path, pack, threads)
        self.pack = pack
        inputs = {each.name: each for each in self.session.get_inputs()}
        outputs = {each.name: each for each in self.session.get_outputs()}
        self.past = [name for name in inputs if name.startswith(PAST)]
        _complete(path, pack, self.past, WRITES, (inputs, outputs), {"logits"})
        _, heads, _, head_size = inputs[self.past[0]].shape
        _, vocabulary = outputs["logits"].shape
        if not all(isinstance(size, int) for size in (heads, head_size, vocabulary)):
            raise EngineError(pack=pack, reason=f"{path.name} leaves the size of its cache or vocabulary open")
        self.heads, self.head_size, self.vocabulary = int(heads), int(head_size), int(vocabulary)
        self.token_bytes = 4 * len(self.past) * self.heads * self.head_size  # of a token's keys and values
        self.prompts = None if prompts is None else self._open_prompts(prompts, threads)

    def _open_prompts(self, path: Path, threads: int) -> ort.InferenceSession:
        session = open_session(path, self.pack, threads, waits=True)
        inputs = {each.name: each for each in session.get_inputs()}
        outputs = {each.name: each for each in session.get_outputs()}
        _complete(path, self.pack, self.past, READS, (inputs, outputs), set())
        if {name for name in inputs if name.startswith(PAST)} != set(self.past):
            raise EngineError(pack=self.pack, reason=f"{path.name} has another number of layers")
        if any(inputs[name].shape[1::2] != [self.heads, self.head_size] for name in self.past):
            raise EngineError(pack=self.pack, reason=f"{path.name} has a cache of another size")
        return session

    def start(self, capacity: int) -> Decoding:
        """Begin a text of at most `capacity` tokens."""
        return Decoding(self, capacity)


def _complete(
    path: Path,
    pack: str,
    past: Sequence[str],
    needs: set[str],
    sides: tuple[Mapping[str, object], Mapping[str, object]],
    gives: set[str],
) -> None:
    inputs, outputs = sides
    presents = {_present(name) for name in past}
    missing = sorted((needs | set(past)) - set(inputs)) + sorted((gives | presents) - set(outputs))
    if missing or not past:
        raise EngineError(pack=pack, reason=f"{path.name} lacks {', '.join(missing) or 'past keys and values'}")


def _present(past: str) -> str:
    return past.replace(PAST, PRESENT, 1)


class Decoding:
    """A text on its way: the keys and values of its tokens, in memory that is used for one text after the other.

    `length` tokens are in it. The first `read_ids` of them were read as a prompt; those can be read on from by another
    text that begins with them.
    """

    def __init__(self, graph: CausalGraph, capacity: int) -> None:
        self._graph, self.capacity, self.length = graph, capacity, 0
        self.read_ids: list[int] = []
        self._cache: dict[str, Floats] = {}
        self._values: dict[str, ort.OrtValue] = {}
        for name in graph.past:
            # Zeros take no memory until they are written over.
            empty = np.zeros((1, graph.heads, capacity, graph.head_size), np.float32)
            self._cache[name], self._values[name] = empty, ort.OrtValue.ortvalue_from_numpy(empty)
        self._writer = self._bind(graph.session)
        self._reader = None if graph.prompts is None else self._bind(graph.prompts)

    @property
    def memory(self) -> int:
        """Bytes that its keys and values may take: all of it, as the system may give memory in large pages."""
        return self._graph.token_bytes * self.capacity

    def read(self, ids: Sequence[int]) -> None:
        """Read the tokens `ids` of a prompt after those read before. Raises as `step` does."""
        if self._reader is None:
            self.step(ids, [])
        else:
            self._bind_ids(self._reader, ids)
            self._run(self._graph.prompts, self._reader, len(ids))
        if len(self.read_ids) == self.length - len(ids):
            self.read_ids += ids

    def step(self, ids: Sequence[int], rows: Sequence[int]) -> Floats:
        """Read the tokens `ids` after those read before; logits (rows, vocabulary) of the places `rows` in `ids`.

        Raises:
            ValueError: no tokens, or more than fit in the cache.
            EngineError: the graph cannot go on, as one made for shorter texts than its pack says.
        """
        self._bind_ids(self._writer, ids)
        self._writer.bind_cpu_input("logit_rows", np.array(rows, np.int64))
        logits = np.empty((len(rows), self._graph.vocabulary), np.float32)
        self._writer.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(logits))
        self._run(self._graph.session, self._writer, len(ids))
        return logits

    def go_back(self, tokens: int) -> None:
        """Go on after the first `tokens` tokens of those read as a prompt; 0 begins a new text."""
        if not 0 <= tokens <= len(self.read_ids):
            raise ValueError(f"{tokens} of {len(self.read_ids)} tokens")
        self.length = tokens
        del self.read_ids[tokens:]

    def begin_as(self, other: Decoding, tokens: int) -> None:
        """Begin a new text with the first `tokens` tokens read as a prompt by `other`, which may be at work."""
        if not 0 <= tokens <= min(len(other.read_ids), self.capacity):
            raise ValueError(f"{tokens} of {len(other.read_ids)} tokens in a cache of {self.capacity}")
        for name, cache in self._cache.items():
            cache[:, :, :tokens] = other._cache[name][:, :, :tokens]
        self.length, self.read_ids = tokens, other.read_ids[:tokens]

    def _bind(self, session: ort.InferenceSession) -> Any:
        binding = session.io_binding()
        for name, value in self._values.items():
            binding.bind_ortvalue_input(name, value)
            binding.bind_ortvalue_output(_present(name), value)
        return binding

    def _bind_ids(self, binding: Any, ids: Sequence[int]) -> None:
        total = self.length + len(ids)
        if not ids or total > self.capacity:
            raise ValueError(f"{len(ids)} tokens after {self.length} in a cache of {self.capacity}")
        binding.bind_cpu_input("input_ids", np.array([ids], np.int64))
        binding.bind_cpu_input("seqlens_k", np.array([total - 1], np.int32))
        binding.bind_cpu_input("total_sequence_length", np.array(total, np.int32))

    def _run(self, session: Any, binding: Any, count: int) -> None:
        try:
            session.run_with_iobinding(binding)
        except RuntimeError as error:
            raise EngineError(pack=self._graph.pack, reason=str(error)) from error
        self.length += count
