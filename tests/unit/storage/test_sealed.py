"""What is sealed opens with its passphrase only, and only whole and in order."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import pytest

from appliance.errors import BackupError, BackupLockedError
from appliance.storage import sealed
from appliance.storage.sealed import BLOCK, HEADER, TAG, SealedReader, SealedWriter

WORDS = "four words are enough"
PATH = Path("file.baraza")
CONTENT = bytes(range(256)) * (BLOCK // 256) * 3 + b"the end"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """scrypt with little work: what it is worth is not what is tested."""
    monkeypatch.setattr(sealed, "WORK", (10, 1, 1))


def seal(content: bytes, passphrase: str = WORDS, piece: int = 100_000) -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, passphrase)
    for start in range(0, len(content), piece):
        writer.write(content[start : start + piece])
    writer.finish()
    return target.getvalue()


def unseal(raw: bytes, passphrase: str = WORDS, size: int = -1) -> bytes:
    reader = SealedReader(io.BytesIO(raw), passphrase, PATH)
    found = b""
    while piece := reader.read(size):
        found += piece
        if size < 0:
            break
    reader.finish()
    return found


@pytest.mark.parametrize("length", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, len(CONTENT)])
@pytest.mark.parametrize("size", [-1, 7_919, BLOCK, 10 * BLOCK])
def test_what_was_sealed_comes_out_as_it_was(length: int, size: int) -> None:
    assert unseal(seal(CONTENT[:length]), size=size) == CONTENT[:length]


def test_the_same_content_is_never_sealed_to_the_same_bytes() -> None:
    first, second = seal(CONTENT), seal(CONTENT)
    assert first[HEADER.size : HEADER.size + 64] != second[HEADER.size : HEADER.size + 64]
    assert first[:19] == second[:19]
    assert b"the end" not in first


@pytest.mark.parametrize("wrong", ["", "four words are enougH", "four words are enough "])
def test_another_passphrase_does_not_open_it_and_is_told(wrong: str) -> None:
    with pytest.raises(BackupLockedError):
        unseal(seal(CONTENT), wrong)


def test_a_passphrase_is_the_same_however_its_accents_were_typed() -> None:
    assert unseal(seal(CONTENT, "contraseña"), "contrasen\u0303a") == CONTENT


@pytest.mark.parametrize("at", [*range(0, HEADER.size, 5), HEADER.size, HEADER.size + BLOCK, -TAG, -1])
def test_one_changed_bit_anywhere_is_noticed(at: int) -> None:
    raw = bytearray(seal(CONTENT))
    raw[at] ^= 1
    with pytest.raises(BackupError):
        unseal(bytes(raw))


def blocks(raw: bytes) -> list[bytes]:
    return [raw[start : start + BLOCK + TAG] for start in range(HEADER.size, len(raw), BLOCK + TAG)]


@pytest.mark.parametrize(
    "order", [[1, 0, 2, 3], [0, 1, 2], [0, 1, 3], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [3], [0, 1, 2, 3, 0], []]
)
def test_blocks_in_another_order_left_out_or_doubled_are_noticed(order: list[int]) -> None:
    raw = seal(CONTENT)
    parts = blocks(raw)
    assert len(parts) == 4
    with pytest.raises(BackupError):
        unseal(raw[: HEADER.size] + b"".join(parts[number] for number in order))


def test_blocks_of_another_file_are_noticed() -> None:
    one, other = seal(CONTENT), seal(CONTENT)
    with pytest.raises(BackupError):
        unseal(one[: HEADER.size] + b"".join([*blocks(one)[:1], *blocks(other)[1:]]))


@pytest.mark.parametrize("cut", [1, TAG, BLOCK, HEADER.size, BLOCK + TAG, 2 * (BLOCK + TAG) + 5])
def test_a_file_that_lost_its_end_is_noticed(cut: int) -> None:
    raw = seal(CONTENT)
    with pytest.raises(BackupError):
        unseal(raw[:-cut])


@pytest.mark.parametrize("raw", [b"", b"short", b"x" * 1000, b"baraza sealed 2\n" + b"x" * 1000])
def test_another_file_is_told_to_be_another_file(raw: bytes) -> None:
    with pytest.raises(BackupError, match="not a backup"):
        unseal(raw)


@pytest.mark.parametrize("work", [(9, 8, 1), (25, 8, 1), (20, 16, 1), (16, 0, 1), (16, 8, 0), (16, 255, 255)])
def test_a_file_that_asks_for_far_too_much_or_little_work_is_refused(work: tuple[int, int, int]) -> None:
    raw = bytearray(seal(CONTENT))
    raw[16:19] = bytes(work)
    with pytest.raises(BackupError, match="too much work"):
        unseal(bytes(raw))


def test_a_stream_has_only_so_many_blocks() -> None:
    with pytest.raises(OverflowError):
        sealed._nonce(b"x" * 7, 2**32, False)


def test_no_more_than_a_few_blocks_are_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "sealed"
    tracemalloc.start()
    with path.open("wb") as target:
        writer = SealedWriter(target, WORDS)
        for _ in range(200):
            writer.write(CONTENT[:BLOCK])
        writer.finish()
    with path.open("rb") as source:
        reader = SealedReader(source, WORDS, path)
        reader.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * BLOCK
