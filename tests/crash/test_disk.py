"""What the model lets a power cut do, and what not."""

from __future__ import annotations

from tests.crash.disk import (
    DEFAULT,
    ROOT,
    SECTOR,
    THOROUGH,
    Flush,
    Mark,
    Names,
    Operation,
    Recording,
    Resize,
    Slot,
    Tree,
    Write,
    crash_states,
    fingerprint,
    image_of,
)

FILE, FOLDER, OTHER = 101, 102, 103
OLD, NEW = b"old" * 500, b"new" * 700


def recording(before: Tree, *operations: Operation) -> Recording:
    image = image_of(before)
    return Recording(image, operations, frozenset({*image.names, FOLDER}))


def states(of: Recording, after: int | None = None) -> list[Tree]:
    """The distinct states after so many operations (none given: all of them)."""
    wanted = len(of.operations) if after is None else after
    trees = [state.tree for state in crash_states(of, THOROUGH) if state.after == wanted]
    return list({fingerprint(tree): tree for tree in trees}.values())


def make(name: str, node: int = FILE, folder: int = ROOT) -> Names:
    return Names((Slot(folder, name, node),))


def rename(old: str, new: str, node: int = FILE) -> Names:
    return Names((Slot(ROOT, new, node), Slot(ROOT, old, None)))


def flush(node: int | None, covers: int = 99) -> Flush:
    return Flush(node, covers, "here")


def test_what_was_flushed_is_there() -> None:
    done = recording({}, make("a"), Write(FILE, 0, NEW), flush(FILE), flush(ROOT))
    assert states(done) == [{"a": NEW}]


def test_a_name_needs_its_folder_flushed() -> None:
    done = recording({}, make("a"), Write(FILE, 0, NEW), flush(FILE))
    assert {frozenset(tree.items()) for tree in states(done)} == {frozenset(), frozenset({("a", NEW)})}


def test_a_folder_needs_its_own_name() -> None:
    inner = make("a", FILE, FOLDER)
    lost = recording({}, make("f", FOLDER), inner, Write(FILE, 0, NEW), flush(FILE), flush(FOLDER))
    assert {} in states(lost)
    assert states(recording({}, *lost.operations, flush(ROOT))) == [{"f": None, "f/a": NEW}]


def test_a_new_folder_that_stays_empty_is_a_folder() -> None:
    made = recording({}, make("f", FOLDER), flush(ROOT))
    image = made.start()
    for number, operation in enumerate(made.operations):
        image.apply(number, operation)
    assert states(made) == [image.tree()] == [{"f": None}]


def test_content_may_be_lost_where_its_name_is_not() -> None:
    found = [tree.get("a") for tree in states(recording({}, make("a"), Write(FILE, 0, NEW)))]
    assert {None, b"", NEW, bytes(len(NEW))} <= set(found)
    torn = [content for content in found if content and NEW.startswith(content) and len(content) < len(NEW)]
    assert torn
    assert all(len(content) % SECTOR == 0 for content in torn)


def test_a_write_in_place_may_be_torn_but_its_bytes_are_old_or_new() -> None:
    before = {"a": b"o" * 2048}
    node = image_of(before).names[ROOT]["a"]
    found = {tree["a"] for tree in states(recording(before, Write(node, 0, b"n" * 2048)))}
    assert {b"o" * 2048, b"n" * 2048, b"n" * 512 + b"o" * 1536} <= found
    assert all(set(content[at : at + SECTOR]) in ({110}, {111}) for content in found for at in range(0, 2048, SECTOR))


def test_a_rename_is_there_or_not() -> None:
    before = {"a": OLD, "t": NEW}
    node = image_of(before).names[ROOT]["t"]
    found = states(recording(before, rename("t", "a", node)))
    assert {frozenset(tree.items()) for tree in found} == {frozenset(before.items()), frozenset({("a", NEW)})}


def test_a_rename_between_folders_may_leave_both_names_but_never_none() -> None:
    before: Tree = {"f": None, "a": NEW}
    image = image_of(before)
    move = Names((Slot(image.names[ROOT]["f"], "a", image.names[ROOT]["a"]), Slot(ROOT, "a", None)))
    found = {frozenset(tree) for tree in states(recording(before, move))}
    assert found == {frozenset({"f", "a"}), frozenset({"f", "f/a"}), frozenset({"f", "a", "f/a"})}


def test_a_rename_between_folders_is_sure_once_the_new_folder_is_flushed() -> None:
    before: Tree = {"f": None, "a": NEW}
    image = image_of(before)
    folder = image.names[ROOT]["f"]
    move = Names((Slot(folder, "a", image.names[ROOT]["a"]), Slot(ROOT, "a", None)))
    assert states(recording(before, move, flush(folder))) == [{"f": None, "f/a": NEW}]
    assert before in states(recording(before, move, flush(ROOT)))


def test_names_reach_the_disk_in_any_order() -> None:
    found = {frozenset(tree) for tree in states(recording({}, make("a"), make("b", OTHER)))}
    assert found == {frozenset(), frozenset("a"), frozenset("b"), frozenset("ab")}


def test_a_later_sure_name_is_not_undone_by_an_earlier_one() -> None:
    """The file went away, which is not sure, and came again, which is."""
    image = image_of({"f": None, "a": OLD})
    move = Names((Slot(image.names[ROOT]["f"], "b", image.names[ROOT]["a"]), Slot(ROOT, "a", None)))
    done = recording({"f": None, "a": OLD}, move, make("a"), flush(FILE), flush(ROOT))
    assert all("a" in tree for tree in states(done))


def test_a_flush_covers_only_what_had_ended_when_it_began() -> None:
    done = recording({}, make("a"), flush(ROOT), Write(FILE, 0, NEW), Flush(FILE, 2, "here"))
    assert {"a": b""} in states(done)


def test_the_whole_disk_can_be_flushed() -> None:
    assert states(recording({}, make("a"), Write(FILE, 0, NEW), flush(None))) == [{"a": NEW}]


def test_a_file_may_keep_its_old_size() -> None:
    before: Tree = {"a": OLD}
    node = image_of(before).names[ROOT]["a"]
    found = states(recording(before, Resize(node, 10)))
    assert {"a": OLD} in found
    assert {"a": OLD[:10]} in found


def test_every_moment_is_looked_at_and_the_same_seed_gives_the_same_states() -> None:
    done = recording({}, make("a"), Write(FILE, 0, NEW * 5), Mark("said"), flush(FILE), flush(ROOT))
    first, second = (list(crash_states(done, DEFAULT, seed=4)) for _ in range(2))
    assert first == second
    assert {state.after for state in first} == set(range(6))


def test_trees_are_told_apart_by_what_is_in_them() -> None:
    trees: list[Tree] = [{}, {"a": b""}, {"a": None}, {"a": b"1"}, {"b": b"1"}, {"a": None, "a/b": b"1"}]
    assert len({fingerprint(tree) for tree in trees}) == len(trees)
    assert fingerprint({"b": None, "a": b""}) == fingerprint({"a": b"", "b": None})


def test_more_effort_finds_more_states() -> None:
    done = recording({}, make("a"), Write(FILE, 0, NEW * 9), make("b", OTHER), Write(OTHER, 0, NEW * 9))
    few, many = ({fingerprint(each.tree) for each in crash_states(done, effort)} for effort in (DEFAULT, THOROUGH))
    assert len(many) > 2 * len(few)
