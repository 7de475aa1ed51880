"""One pack of a repository, as its signed metadata tell: what can be shown without opening the archive."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tuf.api.metadata import TargetFile

from appliance.errors import RepositoryError
from appliance.limits import LIMITS
from appliance.packs.manifest import KINDS, LANGUAGE, NAME, SHA256, VERSION, Manifest

LONGEST = 500  # characters of a title or a licence


@dataclass(frozen=True)
class Offer:
    """`size`: bytes when installed; `memory`: bytes when in use; `manifest`: sha256 of its `pack.toml`, which lists the
    sha256 of every file, so two archives with the same `manifest` are the same pack.
    """

    name: str
    version: str
    kind: str
    title: str
    languages: tuple[str, ...]
    licence: str
    size: int
    memory: int
    least_appliance: str
    manifest: str

    @property
    def path(self) -> str:
        """Its target path in the repository."""
        return f"{self.name}/{self.name}-{self.version}.pack"


def offer_of(manifest: Manifest, digest: str) -> Offer:
    """What to tell of a pack; `digest` is the sha256 of its `pack.toml`."""
    return Offer(
        name=manifest.name,
        version=manifest.version,
        kind=manifest.kind,
        title=manifest.title[:LONGEST],
        languages=manifest.languages,
        licence=manifest.licence[:LONGEST],
        size=manifest.size,
        memory=manifest.memory_bytes,
        least_appliance=manifest.least_appliance,
        manifest=digest,
    )


def custom_of(offer: Offer) -> dict[str, Any]:
    """The offer as TUF's `custom` object of a target."""
    return {**asdict(offer), "languages": list(offer.languages)}


def read_offer(target: TargetFile, repository: str) -> Offer:
    """The offer in a target; signed, but still read as something a stranger may have written.

    Raises:
        RepositoryError: a field is missing or not of its form, or the target's path is another pack's.
    """
    values = target.custom
    values = values if isinstance(values, dict) else {}
    languages = values.get("languages")
    forms = {"name": NAME, "version": VERSION, "least_appliance": VERSION, "manifest": SHA256}
    texts = {field: values.get(field) for field in (*forms, "kind", "title", "licence")}
    sound = (
        all(isinstance(value, str) and len(value) <= LONGEST for value in texts.values())
        and all(form.fullmatch(str(texts[field])) for field, form in forms.items())
        and texts["kind"] in KINDS
        and all(_whole(values.get(field)) for field in ("size", "memory"))
        and isinstance(languages, list)
        and all(isinstance(each, str) and LANGUAGE.fullmatch(each) for each in languages)
    )
    if sound:
        kept = {field: values[field] for field in (*texts, "size", "memory")}
        offer = Offer(languages=tuple(values["languages"]), **kept)
        if offer.path == target.path and SHA256.fullmatch(str(target.hashes.get("sha256"))):
            return offer
    raise RepositoryError(path=repository, reason=f"what it says of {target.path[:80]} is not of its form")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 4 * LIMITS.pack_bytes
