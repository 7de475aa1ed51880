"""Which pieces a translation may have: a few hundred that its source makes likely, instead of the whole vocabulary.

A pack's file of them has, for each direction, a row of pieces for every piece of a source, and those that are always
there; the factory learns them from its training text (`models/shortlist.py`). The file is a ZIP of NumPy arrays,
stored without compression, three a direction: `SOURCE.TARGET.counts`, how long each row is; `.targets`, the rows one
after another; `.always`.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from appliance.errors import EngineError
from appliance.limits import LIMITS, Limits

Ints = npt.NDArray[np.int64]
Way = tuple[str, str]

PARTS = ("counts", "targets", "always")


@dataclass(frozen=True)
class Table:
    """The lists of one direction: `counts` (vocabulary,) says how many of `targets` are of each source piece."""

    counts: Ints
    targets: Ints
    always: Ints


class Shortlist:
    """The lists of one direction, to be asked for a sentence."""

    def __init__(self, table: Table) -> None:
        self._starts = np.concatenate([[0], np.cumsum(table.counts)])
        self._targets, self._always = table.targets, table.always

    def of(self, source: Sequence[int]) -> Ints:
        """The ids that a translation of `source` (ids) may have, each once, in order. Its own pieces are among them."""
        rows = [self._targets[self._starts[piece] : self._starts[piece + 1]] for piece in set(source)]
        return np.unique(np.concatenate([self._always, np.asarray(source, np.int64), *rows]))


def save(tables: Mapping[Way, Table], out: Path) -> None:
    """Write `tables` to `out`, in the narrowest whole numbers that hold them."""
    arrays = {
        f"{source}.{target}.{part}": _narrow(getattr(table, part))
        for (source, target), table in tables.items()
        for part in PARTS
    }
    partial = out.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    partial.replace(out)


def open_shortlists(
    path: Path, ways: Sequence[Way], vocabulary: int, pack: str, limits: Limits = LIMITS
) -> dict[Way, Shortlist]:
    """The lists in `path`, which a stranger may have written, for the directions `ways`.

    Raises:
        EngineError: it is not such a file, lacks a direction, or names a piece beyond the `vocabulary`.
    """
    try:
        with zipfile.ZipFile(path) as stored:
            members = stored.infolist()
        if any(each.compress_type != zipfile.ZIP_STORED for each in members):
            raise ValueError("it is compressed")
        if sum(each.file_size for each in members) > limits.shortlist_bytes:
            raise ValueError(f"it is larger than {limits.shortlist_bytes} bytes")
        with np.load(path, allow_pickle=False) as arrays:
            return {way: Shortlist(_checked(arrays, way, vocabulary)) for way in ways}
    except (OSError, ValueError, KeyError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        raise EngineError(pack=pack, reason=f"{path.name}: {error}") from error


def _checked(arrays: Mapping[str, npt.NDArray[np.generic]], way: Way, vocabulary: int) -> Table:
    parts = []
    for part in PARTS:
        name = f"{way[0]}.{way[1]}.{part}"
        if name not in arrays:
            raise ValueError(f"{name} is missing")
        array = arrays[name]
        if array.ndim != 1 or array.dtype.kind != "u" or array.dtype.itemsize > 4:
            raise ValueError(f"{name} is not a row of whole numbers")
        parts.append(array.astype(np.int64))
    counts, targets, always = parts
    where = f"{way[0]}.{way[1]}"
    if len(counts) != vocabulary:
        raise ValueError(f"{where}.counts has {len(counts)} rows, the model {vocabulary} pieces")
    if counts.sum() != len(targets):
        raise ValueError(f"{where}.targets holds {len(targets)} pieces, its counts say {counts.sum()}")
    if max(targets.max(initial=0), always.max(initial=0)) >= vocabulary:
        raise ValueError(f"{where} names a piece above {vocabulary - 1}, the last one of the model")
    return Table(counts, targets, always)


def _narrow(array: Ints) -> npt.NDArray[np.generic]:
    largest = int(array.max(initial=0))
    return array.astype("<u2" if largest < 2**16 else "<u4")
