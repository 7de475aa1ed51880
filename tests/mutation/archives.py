"""Every check of an archive, and the attacks that it stops: `python -m tests.mutation.archives`.

docs/packs-security.md shows the same list; `tests/unit/packs/test_attacks_listed.py` holds the two together, and every
mutant to the code.
"""

from __future__ import annotations

import sys

from tests.mutation.mutant import Mutant, main

ZIPPED, ARCHIVE, MANIFEST = "appliance/packs/zipped.py", "appliance/packs/archive.py", "appliance/packs/manifest.py"
STORE, COPYING = "appliance/packs/store.py", "appliance/packs/copying.py"
LAYOUT = "tests/unit/packs/test_zipped.py::test_an_attack_is_refused"
CONTENT = "tests/unit/packs/test_archive.py::test_an_attack_is_refused_and_leaves_nothing"
OF_ARCHIVE, OF_INSTALL = "tests/unit/packs/test_archive.py::", "tests/unit/packs/test_install.py::"


def layout(check: str, old: str, new: str, *attacks: str) -> Mutant:
    return Mutant(check, ZIPPED, old, new, LAYOUT, attacks)


def content(check: str, path: str, old: str, new: str, *attacks: str) -> Mutant:
    return Mutant(check, path, old, new, CONTENT, attacks)


MUTANTS = (
    layout(
        "a name is a plain relative path of ASCII",
        "if not is_plain_path(name):",
        "if not name.isascii() and False:",
        "absolute name",
        "parent folder",
        "parent folder inside",
        "dot folder",
        "backslash",
        "drive letter",
        "hidden name",
        "double slash",
        "folder",
        "empty name",
        "line break in a name",
        "control character in a name",
        "NUL in a name",
        "name too long",
        "two forms of one letter",
        "letter that folds to another",
    ),
    layout(
        "a member is a plain file",
        "if kind not in (0, stat.S_IFREG):",
        "if False:",
        "link",
        "device",
        "pipe",
    ),
    layout("a member is no folder of DOS", "if outer & FOLDER_OR_LABEL:", "if False:", "folder of DOS"),
    layout(
        "no name comes twice, whatever its case",
        "if len(names) != len(members):",
        "if False:",
        "same name twice",
        "same name but for case",
    ),
    layout("nothing is encrypted", "if flags & ENCRYPTED:", "if False:", "encrypted", "encrypted strongly"),
    layout(
        "no member has a flag that changes how it is read",
        "if flags & ~FLAGS:",
        "if False:",
        "size after the data",
        "patched data",
    ),
    layout(
        "members are stored or deflated", "if method not in (STORED, DEFLATED):", "if False:", "unknown compression"
    ),
    layout(
        "what is stored has one size",
        "if method == STORED and packed != size:",
        "if False:",
        "stored with two sizes",
        "ZIP64 that says another size",
    ),
    layout(
        "a member begins where the one before ends",
        "if offset != at:",
        "if False:",
        "overlapping members",
        "same data twice",
        "something between members",
        "hidden member",
        "something put before, places told",
    ),
    layout(
        "the directory begins where the members end",
        "if at != end.begin:",
        "if False:",
        "something before the directory",
    ),
    layout(
        "the end begins where the directory ends",
        "if end.begin + end.length != at:",
        "if False:",
        "something put before",
        "directory elsewhere",
        "second end in the comment",
    ),
    layout(
        "the end is the end of the file",
        "if sign != END_SIGN or comment:",
        "if False:",
        "something put after",
        "comment after the end",
    ),
    layout(
        "a member and the directory say the same",
        "if _Head(rest[:name_length], flags, method, crc, packed, size) != head:",
        "if False:",
        "other name in the header",
        "other size in the header",
        "other checksum in the header",
        "other compression in the header",
        "encrypted in the header only",
    ),
    layout("a member begins with its header", "if sign != LOCAL_SIGN:", "if False:", "no header"),
    layout("there are no more members than allowed", "if end.count > most:", "if False:", "too many members"),
    layout(
        "the directory is no longer than its members need",
        "if end.length > end.count * LONGEST:",
        "if False:",
        "huge directory",
    ),
    layout(
        "the directory has no fewer members than the end says",
        "if place + ENTRY.size > len(raw):",
        "if False:",
        "fewer members than told",
    ),
    layout(
        "the directory has no more members than the end says",
        "if place != len(raw):",
        "if False:",
        "more members than told",
        "something in the directory",
    ),
    layout("an entry begins with its sign", "if sign != ENTRY_SIGN:", "if False:", "no directory"),
    layout(
        "an entry ends within the directory", "if following > len(raw):", "if False:", "name longer than the directory"
    ),
    layout(
        "a member has no comment and no other disk",
        "if comment or disk:",
        "if False:",
        "comment of a member",
        "member on another disk",
    ),
    layout(
        "the archive is one file, and counts once",
        "if disk or its_disk or here != count:",
        "if False:",
        "part of several",
        "counts that differ",
    ),
    layout(
        "there is no extra field but that of ZIP64, with just the numbers needed",
        "if not full or len(extra) != form.size or form.unpack(extra)[:2] != (ZIP64, 8 * full):",
        "if not full or len(extra) < form.size:\n        return fields\n    if False:",
        "name in an extra field",
        "ZIP64 not needed",
        "ZIP64 missing",
        "ZIP64 with too little",
        "ZIP64 with another length",
    ),
    layout(
        "both ends say the same",
        "if any(narrow not in (full, true) for narrow, full, true in pairs):",
        "if False:",
        "ZIP64 end that says another place",
    ),
    layout(
        "the end of ZIP64 lies before the end, on one disk",
        "if at != before - END64.size or disk or disks != 1:",
        "if False:",
        "ZIP64 end elsewhere",
        "ZIP64 end before a hole",
        "ZIP64 end on two disks",
    ),
    layout(
        "the end of ZIP64 is of its form",
        "if (sign, size, disk, its_disk, here) != (END64_SIGN, END64.size - 12, 0, 0, count):",
        "if False:",
        "ZIP64 end with more",
        "ZIP64 end with two counts",
    ),
    layout("a member unpacks to no more than it says", "if left < 0:", "if False:", "unpacks to more", "bomb"),
    layout(
        "a member unpacks to no less than it says, from all that is packed",
        "if left or packed or engine.unused_data:",
        "if False:",
        "unpacks to less",
        "something after what is packed",
    ),
    content(
        "the members are those of pack.toml",
        ARCHIVE,
        "    if odd:\n",
        "    if False:\n",
        "not in the manifest",
        "second manifest",
        "missing",
    ),
    content(
        "a member has the size of pack.toml",
        ARCHIVE,
        "if member.size != listed[member.name].size:",
        "if False:",
        "longer than listed",
    ),
    content(
        "a file has the sha256 of pack.toml",
        ARCHIVE,
        "if digest != file.sha256:",
        "if False:",
        "other content",
        "other content, packed",
    ),
    content(
        "pack.toml comes first",
        ARCHIVE,
        "if not members or members[0].name != MANIFEST:",
        "if not members:",
        "manifest not first",
    ),
    content(
        "pack.toml has its checksum", ZIPPED, "if zlib.crc32(content) != member.crc:", "if False:", "manifest damaged"
    ),
    content(
        "pack.toml is small",
        ZIPPED,
        "if member.size > most:",
        "if False:",
        "manifest too large",
        "manifest is a bomb",
    ),
    content(
        "nothing is packed a hundredfold",
        ARCHIVE,
        "if member.size > limits.pack_ratio * max(member.packed, CLUSTER):",
        "if False:",
        "unpacks to a thousand times",
    ),
    content(
        "a number of pack.toml is within its bounds",
        MANIFEST,
        "if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:",
        "if not isinstance(value, int):",
        "more than a pack may have",
    ),
    content(
        "a pack has no more bytes than allowed",
        MANIFEST,
        "if sum(file.size for file in files) > limits.pack_bytes:",
        "if False:",
        "more than a pack may have together",
    ),
    content(
        "no file has the name of a folder",
        MANIFEST,
        "if any(str(above) in folded | {MANIFEST} for path in folded for above in PurePosixPath(path).parents):",
        "if False:",
        "file with the name of a folder",
        "file with the name of a folder but for case",
        "folder called as the manifest",
    ),
    content(
        "no file is listed twice, or called as the manifest",
        MANIFEST,
        "if len(folded) != len(files) or MANIFEST in folded:",
        "if False:",
        "listed twice but for case",
        "manifest but for case",
    ),
    content(
        "what is listed stays in the pack", MANIFEST, "if not is_plain_path(value):", "if False:", "outside, and listed"
    ),
    Mutant(
        "only plain files are read",
        ARCHIVE,
        "if not stat.S_ISREG(os.fstat(descriptor).st_mode):",
        "if False:",
        f"{OF_ARCHIVE}test_what_is_no_plain_file_does_not_hold_the_box",
        (),
    ),
    Mutant(
        "pack.toml is the one that was signed",
        ARCHIVE,
        "if expected is not None and hashlib.sha256(raw).hexdigest() != expected:",
        "if False:",
        f"{OF_INSTALL}test_only_the_pack_that_was_expected_is_installed",
        (),
    ),
    Mutant(
        "what is copied is what was looked at",
        STORE,
        "expected=head.digest",
        "expected=None",
        f"{OF_INSTALL}test_an_archive_that_is_swapped_after_it_was_looked_at_is_refused",
        (),
    ),
    Mutant(
        "the pack and the reserve have room",
        ARCHIVE,
        "if free < found.room + limits.disk_reserve_bytes:",
        "if free < found.room:",
        f"{OF_ARCHIVE}test_the_room_that_a_pack_takes_is_asked_for_with_the_reserve",
        (),
    ),
    Mutant(
        "a pack is for this Baraza",
        STORE,
        "if version_key(manifest.least_appliance) > version_key(__version__):",
        "if False:",
        f"{OF_INSTALL}test_a_pack_for_a_newer_box_is_refused",
        (),
    ),
    Mutant(
        "one installation at a time",
        STORE,
        "        raise PacksBusyError",
        "        return lock_folder(self._installed / 'none')",
        f"{OF_INSTALL}test_two_installations_at_once_do_not_mix",
        (),
    ),
    Mutant(
        "a pack that fails its trial is given up",
        STORE,
        "            self._give_up(pack.manifest.name)\n            raise\n        self._pass(pack)",
        "            raise\n        self._pass(pack)",
        f"{OF_INSTALL}test_a_pack_that_fails_its_trial_is_gone_and_the_one_before_in_use",
        (),
    ),
    Mutant(
        "a pack on trial is in use for nobody",
        "appliance/packs/choice.py",
        "return (() if self.trial or not self.folder else (self.folder,)) + self.previous",
        "return (() if not self.folder else (self.folder,)) + self.previous",
        f"{OF_INSTALL}test_a_pack_is_tried_out_before_it_is_in_use",
        (),
    ),
    Mutant(
        "a trial that ends the process is begun twice at most",
        STORE,
        "elif choice.trial >= TRIALS:",
        "elif False:",
        f"{OF_INSTALL}test_a_pack_that_ends_the_process_twice_is_given_up",
        (),
    ),
)


if __name__ == "__main__":
    sys.exit(main(MUTANTS))
