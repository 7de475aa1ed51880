"""The keeper's door: who gets in, for how long, and where everybody else is sent."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.errors import StorageError
from appliance.keeper.pin import KeeperPin
from tests.web.boxes import Phone, make_appliance
from tests.web.keepers import PHONE, PIN, KeepersBox, every_route, field_of, make_keepers_box
from webui import keeping
from webui.app import create_app
from webui.keeping import Sessions

OPEN = {("GET", "/keeper/pin"), ("POST", "/keeper/pin"), ("POST", "/keeper/first")}
OTHER = "six goats on a hill"

pytestmark = pytest.mark.usefixtures("quick_pin")


@pytest.fixture
def box(tmp_path: Path) -> Iterator[KeepersBox]:
    made = make_keepers_box(tmp_path)
    yield made
    made.appliance.close()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[KeepersBox]:
    """The same before a PIN was set."""
    made = make_keepers_box(tmp_path)
    made.appliance.keeper.forget()
    yield made
    made.appliance.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, box: KeepersBox) -> list[float]:
    """Monotonic time of the sessions and of the tries, in one place that a test moves."""
    now = [1_000.0]
    box.app.extensions[keeping.EXTENSION] = Sessions(box.appliance.limits, lambda: now[0])
    box.appliance.keeper = KeeperPin(box.appliance.keeper.file.parent, clock=lambda: now[0])
    return now


def is_let_in(phone: Phone) -> bool:
    response = phone.get("/keeper")
    assert response.status_code in (200, 303)
    return response.status_code == 200


# Who is let in


def test_every_keepers_page_refuses_whoever_has_not_entered_the_pin(box: KeepersBox) -> None:
    routes = every_route(box.app, lambda path: path.startswith("/keeper"))
    assert set(routes) >= OPEN
    assert len(routes) > 30
    before = (box.appliance.trust.roots(), box.appliance.installs.held_for("keeper"))
    for method, path in sorted(set(routes) - OPEN):
        for phone in (box.phone(), box.phone(address="127.0.0.1")):
            phone.client.set_cookie("keeper", "A" * 43, path="/keeper")
            response = phone.get(path) if method == "GET" else phone.post(path)
            assert response.status_code == 303, path
            assert response.location.startswith("/keeper/pin"), path
            assert response.headers["Cache-Control"] == "no-store"
    assert (box.appliance.trust.roots(), box.appliance.installs.held_for("keeper")) == before


def test_no_view_of_a_keepers_module_lies_outside_of_keeper(box: KeepersBox) -> None:
    views = {rule.rule for rule in box.app.url_map.iter_rules() if rule.endpoint.startswith("keeper")}
    assert all(path == "/keeper" or path.startswith("/keeper/") for path in views)


def test_the_pin_opens_and_leads_to_where_one_was_going(box: KeepersBox) -> None:
    phone = box.phone()
    asked = phone.get("/keeper/sticks/look?place=a%20b")
    page = phone.get(asked.location).text
    response = phone.post("/keeper/pin", {"pin": " 80 41 72 ", "next": field_of(page, "next")})
    assert (response.status_code, response.location) == (303, "/keeper/sticks/look?place=a%20b")
    assert is_let_in(phone)


def test_another_pin_does_not(box: KeepersBox) -> None:
    for number, pin in enumerate(("", "804173", "80417", "804172x", "' OR 1=1", "9" * 5_000)):
        phone = box.phone("es", f"10.42.0.{number}")
        response = phone.post("/keeper/pin", {"pin": pin})
        assert response.status_code == 403
        assert 'role="alert"' in response.text
        assert "keeper=" not in response.headers.get("Set-Cookie", "")
        assert pin not in response.text or not pin
        assert not is_let_in(phone)


def test_the_cookie_is_for_the_keepers_pages_of_this_box_only(box: KeepersBox) -> None:
    phone = box.phone()
    phone.get("/")
    cookie = phone.post("/keeper/pin", {"pin": PIN}).headers["Set-Cookie"]
    assert re.match(r"keeper=[A-Za-z0-9_-]{43};", cookie)
    assert {"HttpOnly", "Path=/keeper", "SameSite=Strict"} <= set(cookie.split("; "))
    assert "Max-Age" not in cookie
    assert "Expires" not in cookie


def test_a_foreign_page_cannot_enter_a_pin_nor_do_anything(box: KeepersBox) -> None:
    keeper = box.keeper()
    for path in ("/keeper/pin", "/keeper/clock", "/keeper/leave", "/keeper/publishers/add"):
        assert keeper.post(path, {"pin": PIN}, Origin="http://evil.example").status_code == 403
    assert is_let_in(keeper)


def test_one_is_sent_on_to_keepers_pages_of_this_box_only(box: KeepersBox) -> None:
    keeper = box.keeper()
    for where in (
        "http://evil.example/keeper",
        "//evil.example/keeper",
        "/\\evil.example",
        "/keeper\\@evil.example",
        "/keeper.evil.example",
        "keeper",
        "/about",
        "/keeper/\nSet-Cookie: a=b",
        "javascript:alert(1)",
        "",
    ):
        assert box.phone().post("/keeper/pin", {"pin": PIN, "next": where}).location == "/keeper", where
        assert keeper.client.get("/keeper/pin", query_string={"next": where}).location == "/keeper", where


def test_a_keepers_page_is_kept_by_no_browser_even_if_it_breaks(box: KeepersBox) -> None:
    keeper = box.keeper()
    for path in ("/keeper", "/keeper/packs", "/keeper/packs/none/back", "/keeper/jobs/none", "/keeper/pin"):
        assert keeper.get(path).headers["Cache-Control"] == "no-store", path


# Guessing


def test_guessing_slows_down_and_the_page_says_for_how_long(box: KeepersBox, clock: list[float]) -> None:
    phone = box.phone()
    answers = [phone.post("/keeper/pin", {"pin": f"90417{number}"}) for number in range(6)]
    assert [response.status_code for response in answers] == [403, 403, 403, 403, 429, 429]
    assert "30 seconds" in answers[-1].text
    assert "30 seconds" in phone.get("/keeper/pin").text
    assert phone.post("/keeper/pin", {"pin": PIN}).status_code == 429  # not looked at
    clock[0] += 31
    assert phone.post("/keeper/pin", {"pin": PIN}).status_code == 303


def test_deleting_the_cookie_gains_nothing(box: KeepersBox, clock: list[float]) -> None:
    codes = [box.phone().post("/keeper/pin", {"pin": "904170"}).status_code for _ in range(6)]
    assert codes[-1] == 429
    at_the_box = [
        box.phone(address="127.0.0.1").post("/keeper/pin", {"pin": "904170"}, Host="localhost").status_code
        for _ in range(6)
    ]
    assert at_the_box[:4] == [403] * 4
    assert at_the_box[-1] == 429


def test_a_restart_forgets_sessions_but_no_wrong_tries(box: KeepersBox) -> None:
    keeper, thief = box.keeper(), box.phone(address="10.42.0.66")
    for _ in range(5):
        thief.post("/keeper/pin", {"pin": "904170"})
    box.appliance.close()
    again = make_appliance(box.folder / "data", packs=str(box.folder / "shipped"))
    try:
        app = create_app(again)
        for phone in (keeper, thief):
            phone.client.application = app
        assert not is_let_in(keeper)
        assert thief.post("/keeper/pin", {"pin": PIN}).status_code == 429
        assert keeper.post("/keeper/pin", {"pin": PIN}).status_code == 303  # whose device is known
    finally:
        again.close()


def test_a_whole_village_of_guessers_does_not_keep_the_keeper_out(box: KeepersBox) -> None:
    keeper = box.keeper()
    keeper.post("/keeper/leave")
    for number in range(20):
        box.phone(address=f"10.42.1.{number}").post("/keeper/pin", {"pin": "904170"})
    assert box.phone(address="10.42.2.1").post("/keeper/pin", {"pin": PIN}).status_code == 429
    assert keeper.post("/keeper/pin", {"pin": PIN}).status_code == 303
    assert box.phone(address="127.0.0.1").post("/keeper/pin", {"pin": PIN}).status_code == 303


# How long


def test_a_session_ends_after_fifteen_idle_minutes(box: KeepersBox, clock: list[float]) -> None:
    keeper = box.keeper()
    for _ in range(5):
        clock[0] += 14 * 60
        assert is_let_in(keeper)
    clock[0] += 15 * 60 + 1
    assert not is_let_in(keeper)
    clock[0] -= 15 * 60
    assert not is_let_in(keeper)  # once over, it does not come back


def test_a_session_ends_at_log_out_on_the_box_and_not_only_in_the_browser(box: KeepersBox) -> None:
    keeper = box.keeper()
    cookie = keeper.client.get_cookie("keeper", path="/keeper")
    assert cookie is not None
    response = keeper.post("/keeper/leave", follow=True)
    assert "You are logged out." in response.text
    keeper.client.set_cookie("keeper", cookie.value, path="/keeper")
    assert not is_let_in(keeper)


def test_a_session_belongs_to_one_device(box: KeepersBox) -> None:
    keeper, thief = box.keeper(), box.phone()
    cookie = keeper.client.get_cookie("keeper", path="/keeper")
    assert cookie is not None
    thief.get("/")
    thief.client.set_cookie("keeper", cookie.value, path="/keeper")
    assert not is_let_in(thief)
    assert not is_let_in(keeper)  # somebody else had its word: it counts for nobody any more


def test_sessions_are_few_and_a_device_has_one(box: KeepersBox) -> None:
    sessions = Sessions(box.appliance.limits)
    stamp = box.appliance.keeper.stamp()
    first = sessions.begin("one", stamp)
    second = sessions.begin("one", stamp)
    assert not sessions.is_open(first, "one", stamp)
    others = [sessions.begin(f"device {number}", stamp) for number in range(box.appliance.limits.keeper_sessions)]
    assert not sessions.is_open(second, "one", stamp)
    assert sessions.is_open(others[-1], f"device {len(others) - 1}", stamp)


def test_another_pin_ends_every_other_session(box: KeepersBox) -> None:
    keeper, other = box.keeper(), box.keeper()
    form = {"pin": PIN, "new": OTHER, "again": OTHER}
    assert keeper.post("/keeper/change", {**form, "again": "eight goats"}).status_code == 400
    assert keeper.post("/keeper/change", {**form, "pin": "904170"}).status_code == 403
    assert keeper.post("/keeper/change", {**form, "new": "123456", "again": "123456"}).status_code == 400
    assert is_let_in(other)
    response = keeper.post("/keeper/change", form)
    assert (response.status_code, response.location) == (303, "/keeper?changed=yes")
    assert is_let_in(keeper)
    assert not is_let_in(other)
    assert other.post("/keeper/pin", {"pin": OTHER}).status_code == 303
    KeeperPin(box.appliance.keeper.file.parent).set_anew(PIN)  # the command line, while the box is at work
    assert not is_let_in(keeper)


# The first PIN


def first(phone: Phone, new: str = PIN, again: str = PIN, **headers: str) -> int:
    return phone.post("/keeper/first", {"new": new, "again": again}, **headers).status_code


@pytest.mark.parametrize(
    ("host", "origin"),
    [("localhost", "http://localhost"), ("127.0.0.1:8080", "http://127.0.0.1:8080"), ("[::1]:80", "http://[::1]")],
)
def test_the_first_pin_is_set_on_the_screen_of_the_box(bare: KeepersBox, host: str, origin: str) -> None:
    screen = bare.phone(address="::1" if host[0] == "[" else "127.0.0.1")
    page = screen.get("/keeper", Host=host)
    assert page.location.startswith("/keeper/pin")
    assert 'action="/keeper/first"' in screen.get("/keeper/pin", Host=host).text
    assert first(screen, Host=host, Origin=origin) == 303
    assert bare.appliance.keeper.stamp()
    assert screen.get("/keeper", Host=host).status_code == 200


def test_no_telephone_sets_the_first_pin(bare: KeepersBox) -> None:
    for address in (PHONE, "192.168.4.1", "::ffff:10.42.0.7", "fd00::7", ""):
        phone = bare.phone(address=address)
        assert 'action="/keeper/first"' not in phone.get("/keeper/pin").text
        assert "baraza keeper pin" in phone.get("/keeper/pin").text
        assert first(phone) == 403
        assert bare.appliance.keeper.stamp() == ""
        assert phone.post("/keeper/pin", {"pin": ""}).status_code == 403


def test_what_comes_through_a_proxy_on_the_box_does_not_come_from_its_screen(bare: KeepersBox) -> None:
    for headers in (
        {"X-Forwarded-For": "10.42.0.23"},
        {"X-Real-IP": "10.42.0.23"},
        {"Forwarded": "for=10.42.0.23"},
        {"Via": "1.1 proxy"},
        {"X-Forwarded-Host": "baraza.local"},
        {"Host": "baraza.local", "Origin": "http://baraza.local"},
        {"Host": "10.42.0.1", "Origin": "http://10.42.0.1"},
    ):
        assert first(bare.phone(address="127.0.0.1"), **headers) == 403, headers
        assert bare.appliance.keeper.stamp() == ""


def test_the_first_pin_is_set_once_and_must_be_one(bare: KeepersBox) -> None:
    screen = bare.phone(address="127.0.0.1")
    assert first(screen, "123456", "123456") == 400
    assert first(screen, PIN, "804173") == 400
    assert first(screen) == 303
    other = bare.phone(address="127.0.0.1")
    assert first(other, OTHER, OTHER) == 403
    assert not is_let_in(other)
    assert other.post("/keeper/pin", {"pin": PIN}).status_code == 303


def test_a_damaged_pin_opens_to_nobody_and_says_what_to_do(box: KeepersBox) -> None:
    keeper = box.keeper()
    box.appliance.keeper.file.write_bytes(b"nonsense")
    screen = box.phone(address="127.0.0.1")
    assert not is_let_in(keeper)
    page = screen.get("/keeper/pin").text
    assert "cannot be read any more" in page
    assert "baraza keeper pin" in page
    assert "<input" not in page.split("<main")[1]
    assert first(screen, OTHER, OTHER) == 403
    assert screen.post("/keeper/pin", {"pin": PIN}).status_code == 403
    box.appliance.keeper.set_anew(OTHER)
    assert screen.post("/keeper/pin", {"pin": OTHER}).status_code == 303


def test_a_card_that_fails_lets_nobody_in_and_is_told(box: KeepersBox, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = box.keeper()

    def broken() -> None:
        raise StorageError(path="pin.json", reason="Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(box.appliance.keeper, "_read", broken)
        for response in (
            keeper.get("/keeper"),
            keeper.get("/keeper/pin"),
            keeper.post("/keeper/pin", {"pin": PIN}),
            keeper.post("/keeper/first", {"new": PIN, "again": PIN}),
        ):
            assert response.status_code in (403, 507)
            assert "<html" in response.text
            assert "keeper=" not in response.headers.get("Set-Cookie", "")
    assert is_let_in(keeper)


def test_a_backup_brings_the_pin_along(box: KeepersBox, tmp_path: Path) -> None:
    from appliance.storage.backup import make_backup, restore

    box.appliance.close()
    made = make_backup(box.folder / "data", tmp_path / "home.baraza", "six goats and a river")
    shutil.rmtree(box.folder / "data")
    restore(
        made.path if made.path.is_absolute() else tmp_path / "home.baraza", box.folder / "data", "six goats and a river"
    )
    assert KeeperPin(box.folder / "data" / "keeper").stamp() == box.appliance.keeper.stamp()


def test_about_this_box_leads_to_the_keepers_pages(box: KeepersBox) -> None:
    assert 'href="/keeper"' in box.phone().get("/about").text
