"""Answers that can only be what is allowed: one of a list of strings, or what a pattern says.

A text can be cut into tokens in many ways, and a model does not always take the one that its tokenizer would. So what
is followed is not tokens but bytes, through the automaton of all that is allowed: after each token, every token may
come whose bytes lead on from there, if tokens lead on to an end, and in time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache, partial

import numpy as np
import numpy.typing as npt

from appliance.inference.automaton import NOWHERE, Automaton, TooManyStatesError, build
from appliance.inference.pattern import Either, PatternError, literal, parse
from appliance.inference.tokenizer import Tokenizer

Ids = npt.NDArray[np.intp]
Numbers = npt.NDArray[np.int32]

NEVER = np.iinfo(np.int32).max
KEPT = 8  # states whose tokens are kept: one in which any text may come has up to a megabyte


class Vocabulary:
    """The tokens of a model by their bytes; marks of the model are not among them.

    They are a tree: a node for each beginning of a token, numbered level by level and, on a level, in order, so that
    the children of a node, and the tokens that end there, have numbers that follow each other.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        spelled = sorted((tokenizer.spell(number), number) for number in range(tokenizer.size))
        spelled = [each for each in spelled if each[0]]
        self.leading_space = tokenizer.leading_space
        parents, self._bytes, ends = _tree([text for text, _ in spelled])
        nodes = np.arange(len(parents) + 1)
        # What belongs to node n: from the n-th number on, before the next one.
        self._children = np.searchsorted(parents, nodes).astype(np.int32)
        order = np.argsort(ends, kind="stable")
        self._ids = np.array([number for _, number in spelled], np.int32)[order]
        self._tokens = np.searchsorted(ends[order], nodes).astype(np.int32)
        self._single = {text[0] for text, _ in spelled if len(text) == 1}

    def writes(self, used: Iterable[int]) -> bool:
        """Whether each of the bytes `used` has a token of its own."""
        return self._single.issuperset(used)

    def steps(self, automaton: Automaton, state: int) -> tuple[Numbers, Numbers]:
        """The tokens that can be read from `state` on, and the states that they lead to."""
        nodes, states = np.zeros(1, np.int32), np.array([state], np.int32)
        ids, ends = [], []
        while nodes.size:
            places, leads = _spread(self._tokens, nodes, states)
            ids.append(self._ids[places])
            ends.append(leads)
            children, leads = _spread(self._children, nodes, states)
            leads = automaton.table[leads, self._bytes[children]]
            live = leads != NOWHERE
            nodes, states = children[live], leads[live]
        return np.concatenate(ids), np.concatenate(ends)


def _tree(texts: Sequence[bytes]) -> tuple[Numbers, npt.NDArray[np.uint8], Numbers]:
    """For each node its parent and its byte, and for each of `texts`, which are in order, the node where it ends.

    Node 0 is the root, which has neither; its parent is -1.
    """
    lengths = np.array([len(text) for text in texts], np.int32)
    written = np.frombuffer(b"".join(texts), np.uint8)
    begins = np.cumsum(lengths) - lengths
    at = np.zeros(len(texts), np.int32)
    parents, read, count = [np.array([-1], np.int32)], [np.zeros(1, np.uint8)], 1
    for depth in range(int(lengths.max(initial=0))):
        longer = np.flatnonzero(lengths > depth)
        parent, byte = at[longer], written[begins[longer] + depth]
        fresh = np.append(True, (parent[1:] != parent[:-1]) | (byte[1:] != byte[:-1]))
        at[longer] = np.cumsum(fresh) - 1 + count
        parents.append(parent[fresh])
        read.append(byte[fresh])
        count += int(fresh.sum())
    return np.concatenate(parents), np.concatenate(read), at


def _spread(first: Numbers, nodes: Numbers, states: Numbers) -> tuple[Numbers, Numbers]:
    """What belongs to each of `nodes`, from `first[node]` on and before `first[node + 1]`, and its state beside it."""
    begins = first[nodes]
    counts = first[nodes + 1] - begins
    before = np.cumsum(counts, dtype=np.int32) - counts
    places = np.repeat(begins - before, counts) + np.arange(counts.sum(), dtype=np.int32)
    return places, np.repeat(states, counts)


class Grammar:
    """What is allowed, in the tokens of one model; shared by the answers to many prompts.

    `shortest`: so many tokens are enough for an answer.
    """

    def __init__(self, automaton: Automaton, vocabulary: Vocabulary) -> None:
        if vocabulary.leading_space:
            automaton = automaton.after_space()
        self.automaton = automaton
        self.steps = lru_cache(KEPT)(partial(vocabulary.steps, automaton))
        # How many tokens are enough to come to an end, for each state. Where every byte has a token that is the bytes
        # to the nearest end: tokens of several bytes may be quicker, and nobody needs to look for them.
        if vocabulary.writes(automaton.bytes()):
            after = [row[row != NOWHERE] for row in automaton.table]
        else:
            after = [vocabulary.steps(automaton, state)[1] for state in range(len(automaton.table))]
        self.home = _distances(after, automaton.accepting)
        self.shortest = int(self.home[automaton.start])


def _distances(after: Iterable[Numbers], goals: npt.NDArray[np.bool_]) -> Numbers:
    """Steps from each state to the nearest of `goals`, or NEVER; `after`: where one step leads from each state."""
    before: list[list[int]] = [[] for _ in goals]
    for state, leads in enumerate(after):
        for each in np.unique(leads).tolist():
            before[each].append(state)
    found = np.full(len(goals), NEVER, np.int32)
    ring, steps = np.flatnonzero(goals).tolist(), 0
    while ring:
        found[ring] = steps
        steps += 1
        ring = list({state for goal in ring for state in before[goal] if found[state] == NEVER})
    return found


def choices_grammar(choices: Sequence[str], vocabulary: Vocabulary) -> Grammar:
    """Allows exactly one of `choices`, which begin with no space where a tokenizer would take it away.

    Raises:
        ValueError: there is no choice, an empty one, or one twice.
        UnwritableError: the tokens cannot write one of the choices.
    """
    if not choices or not all(choices) or len(set(choices)) != len(choices):
        raise ValueError(f"no list of different choices: {list(choices)}")
    most_states = sum(len(choice.encode()) for choice in choices) + 1
    for choice in choices:
        if Grammar(build(literal(choice), most_states), vocabulary).shortest == NEVER:
            raise UnwritableError(choice)
    return Grammar(build(Either(tuple(map(literal, choices))), most_states), vocabulary)


def pattern_grammar(pattern: str, vocabulary: Vocabulary, most_states: int) -> Grammar:
    """Allows what matches the whole of `pattern` (see `pattern.py`).

    Raises:
        PatternError: it is not a pattern, it allows no text but the empty one, or its automaton would have more than
            `most_states` states.
        UnwritableError: the tokens cannot write any such text.
    """
    try:
        automaton = build(parse(pattern), most_states)
    except TooManyStatesError as error:
        raise PatternError(pattern, str(error)) from error
    if not automaton.bytes():
        raise PatternError(pattern, "it allows nothing but an empty answer")
    grammar = Grammar(automaton, vocabulary)
    if grammar.shortest == NEVER:
        raise UnwritableError(pattern)
    return grammar


class Answer:
    """Follows one answer through a grammar, so that it is whole after `most` tokens at most.

    `ends` are the tokens that end an answer: they decide between “yes” and “yes, please”.
    """

    def __init__(self, grammar: Grammar, ends: Iterable[int], most: int) -> None:
        """Begin.

        Raises:
            ValueError: `most` tokens may not be enough for the shortest answer.
        """
        if grammar.shortest > most:
            raise ValueError(f"the shortest answer may take {grammar.shortest} tokens, more than {most}")
        self._grammar, self._ends, self._left = grammar, np.array(sorted(ends), np.intp), most
        self._ended = False
        self._stand(grammar.automaton.start)

    def allowed(self) -> Ids:
        """The ids of the tokens that may come now: those that end it too, where it may end."""
        return np.append(self._ids, self._ends) if self._accepted else self._ids

    @property
    def whole(self) -> bool:
        """Whether nothing can come any more."""
        return self._ended or not self._ids.size

    def add(self, token: int) -> None:
        """Go on with a token that was allowed.

        Raises:
            ValueError: it was not.
        """
        found = np.flatnonzero(self._ids == token)
        if found.size and not self._ended:
            self._left -= 1
            self._stand(int(self._leads[found[0]]))
        elif self._accepted and token in self._ends:
            self._ended = True
        else:
            raise ValueError(f"token {token} is not allowed here")

    def hurry(self) -> None:
        """Come to an end as soon as can be."""
        self._left = min(self._left, int(self._grammar.home[self._state]))
        self._stand(self._state)

    def _stand(self, state: int) -> None:
        self._state = state
        self._accepted = bool(self._grammar.automaton.accepting[state])
        ids, leads = self._grammar.steps(state)
        in_time = self._grammar.home[leads] < self._left
        self._ids, self._leads = ids[in_time].astype(np.intp), leads[in_time]


class UnwritableError(ValueError):
    """No tokens make up the text."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text
