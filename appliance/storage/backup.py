"""A backup in one sealed file, and its way back onto this box or an empty one.

What is in it: documents, journal, settings, trusted roots, the community's knowledge. What is not: packs (they come
from their publishers again), and the private keys for signing packs, whose ledger must never go back in time.

A restore is staged beside the data and proved there; then one file (`ready`) makes it count. From then on the parts are
put in place, again after a power cut, by `settle`, which whoever opens the data folder calls first. What was there
before is kept in `before-restore`.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO, Any, cast

from appliance import __version__
from appliance.errors import BackupError, CancelledError, FolderInUseError, ReadOnlyError, StorageError
from appliance.limits import LIMITS, Limits
from appliance.storage.atomic import (
    TEMPORARY,
    ensure_folder,
    flush_folder,
    storage_errors,
    write_atomically,
    written_atomically,
)
from appliance.storage.contributions import CONTRIBUTIONS
from appliance.storage.database import COMPANIONS, BrokenError, check, copy_of, snapshot
from appliance.storage.documents import DOCUMENTS
from appliance.storage.journal import JOURNAL, Journal
from appliance.storage.lock import lock_folder
from appliance.storage.sealed import SealedReader, SealedWriter
from appliance.storage.tables import FIRST_LINE_BYTES, previous_of, read_copy, utc_now

FILES = (DOCUMENTS, JOURNAL, CONTRIBUTIONS, "settings.json")
FOLDERS = ("trust", "knowledge", "keeper")
PARTS = (*FILES, *FOLDERS)
# Belong to a part, and are never in a backup: they leave with what they belong to.
BESIDE = (
    *(previous_of(Path(each)).name for each in (DOCUMENTS, CONTRIBUTIONS)),
    copy_of(Path(JOURNAL)).name,
    *(JOURNAL + each for each in COMPANIONS),
)

ENDING = ".baraza"
ABOUT = "backup.json"
FORM = 1
UNDERWAY = ".backup-"
STAGE = ".restore"
READY = "ready"  # what is staged counts
BEGUN = "begun"  # what is in `before-restore` is of this restore
BEFORE = "before-restore"
LEAST_PASSPHRASE = 8  # characters
BLOCK = 256 * 1024


@dataclass(frozen=True)
class Backup:
    """What a backup says of itself."""

    path: Path
    made_at: str  # ISO 8601, UTC, by the clock of the box that made it
    software: str
    documents: int
    files: int


def make_backup(
    data: Path,
    target: Path,
    passphrase: str,
    limits: Limits = LIMITS,
    progress: Callable[[int, int], None] = lambda done, total: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Backup:
    """Back `data` up into the file `target`, or into a new file in the folder `target`; it is read back to prove it.

    The box may be at work: documents are always whole in their file, and the journal is copied as of one moment.
    `progress` is told (bytes, of how many), those that are read back counted as well.

    Raises:
        CancelledError: `cancelled()` was true; nothing is left of it.
        BackupError: the passphrase is too short, there is a file at `target` already, or too much to be backed up.
        StorageError: the disk does not do what it should.
    """
    place = target / _name(utc_now()) if target.is_dir() else target
    _check_passphrase(passphrase, place)
    if place.exists():
        raise BackupError(path=str(place), reason="there is a file already; it is not overwritten")
    _remove_cut(place.parent)
    with _snapshot(data, limits) as parts, written_atomically(place) as file:
        count = _counting(2 * sum(path.stat().st_size for _, path in parts), progress, cancelled)
        about = Backup(place, utc_now().isoformat(timespec="seconds"), __version__, _documents(data), len(parts))
        sealed = SealedWriter(file, passphrase)
        with tarfile.open(fileobj=cast(IO[bytes], sealed), mode="w|", format=tarfile.PAX_FORMAT) as archive:
            _add(archive, ABOUT, json.dumps({"form": FORM, **asdict(about), "path": place.name}).encode())
            for name, path in parts:
                _add_file(archive, name, path, limits)
                count(path.stat().st_size)
        sealed.finish()
        file.flush()
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)  # what is read back is what the disk holds
        file.seek(0)
        for _, content in _members(file, passphrase, place, limits):
            while block := content.read(BLOCK):
                count(len(block))
    return about


def restore(source: Path, data: Path, passphrase: str, limits: Limits = LIMITS) -> Backup:
    """Put what the backup `source` holds in the place of what `data` holds, which is kept in `before-restore`.

    Raises:
        BackupLockedError, BackupError: it does not open, is damaged, or holds what no backup does. Nothing changed.
        FolderInUseError: a box is at work on `data`.
        StorageError: the disk does not do what it should. Nothing changed, or all did.
    """
    ensure_folder(data)
    lock = lock_folder(data)
    try:
        settle(data)
        with storage_errors(source), source.open("rb") as file:
            about = _stage(file, passphrase, source, data / STAGE, limits)
        _prove(data / STAGE, source, limits)
        names = sorted(path.name for path in (data / STAGE / "new").iterdir())
        write_atomically(data / STAGE / READY, json.dumps(names).encode())  # from here on, the new state counts
        settle(data)
    finally:
        if not (data / STAGE / READY).exists():
            shutil.rmtree(data / STAGE, ignore_errors=True)
        lock.release()
    return about


def remove_unfinished(data: Path) -> None:
    """Remove what a backup that was cut left in `data`; none is being made now."""
    for folder in data.glob(f"{UNDERWAY}*"):
        shutil.rmtree(folder, ignore_errors=True)


def settle(data: Path) -> bool:
    """Finish a restore that a power cut stopped, or drop one that did not count yet; whether one was finished.

    Whoever opens the data folder calls this first. Raises StorageError.
    """
    stage, ready = data / STAGE, data / STAGE / READY
    if not ready.exists():
        shutil.rmtree(stage, ignore_errors=True)
        return False
    with storage_errors(stage):
        names = set(json.loads(ready.read_bytes())) & set(PARTS)
        _leave(data, stage, names)
        for name in sorted(names):
            if (stage / "new" / name).exists():
                (stage / "new" / name).rename(data / name)
        flush_folder(data)
        flush_folder(stage / "new")
        ready.unlink()
        flush_folder(stage)
        shutil.rmtree(stage, ignore_errors=True)
    return True


def _leave(data: Path, stage: Path, names: set[str]) -> None:
    """Move what is replaced, or was not there when the backup was made, out of the way."""
    before = data / BEFORE
    if not (stage / BEGUN).exists():
        if before.exists():  # of an earlier restore
            before.rename(stage / "older")
            flush_folder(stage)
            flush_folder(data)
        (stage / BEGUN).touch()
        flush_folder(stage)
    before.mkdir(exist_ok=True)
    flush_folder(data)
    for name in (*BESIDE, *PARTS):
        # Without its new content it is in place already: a cut came after that.
        if (data / name).exists() and (name not in names or (stage / "new" / name).exists()):
            (data / name).rename(before / name)
    flush_folder(before)
    flush_folder(data)


def _remove_cut(folder: Path) -> None:
    """Remove backups that were cut while they were written to `folder`, whatever they were to be called."""
    for file in folder.glob(f".*{ENDING}.*{TEMPORARY}"):
        with suppress(OSError):
            file.unlink()


def _counting(total: int, progress: Callable[[int, int], None], cancelled: Callable[[], bool]) -> Callable[[int], None]:
    """Told of bytes as they are done; raises CancelledError."""
    done = 0

    def count(more: int) -> None:
        nonlocal done
        if cancelled():
            raise CancelledError
        done = min(done + more, total)
        progress(done, total)

    return count


def _name(now: datetime) -> str:
    return f"baraza-{now:%Y%m%d-%H%M%S}{ENDING}"


def _check_passphrase(passphrase: str, path: Path) -> None:
    if len(passphrase) < LEAST_PASSPHRASE:
        reason = f"its passphrase is shorter than {LEAST_PASSPHRASE} characters: take four words or more"
        raise BackupError(path=str(path), reason=reason)


@contextmanager
def _snapshot(data: Path, limits: Limits) -> Iterator[list[tuple[str, Path]]]:
    """The files of a backup with their names in it; those that change at any time as copies."""
    with storage_errors(data), _temporary(data) as temporary:
        copy = Path(temporary) / JOURNAL
        _copy_journal(data, copy, limits)
        parts = [(JOURNAL, copy)] if copy.exists() else []
        parts += [(name, data / name) for name in FILES if name != JOURNAL and (data / name).is_file()]
        for folder in FOLDERS:
            for path in sorted((data / folder).rglob("*")):
                name = path.relative_to(data)
                if path.is_file() and not path.is_symlink() and not any(part.startswith(".") for part in name.parts):
                    parts.append((name.as_posix(), path))
        if len(parts) > limits.backup_files:
            raise BackupError(path=str(data), reason=f"there are more than {limits.backup_files} files")
        yield parts


def _temporary(data: Path) -> tempfile.TemporaryDirectory[str]:
    """A place for copies in clear: on the disk of the box, or where the system has one if that takes no writes."""
    try:
        return tempfile.TemporaryDirectory(prefix=UNDERWAY, dir=data)
    except OSError:
        return tempfile.TemporaryDirectory(prefix="baraza-backup-")


def _copy_journal(data: Path, copy: Path, limits: Limits) -> None:
    """As of one moment, whether a box is at work on it or not."""
    if not (data / JOURNAL).exists():
        return
    try:
        lock = lock_folder(data)
    except FolderInUseError:
        snapshot(data / JOURNAL, copy)
        return
    try:
        settle(data)
        Journal(data / JOURNAL, limits).close()  # a broken one is set aside, what the log holds is taken in
        snapshot(data / JOURNAL, copy)
    except ReadOnlyError:
        # A card that takes no more writes is the very one to be backed up: as it lies there, without its log.
        snapshot(data / JOURNAL, copy, still=True)
    finally:
        lock.release()


def _documents(data: Path) -> int:
    """How many the file says that it holds; 0 if it does not say."""
    try:
        with (data / DOCUMENTS).open("rb") as file:
            return int(json.loads(file.readline(FIRST_LINE_BYTES))["documents"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def _add_file(archive: tarfile.TarFile, name: str, path: Path, limits: Limits) -> None:
    with storage_errors(path), path.open("rb") as file:
        member = tarfile.TarInfo(name)
        member.size = os.fstat(file.fileno()).st_size
        if member.size > limits.backup_bytes:
            raise BackupError(path=str(path), reason=f"a file may have {limits.backup_bytes} bytes at most")
        archive.addfile(member, file)


def _members(file: IO[bytes], passphrase: str, path: Path, limits: Limits) -> Iterator[tuple[PurePosixPath, IO[bytes]]]:
    """Each file of a backup: its name, which is one that a backup has, and its content; read to the end.

    Raises BackupLockedError, BackupError.
    """
    sealed = SealedReader(file, passphrase, path)
    seen: set[str] = set()
    with _inside(path), tarfile.open(fileobj=cast(IO[bytes], sealed), mode="r|") as archive:
        for member in archive:
            name = _checked_name(member, seen, path, limits)
            yield name, cast(IO[bytes], archive.extractfile(member))  # a plain file: the name was checked
    sealed.finish()
    if ABOUT not in seen:
        raise BackupError(path=str(path), reason="it does not say what it is")


@contextmanager
def _inside(path: Path) -> Iterator[None]:
    """Tell of an archive that is not one, or breaks off, as of a backup that is not whole."""
    try:
        yield
    except (tarfile.TarError, UnicodeError, EOFError) as error:
        raise BackupError(path=str(path), reason=f"it is not whole inside ({error})") from error


def _checked_name(member: tarfile.TarInfo, seen: set[str], path: Path, limits: Limits) -> PurePosixPath:
    """Whoever knows the passphrase may still have put something else into the file."""
    name = PurePosixPath(member.name)
    allowed = member.name in (ABOUT, *FILES) or (len(name.parts) > 1 and name.parts[0] in FOLDERS)
    plain = member.isreg() and not name.is_absolute() and str(name) == member.name
    hidden = any(part.startswith(".") or "\\" in part or "\0" in part for part in name.parts)
    if not allowed or not plain or hidden or member.name in seen:
        raise BackupError(path=str(path), reason=f"{member.name!r} does not belong in a backup")
    if member.size > limits.backup_bytes or len(seen) > limits.backup_files:
        raise BackupError(path=str(path), reason="it holds more than a backup may")
    if not seen and member.name != ABOUT:
        raise BackupError(path=str(path), reason="it does not say what it is")
    seen.add(member.name)
    return name


def _stage(file: IO[bytes], passphrase: str, path: Path, stage: Path, limits: Limits) -> Backup:
    """Unpack a backup into `stage`/new, all of it on the disk when this returns."""
    ensure_folder(stage / "new")
    members = _members(file, passphrase, path, limits)
    _, first = next(members)  # what it says of itself: `_checked_name` takes nothing before it
    about = _about(first.read(BLOCK), path)
    for name, content in members:
        target = stage / "new" / name
        ensure_folder(target.parent)
        with written_atomically(target) as out, _inside(path):
            shutil.copyfileobj(content, out, BLOCK)
    return about


def _about(content: bytes, path: Path) -> Backup:
    try:
        said: dict[str, Any] = json.loads(content)
        if said["form"] != FORM:
            raise BackupError(path=str(path), reason=f"its form {said['form']} is not one that this Baraza knows")
        return Backup(path, str(said["made_at"]), str(said["software"]), int(said["documents"]), int(said["files"]))
    except (ValueError, TypeError, KeyError) as error:
        raise BackupError(path=str(path), reason="what it says of itself cannot be read") from error


def _prove(stage: Path, path: Path, limits: Limits) -> None:
    """Open what is to take the place of the old state, before it does."""
    new = stage / "new"
    try:
        if (new / DOCUMENTS).exists():
            read_copy(new / DOCUMENTS, limits)
        if (new / JOURNAL).exists():
            check(new / JOURNAL)
    except (ValueError, RecursionError, BrokenError, StorageError) as error:
        raise BackupError(path=str(path), reason=f"what it holds is broken ({error})") from error
