"""The versions of a root before the one that this box began with: whoever gets packs from it may begin at the first.

This box trusts nobody by them. They are kept to be handed on, and whoever gets them follows them by the rules.
"""

from __future__ import annotations

from tuf.api.exceptions import DownloadError
from tuf.api.exceptions import RepositoryError as TufError
from tuf.api.metadata import Metadata, Root

from appliance.packs.sources import METADATA, Source


def ancestors(root: bytes, source: Source) -> tuple[bytes, ...]:
    """The versions before `root`, the first one first, as `source` has them; () unless each of them signed the next."""
    found: list[bytes] = []
    newer = Metadata[Root].from_bytes(root)
    try:
        while 1 < newer.signed.version <= source.limits.root_rotations:
            raw = source.download_bytes(f"{METADATA}{newer.signed.version - 1}.root.json", source.limits.root_bytes)
            older = Metadata[Root].from_bytes(raw)
            for signed in (older, newer):
                older.signed.verify_delegate(Root.type, signed.signed_bytes, signed.signatures)
            if older.signed.version != newer.signed.version - 1:
                return ()
            found.insert(0, raw)
            newer = older
    except (TufError, DownloadError, AttributeError, ValueError):
        return ()
    return tuple(found) if newer.signed.version == 1 else ()
