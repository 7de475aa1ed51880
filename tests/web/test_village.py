"""Members add to the knowledge by form, the keeper reads it, and it goes from village to village by stick."""

from __future__ import annotations

import html
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from appliance.cli import main
from appliance.errors import PackSelftestError, StorageError
from appliance.limits import LIMITS
from appliance.storage.contributions import CONTRIBUTIONS, State
from tests.conftest import ROOT
from tests.knowledge_packs import ARTICLE, WRITTEN, knowledge_pack
from tests.web.boxes import Phone, make_appliance
from tests.web.keepers import KeepersBox, done, field_of, make_keepers_box, words_of
from webui.app import create_app

pytestmark = pytest.mark.usefixtures("quick_pin")

WORM = "maize-fall-armyworm"
XSS = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{7*11111111}}"
MARKUP = re.compile(r"<(?:script>|img)")


@pytest.fixture
def knowledge(tmp_path: Path) -> Path:
    """Of one article: most tests need no more, and a box is made in a moment."""
    (tmp_path / "knowledge" / "crops").mkdir(parents=True)
    shutil.copy(ROOT / "knowledge" / "crops" / f"{WORM}.md", tmp_path / "knowledge" / "crops")
    return tmp_path / "knowledge"


@pytest.fixture
def box(tmp_path: Path, knowledge: Path) -> Iterator[KeepersBox]:
    made = make_keepers_box(tmp_path / "box", knowledge=str(knowledge))
    yield made
    made.appliance.close()


def article_form(**changes: str) -> dict[str, str]:
    return {"language": "en", "name": "Asha", **{f"answer-{key}": text for key, text in {**WRITTEN, **changes}.items()}}


def write(phone: Phone, form: dict[str, str] | None = None) -> str:
    """The id of an article that was written."""
    response = phone.post("/village/write", form or article_form())
    assert response.status_code == 303, response.text
    return str(re.sub(r"\?.*", "", response.location).rpartition("/")[2])


def note(phone: Phone, text: str, kind: str = "note") -> str:
    form = {"language": "en", "name": "Juma", "kind": kind, "answer-text": text, "answer-known_from": "my field"}
    response = phone.post(f"/articles/{WORM}/note", form)
    assert response.status_code == 303, response.text
    return str(re.sub(r"\?.*", "", response.location).rpartition("/")[2])


def accept(keeper: Phone, entry: str) -> None:
    page = keeper.get(f"/keeper/knowledge/{entry}").text
    response = keeper.post(f"/keeper/knowledge/{entry}/accept", {"seen": field_of(page, "seen")})
    assert response.status_code == 303, response.text


def test_what_a_member_writes_is_theirs_alone_until_the_keeper_has_read_it(box: KeepersBox) -> None:
    member, other = box.phone(), box.phone()
    assert "/village/write" in member.get("/village").text
    entry = write(member)
    page = member.get(f"/village/{entry}?sent=yes").text
    assert "It is with the keeper now." in words_of(page)
    assert "Article: waiting for the keeper" in words_of(page)
    assert "Moles under the sweet potatoes" in words_of(member.get("/village").text)
    assert other.get(f"/village/{entry}").status_code == 404
    assert other.post(f"/village/{entry}/withdraw").status_code == 404
    for path in ("/ask", f"/articles/own-{entry}", "/village", "/ask?q=moles+under+the+sweet+potatoes"):
        assert "Chilli burns" not in other.get(path).text
        assert 'href="/articles/own-' not in other.get(path).text


def test_what_is_accepted_is_read_by_everybody_and_says_that_no_expert_reviewed_it(box: KeepersBox) -> None:
    entry = write(box.phone())
    keeper = box.keeper()
    assert "1 article or note waits for you." in words_of(keeper.get("/keeper").text)
    assert "Moles under the sweet potatoes Article · Asha" in words_of(keeper.get("/keeper/knowledge").text)
    accept(keeper, entry)
    keeper.post("/keeper/knowledge/name", {"name": "Kibaoni"})
    page = box.phone().get(f"/articles/own-{entry}").text
    said = words_of(page)
    assert "From Kibaoni – not reviewed by an expert Asha, " in said
    assert "Known from: my grandmother" in said
    assert said.index("Chilli burns") < said.index("From Kibaoni") < said.index("What you see")
    assert "Sources" not in said
    assert f"/articles/own-{entry}" in box.phone().get("/ask").text
    assert "Not checked against the full text" not in said
    spanish = box.phone("es").get(f"/articles/own-{entry}").text
    assert '<h1 lang="en" dir="ltr">Moles under the sweet potatoes</h1>' in spanish


def test_a_note_stands_under_its_article_and_changes_nothing_in_it(box: KeepersBox) -> None:
    member, keeper = box.phone(), box.keeper()
    before = words_of(box.phone().get(f"/articles/{WORM}").text)
    first, second = note(member, "We use ash."), note(member, "The first step\nis wrong here.", "correction")
    own = words_of(member.get(f"/articles/{WORM}").text)
    assert "Only you see this: it is waiting for the keeper. Look at it We use ash." in own
    assert words_of(box.phone().get(f"/articles/{WORM}").text) == before
    accept(keeper, first)
    accept(keeper, second)
    page = words_of(box.phone().get(f"/articles/{WORM}").text)
    added = "What people add From this village – not reviewed by an expert Juma, "
    button = "Add a note, or say what is wrong"
    assert page.startswith(before.removesuffix(button).strip())
    assert added in page
    assert page.index("We use ash.") < page.index(
        "They say that something above is wrong: The first step is wrong here."
    )
    assert "Only you see this" not in words_of(member.get(f"/articles/{WORM}").text)
    assert "Look at it" not in page


def test_the_keeper_mends_refuses_and_takes_back(box: KeepersBox) -> None:
    member, keeper = box.phone(), box.keeper()
    entry = write(member)
    page = keeper.get(f"/keeper/knowledge/{entry}").text
    form = article_form(title="Moles", danger="Chilli burns in the eyes; wear glasses.") | {"seen": "1"}
    wrong = keeper.post(f"/keeper/knowledge/{entry}/edit", form | {"answer-title": ""})
    assert wrong.status_code == 400
    assert "wear glasses" in wrong.text  # what was typed is not lost
    assert '<details class="panel" open>' in wrong.text
    assert '<details class="panel">' in page
    assert keeper.post(f"/keeper/knowledge/{entry}/edit", form).status_code == 303
    assert "wear glasses" in box.phone().get(f"/articles/own-{entry}").text
    assert "The keeper has changed it." in words_of(member.get(f"/village/{entry}").text)
    kept = words_of(keeper.get(f"/keeper/knowledge/{entry}").text)
    assert "As it was written, before you changed it" in kept
    assert "Moles under the sweet potatoes" in kept
    silent = keeper.post(f"/keeper/knowledge/{entry}/refuse", {"seen": "2", "words": " "})
    assert silent.status_code == 400
    assert keeper.post(f"/keeper/knowledge/{entry}/refuse", {"seen": "2", "words": "It hurt Juma."}).status_code == 303
    assert box.phone().get(f"/articles/own-{entry}").status_code == 404
    told = words_of(member.get(f"/village/{entry}").text)
    assert "Article: not accepted The keeper says: It hurt Juma." in told
    accept(keeper, entry)  # a keeper may think again
    assert box.phone().get(f"/articles/own-{entry}").status_code == 200


def test_what_was_withdrawn_meanwhile_is_not_accepted(box: KeepersBox) -> None:
    member, keeper = box.phone(), box.keeper()
    entry = write(member)
    seen = field_of(keeper.get(f"/keeper/knowledge/{entry}").text, "seen")
    assert member.post(f"/village/{entry}/withdraw").status_code == 303
    late = keeper.post(f"/keeper/knowledge/{entry}/accept", {"seen": seen})
    assert late.status_code == 409
    assert "It has changed meanwhile." in late.text
    assert "withdrawn by whoever wrote it" in words_of(late.text)
    assert "Accept it" not in late.text
    assert box.phone().get(f"/articles/own-{entry}").status_code == 404


def test_what_was_accepted_is_withdrawn_by_its_writer_at_once(box: KeepersBox) -> None:
    member = box.phone()
    entry = write(member)
    accept(box.keeper(), entry)
    assert box.phone().get(f"/articles/own-{entry}").status_code == 200
    member.post(f"/village/{entry}/withdraw")
    assert box.phone().get(f"/articles/own-{entry}").status_code == 404


def test_a_form_that_is_not_filled_in_keeps_what_was_typed(box: KeepersBox) -> None:
    answer = box.phone("es").post("/village/write", article_form(title="", signs="") | {"language": "sw"})
    assert answer.status_code == 400
    assert "my grandmother" in answer.text
    assert 'href="#answer-title"' in answer.text
    assert '<input type="radio" name="language" value="sw" checked>' in answer.text
    assert 'aria-invalid="true"' in answer.text
    long = box.phone().post("/village/write", article_form(danger="x" * 5_000))
    assert long.status_code == 413
    assert "4,000 is the most" in long.text
    wrong = box.phone().post(f"/articles/{WORM}/note", {"kind": "correction", "answer-text": ""})
    assert wrong.status_code == 400
    assert 'value="correction" checked' in wrong.text


def test_a_language_that_is_not_offered_is_the_page_s(box: KeepersBox) -> None:
    member = box.phone("es")
    entry = write(member, article_form() | {"language": "<b>"})
    assert box.appliance.knowing.community.kept.get(entry).language == "es"


def test_there_is_no_note_to_what_is_not_there(box: KeepersBox) -> None:
    waiting = write(box.phone())
    for article in ("nothing", f"own-{waiting}"):
        assert box.phone().get(f"/articles/{article}/note").status_code == 404
        assert box.phone().post(f"/articles/{article}/note", {"answer-text": "x"}).status_code == 404
    assert box.keeper().get("/keeper/knowledge/nothing").status_code == 404


def test_a_flood_from_one_phone_is_stopped_and_others_are_not(box: KeepersBox) -> None:
    for _ in range(LIMITS.contributions_waiting_per_owner):
        note(box.phone(), "flood")  # a new browser, without cookies, at the same address
    full = box.phone().post(f"/articles/{WORM}/note", {"answer-text": "more"})
    assert full.status_code == 429
    assert "more</textarea>" in full.text
    note(box.phone(address="10.42.0.99"), "from another")


def test_only_a_keeper_reads_what_waits(box: KeepersBox) -> None:
    entry = write(box.phone())
    for path in ("/keeper/knowledge", f"/keeper/knowledge/{entry}"):
        assert box.phone().get(path).status_code == 303
    for path in ("name", "restore", f"{entry}/accept", f"{entry}/edit", f"{entry}/refuse"):
        assert box.phone().post(f"/keeper/knowledge/{path}", {"seen": "1", "words": "x"}).status_code == 303
    assert box.appliance.knowing.community.kept.get(entry).state is State.WAITING
    assert box.appliance.knowing.community.village.name == ""


def test_nothing_that_people_write_is_markup(box: KeepersBox) -> None:
    """In every field, on every page that shows it: to its writer, to the keeper, and to everybody."""
    member, keeper = box.phone(), box.keeper()
    lines = f"{XSS}\n{XSS}"
    entry = write(member, {"language": "en", "name": XSS[:40], **{f"answer-{key}": lines for key in WRITTEN}})
    first = note(member, XSS)
    keeper.post("/keeper/knowledge/name", {"name": XSS[:40]})
    pages = [member.get(path) for path in ("/village", f"/village/{entry}", f"/village/{first}", f"/articles/{WORM}")]
    pages += [keeper.get(f"/keeper/knowledge{path}") for path in ("", f"/{entry}", f"/{first}")]
    pages += [
        keeper.post(f"/keeper/knowledge/{entry}/edit", {"seen": "7", **{f"answer-{key}": XSS for key in WRITTEN}})
    ]
    pages += [member.post("/village/write", article_form(title="", danger=XSS))]
    accept(keeper, entry)
    accept(keeper, first)
    keeper.post(f"/keeper/knowledge/{first}/refuse", {"seen": "2", "words": XSS})
    pages += [member.get(f"/village/{first}"), keeper.get(f"/keeper/knowledge/{first}")]
    accept(keeper, first)
    readers = box.phone("es")
    pages += [readers.get(path) for path in ("/ask", f"/articles/own-{entry}", f"/articles/{WORM}", "/ask?q=alert")]
    pages += [keeper.get("/keeper/history"), keeper.get("/keeper/copy"), readers.get(f"/articles/own-{entry}/note")]
    shown = 0
    for page in pages:
        assert not MARKUP.search(page.text.replace("<script src=", "")), page.request.path
        assert "onerror=alert(2)>" not in page.text
        assert "77777777" not in page.text
        shown += "&lt;script&gt;" in page.text
    assert shown >= 12


def test_a_file_that_broke_is_told_and_the_copy_is_brought_back(tmp_path: Path, knowledge: Path) -> None:
    first = make_keepers_box(tmp_path / "box", knowledge=str(knowledge))
    entry = write(first.phone())
    accept(first.keeper(), entry)
    note(first.phone(), "lost")
    first.appliance.close()
    path = first.appliance.config.data / CONTRIBUTIONS
    path.write_bytes(path.read_bytes()[:-9])
    again = make_appliance(first.appliance.config.data, packs=str(tmp_path / "none"), knowledge=str(knowledge))
    again.start()
    try:
        (told,) = again.problems
        assert told.key == "contributions_set_aside"
        box = KeepersBox(tmp_path / "box", again, create_app(again))
        keeper = box.keeper()
        assert box.phone().get(f"/articles/own-{entry}").status_code == 404
        assert "A copy from before is there" in words_of(keeper.get("/keeper/knowledge").text)
        assert keeper.post("/keeper/knowledge/restore").status_code == 303
        assert box.phone().get(f"/articles/own-{entry}").status_code == 200
        assert "A copy from before" not in words_of(keeper.get("/keeper/knowledge").text)
        assert keeper.post("/keeper/knowledge/restore").status_code == 404
    finally:
        again.close()


def test_an_article_is_read_though_the_disk_fails(box: KeepersBox, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise StorageError(path="community.json", reason="the card failed")

    monkeypatch.setattr("appliance.knowing.Contributions", fail)
    assert box.phone().get(f"/articles/{WORM}").status_code == 200
    assert box.keeper().get("/keeper").status_code == 200


def test_what_one_village_knows_is_found_in_another(tmp_path: Path) -> None:
    """Two boxes that know of crops: written and accepted here, copied to a stick, trusted and installed there."""
    knowledge = str(shutil.copytree(ROOT / "knowledge" / "crops", tmp_path / "knowledge" / "crops").parent)
    here, there = (make_keepers_box(tmp_path / name, knowledge=knowledge) for name in ("here", "there"))
    question = "/ask?q=moles+gnaw+my+sweet+potatoes+and+leave+little+hills+of+earth"
    try:
        for box in (here, there):
            box.appliance.start()
        keeper = here.keeper()
        keeper.post("/keeper/knowledge/name", {"name": "Kibaoni"})
        entry = write(here.phone())
        remark = note(here.phone(), "Zimwinyumba is its name here.")
        write(here.phone(address="10.42.0.50"), article_form(title="Not accepted, so it stays here"))
        accept(keeper, entry)
        accept(keeper, remark)
        assert f"/articles/own-{entry}" in here.phone().get(question).text
        history = words_of(keeper.get("/keeper/history").text)
        assert "The village is called: Kibaoni." in history
        assert "Accepted for the knowledge of the village: “Moles under the sweet potatoes”." in history
        name = here.appliance.knowing.village_pack.name
        (here.folder / "sticks" / "usb").mkdir()
        copy = keeper.get("/keeper/copy").text
        assert "Knowledge of Kibaoni" in words_of(copy)
        copied = done(here, keeper, "/keeper/copy/packs", {"place": "usb", "pack": [name]})
        assert f"{name} 1.0." in words_of(copied)
        shutil.copytree(here.folder / "sticks" / "usb", there.folder / "sticks" / "usb")
        other = there.keeper()
        trusted = other.post(
            "/keeper/publishers/add",
            {
                "place": "usb",
                "name": "kibaoni",
                "words": here.appliance.own_root().words,
                "brings": "some",
                "kind": "knowledge",
            },
        )
        assert trusted.status_code == 303, trusted.text
        done(there, other, "/keeper/sticks/bring", {"place": "usb", "pack": [name]})
        found = there.phone().get(question).text
        assert f"/articles/{name}.own-{entry}" in found
        assert "From Kibaoni – not reviewed by an expert" in html.unescape(found)
        assert words_of(found).index("Chilli burns") < words_of(found).index("From Kibaoni")
        assert "Zimwinyumba is its name here." in there.phone().get(f"/articles/{WORM}").text
        assert "Not accepted, so it stays here" not in there.phone().get("/ask").text
        shutil.rmtree(there.appliance.config.data / "packs" / name)
        there.appliance.look_at_packs()
        assert f"/articles/{name}" not in there.phone().get(question).text
        assert "Zimwinyumba" not in there.phone().get(f"/articles/{WORM}").text
    finally:
        here.appliance.close()
        there.appliance.close()


def test_it_is_copied_by_the_command_and_what_is_taken_back_is_not_given_any_more(
    box: KeepersBox, tmp_path: Path
) -> None:
    member, keeper = box.phone(), box.keeper()
    entry = write(member)
    accept(keeper, entry)
    village, stick = box.appliance.knowing.village_pack, tmp_path / "stick"
    stick.mkdir()
    environment = {"BARAZA_DATA": str(box.appliance.config.data), "BARAZA_PACKS": str(tmp_path / "none")}

    def run(*words: str) -> str:
        result = CliRunner().invoke(main, ["packs", "export", str(stick), *words], env=environment)
        assert result.exit_code == 0, result.output
        return str(result.output)

    assert f"{village.name} 1.0.1 knowledge" in " ".join(run("--list").split())
    assert f"{village.name} 1.0.1" in run(village.name)
    assert list(stick.rglob(f"*{village.name}-1.0.1.pack"))
    member.post(f"/village/{entry}/withdraw")
    pack = box.appliance.packs.find(village.name)
    assert pack is not None
    assert pack.manifest.version == "1.0.2"  # other boxes in the network are given this one
    assert not list(pack.path.rglob("*.md"))
    assert f"{village.name} 1.0.2" in run()


def test_a_broken_knowledge_pack_is_not_installed(box: KeepersBox, tmp_path: Path) -> None:
    bad = knowledge_pack(tmp_path, {"articles/crops/a.md": "+++\n"}, "village-evil", "Evil")
    with pytest.raises(PackSelftestError):
        box.appliance.install(bad)
    assert box.appliance.packs.find("village-evil") is None


def test_small_limits_are_said_on_the_form(tmp_path: Path, knowledge: Path) -> None:
    limits = replace(LIMITS, contributions_waiting=1)
    appliance = make_appliance(tmp_path / "data", limits, packs=str(tmp_path / "none"), knowledge=str(knowledge))
    box = KeepersBox(tmp_path, appliance, create_app(appliance))
    write(box.phone())
    full = box.phone(address="10.42.0.99").post("/village/write", article_form())
    assert full.status_code == 503
    assert "So much waits for the keeper" in full.text
    appliance.close()


def test_a_publisher_replaces_an_article_and_a_neighbour_only_adds(box: KeepersBox, tmp_path: Path) -> None:
    """Who signed it decides, not what the pack says of itself."""
    files = {f"articles/crops/{WORM}.md": ARTICLE.format(title="The worm, anew", signs="holes")}
    box.stick("usb", "ministry", knowledge_pack(tmp_path, files))
    box.appliance.installs.start()
    box.trusts("ministry")
    keeper = box.keeper()
    done(box, keeper, "/keeper/sticks/bring", {"place": "usb", "pack": ["ministry-maize"]})
    page = box.phone().get(f"/articles/{WORM}").text
    assert '<h1 lang="en" dir="ltr">The worm, anew</h1>' in page
    assert "not reviewed by an expert" not in page
    assert MARKUP.search(page.replace("<script src=", "")) is None  # the Markdown of the pack has a script in it
    keeper.post("/keeper/publishers/ministry", {"brings": "some", "kind": "knowledge"})
    assert "The worm, anew" not in box.phone().get(f"/articles/{WORM}").text
    beside = words_of(box.phone().get(f"/articles/ministry-maize.{WORM}").text)
    assert "From Maize of the ministry – not reviewed by an expert" in beside


def test_a_pack_that_came_with_the_software_is_believed(tmp_path: Path, knowledge: Path) -> None:
    shipped = tmp_path / "shipped" / "ministry-maize"
    shipped.mkdir(parents=True)
    files = {f"articles/crops/{WORM}.md": ARTICLE.format(title="The worm, anew", signs="holes")}
    knowledge_pack(tmp_path, files).rename(shipped / "1.0.0")
    appliance = make_appliance(tmp_path / "data", packs=str(tmp_path / "shipped"), knowledge=str(knowledge))
    assert appliance.knowing.article(WORM).face("en").title == "The worm, anew"
    appliance.close()
