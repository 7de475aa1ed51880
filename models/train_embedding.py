"""Training of a small multilingual encoder on a teacher's vectors, in stretches, on a CPU or a GPU.

A text, in whatever language, is to get the vector that the teacher gives its English (Reimers and Gurevych 2020).
Run by the factory as a process of its own (`python -m models.train_embedding`), because the C library reads its
memory settings when a process starts.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import sentencepiece as spm
import torch
from tokenizers import Tokenizer
from torch.nn import functional
from transformers import BertConfig, BertModel
from transformers.utils import logging as transformers_logging

from models import embedding_texts, precision
from models.embedding_texts import Example, without_accents
from models.embedding_vocabulary import EOS, PAD, encode, first_embedding
from models.errors import FactoryError
from models.recipe_embedding import EmbeddingRecipe, Train, read_embedding_recipe
from models.run import Run
from models.teacher import checkpoint_of, load_vectors, mean_over

POOL = 16_000  # texts drawn at once, sorted by length and cut into batches
HELD = 200  # examples of each language kept from training, to see how it goes
MARKS = ".!?…"


@dataclass(frozen=True)
class Batch:
    """Token ids (B, T) int64 padded with PAD, the vectors to learn (B, D) float32, and their numbers (B,)."""

    ids: torch.Tensor
    vectors: torch.Tensor
    numbers: torch.Tensor


class Trainer(Run[Batch]):
    """A run of training of an embedding.

    `work` holds `texts.tsv.zst`, `spm.model` and the folder `vectors`. `clock` gives seconds.
    """

    def __init__(self, recipe: EmbeddingRecipe, work: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self.recipe = recipe
        self.texts = embedding_texts.load(work / "texts.tsv.zst")
        self.weights = embedding_texts.weights(recipe, self.texts)
        self.vectors = torch.from_numpy(load_vectors(work / "vectors", len(self.texts.english)))
        self.processor = spm.SentencePieceProcessor(model_file=str(work / "spm.model"))
        folder = work / "training"
        resumed = (folder / "state.pt").is_file()  # its weights are about to be read
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        model = new_student(recipe, self.processor, None if resumed else self.texts).to(device)
        self.held = self._hold_out()
        super().__init__(model, make_optimizers(model, recipe.train), recipe.train, folder, device, clock)

    def pool(self, done: float) -> Iterator[Batch]:
        return self.batches(self.progress.pools)

    def loss(self, batch: Batch) -> torch.Tensor:
        return loss_of(self.model, batch, self.recipe.train, self.device)

    def rate(self, done: float) -> float:
        train = self.recipe.train
        return train.peak_rate * min(1.0, (self.progress.updates + 1) / train.warmup_updates) * max(0.02, 1.0 - done)

    def size(self, batch: Batch) -> int:
        return len(batch.ids)

    def held_out(self) -> dict[str, float]:
        """The mean cosine of held-out translations, and of their English, to the teacher, by language."""
        figures = {}
        for language, examples in self.held.items():
            english = [self.texts.english[each.number] for each in examples]
            sides = (language, [each.translation for each in examples]), (f"en of {language}", english)
            for name, texts in sides:
                figures[name] = self._cosine(texts, [each.number for each in examples])
        return figures

    def write_checkpoint(self, folder: Path) -> None:
        """Write the averaged weights in Hugging Face form, with the SentencePiece model beside them."""
        super().write_checkpoint(folder)
        (folder / "spm.model").write_bytes(self.processor.serialized_model_proto())

    def batches(self, pool: int) -> Iterator[Batch]:
        """The batches of pool number `pool`: the same number gives the same batches."""
        rng = random.Random(f"{self.recipe.train.seed}/{pool}")
        drawn = [self._draw(rng) for _ in range(POOL)]
        ids = encode(self.processor, (text for text, _ in drawn), self.recipe.student.max_positions)
        order = sorted(range(len(drawn)), key=lambda row: len(ids[row]))
        groups: list[list[int]] = []
        for row in order:
            if not groups or len(ids[row]) * (len(groups[-1]) + 1) > self.recipe.train.batch_tokens:
                groups.append([])
            groups[-1].append(row)
        rng.shuffle(groups)
        for group in groups:
            yield self._batch([ids[row] for row in group], [drawn[row][1] for row in group])

    def _draw(self, rng: random.Random) -> tuple[str, int]:
        """A text as somebody may have typed it, and the number of its vector."""
        train = self.recipe.train
        (key,) = rng.choices(list(self.weights), list(self.weights.values()))
        example = rng.choice(self.texts.examples[key])
        if not example.translation or rng.random() < train.english:
            text = self.texts.english[example.number]
        else:
            text = example.translation
            if rng.random() < train.plain:
                text = without_accents(text)
        if rng.random() < train.bare:
            text = text.rstrip(MARKS).lstrip("¿¡") or text
        return text, example.number

    def _batch(self, ids: list[list[int]], numbers: list[int]) -> Batch:
        rows = [torch.tensor(row) for row in ids]
        chosen = torch.tensor(numbers)
        padded = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
        return Batch(padded, self.vectors[chosen].float(), chosen)

    def _hold_out(self) -> dict[str, list[Example]]:
        """By language, examples kept from training; the figures come from the evaluation sets."""
        held: dict[str, list[Example]] = {}
        for corpus in self.recipe.corpora:
            key = f"{corpus.target} {corpus.sources[0].name}"
            rows = self.texts.examples[key]
            random.Random(self.recipe.train.seed).shuffle(rows)
            count = min(HELD, len(rows) // 10)
            held[corpus.target], self.texts.examples[key] = rows[:count], rows[count:]
        return held

    def _cosine(self, texts: list[str], numbers: list[int]) -> float:
        batch = self._batch(encode(self.processor, texts, self.recipe.student.max_positions), numbers)
        with torch.no_grad():
            made = vectors_of(self.model, batch.ids.to(self.device))
        return float((made * batch.vectors.to(self.device)).sum(1).mean())


def new_student(
    recipe: EmbeddingRecipe, processor: spm.SentencePieceProcessor, texts: embedding_texts.Texts | None
) -> BertModel:
    """A BERT encoder of the teacher's width. With `texts` it starts from the teacher, if the recipe says so."""
    folder = checkpoint_of(recipe.teacher)
    shape = BertConfig.from_pretrained(folder)
    config = BertConfig(
        vocab_size=processor.get_piece_size(),
        hidden_size=shape.hidden_size,
        num_hidden_layers=len(recipe.student.layers),
        num_attention_heads=shape.num_attention_heads,
        intermediate_size=shape.intermediate_size,
        hidden_act=shape.hidden_act,
        layer_norm_eps=shape.layer_norm_eps,
        max_position_embeddings=recipe.student.max_positions,
        type_vocab_size=shape.type_vocab_size,
        hidden_dropout_prob=recipe.train.dropout,
        attention_probs_dropout_prob=0.0,
        pad_token_id=PAD,
        eos_token_id=EOS,
    )
    torch.manual_seed(recipe.train.seed)
    # Fused attention's backward is several times slower than plain matrix products on short texts on a CPU.
    config._attn_implementation = "eager"
    student = BertModel(config, add_pooling_layer=False)
    if texts is not None and recipe.student.start == "teacher":
        _start_from_teacher(student, recipe, processor, texts, folder)
    return student


def _start_from_teacher(
    student: BertModel,
    recipe: EmbeddingRecipe,
    processor: spm.SentencePieceProcessor,
    texts: embedding_texts.Texts,
    folder: Path,
) -> None:
    """The layers the recipe names, the first positions, and a row for each piece by what it is aligned with."""
    transformers_logging.set_verbosity_error()  # it would warn that the teacher's pooler is left out, as it should be
    teacher = BertModel.from_pretrained(folder, add_pooling_layer=False)
    english = Tokenizer.from_file(str(folder / "tokenizer.json"))
    english.no_padding()
    english.no_truncation()
    old, new = teacher.embeddings, student.embeddings
    with torch.no_grad():
        table = old.word_embeddings.weight.numpy()
        new.word_embeddings.weight.copy_(torch.from_numpy(first_embedding(processor, english, table, texts)))
        new.position_embeddings.weight.copy_(old.position_embeddings.weight[: recipe.student.max_positions])
        new.token_type_embeddings.weight.copy_(old.token_type_embeddings.weight)
    new.LayerNorm.load_state_dict(old.LayerNorm.state_dict())
    for place, number in enumerate(recipe.student.layers):
        student.encoder.layer[place].load_state_dict(teacher.encoder.layer[number].state_dict())


def vectors_of(model: BertModel, ids: torch.Tensor) -> torch.Tensor:
    """L2-normalised means over the tokens of `ids` (B, T), padded with PAD: (B, D)."""
    mask = ids != PAD
    with precision.autocast(ids.device):
        hidden = model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
    return functional.normalize(mean_over(hidden.float(), mask), dim=1)


def loss_of(model: BertModel, batch: Batch, train: Train, device: torch.device) -> torch.Tensor:
    """1 − cosine to the teacher's vectors, and `contrast` times the loss of finding each among those of the batch."""
    wanted, numbers = batch.vectors.to(device), batch.numbers.to(device)
    made = vectors_of(model, batch.ids.to(device))
    loss = 1 - (made * wanted).sum(1).mean()
    if not train.contrast:
        return loss
    same = numbers[:, None] == numbers[None, :]
    same.fill_diagonal_(False)  # the same text twice in a batch is no wrong answer
    likeness = (made @ wanted.T / train.temperature).masked_fill(same, -math.inf)
    return loss + train.contrast * functional.cross_entropy(likeness, torch.arange(len(made), device=device))


def make_optimizers(model: BertModel, train: Train) -> list[torch.optim.Optimizer]:
    """AdamW for all, or Muon for the matrices of the layers (Jordan et al. 2024) and AdamW for the rest.

    The `scale` of a group is what the rate is multiplied with for it.
    """
    table = model.embeddings.word_embeddings.weight
    matrices = [p for name, p in model.named_parameters() if p.ndim == 2 and ".layer." in name]
    chosen = {id(p) for p in (table, *matrices)}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    groups = [{"params": [table], "scale": train.embedding_rate}, {"params": rest, "scale": 1.0}]
    if train.optimizer == "adamw":
        groups.append({"params": matrices, "scale": 1.0})
        return [torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)]
    if train.optimizer != "muon":
        raise click.ClickException(f"optimizer: “adamw” or “muon”, not “{train.optimizer}”.")
    layers = {"params": matrices, "scale": 1.0}
    return [
        precision.muon([layers], model.device),
        torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, exists=True))
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder with the texts and vectors.")
@click.option("--minutes", type=float, help="Computing time in all; default: the recipe's.")
@click.option("--stretch", type=float, default=math.inf, help="Stop after so many minutes more, to go on later.")
@click.option("--threads", type=int, default=0, help="CPU threads; default: all cores.")
def main(recipe: Path, work: Path, minutes: float | None, stretch: float, threads: int) -> None:
    """Train the encoder of RECIPE, going on where an earlier run stopped."""
    if threads:
        torch.set_num_threads(threads)
    read = read_embedding_recipe(recipe)
    minutes = minutes or read.train.minutes
    try:
        trainer = Trainer(read, work)
    except FactoryError as error:
        raise click.ClickException(str(error)) from error
    trainer.run(minutes, stretch)
    if trainer.finished(minutes):
        trainer.write_checkpoint(work / "checkpoint")


if __name__ == "__main__":
    main()
