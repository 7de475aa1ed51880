"""Archives put into the folder of a repository: made from a pack, or copied as somebody else signed them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tuf.api.metadata import TargetFile

from appliance.errors import PackPublishedError, RepositoryError
from appliance.packs import archive
from appliance.packs.copying import Copying
from appliance.packs.manifest import MANIFEST
from appliance.packs.offer import Offer, custom_of, offer_of, read_offer
from appliance.packs.release import TARGETS, place_of
from appliance.packs.store import verify
from appliance.packs.stored import length_of
from appliance.storage.atomic import ensure_folder, flush_folder, storage_errors

BLOCK = 1024 * 1024

Progress = Callable[[str, int, int], None]  # what is done, bytes, of how many


def put_archive(folder: Path, pack: Path, listed: Mapping[str, TargetFile], progress: Progress) -> TargetFile:
    """What to list of `pack`, a folder or a `.pack`, whose archive lies in the repository `folder` then, stored.

    One that is `listed` and there, whole, is not written again, unless it is deflated: boxes hand on stored ones only.

    Raises:
        PackPublishedError: this version is listed with other content.
        PackManifestError, PackFileError, PackArchiveError: the pack is not sound.
        StorageError: there is no room, or the folder cannot be written.
    """
    label = pack.name

    def show(done: int, total: int) -> None:
        progress(label, done, total)

    offer = _examine(pack, show)
    label = f"{offer.name} {offer.version}"
    known = listed.get(offer.path)
    if known and read_offer(known, str(folder)).manifest != offer.manifest:
        raise PackPublishedError(pack=label)
    stored = known and known.length == length_of(archive.head(pack))
    if known and stored and _is_intact(folder / place_of(known), known):
        return known
    home = folder / TARGETS / offer.name
    ensure_folder(home)
    with storage_errors(home):
        new = home / f".{offer.name}-{offer.version}.pack"
        (archive.create if pack.is_dir() else archive.rewrite)(pack, new, show)
        target = TargetFile.from_file(offer.path, str(new), ["sha256"])
        target.unrecognized_fields["custom"] = custom_of(offer)
        new.replace(folder / place_of(target))
        flush_folder(home)
    return target


def take_archive(folder: Path, source: Path, target: TargetFile, progress: Progress) -> None:
    """Copy the archive `source`, which somebody lists as `target`, into the repository `folder`, as it is.

    Raises:
        RepositoryError: it is not what is listed.
        PackManifestError, PackFileError, PackArchiveError: it is no sound pack.
        StorageError: there is no room, or the folder cannot be written.
    """
    path = folder / place_of(target)
    if _is_intact(path, target):
        return
    offer = read_offer(target, str(source))
    label = f"{offer.name} {offer.version}"
    manifest, raw = archive.check(source, progress=lambda done, total: progress(label, done, total))
    found = offer_of(manifest, hashlib.sha256(raw).hexdigest())
    if found != offer:
        raise RepositoryError(path=str(source), reason=f"{label} is another pack than is listed")
    ensure_folder(path.parent)
    partial = path.with_name(f".{offer.name}-{offer.version}.pack")
    try:
        with storage_errors(path):
            partial.unlink(missing_ok=True)
        with Copying(target.length, lambda done, total: progress(label, done, total)) as copying:
            if copying.write(_blocks(source), partial) != target.hashes["sha256"]:
                raise RepositoryError(path=str(source), reason=f"{label} is not what is listed (sha256)")
        with storage_errors(path):
            partial.replace(path)
            flush_folder(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _examine(pack: Path, show: archive.Progress) -> Offer:
    """The offer of a pack that was read through and is sound."""
    if pack.is_dir():
        manifest = verify(pack).manifest
        raw = (pack / MANIFEST).read_bytes()
    else:
        manifest, raw = archive.check(pack, progress=show)
    return offer_of(manifest, hashlib.sha256(raw).hexdigest())


def _blocks(source: Path) -> Iterator[bytes]:
    with storage_errors(source), source.open("rb") as stream:
        while block := stream.read(BLOCK):
            yield block


def _is_intact(path: Path, target: TargetFile) -> bool:
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == target.hashes["sha256"]
    except OSError:
        return False
