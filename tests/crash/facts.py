"""What a box shows of itself: the facts that promises are about."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from appliance.advice.community import title_of
from appliance.app import Appliance
from appliance.errors import BarazaError
from appliance.limits import LIMITS
from appliance.packs.archive import check as check_archive
from appliance.packs.sources import FolderSource, find_repositories
from appliance.packs.store import verify
from appliance.packs.trust import Trust
from appliance.storage.backup import ENDING, restore
from appliance.storage.contributions import Entry
from appliance.storage.database import check, copy_of
from appliance.storage.documents import DOCUMENTS
from appliance.storage.journal import JOURNAL
from appliance.storage.tables import previous_of, read_copy
from tests.crash.place import PASSPHRASE, Place
from tests.crash.promises import Facts
from tests.crash.scenario import (
    OWNERS,
    backup_key,
    document_key,
    entry_key,
    forgotten_key,
    pack_key,
    request_key,
    stick_key,
)

UNKNOWN = "unknown"  # a kind of request that no box works on
NAMED = 30  # characters of a request that tell it from others


def brief(text: str) -> str:
    """A text, short enough to be said."""
    return f"{len(text)} characters {sha256(text.encode()).hexdigest()[:12]}"


def facts_of(place: Place, box: Appliance) -> Facts:
    """Every document as it reads, every pack in use once all its files are verified, and so on.

    Raises BarazaError, ValueError: something cannot be read that should be old or new.
    """
    for file in (*place.data.glob("[!.]*.json"), *place.data.glob("trust/[!.]*.json")):
        if not file.name.startswith(("documents.", "community.")):  # looked at below
            json.loads(file.read_bytes())
    return {
        **_documents(place, box),
        **_entries(box),
        **_packs(box),
        **_requests(place, box),
        **_backups(place),
        **_offered(place),
    }


def _documents(place: Place, box: Appliance) -> Facts:
    found = {
        document_key(owner, document.title): brief(document.text)
        for owner in OWNERS
        for document in box.documents.list(owner)
    }
    with suppress(FileNotFoundError):
        copy = read_copy(previous_of(place.data / DOCUMENTS), LIMITS)
        for row in copy.tables.get("documents", {}).values():
            key = document_key(row["owner"], row["title"])
            if key not in found:
                found[forgotten_key(key)] = "is in the copy of before"
    return found


def _entries(box: Appliance) -> Facts:
    """What the village wrote, as it reads, and what became of it."""
    return {entry_key(title_of(entry)): stage(entry) for entry in box.knowing.community.village.entries}


def stage(entry: Entry) -> str:
    """What became of an entry, and its texts, short enough to be said."""
    return f"{entry.state.value}: {brief(json.dumps(dict(entry.texts), sort_keys=True))}"


def _packs(box: Appliance) -> Facts:
    return {pack_key(pack.manifest.name): verify(pack.path).manifest.version for pack in box.packs.active()}


def _requests(place: Place, box: Appliance) -> Facts:
    """Those left with the box, by what was asked. One that waits may be worked on by now, and is kept all the same."""
    journal = box.keeping.journal
    found = {
        request_key(_named(job.request, job.id)): f"done: {brief(str(job.result))}"
        if job.state == "done" and job.kind == UNKNOWN
        else "kept"
        for job in (journal.jobs() if journal else ())
    }
    kept = {request_key(name): "is in the copy" for name in _in_copy(copy_of(place.data / JOURNAL))}
    return found | {forgotten_key(key): value for key, value in kept.items() if key not in found}


def _in_copy(path: Path) -> list[str]:
    """The requests in the copy of the journal. Raises BrokenError."""
    if not path.exists():
        return []
    check(path)
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        return [_named(json.loads(text), name) for text, name in connection.execute("SELECT request, id FROM jobs")]


def _named(request: dict[str, Any], name: str) -> str:
    return str(request.get("text", name))[:NAMED]


def _backups(place: Place) -> Facts:
    files = place.stick.glob(f"*{ENDING}") if place.stick.is_dir() else ()
    return {backup_key(file.name): _opened(file.read_bytes()) for file in files}


def _offered(place: Place) -> Facts:
    found: Facts = {}
    for folder in find_repositories(place.stick) if place.reader.is_dir() else ():
        found |= offered(place, folder)
    return found


def offered(place: Place, folder: Path) -> Facts:
    """What a box that trusts the publisher finds in a repository; nothing, if it refuses it.

    Raises BarazaError: it takes it, and an archive that is listed is not whole.
    """
    try:
        repository = Trust(place.reader).open(FolderSource(folder))
    except BarazaError:
        return {}
    packs = []
    for offer in repository.offers:
        with repository.archive(offer) as path:
            manifest, _ = check_archive(path)
        packs.append(f"{manifest.name} {manifest.version}")
    return {stick_key(repository.root.name): ", ".join(packs)}


@cache
def _opened(content: bytes) -> str:
    """How many documents a backup brings back to an empty box. Raises BackupError."""
    with TemporaryDirectory() as folder:
        source, data = Path(folder) / f"a{ENDING}", Path(folder) / "data"
        source.write_bytes(content)
        restore(source, data, PASSPHRASE)
        return f"{read_copy(data / DOCUMENTS, LIMITS).documents} documents"
