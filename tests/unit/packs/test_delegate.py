"""A cooperative lists packs with a key of its own, under a publisher whom boxes trust, and only as long as it may."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from appliance.cli import main
from appliance.errors import KeysError, PackArchiveError, RepositoryError
from appliance.packs.delegate import Delegate, offer, public_key, read_public_key
from appliance.packs.keys import make_keys, read_keys
from appliance.packs.publish import Published
from appliance.packs.sources import FolderSource
from tests.forger import Clock, names
from tests.publisher import NOW, files, listed, nobody, version
from tests.village import Village

pytestmark = pytest.mark.usefixtures("quick_words")

Put = Callable[..., Published]


@pytest.fixture
def coop(tmp_path: Path) -> Path:
    """The keys of a cooperative."""
    return make_keys(tmp_path / "coop-keys").folder


@pytest.fixture
def given(coop: Path, tmp_path: Path) -> Delegate:
    """What the publisher gets of it."""
    path = tmp_path / "kijiji.pub"
    path.write_bytes(public_key(coop))
    return Delegate("kijiji", read_public_key(path))


@pytest.fixture
def basket(tmp_path: Path) -> Path:
    """The folder in which the cooperative brings its packs."""
    return tmp_path / "basket"


@pytest.fixture
def own(tiny_pack: Path) -> Path:
    return version(tiny_pack, "0.1.0", "kijiji-maize")


@pytest.fixture
def village(keys: Path, tmp_path: Path, clock: Clock) -> Village:
    """A box that trusts the publisher, and knows nothing of the cooperative."""
    box = Village(tmp_path / "village", clock)
    box.trusts(read_keys(keys).roots[0])
    return box


def brings(basket: Path, coop: Path, *packs: Path, name: str = "kijiji") -> tuple[str, ...]:
    return offer(basket, coop, name, packs, nobody, clock=NOW)


def test_a_box_takes_what_a_cooperative_signed_though_it_knows_the_publisher_only(
    put: Put, given: Delegate, coop: Path, basket: Path, own: Path, tiny_pack: Path, stick: Path, village: Village
) -> None:
    put(tiny_pack, delegate=(given,), clock=NOW)
    opened = village.trust.open(FolderSource(stick))
    assert [each.name for each in opened.offers] == ["tiny"]
    assert "what kijiji signed is left out" in opened.problems[0]  # it has brought nothing yet
    assert brings(basket, coop, own) == ("kijiji-maize/kijiji-maize-0.1.0.pack",)
    put(take=(basket,), clock=NOW)
    assert village.installs(stick) == ["kijiji-maize 0.1.0", "tiny 0.1.0"]


def test_what_a_cooperative_signed_stays_when_the_publisher_signs_again(
    put: Put, given: Delegate, coop: Path, basket: Path, own: Path, tiny_pack: Path, stick: Path, village: Village
) -> None:
    brings(basket, coop, own)
    put(delegate=(given,), take=(basket,), clock=NOW)
    put(tiny_pack, clock=NOW)
    assert names(village.trust, stick) == ["kijiji-maize 0.1.0", "tiny 0.1.0"]


def test_a_newer_offer_replaces_the_one_before(
    put: Put,
    given: Delegate,
    coop: Path,
    basket: Path,
    own: Path,
    tiny_pack: Path,
    stick: Path,
    keys: Path,
    village: Village,
) -> None:
    brings(basket, coop, own)
    put(delegate=(given,), take=(basket,), clock=NOW)
    brings(basket, coop, version(tiny_pack, "0.2.0", "kijiji"))
    put(take=(basket,), clock=NOW)
    assert listed(stick, keys) == ["kijiji 0.2.0"]
    assert village.installs(stick) == ["kijiji 0.2.0"]
    assert len(list(stick.rglob("*.pack"))) == len(list(stick.rglob("*.kijiji.json"))) == 1


def test_a_cooperative_that_may_not_any_more_lists_nothing_and_boxes_follow(
    put: Put, given: Delegate, coop: Path, basket: Path, own: Path, tiny_pack: Path, stick: Path, village: Village
) -> None:
    brings(basket, coop, own)
    put(tiny_pack, delegate=(given,), take=(basket,), clock=NOW)
    assert len(names(village.trust, stick)) == 2
    put(revoke=("kijiji",), clock=NOW)
    assert names(village.trust, stick) == ["tiny 0.1.0"]
    assert not list(stick.rglob("*kijiji*"))
    with pytest.raises(RepositoryError, match="no cooperative of this publisher"):
        put(take=(basket,), clock=NOW)
    with pytest.raises(RepositoryError, match="there is no cooperative kijiji"):
        put(revoke=("kijiji",), clock=NOW)


def test_a_key_that_was_replaced_counts_no_longer(
    put: Put, given: Delegate, coop: Path, basket: Path, own: Path, stick: Path, village: Village, tmp_path: Path
) -> None:
    brings(basket, coop, own)
    put(delegate=(given,), take=(basket,), clock=NOW)
    other = make_keys(tmp_path / "other").folder
    (tmp_path / "other.pub").write_bytes(public_key(other))
    put(delegate=(Delegate("kijiji", read_public_key(tmp_path / "other.pub")),), clock=NOW)
    assert names(village.trust, stick) == []
    with pytest.raises(RepositoryError, match="not signed with the key of kijiji"):
        put(take=(basket,), clock=NOW)
    brings(tmp_path / "other-basket", other, own)
    with pytest.raises(RepositoryError, match="release 1 of kijiji was taken before"):
        put(take=(tmp_path / "other-basket",), clock=NOW)
    brings(tmp_path / "other-basket", other, own)
    put(take=(tmp_path / "other-basket",), clock=NOW)
    assert names(village.trust, stick) == ["kijiji-maize 0.1.0"]


@pytest.mark.parametrize("fault", ["another name", "stranger", "altered", "older", "same number", "lost archive"])
def test_what_is_not_in_order_is_not_taken_in(
    put: Put,
    given: Delegate,
    coop: Path,
    basket: Path,
    own: Path,
    tiny_pack: Path,
    stick: Path,
    tmp_path: Path,
    fault: str,
) -> None:
    put(delegate=(given,), clock=NOW)
    brings(basket, coop, own)
    if fault == "another name":
        path = next(basket.glob("metadata/*.json"))
        path.rename(path.with_name("1.jirani.json"))
    elif fault == "stranger":
        brings(basket, make_keys(tmp_path / "stranger").folder, own)
    elif fault == "altered":
        path = next(basket.glob("metadata/*.json"))
        path.write_bytes(path.read_bytes().replace(b"0.1.0", b"0.1.1"))
    elif fault in ("older", "same number"):
        brings(basket, coop, version(tiny_pack, "0.2.0", "kijiji"))
        put(take=(basket,), clock=NOW)
        (coop / "ledger.json").write_text(json.dumps({"release": fault != "older", "signed": NOW.isoformat()}))
        brings(tmp_path / "again", coop, own)
        basket = tmp_path / "again"
    else:
        next(basket.rglob("*.pack")).write_bytes(b"x")
    before = files(stick)
    with pytest.raises((RepositoryError, PackArchiveError)):
        put(take=(basket,), clock=NOW)
    assert files(stick) == before


def test_a_cooperative_cannot_bring_a_pack_called_after_somebody_else(
    coop: Path, basket: Path, tiny_pack: Path
) -> None:
    with pytest.raises(RepositoryError, match="not called after kijiji"):
        brings(basket, coop, tiny_pack)
    with pytest.raises(RepositoryError, match="not called after kijiji"):
        brings(basket, coop, version(tiny_pack, "0.1.0", "kijijini"))


def test_what_somebody_else_signed_is_never_swept_away_by_an_offer(
    put: Put, coop: Path, basket: Path, own: Path, tiny_pack: Path, stick: Path
) -> None:
    put(tiny_pack, clock=NOW)
    brings(basket, coop, version(tiny_pack, "0.1.0", "jirani"), name="jirani")
    for folder in (stick, basket):
        before = files(folder)
        with pytest.raises(RepositoryError, match="somebody else's packs"):
            brings(folder, coop, own)
        assert files(folder) == before


@pytest.mark.parametrize("name", ["targets", "Kijiji", "../kijiji", ""])
def test_a_cooperative_needs_a_plain_name(put: Put, given: Delegate, name: str) -> None:
    with pytest.raises(RepositoryError):
        put(delegate=(Delegate(name, given.key),), clock=NOW)


@pytest.mark.parametrize(
    "values",
    [
        "x",
        [],
        {},
        {"keytype": "rsa", "scheme": "rsa", "keyval": {"public": "00" * 32}},
        {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00"}},
        {"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": 7}},
    ],
)
def test_what_is_no_public_key_is_told(tmp_path: Path, values: Any) -> None:
    path = tmp_path / "key.pub"
    path.write_text(json.dumps(values))
    with pytest.raises(KeysError):
        read_public_key(path)


def test_a_publisher_whose_stick_lost_a_cooperatives_role_can_still_publish(
    put: Put, given: Delegate, coop: Path, basket: Path, own: Path, tiny_pack: Path, stick: Path, village: Village
) -> None:
    brings(basket, coop, own)
    put(delegate=(given,), take=(basket,), clock=NOW)
    next(stick.glob("metadata/*.kijiji.json")).unlink()
    put(tiny_pack, clock=NOW)
    opened = village.trust.open(FolderSource(stick))
    assert [each.name for each in opened.offers] == ["tiny"]
    put(take=(basket,), clock=NOW)
    assert names(village.trust, stick) == ["kijiji-maize 0.1.0", "tiny 0.1.0"]


def test_from_key_to_stick_at_the_command_line(
    keys: Path, coop: Path, own: Path, basket: Path, stick: Path, tmp_path: Path, village: Village, clock: Clock
) -> None:
    def run(*words: str | Path) -> Result:
        environment = {"BARAZA_DATA": str(tmp_path / "data"), "BARAZA_PACKS": str(tmp_path / "none")}
        done = CliRunner().invoke(main, [str(word) for word in words], env=environment)
        assert done.exit_code == 0, done.output
        return done

    key = tmp_path / "kijiji.pub"
    words = run("keys", "public", key, "--keys", coop).output.strip()
    assert words.startswith("key: ")
    assert words.removeprefix("key: ") in run("keys", "delegate", stick, "kijiji", key, "--keys", keys).output
    assert "kijiji offers 1 packs" in run("packs", "offer", basket, "kijiji", own, "--keys", coop).output
    assert "kijiji-maize" in run("packs", "publish", stick, "--take", basket, "--keys", keys).output
    assert names(village.trust, stick) == ["kijiji-maize 0.1.0"]
    run("keys", "revoke", stick, "kijiji", "--keys", keys)
    assert names(village.trust, stick) == []
