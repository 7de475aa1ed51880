"""A recording as FAT and exFAT keep it, which have no journal and change one entry of a folder at a time.

A rename over a file takes three steps that reach the disk in any order: the old entry goes, the new one comes, the one
under the former name goes. So a cut may leave both names, or neither. What a file took that lost its last entry is free
at once, and may hold anything while the entry is still there. Flushes are as elsewhere: that of a file covers its
content, that of a folder its entries.
"""

from __future__ import annotations

from dataclasses import replace

from tests.crash.calls import TraceError
from tests.crash.disk import ROOT, STALE, Flush, Image, Names, Operation, Recording, Slot, Write


def on_fat(recording: Recording, folder: str) -> Recording:
    """The same with everything below `folder`, which is there from the start, on FAT.

    Raises TraceError: a link was made there, which FAT does not know.
    """
    stick = recording.before.names[ROOT][folder]
    return _Fat(recording, stick).rewritten()


class _Fat:
    def __init__(self, recording: Recording, stick: int) -> None:
        self._recording, self._image = recording, recording.start()
        self._folders = _below(self._image, stick)
        self._done: list[Operation] = []
        self._freed: dict[int, set[int]] = {}  # folder → files that lost an entry there, which is not sure yet

    def rewritten(self) -> Recording:
        counts = [0]  # operations of before → how many they are now
        for number, operation in enumerate(self._recording.operations):
            if isinstance(operation, Flush):
                self._flush(replace(operation, covers=counts[operation.covers]))
            elif isinstance(operation, Names) and any(slot.folder in self._folders for slot in operation.slots):
                self._change(operation)
            else:
                self._done.append(operation)
            self._image.apply(number, operation)
            counts.append(len(self._done))
        return replace(self._recording, operations=tuple(self._done))

    def _flush(self, flush: Flush) -> None:
        """Of a folder: what its entries had named is gone with them."""
        self._done.append(flush)
        folders = [flush.node] if flush.node is not None else list(self._freed)
        for folder in folders:
            for file in self._freed.pop(folder, set()):
                self._done.append(replace(flush, node=file))

    def _change(self, names: Names) -> None:
        """Each entry by itself, and what lost its last one may be written over."""
        lost: dict[int, int] = {}
        for slot in names.slots:
            there = self._image.names.get(slot.folder, {}).get(slot.name)
            if there is not None and there != slot.node:
                self._done.append(Names((replace(slot, node=None),)))
                lost[there] = slot.folder
            if slot.node is not None:
                self._done.append(Names((slot,)))
        kept = {slot.node for slot in names.slots}
        for slot in names.slots:
            self._look_at(slot, lost)
        for file in set(lost) - kept - set(self._image.names):
            content = self._image.files[file]
            if content:
                self._done.append(Write(file, 0, (STALE * (len(content) // len(STALE) + 1))[: len(content)]))
                self._freed.setdefault(lost[file], set()).add(file)

    def _look_at(self, slot: Slot, lost: dict[int, int]) -> None:
        """Take note of a new folder. Raises TraceError for a second name of a file."""
        if slot.node in self._recording.folders:
            self._folders.add(slot.node)
        elif slot.node is not None and slot.node not in lost and _is_named(self._image, slot.node):
            raise TraceError(f"{slot.name} is a link, which FAT does not know")


def _below(image: Image, folder: int) -> set[int]:
    found = {folder}
    for node in image.names[folder].values():
        if node in image.names:
            found |= _below(image, node)
    return found


def _is_named(image: Image, node: int) -> bool:
    return any(node in names.values() for names in image.names.values())
