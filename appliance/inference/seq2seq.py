"""The graphs of a translation pack, and the places in which sentences at different stages are decoded together.

The encoder gives, for each layer of the decoder, the keys and values of the source; the decoder makes one step for all
hypotheses of all sentences and gives the likeliest next tokens of each (`models/convert/seq2seq_graph.py` has the
inputs and outputs). The caches are NumPy arrays of ours that the graphs read and write where they lie.

A sentence may come with a list of the tokens that can be written in its translation. If all do, the decoder is given
the part of the output layer that they need together, and each is kept to its own list, so that company changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from appliance.errors import EngineError
from appliance.inference.session import open_session

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]
Masks = npt.NDArray[np.int32]

INPUTS = {"tokens", "positions", "places", "seen", "source_mask", "banned", "candidates"}
FROM_HEAD = {"listed.weight", "listed.scales"}  # what the decoder is given as the head makes it
NEVER = np.float32(-3.0e38)  # added to an attention score of what a hypothesis must not see
FIRST_STEPS = 16  # steps that the cache has room for at first; it doubles when they are over, and is halved again


class Seq2Seq:
    """The graphs of a pack. Stateless between calls, so threads may share one.

    `banned` are the ids that are never written.
    """

    def __init__(
        self,
        encoder: Path,
        decoder: Path,
        pack: str,
        threads: int,
        banned: Sequence[int] = (),
        head: Path | None = None,
    ) -> None:
        """Open the graphs; without the `head` no sentence can have a list of its tokens.

        Raises:
            EngineError: a file is not a graph of this form.
        """
        self._encoder = open_session(encoder, pack, threads)
        self.decoder = open_session(decoder, pack, threads)
        inputs = {each.name: each for each in self.decoder.get_inputs()}
        missing = INPUTS - set(inputs)
        if missing or "past.0.key" not in inputs:
            lacking = ", ".join(sorted(missing)) or "past.0.key"
            raise EngineError(pack=pack, reason=f"{decoder.name} lacks the input(s) {lacking}")
        self.sources = [name for name in inputs if name.startswith("source.")]
        self.pasts = [name for name in inputs if name.startswith("past.")]
        self.heads, self.head_size = int(inputs["past.0.key"].shape[1]), int(inputs["past.0.key"].shape[3])
        self.vocabulary = int(inputs["banned"].shape[0])
        self.banned = np.zeros(self.vocabulary, np.float32)
        self.banned[list(banned)] = -np.inf
        self.allowed = self.vocabulary - len(set(banned))
        self.every = np.arange(self.vocabulary)
        self.nothing_listed = _nothing_listed(inputs)
        # One thread: those of a pool would stay awake after a run, and take the cores from the decoder's.
        self._head = open_session(head, pack, 1) if head else None
        if self._head is not None:
            made = {each.name: (each.type, each.shape) for each in self._head.get_outputs() if each.name != "bias"}
            wanted = {name: (inputs[name].type, inputs[name].shape) for name in FROM_HEAD & set(inputs)}
            if made != wanted or not wanted:
                raise EngineError(pack=pack, reason="its head is not of its decoder")

    def encode(self, sources: Sequence[Sequence[int]]) -> list[Floats]:
        """The keys and values of `sources` (lists of ids): arrays (sentences, heads, longest, head size).

        Two a layer of the decoder, in the order of `sources`.
        """
        ids = np.zeros((len(sources), max(map(len, sources))), np.int64)
        mask = np.zeros(ids.shape, np.int32)
        for row, source in enumerate(sources):
            ids[row, : len(source)] = source
            mask[row, : len(source)] = 1
        made: list[Floats] = self._encoder.run(self.sources, {"input_ids": ids, "source_mask": mask})
        return made

    def listed(self, lists: Sequence[Ints], least: int) -> dict[str, npt.NDArray[Any]]:
        """The decoder's inputs for sentences that are kept to `lists` of ids, all together `least` tokens or more."""
        if self._head is None:
            raise ValueError("sentences have lists, and the graphs were opened without their head")
        wanted = np.zeros(self.vocabulary, np.bool_)
        wanted[:least] = True  # whatever they are: who does not list them cannot write them
        for each in lists:
            wanted[each] = True
        ids = np.flatnonzero(wanted)
        names = [each.name for each in self._head.get_outputs()]
        made = dict(zip(names, self._head.run(names, {"ids": ids}), strict=True))
        bias = made.pop("bias") + self.banned[ids]
        biases = np.full((len(lists), 1, len(ids)), -np.inf, np.float32)
        for row, each in zip(biases[:, 0], lists, strict=True):
            places = np.searchsorted(ids, each)
            row[places] = bias[places]
        return {**made, "only_listed": np.array([True]), "listed.ids": ids, "listed.bias": biases}


def _nothing_listed(inputs: dict[str, Any]) -> dict[str, npt.NDArray[Any]]:
    """What the decoder is given where a sentence has no list; nothing if it is of the form without."""
    types = {"tensor(int8)": np.int8, "tensor(float)": np.float32, "tensor(int64)": np.int64}
    found: dict[str, npt.NDArray[Any]] = {
        name: np.zeros([size if isinstance(size, int) else 1 for size in each.shape], types[each.type])
        for name, each in inputs.items()
        if name.startswith("listed.")
    }
    return found | {"only_listed": np.array([False])} if found else {}


class Places:
    """Sentences being decoded together, each in a place of its own: 0 to `count` - 1.

    A sentence is added and taken out between any two steps; the last one moves to the place of one that leaves.
    """

    def __init__(self, graphs: Seq2Seq, beam: int, candidates: int, most: int = 0) -> None:
        """`beam` hypotheses a sentence; `candidates` next tokens are told of each.

        Room is doubled when it is over, up to `most` sentences; past that, what is asked for is made.
        """
        self._most = most
        self._graphs, self.beam, self._candidates = graphs, beam, candidates
        self.count = 0
        self._sources: list[Floats] = []
        self._pasts: list[Floats] = []
        self._seen = np.zeros((0, beam, 0), np.float32)
        self._mask = np.zeros((0, 0), np.int32)
        self._lengths, self.positions = np.zeros(0, np.int64), np.zeros(0, np.int64)
        self._binding: ort.IOBinding | None = None
        self._wanted = np.array([candidates], np.int64)
        self._lists: list[Ints | None] = []
        self._listed = graphs.nothing_listed

    def add(self, sources: Sequence[Sequence[int]], lists: Sequence[Ints | None] = ()) -> None:
        """Put `sources` (lists of ids) behind the sentences that are there.

        `lists` are of the ids that can be written for each, in order; None, or no list: all.
        """
        made = self._graphs.encode(sources)
        lengths = np.array([len(source) for source in sources])
        held = int(self._lengths[: self.count].max()) if self.count else 0
        self._fit(self.count + len(sources), max(held, int(lengths.max())))
        new = slice(self.count, self.count + len(sources))
        for kept, part in zip(self._sources, made, strict=True):
            kept[new, :, : part.shape[2]] = part
        self._lengths[new], self.positions[new] = lengths, 0
        self._mask[new] = np.arange(self._mask.shape[1]) < lengths[:, None]
        self._seen[new] = NEVER
        self.count += len(sources)
        self._lists += lists or [None] * len(sources)
        self._list()
        self._binding = None

    def take_out(self, place: int) -> None:
        """Empty a place; the sentence of the last place has it from now on."""
        last = self.count - 1
        if place != last:
            used = int(self.positions[last]) * self.beam
            for source in self._sources:
                source[place] = source[last]
            for past in self._pasts:
                past[place, :, :used] = past[last, :, :used]
            for each in (self._lengths, self.positions, self._seen, self._mask):
                each[place] = each[last]
            self._lists[place] = self._lists[last]
            if self._listed is not self._graphs.nothing_listed:
                self._listed["listed.bias"][place] = self._listed["listed.bias"][last]
        self._lists.pop()
        self.count = last
        self._binding = None

    def step(self, tokens: Ints, parents: Ints) -> tuple[Floats, Ints]:
        """The likeliest next tokens after `tokens` (count, beam), which go on from the hypotheses `parents` before.

        (log-probabilities, ids), both (count, beam, candidates), best first. The next step overwrites them.
        """
        if int(self.positions[: self.count].max() + 1) * self.beam > self._seen.shape[2]:
            self._grow()
        self._see(parents)
        if self._binding is None:
            self._bind()
        np.copyto(self._tokens, tokens)
        np.multiply(self.positions[: self.count], self.beam, out=self._starts)
        self._graphs.decoder.run_with_iobinding(self._binding)
        self.positions[: self.count] += 1
        return self._scores, self._ids

    def _see(self, parents: Ints) -> None:
        """A hypothesis sees what its parent saw, and itself."""
        count = self.count
        rows = np.arange(count)[:, None]
        self._seen[:count] = self._seen[rows, parents]
        own = self.positions[:count, None] * self.beam + np.arange(self.beam)
        self._seen[rows, np.arange(self.beam), own] = 0

    def _list(self) -> None:
        """Have the output layer ready for what the sentences may write together; it stays so while some leave."""
        if any(each is not None for each in self._lists):
            lists = [self._graphs.every if each is None else each for each in self._lists]
            self._listed = self._graphs.listed(lists, self._candidates)
        else:
            self._listed = self._graphs.nothing_listed

    def _bind(self) -> None:
        count, graphs = self.count, self._graphs
        binding = graphs.decoder.io_binding()
        shape = (count, self.beam, self._candidates)
        self._tokens = np.zeros(shape[:2], np.int64)
        self._starts = np.zeros(count, np.int64)
        self._scores, self._ids = np.zeros(shape, np.float32), np.zeros(shape, np.int64)
        given: dict[str, npt.NDArray[Any]] = {
            "tokens": self._tokens,
            "positions": self.positions[:count],
            "places": self._starts,
            "seen": self._seen[:count, None],
            "source_mask": self._mask[:count],
            "banned": graphs.banned,
            "candidates": self._wanted,
        }
        given |= {name: array[:count] if name == "listed.bias" else array for name, array in self._listed.items()}
        given |= {name: array[:count] for name, array in zip(graphs.sources, self._sources, strict=True)}
        given |= {name: array[:count] for name, array in zip(graphs.pasts, self._pasts, strict=True)}
        for name, array in given.items():
            binding.bind_input(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        made: dict[str, npt.NDArray[Any]] = {"scores": self._scores, "ids": self._ids}
        made |= {name.replace("past", "present"): given[name] for name in graphs.pasts}
        for name, array in made.items():
            binding.bind_output(name, "cpu", 0, array.dtype, array.shape, array.ctypes.data)
        self._binding = binding

    def _fit(self, room: int, length: int) -> None:
        """Room for so many sentences of so many source tokens; what is there stays, and what was long ago goes.

        With phones that ask all the time a search never ends. What the longest of its sentences took must not be kept
        for all the others after it.
        """
        held_room, held_length, held = *self._mask.shape, self._seen.shape[2]
        first = FIRST_STEPS * self.beam
        if not self.count:
            self._allocate(room, length, first)
            return
        capacity, used = held, int(self.positions[: self.count].max()) * self.beam
        while capacity > first and 4 * used <= capacity:
            capacity //= 2
        if held_length > 2 * length or held_length < length:
            held_length = length
        if room > held_room:
            held_room = max(room, min(2 * held_room, self._most))
        if (held_room, held_length, capacity) != (*self._mask.shape, held):
            self._allocate(held_room, held_length, capacity)

    def _grow(self) -> None:
        self._allocate(*self._mask.shape, 2 * self._seen.shape[2])

    def _allocate(self, room: int, length: int, capacity: int) -> None:
        """Arrays of another size, with what is in the old ones of the sentences that are there."""
        graphs, count, beam = self._graphs, self.count, self.beam
        heads, size = graphs.heads, graphs.head_size
        # Zeros: what is hidden in attention is multiplied by nothing, and must be a number for that.
        sources = [np.zeros((room, heads, length, size), np.float32) for _ in graphs.sources]
        pasts = [np.zeros((room, heads, capacity, size), np.float32) for _ in graphs.pasts]
        seen = np.full((room, beam, capacity), NEVER, np.float32)
        mask = np.zeros((room, length), np.int32)
        lengths, positions = np.zeros(room, np.int64), np.zeros(room, np.int64)
        if count:
            # What is left out has no sentence that is there.
            old_length = min(length, self._mask.shape[1])
            old_capacity = min(capacity, self._seen.shape[2])
            for old, new in zip(self._sources, sources, strict=True):
                new[:count, :, :old_length] = old[:count, :, :old_length]
            for old, new in zip(self._pasts, pasts, strict=True):
                new[:count, :, :old_capacity] = old[:count, :, :old_capacity]
            seen[:count, :, :old_capacity] = self._seen[:count, :, :old_capacity]
            mask[:count, :old_length] = self._mask[:count, :old_length]
            lengths[:count], positions[:count] = self._lengths[:count], self.positions[:count]
        self._sources, self._pasts, self._seen, self._mask = sources, pasts, seen, mask
        self._lengths, self.positions = lengths, positions
        self._binding = None
