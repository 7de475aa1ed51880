"""A disk as a power cut may leave it: what was flushed is there, of the rest any part.

The assumptions, and where they come from, stand in docs/decisions/0024-crash-points.md. In short:

- The content of a file is sure once the file was flushed (fsync, fdatasync), a name once its folder was.
- What was not flushed may be there or not, each piece by itself, in any order; a write may be there by sectors.
- A file that grew may have its new size and none of its new content: zeros, or what lay on the disk before.
- A rename is there or not. Between two folders it may also leave a file under both names; it never loses it.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

SECTOR = 512  # bytes: the least that a disk writes as one
PAGE = 4096
ROOT = 0  # the node of the recorded folder itself
STALE = bytes((7 * place + 165) % 251 for place in range(PAGE))  # what lay on the disk before, and means nothing

Tree = dict[str, bytes | None]  # path below the root → content; None is a folder


@dataclass(frozen=True)
class Write:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Resize:
    file: int
    size: int


@dataclass(frozen=True)
class Slot:
    """A name in a folder, and what it means from now on (None: nothing)."""

    folder: int
    name: str
    node: int | None


@dataclass(frozen=True)
class Names:
    """Names that change together: one when a file is made or removed, two when it is renamed."""

    slots: tuple[Slot, ...]

    @property
    def folders(self) -> frozenset[int]:
        """Those that must be flushed before it is sure: where something got a name, else where one went."""
        given = frozenset(slot.folder for slot in self.slots if slot.node is not None)
        return given or frozenset(slot.folder for slot in self.slots)


@dataclass(frozen=True)
class Flush:
    """Everything done to `node` (None: to the whole disk) by the first `covers` operations is on the disk now."""

    node: int | None
    covers: int
    site: str  # where in the program


@dataclass(frozen=True)
class Mark:
    """Something that the recorded program said."""

    text: str


Operation = Write | Resize | Names | Flush | Mark
Data = Write | Resize


@dataclass
class Image:
    """The files and folders of a disk at one moment."""

    names: dict[int, dict[str, int]] = field(default_factory=lambda: {ROOT: {}})
    files: dict[int, bytes] = field(default_factory=dict)
    changed: dict[tuple[int, str], int] = field(default_factory=dict)  # slot → the newest operation that set it

    def copy(self) -> Image:
        names = {folder: dict(names) for folder, names in self.names.items()}
        return Image(names, dict(self.files), dict(self.changed))

    def apply(self, number: int, operation: Operation) -> None:
        """Do operation `number`; a name that a later operation set already stays."""
        if isinstance(operation, Write):
            self.write(operation.file, operation.offset, operation.data)
        elif isinstance(operation, Resize):
            content = self.files.get(operation.file, b"")
            self.files[operation.file] = content[: operation.size].ljust(operation.size, b"\0")
        elif isinstance(operation, Names):
            for slot in operation.slots:
                if self.changed.get((slot.folder, slot.name), -1) < number:
                    self._set(slot)

    def settle(self, number: int, operation: Operation) -> None:
        """The same for good: nothing earlier may undo it."""
        self.apply(number, operation)
        if isinstance(operation, Names):
            for slot in operation.slots:
                place = (slot.folder, slot.name)
                self.changed[place] = max(number, self.changed.get(place, -1))

    def write(self, file: int, offset: int, data: bytes) -> None:
        old = self.files.get(file, b"")
        self.files[file] = old[:offset].ljust(offset, b"\0") + data + old[offset + len(data) :]

    def tree(self) -> Tree:
        """What can be reached from the root."""
        found: Tree = {}
        stack = [("", ROOT)]
        while stack:
            above, folder = stack.pop()
            for name, node in self.names[folder].items():
                path = f"{above}{name}"
                if node in self.names:
                    found[path] = None
                    stack.append((f"{path}/", node))
                else:
                    found[path] = self.files.get(node, b"")
        return found

    def _set(self, slot: Slot) -> None:
        names = self.names.setdefault(slot.folder, {})
        if slot.node is None:
            names.pop(slot.name, None)
        else:
            names[slot.name] = slot.node


@dataclass(frozen=True)
class Recording:
    """What was on the disk before, sure, and what was done then."""

    before: Image
    operations: tuple[Operation, ...]
    folders: frozenset[int]  # the nodes that are folders, those made meanwhile included

    def start(self) -> Image:
        """What was on the disk before, to be changed: it knows what will be folders, also those that stay empty."""
        image = self.before.copy()
        for folder in self.folders:
            image.names.setdefault(folder, {})
        return image


@dataclass(frozen=True)
class Effort:
    """How many of the possible states to look at, at each point in time."""

    cuts: int  # places at which the newest write is torn
    picks: int  # random choices of what reached the disk
    singles: int  # pending names, and files, that are dropped or kept one by one
    most: int  # distinct states of a scenario: evenly spread over those there are
    everywhere: bool = False  # also before and after what a scenario is about


@dataclass(frozen=True)
class CrashState:
    tree: Tree
    after: int  # operations that were begun before the power went
    choice: str  # what reached the disk, in words
    plain: bool  # all of it did, or nothing that was not flushed


DEFAULT = Effort(cuts=4, picks=4, singles=6, most=85)
THOROUGH = Effort(cuts=12, picks=12, singles=16, most=2_600, everywhere=True)


def crash_states(
    recording: Recording, effort: Effort, moments: Collection[int] | None = None, seed: int = 0
) -> Iterator[CrashState]:
    """What a power cut before, between and after the operations may leave; the same state may come again.

    With `moments`, the power is cut only after so many operations.
    """
    sure = recording.start()
    pending: list[_Pending] = []
    for after in range(len(recording.operations) + 1):
        point = _Point(sure, [(each.number, each.operation) for each in pending], effort, f"{seed}/{after}")
        for tree, choice in point.states() if moments is None or after in moments else ():
            yield CrashState(tree, after, choice, choice in PLAIN)
        if after == len(recording.operations):
            return
        operation = recording.operations[after]
        if isinstance(operation, Flush):
            pending = _flush(sure, pending, operation)
        elif not isinstance(operation, Mark):
            pending.append(_Pending(after, operation))


def fingerprint(tree: Tree) -> bytes:
    """Tells trees apart by paths and content."""
    whole = sha256()
    for path, content in sorted(tree.items()):
        digest = b"folder" if content is None else _digest(content)
        whole.update(path.encode("utf-8", "surrogateescape") + b"\0" + digest + b"\0")
    return whole.digest()


@lru_cache(256)  # each holds a whole file
def _digest(content: bytes) -> bytes:
    """Most of the content of a tree is that of the tree before it."""
    return sha256(content).digest()


def scan(folder: Path) -> Tree:
    """The tree of a real folder."""
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def build(tree: Tree, folder: Path) -> None:
    """Put a tree into an empty folder."""
    for path, content in sorted(tree.items()):
        target = folder / path
        if content is None:
            target.mkdir()
        else:
            target.write_bytes(content)


def image_of(tree: Tree) -> Image:
    """A disk that holds `tree`, all of it sure."""
    image, nodes = Image(), {"": ROOT}
    for number, (path, content) in enumerate(sorted(tree.items()), start=1):
        above, _, name = path.rpartition("/")
        nodes[path] = number
        image.names[nodes[above]][name] = number
        if content is None:
            image.names[number] = {}
        else:
            image.files[number] = content
    return image


@dataclass
class _Pending:
    number: int
    operation: Data | Names
    left: frozenset[int] = frozenset()  # folders that must still be flushed

    def __post_init__(self) -> None:
        self.left = self.operation.folders if isinstance(self.operation, Names) else frozenset({self.operation.file})


def _flush(sure: Image, pending: list[_Pending], flush: Flush) -> list[_Pending]:
    """Make sure what `flush` covers; returns what is still pending."""
    left = []
    for each in pending:
        if each.number < flush.covers:
            each.left = frozenset() if flush.node is None else each.left - {flush.node}
        if each.left:
            left.append(each)
        else:
            sure.settle(each.number, each.operation)
    return left


PLAIN = ("every name, all content", "no name, all content", "no name, no content")
Chosen = list[tuple[int, Data | Names]]


class _Point:
    """One moment: what is sure, what is pending, and the states a cut may leave."""

    def __init__(self, sure: Image, pending: Chosen, effort: Effort, seed: str) -> None:
        self._sure, self._effort, self._random = sure, effort, random.Random(seed)
        self._names: Chosen = [(number, each) for number, each in pending if isinstance(each, Names)]
        self._data: Chosen = [(number, each) for number, each in pending if not isinstance(each, Names)]

    def states(self) -> Iterator[tuple[Tree, str]]:
        yield from self._extremes()
        yield from self._in_order()
        yield from self._one_by_one()
        yield from self._torn()
        for number in range(self._effort.picks if self._names or self._data else 0):
            yield self._picked(number)

    def _extremes(self) -> Iterator[tuple[Tree, str]]:
        for names, words in ((self._names, "every name"), ([], "no name")):
            yield self._tree(names, self._data), f"{words}, all content"
            if self._data:
                yield self._tree(names, []), f"{words}, no content"
                yield self._tree(names, self._data, filler=b"\0"), f"{words}, sizes and zeros"
                yield self._tree(names, self._data, filler=STALE), f"{words}, sizes and what lay there before"

    def _in_order(self) -> Iterator[tuple[Tree, str]]:
        """Names reach the disk in their order, as in a file system with a journal; content before or after them."""
        for count in range(1, len(self._names)):
            words = f"the first {count} of {len(self._names)} names"
            yield self._tree(self._names[:count], self._data), f"{words}, all content"
            if self._data:
                yield self._tree(self._names[:count], []), f"{words}, no content"

    def _one_by_one(self) -> Iterator[tuple[Tree, str]]:
        most = self._effort.singles
        for number, each in self._names[-most:]:
            yield self._tree([(number, each)], self._data), f"of the names only {number}"
            yield self._tree([other for other in self._names if other[0] != number], self._data), f"name {number} lost"
            if _moves_a_file(each, self._sure):
                both = (number, Names(each.slots[:1]))
                rest = [both if other[0] == number else other for other in self._names]
                yield self._tree(rest, self._data), f"both names of {number}"
        files = list(dict.fromkeys(_file(each) for _, each in self._data))
        for file in files[-most:] if len(files) > 1 else ():
            alone = [(number, each) for number, each in self._data if _file(each) == file]
            others = [(number, each) for number, each in self._data if _file(each) != file]
            yield self._tree(self._names, alone), f"content of file {file} only"
            yield self._tree(self._names, others), f"content of file {file} lost"

    def _torn(self) -> Iterator[tuple[Tree, str]]:
        """The newest write stopped at a sector, in the order of the file or the other way round."""
        if not self._data or not isinstance(self._data[-1][1], Write):
            return
        number, write = self._data[-1][0], self._data[-1][1]
        places = list(_sectors(write))[1:]
        step = max(1, len(places) // max(1, self._effort.cuts))
        for place in places[::step][: self._effort.cuts]:
            for part, words in ((_part(write, 0, place), "first"), (_part(write, place, len(write.data)), "last")):
                content: Chosen = [*self._data[:-1], (number, part)]
                yield self._tree(self._names, content), f"the {words} part of write {number}, cut at {place}"
        if places:
            yield self._tree([], [*self._data[:-1], (number, _part(write, 0, places[0]))]), f"no name, {number} torn"

    def _picked(self, number: int) -> tuple[Tree, str]:
        chance = self._random.choice((0.2, 0.5, 0.8))
        names = [each for each in self._names if self._random.random() < chance]
        data: Chosen = []
        for position, each in self._data:
            if isinstance(each, Resize):
                data += [(position, each)] if self._random.random() < chance else []
            else:
                data += [(position, part) for part in self._pieces(each, chance)]
        return self._tree(names, data), f"random choice {number}"

    def _pieces(self, write: Write, chance: float) -> Iterator[Write]:
        """Any of the sectors, or all or nothing of what is small."""
        places = list(_sectors(write))
        edges = [*places[:: 1 + len(places) // 64], len(write.data)]
        if self._random.random() < 0.5:
            if self._random.random() < chance:
                yield write
            return
        for start, end in pairwise(edges):
            if self._random.random() < chance:
                yield _part(write, start, end)

    def _tree(self, names: Chosen, data: Chosen, filler: bytes | None = None) -> Tree:
        """What is sure and what was chosen; with `filler`, files get their new sizes only."""
        image = self._sure.copy()
        for number, each in sorted([*names, *data], key=lambda item: item[0]):
            if filler is None or isinstance(each, Names):
                image.apply(number, each)
            elif isinstance(each, Write):
                _grow(image, each, filler)
        return image.tree()


def _file(operation: Data | Names) -> int:
    assert not isinstance(operation, Names)
    return operation.file


def _moves_a_file(operation: Data | Names, image: Image) -> bool:
    """Whether a file goes from one folder to another, which two folders on the disk say."""
    if not isinstance(operation, Names) or len(operation.slots) != 2:
        return False
    to, origin = operation.slots
    return to.folder != origin.folder and to.node is not None and to.node not in image.names and origin.node is None


def _sectors(write: Write) -> Iterable[int]:
    """Where, inside the write, sectors of the disk begin; 0 first."""
    first = SECTOR - write.offset % SECTOR
    return (0, *range(first, len(write.data), SECTOR))


def _part(write: Write, start: int, end: int) -> Write:
    return Write(write.file, write.offset + start, write.data[start:end])


def _grow(image: Image, write: Write, filler: bytes) -> None:
    size = len(image.files.get(write.file, b""))
    missing = write.offset + len(write.data) - size
    if missing > 0:
        image.write(write.file, size, (filler * (missing // len(filler) + 1))[:missing])
