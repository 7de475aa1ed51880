"""A public model fetched from the hub: only what is needed, at one revision, checked, and taken up where it stopped.

Nothing that comes is ever run: no code of a repository (`trust_remote_code` is never given), and weights that are a
pickle are read as weights only.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import requests
from huggingface_hub import HfApi, hf_hub_download, metadata_load
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from models.errors import FactoryError

STAMP = "source.json"
CONFIG = "config.json"
NEEDED = (
    CONFIG,
    "generation_config.json",
    "README.md",
    "LICENSE*",
    "NOTICE*",
    "*.spm",
    "vocab.json",
    "target_vocab.json",
    "vocab.txt",
    "merges.txt",
    "sentencepiece.bpe.model",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "modules.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
    "1_Pooling/config.json",
)
WEIGHTS = ("model*.safetensors", "model.safetensors.index.json")
PICKLED = ("pytorch_model*.bin", "pytorch_model.bin.index.json")
# Bytes on the disk while a model is converted, a byte of its weights in fp32, its graphs and the pack counted.
CONVERSION = {"marian": 9, "llm": 3, "embedding": 5}
TIMEOUT = 20  # seconds, for an answer of the hub
BLOCK = 1024 * 1024

Say = Callable[[str], None]


@dataclass(frozen=True)
class Fetched:
    """What lies in a folder: `revision` is the commit, or `sha256:…` of the weights where no commit is known."""

    repository: str
    revision: str
    licence: str


@dataclass(frozen=True)
class Remote:
    """A repository at one commit: its files with their sizes, and the sha256 of those kept as large files."""

    repository: str
    revision: str
    licence: str
    sizes: dict[str, int]
    digests: dict[str, str]

    def chosen(self) -> list[str]:
        """The files to fetch, small ones first; weights as safetensors where there are any, else as a pickle."""
        names = [name for name in self.sizes if _matches(name, NEEDED)]
        weights = [name for name in self.sizes if _matches(name, WEIGHTS)]
        weights = weights or [name for name in self.sizes if _matches(name, PICKLED)]
        return sorted({*names, *weights}, key=lambda name: (self.sizes[name], name))


def look_up(repository: str, revision: str) -> Remote:
    """Ask the hub what `repository` holds at `revision` ("" for the newest).

    Raises:
        FactoryError: there is no network, no such repository or revision, or it is closed to strangers.
    """
    with _hub_errors(repository, revision):
        api = HfApi(endpoint=_endpoint())
        found = api.model_info(repository, revision=revision or None, files_metadata=True, timeout=TIMEOUT)
    files = found.siblings or []
    card: dict[str, Any] = found.card_data.to_dict() if found.card_data else {}
    return Remote(
        repository=repository,
        revision=str(found.sha),
        licence=_licence_of(card),
        sizes={each.rfilename: int(each.size or 0) for each in files},
        digests={each.rfilename: each.lfs.sha256 for each in files if each.lfs},
    )


def fetch_one(remote: Remote, name: str, folder: Path) -> Path:
    """Fetch one file of `remote` into `folder`, or what is still missing of it. Raises FactoryError."""
    with _hub_errors(remote.repository, remote.revision):
        hf_hub_download(
            remote.repository,
            name,
            revision=remote.revision,
            local_dir=folder,
            endpoint=_endpoint(),
            etag_timeout=TIMEOUT,
        )
    path = folder / name
    _check_content(path, remote.sizes[name], remote.digests.get(name))
    return path


def fetch(remote: Remote, folder: Path, say: Say) -> Fetched:
    """Fetch what a conversion needs into `folder`; what is there already is not fetched again.

    Raises:
        FactoryError: the network failed (the same command goes on), a file is not what the hub says, or there are no
            weights.
    """
    names = remote.chosen()
    if not any(_matches(name, (*WEIGHTS, *PICKLED)) and not name.endswith(".json") for name in names):
        raise FactoryError(
            f"{remote.repository} holds no weights this factory reads (safetensors or pytorch_model.bin)."
        )
    for number, name in enumerate(names, 1):
        say(f"  file {number} of {len(names)}: {name}, {remote.sizes[name] / 1e6:,.1f} MB")
        fetch_one(remote, name, folder)
    fetched = Fetched(remote.repository, remote.revision, remote.licence)
    stamp = {**asdict(fetched), "files": {name: remote.sizes[name] for name in names}}
    partial = folder / f".{STAMP}.partial"
    partial.write_text(json.dumps(stamp, indent=1), encoding="utf-8")
    partial.replace(folder / STAMP)
    return fetched


def read_stamp(folder: Path) -> Fetched | None:
    """What was fetched into `folder` before, if all of it is still there."""
    try:
        stamp = json.loads((folder / STAMP).read_text(encoding="utf-8"))
        files = stamp.pop("files")
        complete = all((folder / name).stat().st_size == size for name, size in files.items())
        return Fetched(**stamp) if complete else None
    except (OSError, ValueError, TypeError, KeyError):
        return None


def local(folder: Path, repository: str) -> Fetched:
    """What a folder that somebody brought along says of itself.

    Raises:
        FactoryError: it is not a checkpoint in Hugging Face form.
    """
    if not (folder / CONFIG).is_file():
        raise FactoryError(f"{folder} holds no {CONFIG}: it is not a model in Hugging Face form.")
    stamped = read_stamp(folder)
    if stamped:
        return stamped
    weights = [path for path in sorted(folder.iterdir()) if _matches(path.name, (*WEIGHTS, *PICKLED))]
    weights = [path for path in weights if path.suffix != ".json"]
    if not weights:
        raise FactoryError(f"{folder} holds no weights: model.safetensors or pytorch_model.bin is expected there.")
    card = metadata_load(folder / "README.md") if (folder / "README.md").is_file() else None
    return Fetched(repository, f"sha256:{_sha256(weights[0])}", _licence_of(card or {}))


def check_licence(recipe: str, card: str, said: str | None) -> str:
    """The SPDX name of the licence a pack is made under.

    `recipe` is the recipe's, `card` what the model card says ("" if nothing), `said` what whoever runs the factory
    gave as `--licence`.

    Raises:
        FactoryError: they do not agree.
    """
    if card and said and said.casefold() != card.casefold():
        raise FactoryError(f"The model card says the licence is {card}, --licence says {said}. Which is right?")
    if card and not said and recipe.casefold() != card.casefold():
        raise FactoryError(
            f"The recipe says the licence is {recipe}, the model card says {card}. Read it; "
            f"if you can keep to it, give --licence {card}."
        )
    return said or recipe


def check_room(needs: Iterable[tuple[Path, int, str]]) -> None:
    """See that there is room: (folder, bytes, what for); needs on the same file system are added up.

    Raises:
        FactoryError: there is not; it says how much is needed where.
    """
    devices: dict[int, list[tuple[Path, int, str]]] = {}
    for folder, size, purpose in needs:
        there = next(each for each in (folder, *folder.absolute().parents) if each.exists())
        devices.setdefault(there.stat().st_dev, []).append((there, size, purpose))
    for wanted in devices.values():
        folder, needed = wanted[0][0], sum(size for _, size, _ in wanted)
        free = shutil.disk_usage(folder).free
        if free < needed:
            parts = ", ".join(f"{_size(size)} {purpose}" for _, size, purpose in wanted)
            raise FactoryError(
                f"There is not enough room on the disk of {folder}: {_size(needed)} are needed ({parts}), "
                f"{_size(free)} are free. Make room, or give folders on another disk with --work and --packs."
            )


def check_weights(folder: Path) -> None:
    """See that weights kept as a pickle hold nothing but weights.

    Raises:
        FactoryError: a file would run code, or cannot be read.
    """
    if any(_matches(path.name, ("model*.safetensors",)) for path in folder.iterdir()):
        return
    import torch

    for path in sorted(folder.glob("pytorch_model*.bin")):
        try:
            torch.load(path, map_location="cpu", weights_only=True)
        except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise FactoryError(
                f"{path.name} is damaged or holds more than weights, and is not used: {reason}"
            ) from error


def _size(number: int) -> str:
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:,.0f} MB"


def _endpoint() -> str | None:
    return os.environ.get("HF_ENDPOINT")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    """As in a shell, but `*` stays inside one folder."""
    return any(fnmatch.fnmatchcase(name, each) and name.count("/") == each.count("/") for each in patterns)


def _licence_of(card: dict[str, Any]) -> str:
    """The licence a model card gives, "" if none; one that is “other” has its name in a field of its own."""
    found = card.get("license") or ""
    if isinstance(found, list):
        found = " AND ".join(map(str, found))
    return str(card.get("license_name") or found) if found == "other" else str(found)


def _check_content(path: Path, size: int, digest: str | None) -> None:
    if path.stat().st_size != size or (digest and _sha256(path) != digest):
        path.unlink()
        raise FactoryError(f"{path.name} did not come through whole. The same command fetches it again.")


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


@contextmanager
def _hub_errors(repository: str, revision: str) -> Iterator[None]:
    """Turns what the hub's library raises into one line that says what to do."""
    place = _endpoint() or "the hub"
    pinned = f" --revision {revision}" if revision else ""
    elsewhere = (
        f"Where there is a network: `hf download {repository}{pinned} --local-dir FOLDER`; "
        "carry the folder here and give it with --checkpoint FOLDER."
    )
    try:
        yield
    except GatedRepoError as error:
        raise FactoryError(
            f"{repository} is open only to those who accepted its terms: read and accept them on its page, "
            "make a token there, and set HF_TOKEN to it."
        ) from error
    except RepositoryNotFoundError as error:
        raise FactoryError(
            f"There is no repository {repository} at {place}, or it needs a token (HF_TOKEN). Look at the recipe's hub."
        ) from error
    except RevisionNotFoundError as error:
        raise FactoryError(
            f"{repository} has no revision {revision}. Give --newest to take the newest one instead."
        ) from error
    except HFValidationError as error:
        raise FactoryError(f"{repository} is not the name of a repository: {error}") from error
    except HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "?"
        raise FactoryError(
            f"{place} answered {repository} with status {status}. Try again later. {elsewhere}"
        ) from error
    except (requests.RequestException, LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise FactoryError(
            f"{place} cannot be reached, or the connection broke; what came is kept, and the same command goes on. "
            f"{elsewhere}"
        ) from error
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise FactoryError(f"The disk is full: {error}. What came is kept; make room and go on.") from error
        raise
