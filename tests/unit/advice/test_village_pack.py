"""The knowledge of a village goes to another as a pack, and a pack of a stranger is read as one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from appliance.advice.community import articles_of, notes_of
from appliance.advice.village_pack import VillagePack, read_pack, try_out
from appliance.errors import KnowledgeError, PackManifestError, PackSelftestError
from appliance.limits import LIMITS
from appliance.packs.store import InstalledPack, PackStore, verify
from appliance.storage.contributions import Contributions, State
from tests.knowledge_packs import ARTICLE, WRITTEN, accepted, knowledge_pack, opened

SOUND = ARTICLE.format(title="A thing", signs="it shakes")
NOTE = """[[notes]]
about = "maize-rust"
kind = "note"
text = "Ash helps."
language = "en"
name = "Asha"
day = "2026-11-23"
known_from = ""
"""
BY = '[by_village]\nname = "A"\nday = ""\nknown_from = ""\n[[sources]]'


@pytest.fixture
def kept(tmp_path: Path) -> Contributions:
    return Contributions(tmp_path / "community.json")


@pytest.fixture
def store(tmp_path: Path) -> PackStore:
    return PackStore(tmp_path / "none", tmp_path / "packs")


@pytest.fixture
def pack(kept: Contributions, store: PackStore) -> VillagePack:
    return VillagePack(store, lambda: kept.village)


def made(pack: VillagePack) -> InstalledPack:
    found = pack.renew()
    assert found is not None
    return found


def test_what_was_accepted_is_read_as_it_was_written(kept: Contributions, pack: VillagePack) -> None:
    texts = {**WRITTEN, "signs": 'a "quote" and \\ a slash\n+++ three\u00a0plus', "title": "Ümläute – ndizi 🍌"}
    own = accepted(kept, texts, "sw")
    accepted(kept, {"text": "line one\nline two", "known_from": "me"}, about="maize-rust")
    kept.name_village("Kibaoni")
    brought = read_pack(verify(made(pack).path))
    (article,) = brought.articles.values()
    (expected,) = articles_of(kept.village).values()
    assert expected.by is not None
    assert article == replace(expected, by=replace(expected.by, here=False))
    (note,) = brought.notes
    (written,) = notes_of(kept.village)
    assert note == replace(written, by=replace(written.by, here=False))
    assert (brought.village, brought.pack) == ("Kibaoni", f"village-{kept.village.code}")
    assert list(brought.articles) == [f"own-{own.id}"]


def test_nothing_tells_from_which_device_it_came(kept: Contributions, pack: VillagePack) -> None:
    accepted(kept)
    raw = b"".join(path.read_bytes() for path in made(pack).path.rglob("*") if path.is_file())
    assert b"Asha" in raw
    assert b"device-7" not in raw
    assert b"10.0.0.7" not in raw


def test_the_version_grows_with_every_change_and_not_without_one(kept: Contributions, pack: VillagePack) -> None:
    entry = accepted(kept)
    first = made(pack)
    assert made(pack) == first
    kept.add("another", "b", "article", "", "en", "", WRITTEN)  # waits: nobody reads it
    assert made(pack) == first
    kept.name_village("Kibaoni")
    second = made(pack)
    kept.decide(entry.id, entry.changes, State.REFUSED, "No.")
    third = made(pack)
    assert [each.manifest.version for each in (first, second, third)] == ["1.0.1", "1.0.2", "1.0.3"]
    assert read_pack(third).articles == {}  # a neighbour who has it, loses it by the newer one
    assert "Kibaoni" in second.manifest.title


def test_after_an_old_backup_the_version_goes_on(kept: Contributions, store: PackStore, tmp_path: Path) -> None:
    entry = accepted(kept)
    old = kept.village
    for name in ("A", "B", "C"):
        kept.name_village(name)
    assert made(VillagePack(store, lambda: kept.village)).manifest.version == "1.0.4"
    restored = VillagePack(store, lambda: old)
    assert made(restored).manifest.version == "1.0.5"
    assert list(read_pack(made(restored)).articles) == [f"own-{entry.id}"]


def test_it_can_be_handed_on_once_something_was_accepted(kept: Contributions, pack: VillagePack) -> None:
    assert (pack.offer(), pack.renew(), pack.name, pack.among(())) == (None, None, "", ())
    kept.add("phone", "a", "article", "", "en", "", WRITTEN)
    assert pack.offer() is None
    accepted(kept)
    offered = pack.offer()
    assert offered is not None
    installed = made(pack)
    assert pack.offer() == offered  # told before it was made as it is afterwards
    assert (offered.offer.name, offered.offer.version) == (installed.manifest.name, installed.manifest.version)
    assert pack.among((offered,)) == (offered,)


Change = Callable[[str], str]


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("articles/crops/A.md", str),
        ("articles/crops/a.b.md", str),
        ("articles/Crops/a.md", str),
        ("articles/crops/a.md", lambda text: text.replace("+++", "---")),
        ("articles/crops/a.md", lambda text: text.replace('title = "A thing"', f"title = {'[' * 20_000}")),
        ("articles/crops/a.md", lambda text: text.replace("A thing", "A \u202egniht")),
        ("articles/crops/a.md", lambda text: text.replace("A thing.", "A \u202egniht.")),
        ("articles/crops/a.md", lambda text: text.replace("it shakes", "it \\u0007 rings")),
        ("articles/crops/a.md", lambda text: text.replace("year = 2024", f"year = {'9' * 4_000}")),
        ("articles/crops/a.md", lambda text: text.replace("year = 2024", "year = -1")),
        (
            "articles/crops/a.md",
            lambda text: text.replace(
                "+++\n## ",
                '["<b>"]\ntitle="x"\naliases=[]\nsigns=["x"]\nfirst_steps=["x"]\ndanger=""\nget_help=""\n+++\n## ',
            ),
        ),
        ("articles/crops/a.md", lambda text: text.replace('title = "A', 'language = "xx"\ntitle = "A')),
        (
            "articles/crops/a.md",
            lambda text: text.replace("[[sources]]", BY).replace('title = "A', 'language = 7\ntitle = "A'),
        ),
        ("articles/crops/a.md", lambda text: text.replace("[[sources]]", BY.replace('name = "A"\n', ""))),
        ("articles/crops/a.md", lambda text: text + "x" * LIMITS.article_bytes),
        ("notes.toml", lambda _: "notes = 3"),
        ("notes.toml", lambda _: "notes = [3]"),
        ("notes.toml", lambda _: f"notes = {'[' * 20_000}"),
        ("notes.toml", lambda _: NOTE.replace('"note"', '"order"')),
        ("notes.toml", lambda _: NOTE.replace('"en"', '"<en>"')),
        ("notes.toml", lambda _: NOTE.replace('"Asha"', "7")),
        ("notes.toml", lambda _: NOTE.replace("Ash helps.", "")),
        ("notes.toml", lambda _: NOTE.replace("Ash helps.", "x" * 5_000)),
        ("notes.toml", lambda _: NOTE.replace("Ash helps.", "\u202eash")),
        ("notes.toml", lambda _: NOTE.replace('name = "Asha"\n', "")),
        ("notes.toml", lambda _: NOTE * 2_001),
    ],
)
def test_what_is_not_of_its_form_is_left_out_and_fails_the_self_test(tmp_path: Path, path: str, change: Change) -> None:
    files = {"articles/crops/sound.md": SOUND, path: change(SOUND)}
    pack = opened(knowledge_pack(tmp_path, files, village="Evil"))
    told: list[KnowledgeError] = []
    brought = read_pack(pack, on_error=told.append)
    assert list(brought.articles) == ["sound"]
    assert brought.notes == ()
    assert len(told) == 1
    with pytest.raises(PackSelftestError):
        try_out(pack)


def test_a_pack_is_bounded(tmp_path: Path) -> None:
    files = {f"articles/crops/a{number}.md": SOUND for number in range(4)} | {"notes.toml": NOTE * 4}
    pack = opened(knowledge_pack(tmp_path, files))
    try_out(pack)
    told: list[KnowledgeError] = []
    few = read_pack(pack, replace(LIMITS, pack_files=3), told.append)
    assert (len(few.articles), len(few.notes), len(told)) == (3, 0, 2)
    small = read_pack(pack, replace(LIMITS, knowledge_bytes=2 * len(SOUND)), told.append)
    assert (len(small.articles), len(small.notes)) == (2, 0)
    many = opened(knowledge_pack(tmp_path, files, "many", languages=tuple(f"x{a}" for a in "abcdefghijklmnopq")))
    with pytest.raises(KnowledgeError, match="languages"):
        read_pack(many)


def test_what_is_elsewhere_in_a_pack_is_no_article(tmp_path: Path) -> None:
    files = {"articles/crops/sound.md": SOUND, "README.md": "x", "articles/x.md": "x", "other/crops/y.md": "x"}
    pack = opened(knowledge_pack(tmp_path, files))
    assert list(read_pack(pack).articles) == ["sound"]
    assert read_pack(pack).village is None


def test_a_village_cannot_say_that_it_was_reviewed(tmp_path: Path) -> None:
    (article,) = read_pack(
        opened(knowledge_pack(tmp_path, {"articles/crops/a.md": SOUND}, village=""))
    ).articles.values()
    assert article.by is not None
    assert (article.by.village, article.reviewed) == ("", "")


@pytest.mark.parametrize("village", ["x" * 61, "a\x07b", "a\nb"])
def test_a_village_has_a_name_that_can_be_shown(tmp_path: Path, village: str) -> None:
    folder = knowledge_pack(tmp_path, {"articles/crops/a.md": SOUND}, village=village)
    with pytest.raises(PackManifestError, match="village"):
        opened(folder)
