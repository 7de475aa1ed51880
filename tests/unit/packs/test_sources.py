"""What a stick may hold that no repository should, and what happens when it goes away."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest
from tuf.api.exceptions import DownloadError, DownloadHTTPError, DownloadLengthMismatchError

from appliance.limits import Limits
from appliance.packs.sources import FolderSource, SourceReadError, find_repositories


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    home = tmp_path / "stick"
    (home / "metadata").mkdir(parents=True)
    (home / "metadata" / "timestamp.json").write_bytes(b"time" * 100)
    return home


def test_a_file_is_read_up_to_the_length_asked_for(folder: Path) -> None:
    source = FolderSource(folder)
    assert source.download_bytes("metadata/timestamp.json", 400) == b"time" * 100
    assert source.size("metadata/timestamp.json") == 400
    with pytest.raises(DownloadLengthMismatchError):
        source.download_bytes("metadata/timestamp.json", 399)


def test_a_length_that_metadata_name_is_bounded_by_ours(folder: Path) -> None:
    with pytest.raises(DownloadLengthMismatchError):
        FolderSource(folder, Limits(targets_bytes=100, snapshot_bytes=100)).download_bytes(
            "metadata/timestamp.json", 400
        )


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "metadata/../../secret",
        "/etc/passwd",
        "metadata//timestamp.json",
        ".",
        "metadata/..",
        "",
        "a\0b",
        "metadata/" + "a" * 201,
        "metadata/naïve",
    ],
)
def test_a_path_that_leads_out_or_is_odd_is_never_opened(folder: Path, path: str) -> None:
    (folder.parent / "secret").write_bytes(b"secret")
    with pytest.raises(DownloadError, match="is not a name"):
        FolderSource(folder).download_bytes(path, 400)


def test_a_link_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "file").write_bytes(b"secret")
    (folder / "metadata" / "link").symlink_to(tmp_path / "secret" / "file")
    (folder / "linked").symlink_to(tmp_path / "secret")
    source = FolderSource(folder)
    with pytest.raises(DownloadError, match="plain file"):
        source.download_bytes("metadata/link", 400)
    with pytest.raises(DownloadError, match="is a link"):
        source.download_bytes("linked/file", 400)
    with pytest.raises(DownloadError):
        source.size("linked/file")


def test_a_pipe_a_folder_and_a_file_as_folder_do_not_hold_the_box_up(folder: Path) -> None:
    os.mkfifo(folder / "metadata" / "pipe")
    (folder / "metadata" / "folder").mkdir()
    source = FolderSource(folder)
    for name in ("metadata/pipe", "metadata/folder"):
        with pytest.raises(DownloadError, match="plain file"):
            source.download_bytes(name, 400)
    with pytest.raises(DownloadError, match="no folder"):
        source.download_bytes("metadata/timestamp.json/more", 400)


def test_a_file_that_is_swapped_for_a_pipe_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(folder / "metadata" / "pipe")
    plain = (folder / "metadata" / "timestamp.json").stat()
    monkeypatch.setattr(os, "stat", lambda *_, **__: plain)  # what it was a moment before
    with pytest.raises(DownloadError, match="plain file"):
        FolderSource(folder).download_bytes("metadata/pipe", 400)


def test_a_missing_file_is_told_from_a_missing_stick(folder: Path) -> None:
    source = FolderSource(folder)
    with pytest.raises(DownloadHTTPError) as caught:
        source.download_bytes("metadata/2.root.json", 400)
    assert caught.value.status_code == 404
    assert source.size("metadata/2.root.json") is None
    assert source.size("targets/tiny/x.pack") is None
    folder.rename(folder.parent / "pulled out")
    with pytest.raises(SourceReadError):
        source.download_bytes("metadata/2.root.json", 400)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENODEV, errno.ENOTCONN])
def test_a_stick_pulled_out_in_the_middle_of_a_file_is_told(
    folder: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    source = FolderSource(folder)
    whole = os.fdopen

    def broken(descriptor: int, *more: object, **named: object) -> object:
        stream = whole(descriptor, *more, **named)  # type: ignore[call-overload]
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return stream

        class Broken:
            times = 0

            def fileno(self) -> int:
                return descriptor

            def read(self, _: int) -> bytes:
                self.times += 1
                if self.times > 1:
                    raise OSError(number, os.strerror(number))
                return b"time"

            def __enter__(self) -> Broken:
                return self

            def __exit__(self, *_: object) -> None:
                stream.close()

        return Broken()

    monkeypatch.setattr("appliance.packs.sources.os.fdopen", broken)
    with pytest.raises(SourceReadError, match=os.strerror(number)):
        source.download_bytes("metadata/timestamp.json", 400)


def test_a_local_file_is_given_where_it_lies(folder: Path, tmp_path: Path) -> None:
    source = FolderSource(folder)
    with source.local("metadata/timestamp.json", 400, tmp_path) as path:
        assert path == folder / "metadata" / "timestamp.json"
    with (
        pytest.raises(DownloadError, match="400 bytes instead of 399"),
        source.local("metadata/timestamp.json", 399, tmp_path),
    ):
        pass
    with pytest.raises(DownloadHTTPError), source.local("metadata/none", 399, tmp_path):
        pass


def test_repositories_are_found_on_a_stick_and_in_baraza(tmp_path: Path) -> None:
    for place in ("", "ministry", "baraza", "baraza/kijiji", "photos/deep/down"):
        (tmp_path / place / "metadata").mkdir(parents=True)
        (tmp_path / place / "metadata" / "timestamp.json").write_text("{}")
    (tmp_path / "linked").symlink_to(tmp_path / "photos" / "deep" / "down")
    found = [str(path.relative_to(tmp_path)) for path in find_repositories(tmp_path)]
    assert found == [".", "baraza", "ministry", "baraza/kijiji"]
    assert len(find_repositories(tmp_path, Limits(stick_folders=1))) == 3


def test_no_repository_is_told_from_no_stick(tmp_path: Path) -> None:
    assert find_repositories(tmp_path) == ()
    with pytest.raises(SourceReadError):
        find_repositories(tmp_path / "gone")
