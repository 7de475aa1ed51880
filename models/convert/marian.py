"""MarianMT (OPUS-MT) and M2M100 (NLLB) checkpoints become the files of a translation pack.

Both are an encoder and a decoder with one table of pieces; they differ in how the pieces are cut and in what tells
the model its languages: OPUS-MT has two SentencePiece models and, in some, a tag before the source; NLLB has one, the
source language's code before the source, and the target language's as the first piece of the target.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from appliance.inference.pieces import END, PADDING, STEERING, UNKNOWN, ListedPieces
from appliance.inference.tokenizer import open_sentencepiece
from appliance.packs.manifest import Way
from models.convert import Converted, ConvertOptions
from models.convert.memory import translation_memory
from models.convert.sample import sample_text
from models.errors import FactoryError

MODEL_TYPES = ("marian", "m2m_100")
SHOWN_TAGS = 12
SAMPLE_SENTENCES, SAMPLE_DIRECTIONS = 32, 8  # that the ranges of int8 are measured on
LARGEST = 200_000_000  # weights of a table of pieces in fp32: a graph with more would be no file of less than 2 GB

Say = Callable[[str], None]


def convert(checkpoint: Path, folder: Path, options: ConvertOptions, say: Say) -> Converted:
    """Write `encoder.onnx`, `decoder.onnx`, their `embedding.bin` and the tokenizer's files to `folder`.

    Raises:
        FactoryError: the checkpoint is of another family, lacks a file or a tag, or its parts do not fit together.
    """
    config = _read_json(checkpoint / "config.json")
    if config.get("model_type") not in MODEL_TYPES:
        raise FactoryError(f"{checkpoint} holds a model of type {config.get('model_type')}, not {MODEL_TYPES}.")
    if options.bits not in (8, 32):
        raise FactoryError(f"Translation models are made in 8 or 32 bits, not in {options.bits}.")
    folder.mkdir(parents=True, exist_ok=True)
    opus = config["model_type"] == "marian"
    ids = _opus_tokenizer(checkpoint, folder) if opus else _multilingual_tokenizer(checkpoint, folder)
    start = _check_vocabulary(ids, config, options.directions)
    (folder / "vocab.json").write_text(json.dumps(ids, ensure_ascii=False, separators=(",", ":")), encoding="utf-8")
    if options.bits != 8 and int(config["vocab_size"]) * int(config["d_model"]) > LARGEST:
        raise FactoryError("The model's table of pieces is so large that it is made in 8 bits only.")
    _write_graphs(checkpoint, folder, ids, options, say)
    settings: dict[str, Any] = {
        "encoder": "encoder.onnx",
        "decoder": "decoder.onnx",
        **({"head": "head.onnx"} if options.lists else {}),
        "tokenizer": "source.spm" if opus else "spm.model",
        **({"target_tokenizer": "target.spm"} if opus else {}),
        "vocabulary": "vocab.json",
        "start": start,
        "positions": int(config["max_position_embeddings"]),
        "directions": [_row(way) for way in options.directions],
    }
    size = sum(path.stat().st_size for path in folder.iterdir())
    return Converted(settings, translation_memory(size, int(config["decoder_layers"]), int(config["d_model"])))


def _row(way: Way) -> dict[str, str]:
    row = {"source": way.source, "target": way.target, "tag": way.tag}
    return {**row, "first": way.first} if way.first else row


def _opus_tokenizer(checkpoint: Path, folder: Path) -> dict[str, int]:
    """Copy the two SentencePiece models; the vocabulary, piece → id."""
    settings = (
        _read_json(checkpoint / "tokenizer_config.json") if (checkpoint / "tokenizer_config.json").exists() else {}
    )
    if settings.get("separate_vocabs"):
        raise FactoryError("This OPUS-MT model has one vocabulary a side; only those that share one can be converted.")
    for name in ("source.spm", "target.spm"):
        _copy(checkpoint / name, folder / name)
    return {str(piece): int(number) for piece, number in _read_json(checkpoint / "vocab.json").items()}


def _multilingual_tokenizer(checkpoint: Path, folder: Path) -> dict[str, int]:
    """Copy the SentencePiece model; the vocabulary as transformers' tokenizer numbers it."""
    from transformers import AutoTokenizer

    _copy(checkpoint / "sentencepiece.bpe.model", folder / "spm.model")
    tokenizer = AutoTokenizer.from_pretrained(str(checkpoint), use_fast=False, local_files_only=True)
    ids: dict[str, int] = tokenizer.get_vocab()
    return dict(sorted(ids.items(), key=lambda item: item[1]))


def _check_vocabulary(ids: dict[str, int], config: dict[str, Any], directions: tuple[Way, ...]) -> str:
    """The piece the decoder starts from. Raises FactoryError if tokenizer, configuration and tags do not agree."""
    missing = {PADDING, END, UNKNOWN} - set(ids)
    if missing:
        raise FactoryError(f"The vocabulary of the checkpoint lacks {', '.join(sorted(missing))}.")
    if max(ids.values()) >= int(config["vocab_size"]):
        raise FactoryError(f"The tokenizer has ids above {config['vocab_size'] - 1}, the last one of the model.")
    for name, piece in (("eos_token_id", END), ("pad_token_id", PADDING)):
        if config.get(name) != ids[piece]:
            raise FactoryError(f"The model says {name} is {config.get(name)}, its tokenizer says {ids[piece]}.")
    for tag in [tag for way in directions for tag in (way.tag, way.first) if tag]:
        if tag not in ids:
            known = [piece for piece in ids if STEERING.fullmatch(piece) and piece not in (PADDING, END, UNKNOWN)]
            shown = ", ".join(known[:SHOWN_TAGS]) + (f" and {len(known) - SHOWN_TAGS} more" * (len(known) > SHOWN_TAGS))
            raise FactoryError(
                f"The recipe's tag {tag} is not one of the model's. It knows {shown or 'no tags at all'}."
            )
    starts = [piece for piece, number in ids.items() if number == config.get("decoder_start_token_id")]
    if not starts:
        raise FactoryError("The model does not say what its decoder starts from (decoder_start_token_id).")
    return starts[0]


def _write_graphs(checkpoint: Path, folder: Path, ids: dict[str, int], options: ConvertOptions, say: Say) -> None:
    from models.convert.seq2seq import open_model, ranges_of, write_graphs

    model = open_model(checkpoint)
    if model.get_output_embeddings().weight is not model.get_input_embeddings().weight:
        raise FactoryError("The model's output layer is not its table of pieces; only those that share it are made.")
    ranges = None
    if options.bits == 8:
        say("  measuring ranges on sample text …")
        spm = [folder / name for name in ("source.spm", "target.spm")]
        spm = spm if spm[0].exists() else [folder / "spm.model"] * 2
        ranges = ranges_of(model, _sample(model, *spm, ids, options.directions))
    say("  writing the graphs …")
    write_graphs(model, folder, ranges, lists=options.lists)


def _sample(
    model: Any, source: Path, target: Path, ids: dict[str, int], directions: Sequence[Way]
) -> list[tuple[list[int], list[int]]]:
    """Sentences of the source languages, and what the model makes of them, in a few of its directions."""
    from models.convert.seq2seq import written_by

    pieces = ListedPieces(*(open_sentencepiece(path, "the checkpoint") for path in (source, target)), ids)
    chosen = directions[:: -(-len(directions) // SAMPLE_DIRECTIONS)]
    pairs = []
    for way in chosen:
        tag = [ids[way.tag]] if way.tag else []
        for sentence in sample_text(way.source, -(-SAMPLE_SENTENCES // len(chosen))):
            given = [*tag, *pieces.encode(sentence), pieces.end]
            pairs.append((given, written_by(model, given, ids[way.first] if way.first else None)))
    return pairs


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise FactoryError(f"The checkpoint has no {source.name}: its tokenizer is not one of this family's.")
    shutil.copyfile(source, target)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FactoryError(
            f"The checkpoint has no {path.name}: {path.parent} is not one in Hugging Face form."
        ) from None
    except ValueError as error:
        raise FactoryError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise FactoryError(f"{path} is not a table.")
    return found
