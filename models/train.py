"""Training of a MarianMT model from nothing, in stretches, on a CPU or a GPU.

Run by the factory as a process of its own (`python -m models.train`), because the C library reads
its memory settings when a process starts. See `docs/decisions/` for what was measured.
"""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
import sentencepiece as spm
import torch
from torch.nn import functional
from transformers import MarianConfig, MarianMTModel

from models import corpus, precision
from models.corpus import Pair, Sampler
from models.errors import FactoryError
from models.recipe import Recipe, Train, read_recipe
from models.run import Run
from models.tokenizer import EOS, PAD

POOL = 24_000  # pairs drawn at once, sorted by length and cut into batches
MAX_PIECES = 160  # of one side; longer pairs are left out
HELD = 200  # pairs of the first corpus kept from training, to see the loss on; the figures come from the sets
AHEAD = 12  # pools made ready by processes of their own while a GPU works on one
IGNORE = -100
EMBEDDINGS = ("shared.weight", "embed_tokens.weight", "lm_head.weight")  # one matrix under its names


@dataclass(frozen=True)
class Batch:
    """Token ids, int64: source (B, S), decoder input and labels (B, T); padding PAD, in labels IGNORE."""

    source: torch.Tensor
    decoder: torch.Tensor
    labels: torch.Tensor

    @property
    def pairs(self) -> int:
        return self.source.shape[0]


def new_model(recipe: Recipe, vocabulary: int) -> MarianMTModel:
    """A MarianMT model with random weights, of the recipe's shape."""
    shape = recipe.model
    config = MarianConfig(
        vocab_size=vocabulary,
        d_model=shape.d_model,
        encoder_layers=shape.encoder_layers,
        decoder_layers=shape.decoder_layers,
        encoder_ffn_dim=shape.ffn_dim,
        decoder_ffn_dim=shape.ffn_dim,
        encoder_attention_heads=shape.attention_heads,
        decoder_attention_heads=shape.attention_heads,
        max_position_embeddings=shape.max_positions,
        activation_function=shape.activation,
        dropout=0.0,
        scale_embedding=True,
        share_encoder_decoder_embeddings=True,
        tie_word_embeddings=True,
        pad_token_id=PAD,
        eos_token_id=EOS,
        forced_eos_token_id=None,
        decoder_start_token_id=PAD,
        bos_token_id=None,
    )
    torch.manual_seed(recipe.train.seed)
    # Fused attention is several times slower than plain matrix products on short sentences on a CPU.
    config._attn_implementation = "eager"
    model = MarianMTModel(config)
    model.generation_config.max_length = shape.max_positions
    model.generation_config.bad_words_ids = None
    return model


def take_over(model: MarianMTModel, spm_model: Path, parent: Path) -> None:
    """Give `model` the trained weights in `parent`, the work folder of a finished recipe (`start_from`).

    The layers are copied. The embedding of a piece is that of the same piece in the other vocabulary; of a new one,
    the mean of the pieces that it is made of there; of a new tag, the mean of the tags.

    Raises:
        FactoryError: the recipe there is not finished, or its model has another shape.
    """
    if not (parent / "checkpoint" / "config.json").is_file():
        raise FactoryError(f"start_from: {parent} holds no trained model. Build the recipe {parent.name} first.")
    old_pieces = spm.SentencePieceProcessor(model_file=str(parent / "spm.model"))
    pieces = spm.SentencePieceProcessor(model_file=str(spm_model))
    old = MarianMTModel.from_pretrained(parent / "checkpoint")
    state, table = old.state_dict(), old.get_input_embeddings().weight.detach()
    rows = [_made_of(pieces.id_to_piece(index), old_pieces) for index in range(pieces.get_piece_size())]
    embedding = torch.stack([table[row].mean(0) for row in rows])
    own = model.state_dict()
    for name, value in own.items():
        if name.endswith(EMBEDDINGS):
            own[name] = embedding
        elif name != "final_logits_bias":
            own[name] = state[name]
        if own[name].shape != value.shape:
            raise FactoryError(
                f"start_from: the model of {parent.name} has another shape ({name}: {tuple(own[name].shape)}, "
                f"here {tuple(value.shape)}). Give both recipes the same [model]."
            )
    model.load_state_dict(own)


def _made_of(piece: str, old: spm.SentencePieceProcessor) -> list[int]:
    """Ids of the longest pieces of the vocabulary `old` that make up `piece`, from the left."""
    if piece == old.id_to_piece(old.unk_id()) or old.piece_to_id(piece) != old.unk_id():
        return [old.piece_to_id(piece)]
    if piece.startswith(">>"):
        return [index for index in range(old.get_piece_size()) if old.id_to_piece(index).startswith(">>")]
    found: list[int] = []
    while piece:
        fits = (length for length in range(len(piece), 0, -1) if old.piece_to_id(piece[:length]) != old.unk_id())
        length = next(fits, 0)
        if length:
            found.append(old.piece_to_id(piece[:length]))
        else:
            found += [old.piece_to_id(f"<0x{byte:02X}>") for byte in piece[0].encode()]
        piece = piece[length or 1 :]
    return found


def batches(recipe: Recipe, pairs: dict[str, list[Pair]], spm_model: Path, pool: int, tokens: int) -> Iterator[Batch]:
    """The batches of pool number `pool`, each of at most `tokens` source plus target tokens."""
    sampler = Sampler(pairs, recipe.corpus.sources, recipe.train, f"{recipe.train.seed}/{pool}")
    processor = spm.SentencePieceProcessor(model_file=str(spm_model))
    examples = _encoded(sampler, recipe, processor)
    examples.sort(key=lambda example: (len(example[0]) + len(example[1])) // 3)
    groups: list[list[int]] = []
    longest = [0, 0]
    for index, (source, target) in enumerate(examples):
        longest = [max(longest[0], len(source)), max(longest[1], len(target))]
        if not groups or sum(longest) * (len(groups[-1]) + 1) > tokens:
            groups.append([])
            longest = [len(source), len(target)]
        groups[-1].append(index)
    sampler.shuffle(groups)
    for group in groups:
        yield make_batch([examples[index] for index in group])


def make_batch(examples: list[tuple[list[int], list[int]]]) -> Batch:
    """Pad (source, target) ids, each ending with EOS; the decoder starts with PAD, as Marian does."""
    sources = [torch.tensor(source) for source, _ in examples]
    targets = [torch.tensor(target) for _, target in examples]
    padded = torch.nn.utils.rnn.pad_sequence
    labels = padded(targets, batch_first=True, padding_value=IGNORE)
    decoder = torch.cat(
        [torch.full((len(targets), 1), PAD), labels[:, :-1].masked_fill(labels[:, :-1] == IGNORE, PAD)], 1
    )
    return Batch(padded(sources, batch_first=True, padding_value=PAD), decoder, labels)


def loss_of(model: MarianMTModel, batch: Batch, smoothing: float, device: torch.device) -> torch.Tensor:
    """Mean cross-entropy over the target tokens; the output layer sees no padding."""
    source, decoder, labels = (tensor.to(device) for tensor in (batch.source, batch.decoder, batch.labels))
    with precision.autocast(device):
        hidden = model.model(
            input_ids=source, attention_mask=(source != PAD).long(), decoder_input_ids=decoder, use_cache=False
        ).last_hidden_state
        real = labels != IGNORE
        logits = functional.linear(hidden[real], model.lm_head.weight)
    return functional.cross_entropy(logits.float(), labels[real], label_smoothing=smoothing)


class Supply:
    """The batches of a run, pool by pool; with `processes`, the next pools are made ready beside the training."""

    def __init__(self, recipe: Recipe, prepared: Path, spm_model: Path, processes: int) -> None:
        self._recipe, self._spm_model = recipe, spm_model
        self.held, self._pairs = hold_out(recipe, corpus.load(prepared))
        self._helpers: ProcessPoolExecutor | None = None
        self._ahead = processes
        self._coming: dict[tuple[int, int], Future[list[Arrays]]] = {}
        if processes:
            context = multiprocessing.get_context("spawn")
            self._helpers = ProcessPoolExecutor(processes, context, _prepare_helper, (recipe, prepared, spm_model))

    def pool(self, number: int, tokens: int) -> Iterator[Batch]:
        if self._helpers is None:
            yield from batches(self._recipe, self._pairs, self._spm_model, number, tokens)
            return
        for later in range(number, number + self._ahead):
            if (later, tokens) not in self._coming:
                self._coming[later, tokens] = self._helpers.submit(_pool_of_helper, later, tokens)
        for arrays in self._coming.pop((number, tokens)).result():
            yield Batch(*(torch.from_numpy(array.astype(np.int64)) for array in arrays))

    def close(self) -> None:
        """End the processes, if there are any; what they have ready is dropped."""
        if self._helpers:
            self._helpers.shutdown(cancel_futures=True)


Arrays = tuple[np.ndarray, np.ndarray, np.ndarray]
_helper: dict[str, Any] = {}


def _prepare_helper(recipe: Recipe, prepared: Path, spm_model: Path) -> None:
    torch.set_num_threads(1)
    _helper.update(recipe=recipe, pairs=hold_out(recipe, corpus.load(prepared))[1], spm_model=spm_model)


def _pool_of_helper(number: int, tokens: int) -> list[Arrays]:
    """The batches of a pool as int16 arrays: ids fit, and a pipe carries them faster."""
    made = batches(_helper["recipe"], _helper["pairs"], _helper["spm_model"], number, tokens)
    return [tuple(each.numpy().astype(np.int16) for each in (b.source, b.decoder, b.labels)) for b in made]  # type: ignore[misc]


def hold_out(recipe: Recipe, pairs: dict[str, list[Pair]]) -> tuple[list[Pair], dict[str, list[Pair]]]:
    """(`HELD` pairs of the first corpus, all the others)."""
    name = recipe.corpus.sources[0].name
    count = min(HELD, len(pairs[name]) // 10)
    return pairs[name][:count], {**pairs, name: pairs[name][count:]}


class Trainer(Run[Batch]):
    """A run of training of a translation model."""

    def __init__(self, recipe: Recipe, prepared: Path, spm_model: Path, folder: Path, device: str) -> None:
        self.recipe = recipe
        self.supply = Supply(recipe, prepared, spm_model, processes=AHEAD if device == "cuda" else 0)
        self.pieces = spm.SentencePieceProcessor(model_file=str(spm_model))
        model = new_model(recipe, self.pieces.get_piece_size())
        if recipe.train.start_from and not (folder / "state.pt").is_file():
            take_over(model, spm_model, folder.parent.parent / recipe.train.start_from)
        if device == "cuda":
            model.config._attn_implementation = "sdpa"
        model.to(device)
        optimizers = make_optimizers(model, recipe.train)
        super().__init__(model, optimizers, recipe.train, folder, torch.device(device))

    def pool(self, done: float) -> Iterator[Batch]:
        train = self.recipe.train
        tokens = train.batch_tokens_late if done > train.late_after else train.batch_tokens
        return self.supply.pool(self.progress.pools, tokens)

    def loss(self, batch: Batch) -> torch.Tensor:
        train = self.recipe.train
        plain = self.progress.updates < train.plain_updates
        set_dropout(self.model, 0.0 if plain else train.dropout)
        return loss_of(self.model, batch, 0.0 if plain else train.label_smoothing, self.device)

    def rate(self, done: float) -> float:
        return learning_rate(self.recipe.train, self.progress.updates, done)

    def size(self, batch: Batch) -> int:
        return batch.pairs

    def held_out(self) -> dict[str, float]:
        """The loss on held-out pairs, by direction."""
        kept = replace(self.recipe.train, lower_case=0, upper_case=0, bare_end=0, joined=0, renumbered=0)
        recipe = replace(self.recipe, train=kept)
        figures = {}
        for number, way in enumerate(recipe.directions):
            examples = [encode(pair, recipe, number, self.pieces) for pair in self.supply.held]
            loss = loss_of(self.model, make_batch(examples), 0.0, self.device)
            figures[f"held {way.source}-{way.target}"] = float(loss)
        return figures


def encode(
    pair: Pair, recipe: Recipe, direction: int, processor: spm.SentencePieceProcessor
) -> tuple[list[int], list[int]]:
    """(source ids with tag and EOS, target ids with EOS) of a pair, in the recipe's direction number `direction`."""
    way = recipe.directions[direction]
    forward = way.source == recipe.corpus.source
    source, target = (pair.source, pair.target) if forward else (pair.target, pair.source)
    return [processor.piece_to_id(way.tag), *processor.encode(source), EOS], [*processor.encode(target), EOS]


def learning_rate(train: Train, updates: int, done: float) -> float:
    """Linear warm-up, then linear to (almost) nothing at the end of the time: `done` in 0..1."""
    warm = min(1.0, (updates + 1) / train.warmup_updates)
    return train.peak_rate * warm * max(0.02, 1.0 - done)


def set_dropout(model: MarianMTModel, chance: float) -> None:
    """Hidden-state dropout, as Marian trains with; attention and activations have none."""
    for layer in (model.model.encoder, model.model.decoder, *model.model.encoder.layers, *model.model.decoder.layers):
        layer.dropout = chance


def make_optimizers(model: MarianMTModel, train: Train) -> list[torch.optim.Optimizer]:
    """AdamW for all, or Muon for the matrices of the layers (Jordan et al. 2024) and AdamW for the rest."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if train.optimizer == "adamw":
        return [torch.optim.AdamW(trained, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.01, fused=True)]
    if train.optimizer != "muon":
        raise click.ClickException(f"optimizer: “adamw” or “muon”, not “{train.optimizer}”.")
    matrices = [p for name, p in model.named_parameters() if p.requires_grad and p.ndim == 2 and ".layers." in name]
    chosen = {id(p) for p in matrices}
    rest = [p for p in trained if id(p) not in chosen]
    return [
        precision.muon(matrices, model.device),
        torch.optim.AdamW(rest, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def _encoded(
    sampler: Sampler, recipe: Recipe, processor: spm.SentencePieceProcessor
) -> list[tuple[list[int], list[int]]]:
    ways = len(recipe.directions)
    rows = (encode(pair, recipe, number % ways, processor) for number, pair in enumerate(sampler.draw(POOL)))
    return [row for row in rows if max(len(row[0]), len(row[1])) <= MAX_PIECES]


@click.command()
@click.argument("recipe", type=click.Path(path_type=Path, exists=True))
@click.option("--work", type=click.Path(path_type=Path), required=True, help="Folder with pairs.tsv.zst and spm.model.")
@click.option("--minutes", type=float, help="Computing time in all; default: the recipe's.")
@click.option("--stretch", type=float, default=math.inf, help="Stop after so many minutes more, to go on later.")
@click.option("--threads", type=int, default=0, help="CPU threads; default: all cores.")
@click.option(
    "--profile", type=click.Choice(["auto", "cpu", "gpu"]), default="auto", help="Which settings of the recipe to use."
)
def main(recipe: Path, work: Path, minutes: float | None, stretch: float, threads: int, profile: str) -> None:
    """Train the model of RECIPE, going on where an earlier run stopped."""
    if threads:
        torch.set_num_threads(threads)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    read = read_recipe(recipe, {"auto": "gpu" if device == "cuda" else "cpu"}.get(profile, profile))
    minutes = minutes or read.train.minutes
    try:
        trainer = Trainer(read, work / "pairs.tsv.zst", work / "spm.model", work / "training", device)
    except FactoryError as error:
        raise click.ClickException(str(error)) from error
    trainer.run(minutes, stretch, read.train.updates)
    trainer.supply.close()
    if trainer.finished(minutes, read.train.updates):
        trainer.write_checkpoint(work / "checkpoint")


if __name__ == "__main__":
    main()
