"""A neighbour's box gets packs from this one over HTTP: two boxes, a real socket, the commands that people use."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.errors import NeighbourBusyError, RepositoryError, SourceLostError
from appliance.limits import LIMITS, Limits
from appliance.packs.keys import make_keys
from appliance.packs.neighbour import repositories_at
from appliance.packs.own import BOX
from appliance.packs.publish import Changes, publish
from appliance.packs.shelf import choose, shelves, sources_at
from tests.forger import Clock
from tests.publisher import nobody, version
from tests.village import Village, archives
from tests.web.boxes import Box, make_box
from tests.web.test_server import serving
from webui.pages import share

Run = Callable[..., Result]


@pytest.fixture
def other(tmp_path: Path) -> Run:
    """The command line of another box, which has no pack at all."""
    (tmp_path / "shipped").mkdir()

    def run(*words: str | Path) -> Result:
        environment = {
            "BARAZA_DATA": str(tmp_path / "other"),
            "BARAZA_PACKS": str(tmp_path / "shipped"),
            "BARAZA_STICKS": str(tmp_path / "sticks"),
        }
        return CliRunner().invoke(main, [str(word) for word in words], env=environment)

    return run


def made(data: Path, *packs: Path, limits: Limits = LIMITS) -> Box:
    box = make_box(data, limits)
    for pack in packs:
        box.appliance.packs.install(pack)
    return box


@pytest.fixture
def sharing(tmp_path: Path, tiny_pack: Path) -> Iterator[Box]:
    """A box with a pack that it signs itself, ready to give it."""
    box = made(tmp_path / "here", tiny_pack)
    box.appliance.sharing.prepare()
    yield box
    box.appliance.close()


def test_another_box_finds_looks_trusts_and_installs_what_is_here(sharing: Box, other: Run, tmp_path: Path) -> None:
    words = sharing.appliance.own_root().words
    with serving(sharing) as (_, host, port):
        place = f"http://{host}:{port}"
        looked = json.loads(other("packs", "look", place, "--json").stdout)
        assert [(row["root"], row["words"], row["packs"]) for row in looked] == [(None, words, ["tiny 0.1.0"])]
        assert other("roots", "add", "kijiji", place, "--words", words, "--kind", "translation").exit_code == 0
        installed = other("packs", "install", place)
        assert installed.exit_code == 0, installed.output
        assert "tiny 0.1.0 is installed" in installed.output
        assert "Nothing there is newer" in other("packs", "install", place).output
    assert (tmp_path / "other" / "packs" / "tiny" / "0.1.0" / "pack.toml").is_file()


def test_what_a_publisher_signed_goes_from_stick_to_box_to_box(tmp_path: Path, tiny_pack: Path, clock: Clock) -> None:
    keys = make_keys(tmp_path / "keys")
    publish(tmp_path / "stick", keys.folder, Changes((tiny_pack,)), nobody)
    box = make_box(tmp_path / "here")
    box.appliance.trust.add("ministry", keys.roots[0], keys.words)
    (chosen,) = choose(box.appliance.look(str(tmp_path / "stick")), [])
    with chosen[0].archive(chosen[1].offer) as path:
        box.appliance.packs.install(path)
    box.appliance.packs.install(version(tiny_pack, "0.3.0", "own"))
    box.appliance.sharing.prepare()
    further = Village(tmp_path / "further", clock)
    further.trust.add("wizara", keys.roots[0], keys.words)
    with serving(box) as (_, host, port):
        found = shelves(further.trust, further.store, box.appliance.box(), sources_at(f"http://{host}:{port}/"))
        (ours,) = [shelf for shelf in found if shelf.root]
        assert ours.repository
        assert [each.offer.name for each in ours.seen if each.brings] == ["tiny"]
        with ours.repository.archive(ours.seen[0].offer) as path:
            further.store.install(path)
        assert len(found) == 2  # and what the box signed itself, which nobody asked for
    further.exports(tmp_path / "onto")
    assert archives(tmp_path / "onto") == archives(tmp_path / "stick")
    box.appliance.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def get(host: str, port: int, path: str, method: str = "GET") -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection(host, port, timeout=10)
    connection.request(method, path)
    response = connection.getresponse()
    return response, response.read()


def place_of(box: Box) -> str:
    """Where the archive of the pack is."""
    ((root, bundle),) = box.appliance.sharing._bundles().items()
    return f"/packs/shared/{root}/{bundle.parcels[0].listed.place}"


def test_an_archive_is_told_in_its_length_and_gets_no_cookie(sharing: Box) -> None:
    with serving(sharing) as (_, host, port):
        head, nothing = get(host, port, place_of(sharing), "HEAD")
        whole, raw = get(host, port, place_of(sharing))
    assert nothing == b""
    assert int(head.headers["Content-Length"]) == int(whole.headers["Content-Length"]) == len(raw) > 100_000
    assert whole.headers["Content-Type"] == "application/octet-stream"
    assert whole.headers["Cache-Control"] == "no-store"
    assert whole.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in whole.headers


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "ROOT/documents.json",
        "ROOT/metadata/../../documents.json",
        "ROOT/metadata/%2e%2e%2fdocuments.json",
        "ROOT/targets/tiny/other.pack",
        "ROOT/targets/../../../documents.json",
        "nobody/metadata/timestamp.json",
    ],
)
def test_nothing_else_is_given(sharing: Box, path: str) -> None:
    root = next(iter(sharing.appliance.sharing._bundles()))
    response = sharing.phone().get(f"/packs/shared/{path.replace('ROOT', root)}")
    assert response.status_code == 404


def test_a_third_download_is_told_to_come_back_and_pages_are_served_meanwhile(sharing: Box) -> None:
    with serving(sharing) as (_, host, port):
        hold = sharing.appliance.sharing.download
        with hold(), hold():
            refused, _ = get(host, port, place_of(sharing))
            assert (refused.status, refused.headers["Retry-After"]) == (503, "30")
            assert get(host, port, "/translate")[0].status == 200
            assert get(host, port, place_of(sharing), "HEAD")[0].status == 200
            (source,) = repositories_at(f"http://{host}:{port}")
            box = Village(sharing.appliance.config.data / "second", Clock())
            box.trusts(sharing.appliance.trust.root_bytes(BOX))
            opened = box.trust.open(source)
            with pytest.raises(NeighbourBusyError), opened.archive(opened.offers[0]):
                pass
        assert get(host, port, place_of(sharing))[0].status == 200


def test_a_download_that_nobody_takes_any_more_makes_room(sharing: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = threading.Event()

    def endless(*_: object) -> Iterator[bytes]:
        yield bytes(1000)
        assert gone.wait(10)
        while True:
            yield bytes(1_000_000)

    ended = threading.Event()
    release = sharing.appliance.sharing._downloads.release
    monkeypatch.setattr(share, "blocks", endless)
    monkeypatch.setattr(sharing.appliance.sharing._downloads, "release", lambda: (release(), ended.set()))
    with serving(sharing) as (_, host, port):
        connection = http.client.HTTPConnection(host, port, timeout=10)
        connection.request("GET", place_of(sharing))
        connection.getresponse().close()
        connection.close()
        gone.set()
        assert ended.wait(10)


def test_a_download_at_the_pace_of_a_snail_is_given_up(tmp_path: Path, tiny_pack: Path) -> None:
    box = made(
        tmp_path / "here", tiny_pack, limits=replace(LIMITS, silence_seconds=0.0, slowest_bytes_per_second=10**15)
    )
    box.appliance.sharing.prepare()
    second = Village(tmp_path / "second", Clock())
    second.trusts(box.appliance.trust.root_bytes(BOX))
    with serving(box) as (_, host, port):
        opened = second.trust.open(repositories_at(f"http://{host}:{port}")[0])
        with pytest.raises(SourceLostError), opened.archive(opened.offers[0]):
            pass
    box.appliance.close()


def test_until_the_packs_were_read_others_are_told_to_come_back(
    tmp_path: Path, tiny_pack: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = made(tmp_path / "here", tiny_pack)
    sharing = box.appliance.sharing
    go_on = threading.Event()
    prepare = sharing.prepare
    monkeypatch.setattr(sharing, "prepare", lambda: (go_on.wait(10), prepare()))
    refused = box.phone().get("/packs/shared/index.json")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    go_on.set()
    assert sharing._preparing is not None
    sharing._preparing.join(10)
    (root,) = json.loads(box.phone().get("/packs/shared/index.json").data)["roots"]
    assert (root["own"], root["packs"]) == (True, ["tiny 0.1.0"])
    box.appliance.close()


def test_a_pack_that_is_installed_is_given_from_then_on(sharing: Box, tiny_pack: Path) -> None:
    sharing.appliance.packs.install(version(tiny_pack, "0.2.0"))
    sharing.phone().get("/packs/shared/index.json")
    assert sharing.appliance.sharing._preparing is not None
    sharing.appliance.sharing._preparing.join(10)
    (root,) = json.loads(sharing.phone().get("/packs/shared/index.json").data)["roots"]
    assert (root["packs"], root["release"]) == (["tiny 0.2.0"], 2)


def test_a_damaged_pack_is_left_out_and_the_others_are_given(sharing: Box, tiny_pack: Path) -> None:
    pack = sharing.appliance.packs.install(version(tiny_pack, "0.1.0", "other"))
    (pack.path / pack.manifest.files[0].path).write_bytes(b"x")
    sharing.appliance.sharing.prepare()
    assert sharing.appliance.sharing.index()["roots"][0]["packs"] == ["tiny 0.1.0"]


def test_a_box_that_shares_nothing_says_so(tmp_path: Path, tiny_pack: Path) -> None:
    box = made(tmp_path / "here", tiny_pack)
    box.appliance.sharing.on = False
    with serving(box) as (_, host, port):
        assert get(host, port, "/packs/shared/index.json")[0].status == 403
        with pytest.raises(RepositoryError):
            repositories_at(f"http://{host}:{port}")
    assert not (tmp_path / "here" / "keys").exists()
    box.appliance.close()
