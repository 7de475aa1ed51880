"""Every check of signed repositories, ours and that of python-tuf: `python -m tests.mutation.run`.

docs/packs-security.md shows the same list; `tests/unit/packs/test_trust_listed.py` holds the two together, and every
mutant to the code.
"""

from __future__ import annotations

import sys

from tests.mutation.mutant import Mutant, main

TRUSTED, PAYLOAD = "tuf/ngclient/_internal/trusted_metadata_set.py", "tuf/api/_payload.py"
UPDATER, FETCHER = "tuf/ngclient/updater.py", "tuf/ngclient/fetcher.py"
TRUST, CLIENT = "appliance/packs/trust.py", "appliance/packs/client.py"
REPOSITORY, ROOTS = "appliance/packs/repository.py", "appliance/packs/roots.py"
SOURCES, NEIGHBOUR = "appliance/packs/sources.py", "appliance/packs/neighbour.py"
TIME = "appliance/packs/trusted_time.py"
HERE = "tests/unit/packs/"
ATTACKS, OURS = HERE + "test_trust_attacks.py::test_", HERE + "test_trust.py::test_"
CLOCKS, STICKS = HERE + "test_trusted_time.py::test_", HERE + "test_sources.py::test_"
OTHERS = HERE + "test_neighbour.py::test_"

UNSIGNED = ATTACKS + "a_role_not_signed_by_its_key_is_refused"
EXPIRED = ATTACKS + "a_role_that_was_taken_is_refused_when_it_expires"
MIXED = ATTACKS + "a_role_with_the_right_version_and_another_content_is_refused"
VERSIONS = ATTACKS + "without_hashes_the_versions_still_must_match"
SIGNED = "new_{0}, _, _ = self._load_data({1}, data, self.root)"
STRANGER = ATTACKS + "a_stranger_who_shows_the_root_of_a_publisher_is_refused"

MUTANTS = (
    # The root
    Mutant(
        "a new root is signed by the root before it",
        TRUSTED,
        "Root, data, self.root\n        )",
        "Root, data\n        )",
        ATTACKS + "a_root_not_signed_by_the_one_before_is_refused",
        (),
    ),
    Mutant(
        "a new root is signed by its own keys",
        TRUSTED,
        "        new_root.verify_delegate(Root.type, new_root_bytes, new_root_signatures)\n\n"
        '        self._add(Root.type, new_root, Root.type)\n        logger.debug("Updated root',
        '        self._add(Root.type, new_root, Root.type)\n        logger.debug("Updated root',
        ATTACKS + "a_root_not_signed_by_its_own_new_keys_is_refused",
        (),
    ),
    Mutant(
        "no version of the root is skipped or repeated",
        TRUSTED,
        "if new_root.version != self.root.version + 1:",
        "if False:",
        ATTACKS + "a_root_under_a_name_of_another_version_is_refused",
        ("the same", "skipped", "far ahead"),
    ),
    Mutant(
        "the final root has not expired",
        TRUSTED,
        "if self.root.is_expired(self.reference_time):",
        "if False:",
        ATTACKS + "the_final_root_must_not_have_expired_and_is_remembered",
        (),
    ),
    Mutant(
        "a new root counts from then on, even if the release after it is refused",
        TRUST,
        "            after = client.state(state)\n",
        "            after = state if failed else client.state(state)\n",
        ATTACKS + "the_final_root_must_not_have_expired_and_is_remembered",
        (),
    ),
    Mutant(
        "so many versions of a root are followed at one time",
        UPDATER,
        "upper_bound = lower_bound + self.config.max_root_rotations",
        "upper_bound = lower_bound + 1_000",
        ATTACKS + "no_more_roots_are_followed_at_one_time_than_the_limit",
        (),
    ),
    Mutant(
        "as many keys have signed as the root says",
        PAYLOAD,
        "return len(self.signed) >= self.threshold",
        "return len(self.signed) > 0",
        ATTACKS + "a_role_needs_as_many_keys_as_the_root_says",
        tuple(f"{by}-{role}" for by in ("one", "one twice") for role in ("timestamp", "snapshot", "targets")),
    ),
    # Signatures
    Mutant(
        "the timestamp is signed by its key",
        TRUSTED,
        SIGNED.format("timestamp", "Timestamp"),
        "new_timestamp, _, _ = self._load_data(Timestamp, data)",
        UNSIGNED,
        ("unsigned-timestamp", "by another key-timestamp"),
    ),
    Mutant(
        "a stick that shows somebody's root is signed by the keys of that root",
        TRUSTED,
        SIGNED.format("timestamp", "Timestamp"),
        "new_timestamp, _, _ = self._load_data(Timestamp, data)",
        STRANGER,
        (),
    ),
    Mutant(
        "the snapshot is signed by its key",
        TRUSTED,
        SIGNED.format("snapshot", "Snapshot"),
        "new_snapshot, _, _ = self._load_data(Snapshot, data)",
        UNSIGNED,
        ("unsigned-snapshot", "by another key-snapshot"),
    ),
    Mutant(
        "the targets are signed by their key",
        TRUSTED,
        "            Targets, data, delegator, role_name\n",
        "            Targets, data\n",
        UNSIGNED,
        ("unsigned-targets", "by another key-targets"),
    ),
    Mutant(
        "a key that a new root replaced signs no more",
        TRUSTED,
        "            Targets, data, delegator, role_name\n",
        "            Targets, data\n",
        ATTACKS + "a_key_that_was_replaced_signs_no_more",
        ("targets",),
    ),
    Mutant(
        "a role is of the kind that its name says",
        TRUSTED,
        "if md.signed.type != role.type:",
        "if False:",
        ATTACKS + "a_role_in_the_place_of_another_is_refused",
        (),
    ),
    # Rollback
    Mutant(
        "the timestamp is no older than the newest seen",
        TRUSTED,
        "if new_timestamp.version < self.timestamp.version:",
        "if False:",
        ATTACKS + "an_older_timestamp_is_refused_though_it_lists_a_newer_snapshot",
        (),
    ),
    Mutant(
        "a timestamp of a version that was seen changes nothing",
        TRUSTED,
        "if new_timestamp.version == self.timestamp.version:",
        "if False:",
        ATTACKS + "another_timestamp_of_the_same_version_changes_nothing",
        (),
    ),
    Mutant(
        "the timestamp lists no older snapshot",
        TRUSTED,
        "if new_snapshot_meta.version < snapshot_meta.version:",
        "if False:",
        ATTACKS + "a_newer_timestamp_with_an_older_snapshot_is_refused",
        (),
    ),
    Mutant(
        "the snapshot lists no older targets",
        TRUSTED,
        "if new_fileinfo.version < fileinfo.version:",
        "if False:",
        ATTACKS + "a_newer_snapshot_with_older_targets_is_refused",
        (),
    ),
    Mutant(
        "the snapshot lists no older role of a cooperative",
        TRUSTED,
        "if new_fileinfo.version < fileinfo.version:",
        "if False:",
        ATTACKS + "a_cooperative_that_went_back_to_an_older_release_is_refused",
        (),
    ),
    Mutant(
        "the snapshot leaves no role out that it listed",
        TRUSTED,
        "if new_fileinfo is None:\n                    raise exceptions.RepositoryError(\n"
        "                        f\"New snapshot is missing info for '{filename}'\"\n                    )",
        "if new_fileinfo is None:\n                    continue",
        ATTACKS + "a_newer_snapshot_that_leaves_a_role_out_is_refused",
        (),
    ),
    Mutant(
        "the newest release seen is remembered",
        TRUST,
        "        return self._store.change(name, changed) is not None\n",
        "        return True\n",
        ATTACKS + "an_older_release_is_refused",
        (),
    ),
    Mutant(
        "what one program saw is not undone by another",
        TRUST,
        "return after if self._current(name, now) == before else None",
        "return after",
        OURS + "what_one_program_saw_is_not_undone_by_another",
        (),
    ),
    Mutant(
        "a damaged memory is noticed",
        ROOTS,
        'if hashlib.sha256(body).hexdigest().encode("ascii") != digest:',
        "if False:",
        OURS + "a_copy_that_was_altered_is_not_gone_by",
        (),
    ),
    Mutant(
        "a damaged memory has a copy",
        ROOTS,
        "        for file in (STATE, COPY):\n            try:",
        "        for file in (STATE,):\n            try:",
        OURS + "one_damaged_copy_forgets_nothing",
        ("gone-0", "empty-0", "other-0", "a bit-0"),
    ),
    Mutant(
        "a memory that is lost is never taken for nothing seen",
        ROOTS,
        "        raise RootDamagedError(name=name)\n",
        "        raise RootNotFoundError(name=name)\n",
        OURS + "two_damaged_copies_are_told_and_never_taken_for_nothing_seen",
        (),
    ),
    # Freeze
    Mutant(
        "the timestamp has not expired",
        TRUSTED,
        "if self.timestamp.is_expired(self.reference_time):",
        "if False:",
        EXPIRED,
        ("timestamp",),
    ),
    Mutant(
        "the snapshot has not expired",
        TRUSTED,
        "if self.snapshot.is_expired(self.reference_time):",
        "if False:",
        EXPIRED,
        ("snapshot",),
    ),
    Mutant(
        "the targets have not expired",
        TRUSTED,
        "if new_delegate.is_expired(self.reference_time):",
        "if False:",
        EXPIRED,
        ("targets",),
    ),
    Mutant(
        "a cooperative's role has not expired",
        TRUSTED,
        "if new_delegate.is_expired(self.reference_time):",
        "if False:",
        ATTACKS + "a_faulty_cooperative_takes_only_its_own_packs_along",
        ("expired",),
    ),
    Mutant(
        "expiry is judged by the time of the box",
        CLIENT,
        "self._trusted_set.reference_time = now\n",
        "pass\n",
        CLOCKS + "expiry_is_judged_by_the_time_of_the_box",
        (),
    ),
    Mutant(
        "a clock far ahead is not gone by",
        TIME,
        "return Judgement(system if floor <= system <= floor + LEAP else floor, system, floor)",
        "return Judgement(max(system, floor), system, floor)",
        CLOCKS + "a_clock_at_2038_kills_no_box_and_stops_what_nobody_watches",
        (),
    ),
    Mutant(
        "a clock that went back is not gone by",
        TIME,
        "return Judgement(system if floor <= system <= floor + LEAP else floor, system, floor)",
        "return Judgement(min(system, floor + LEAP), system, floor)",
        CLOCKS + "a_clock_at_1970_does_not_make_an_expired_release_good",
        (),
    ),
    Mutant(
        "nothing is installed unattended by a clock that cannot be right",
        REPOSITORY,
        "return self.root.unattended and self.judged.believed",
        "return self.root.unattended",
        CLOCKS + "a_clock_at_2038_kills_no_box_and_stops_what_nobody_watches",
        (),
    ),
    Mutant(
        "a run at 2038 is not kept",
        TIME,
        "if judged.believed and judged.system > judged.floor:",
        "if judged.system > judged.floor:",
        CLOCKS + "a_run_at_2038_does_not_poison_the_box",
        (),
    ),
    Mutant(
        "a release dated far ahead does not set the day",
        TIME,
        "if floor < when <= max(floor + LEAP, self._clock()):",
        "if floor < when:",
        CLOCKS + "a_day_that_a_release_tells_is_believed_up_to_a_year_ahead",
        (),
    ),
    Mutant(
        "a root that is limited does not set the day",
        TRUST,
        "if root.kinds is None and (signed := client.signed_at()):",
        "if signed := client.signed_at():",
        CLOCKS + "a_root_that_is_limited_does_not_tell_the_day",
        (),
    ),
    Mutant(
        "a release is judged by the day that it tells itself",
        TRUST,
        "if any(each.is_expired(judged.now) for each in client.top()):",
        "if False:",
        CLOCKS + "a_release_that_tells_the_day_is_judged_by_it_too",
        (),
    ),
    # Mix and match
    Mutant(
        "the snapshot has the hash that the timestamp lists",
        TRUSTED,
        "        if not trusted:\n            snapshot_meta.verify_length_and_hashes(data)\n",
        "",
        MIXED,
        ("snapshot",),
    ),
    Mutant(
        "the targets have the hash that the snapshot lists",
        TRUSTED,
        "        meta.verify_length_and_hashes(data)\n\n        new_delegate",
        "        new_delegate",
        MIXED,
        ("targets",),
    ),
    Mutant(
        "the snapshot has the version that the timestamp lists",
        TRUSTED,
        "if self.snapshot.version != snapshot_meta.version:",
        "if False:",
        VERSIONS,
        ("snapshot",),
    ),
    Mutant(
        "the targets have the version that the snapshot lists",
        TRUSTED,
        "if version != meta.version:",
        "if False:",
        VERSIONS,
        ("targets",),
    ),
    # Endless data, odd files
    Mutant(
        "a download ends at its length",
        FETCHER,
        "if number_of_bytes_received > max_length:",
        "if False:",
        STICKS + "a_file_is_read_up_to_the_length_asked_for",
        (),
    ),
    Mutant(
        "a length that metadata name is bounded by ours",
        SOURCES,
        "min(max_length, most)",
        "max_length",
        STICKS + "a_length_that_metadata_name_is_bounded_by_ours",
        (),
    ),
    Mutant(
        "a path does not lead out of the repository",
        SOURCES,
        "if not all(map(PART.fullmatch, parts)):",
        "if False:",
        STICKS + "a_path_that_leads_out_or_is_odd_is_never_opened",
        ("../secret", "metadata/../../secret"),
    ),
    Mutant(
        "no link to a folder is followed",
        SOURCES,
        "os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder",
        "os.O_RDONLY | os.O_DIRECTORY, dir_fd=folder",
        STICKS + "a_link_is_not_followed",
        (),
    ),
    Mutant(
        "what is no plain file is not opened",
        SOURCES,
        "    if not stat.S_ISREG(before.st_mode):",
        "    if False:",
        STICKS + "a_link_is_not_followed",
        (),
    ),
    Mutant(
        "what became no plain file meanwhile is not read",
        SOURCES,
        "if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):",
        "if False:",
        STICKS + "a_file_that_is_swapped_for_a_pipe_is_not_read",
        (),
    ),
    # Targets
    Mutant(
        "an archive has the hash that the targets list",
        PAYLOAD,
        "if observed_hash != exp_hash:",
        "if False:",
        ATTACKS + "an_archive_of_another_content_is_refused",
        (),
    ),
    Mutant(
        "an archive is the pack that is listed",
        REPOSITORY,
        "if replace(offer_of(head.manifest, head.digest), title=offer.title, licence=offer.licence) != offer:",
        "if False:",
        ATTACKS + "an_archive_of_another_pack_than_is_listed_is_refused",
        (),
    ),
    Mutant(
        "an archive has the pack.toml that is listed",
        REPOSITORY,
        "expected=offer.manifest)",
        "expected=None)",
        ATTACKS + "a_pack_whose_listed_manifest_is_another_is_refused",
        (),
    ),
    Mutant(
        "a root brings only the kinds that it may",
        TRUST,
        "lambda offer: root.may_bring(offer.kind)",
        "lambda offer: True",
        OURS + "a_root_is_added_limited_and_removed",
        (),
    ),
    # Delegations
    Mutant(
        "a cooperative lists only under the names that were given to it",
        PAYLOAD,
        "if self._is_target_in_pathpattern(target_filepath, pathpattern):",
        "if True:",
        ATTACKS + "a_cooperative_brings_nothing_under_other_names",
        (),
    ),
    Mutant(
        "so many delegations are read",
        CLIENT,
        "if role in seen or len(seen) > self.config.max_delegations:",
        "if role in seen:",
        ATTACKS + "no_more_delegations_are_read_than_the_limit",
        (),
    ),
    # Who is trusted
    Mutant(
        "a publisher whom nobody added is not trusted",
        TRUST,
        "            if claims in state.identities():\n",
        "            if True:\n",
        ATTACKS + "a_publisher_whom_nobody_added_is_not_trusted",
        (),
    ),
    Mutant(
        "the words are those of the root",
        TRUST,
        "if told != fingerprint(signed):",
        "if False:",
        OURS + "the_words_must_be_those_of_the_root",
        (),
    ),
    Mutant(
        "a root that is added is signed by its own keys",
        TRUST,
        "        metadata.signed.verify_delegate(Root.type, metadata.signed_bytes, metadata.signatures)\n",
        "        metadata.signed.get_delegated_role(Root.type)\n",
        OURS + "what_is_no_sound_root_is_not_added",
        ("unsigned",),
    ),
    Mutant(
        "the development root is not added",
        TRUST,
        "if DEVELOPMENT_KEY in public_keys(signed):",
        "if False:",
        OURS + "no_keeper_can_trust_the_development_root",
        (),
    ),
    # A neighbour's box
    Mutant(
        "only private networks are called",
        NEIGHBOUR,
        "if any(address in network for network in NETWORKS):",
        "if True:",
        OTHERS + "an_address_outside_of_private_networks_is_not_called",
        ("8.8.8.8", "100.64.0.1", "[2606:4700::1111]", "[::ffff:8.8.8.8]"),
    ),
    Mutant(
        "no redirect is followed, and no other answer taken",
        NEIGHBOUR,
        "if answer.status != 200:",
        "if False:",
        OTHERS + "a_redirect_is_not_followed",
        (),
    ),
    Mutant(
        "a packed answer is not unpacked",
        NEIGHBOUR,
        "decode_content=False",
        "decode_content=True",
        OTHERS + "a_packed_answer_is_not_unpacked",
        (),
    ),
    Mutant(
        "a head that drips is cut off",
        NEIGHBOUR,
        "            if late.is_set():",
        "            if False:",
        OTHERS + "slow_retrieval_is_cut_off",
        ("a head that drips",),
    ),
    Mutant(
        "a body that drips is cut off",
        NEIGHBOUR,
        "if taken > self.limits.silence_seconds + come / self.limits.slowest_bytes_per_second:",
        "if False:",
        OTHERS + "slow_retrieval_is_cut_off",
        ("a body that drips",),
    ),
    Mutant(
        "a copy ends at its length",
        NEIGHBOUR,
        "                    if left < 0:",
        "                    if False:",
        OTHERS + "the_attacks_on_a_stick_are_refused_from_a_neighbour_too",
        (),
    ),
    # Signing anew
    Mutant(
        "a list is gone on from under its own number only",
        "appliance/packs/release.py",
        "            if found.snapshot.signed.version == number:",
        "            if True:",
        "tests/unit/packs/test_publish.py::test_a_release_without_a_timestamp_must_be_what_was_signed_under_its_number",
        (),
    ),
)

if __name__ == "__main__":
    sys.exit(main(MUTANTS))
