"""What a cut may do to a stick with FAT, beyond what it may do to the disk of a box."""

from __future__ import annotations

import pytest

from tests.crash.calls import TraceError
from tests.crash.disk import ROOT, STALE, Flush, Names, Operation, Recording, Slot, Tree, Write, image_of
from tests.crash.fat import on_fat
from tests.crash.test_disk import NEW, OLD, states

BEFORE: Tree = {"disk": None, "disk/a": OLD, "disk/t": NEW, "stick": None, "stick/a": OLD, "stick/t": NEW}
IMAGE = image_of(BEFORE)
STICK, DISK = IMAGE.names[ROOT]["stick"], IMAGE.names[ROOT]["disk"]
GARBAGE = (STALE * 2)[: len(OLD)]


def on_stick(*operations: Operation, before: Tree = BEFORE) -> Recording:
    image = image_of(before)
    return on_fat(Recording(image, operations, frozenset(image.names)), "stick")


def rename(folder: int) -> Names:
    return Names((Slot(folder, "a", IMAGE.names[folder]["t"]), Slot(folder, "t", None)))


def found(recording: Recording, folder: str) -> set[tuple[bytes | None, bytes | None]]:
    """What `a` and `t` may be in `folder`."""
    return {(tree.get(f"{folder}/a"), tree.get(f"{folder}/t")) for tree in states(recording)}


def test_a_rename_over_a_file_may_leave_both_names_or_neither() -> None:
    seen = found(on_stick(rename(STICK)), "stick")
    assert {(OLD, NEW), (NEW, None), (NEW, NEW), (None, NEW), (None, None)} <= seen
    assert (GARBAGE, None) in seen  # its clusters are free already


def test_nothing_else_than_old_new_none_or_garbage_is_under_a_name() -> None:
    for content, temporary in found(on_stick(rename(STICK)), "stick"):
        assert temporary in (None, NEW)
        if content not in (None, NEW):
            assert content is not None
            assert len(content) == len(OLD)
            sectors = range(0, len(OLD), 512)
            assert all(content[at : at + 512] in (OLD[at : at + 512], GARBAGE[at : at + 512]) for at in sectors)


def test_it_is_sure_once_the_folder_was_flushed() -> None:
    done = on_stick(rename(STICK), Flush(STICK, 1, "here"))
    assert found(done, "stick") == {(NEW, None)}
    assert len(states(done)) == 1
    assert found(on_stick(rename(STICK), Flush(None, 1, "here")), "stick") == {(NEW, None)}


def test_a_flush_that_began_before_covers_nothing() -> None:
    assert (None, None) in found(on_stick(rename(STICK), Flush(STICK, 0, "here")), "stick")


def test_the_disk_of_the_box_is_as_it_was() -> None:
    assert found(on_stick(rename(DISK)), "disk") == {(OLD, NEW), (NEW, None)}


def test_what_is_removed_may_be_there_with_what_was_written_over_it() -> None:
    removed = Names((Slot(STICK, "a", None),))
    assert {OLD, GARBAGE, None} <= {content for content, _ in found(on_stick(removed), "stick")}
    assert found(on_stick(removed, Flush(STICK, 1, "here")), "stick") == {(None, NEW)}


def test_a_folder_that_is_made_on_the_stick_belongs_to_it() -> None:
    image, made, one, other = image_of({"stick": None}), 101, 102, 103
    stick = image.names[ROOT]["stick"]
    operations = (
        Names((Slot(stick, "f", made),)),
        Names((Slot(made, "a", one),)),
        Write(one, 0, OLD),
        Flush(one, 3, "here"),
        Names((Slot(made, "t", other),)),
        Write(other, 0, NEW),
        Flush(None, 6, "here"),
        Names((Slot(made, "a", other), Slot(made, "t", None))),
    )
    done = on_fat(Recording(image, operations, frozenset({*image.names, made})), "stick")
    assert {(None, None), (OLD, NEW), (NEW, None)} <= found(done, "stick/f")


def test_a_new_folder_that_stays_empty_can_be_removed_again() -> None:
    made = 101
    operations = (Names((Slot(STICK, "f", made),)), Names((Slot(STICK, "f", None),)))
    done = on_fat(Recording(IMAGE, operations, frozenset({*IMAGE.names, made})), "stick")
    assert done.operations == operations


def test_a_second_name_for_a_file_is_refused() -> None:
    link = Names((Slot(STICK, "b", IMAGE.names[STICK]["a"]),))
    with pytest.raises(TraceError, match="FAT does not know"):
        on_stick(link)
