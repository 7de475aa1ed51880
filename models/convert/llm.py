"""Decoder-only language models (LlamaForCausalLM, Qwen2ForCausalLM) become text-generation packs."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jinja2 import TemplateError
from safetensors import SafetensorError, safe_open
from transformers import AutoConfig, AutoTokenizer, PretrainedConfig, PreTrainedTokenizerBase

from appliance.errors import EngineError
from appliance.inference.causal import CausalGraph
from appliance.inference.chat import Message, write_chat
from appliance.limits import LIMITS
from appliance.packs.manifest import BLANK, ChatForm
from models.convert import Converted, ConvertOptions
from models.convert.blocks import SIZES
from models.convert.llm_graph import Floats, Shape, Weights, build
from models.convert.llm_prompt_graph import build as build_prompts
from models.errors import FactoryError

ARCHITECTURES = ("LlamaForCausalLM", "Qwen2ForCausalLM")
NOT_BUILT = "this factory cannot build that"
GRAPH, DATA = "model.onnx", "model.onnx.data"
PROMPT_GRAPH, PROMPT_DATA = "prompt.onnx", "prompt.onnx.data"
TOKENIZERS = {"tokenizer.json": "tokenizer.json", "tokenizer.model": "spm.model"}  # in a checkpoint, in the pack
PACKED = {4: 1.35, 8: 1.25, 32: 1.2}  # bytes in memory of a byte of weights, as ONNX Runtime lays them out: measured
PROMPTS_PACKED = 1.1  # the same of the graph for prompts
WORKING_MEMORY = 120 * 1024**2 + LIMITS.prefix_bytes  # bytes, of a prompt's chunk and the runtime itself: measured


def convert(checkpoint: Path, folder: Path, options: ConvertOptions, say: Callable[[str], None]) -> Converted:
    """Write the graph, its weights and the tokenizer of `checkpoint` to `folder`.

    Raises:
        FactoryError: the architecture or a setting of it is not supported, a file or tensor is missing, or the chat
            template cannot be told as data.
    """
    if options.bits not in PACKED:
        raise FactoryError(f"Weights can have {', '.join(map(str, PACKED))} bits, not {options.bits}.")
    config = read_config(checkpoint)
    tokenizer_file = _tokenizer_file(checkpoint)
    tokenizer = AutoTokenizer.from_pretrained(checkpoint, local_files_only=True)
    form, ends = chat_form(tokenizer), _ends(checkpoint, config, tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    with open_weights(checkpoint) as (names, weights):
        shape = _shape(config, names, options)
        graph, data, bits = folder / GRAPH, folder / DATA, options.bits
        build(shape, weights, bits, graph, data, lambda layer: say(f"  layer {layer + 1} of {shape.layers}"))
        if prompts := options.prompts and bits == 4:
            into = folder / PROMPT_GRAPH, folder / PROMPT_DATA
            build_prompts(shape, weights, bits, graph, *into, lambda layer: say(f"  prompts: layer {layer + 1}"))
    shutil.copyfile(checkpoint / tokenizer_file, folder / TOKENIZERS[tokenizer_file])
    _try(folder / GRAPH, folder / PROMPT_GRAPH if prompts else None, checkpoint)
    settings = {
        "graph": GRAPH,
        "data": DATA,
        **({"prompt_graph": PROMPT_GRAPH, "prompt_data": PROMPT_DATA} if prompts else {}),
        "tokenizer": TOKENIZERS[tokenizer_file],
        "context": shape.context,
        "ends": ends,
        "chat": vars(form),
    }
    weights_in_memory = int((folder / DATA).stat().st_size * PACKED[options.bits])
    if prompts:
        weights_in_memory += int((folder / PROMPT_DATA).stat().st_size * PROMPTS_PACKED)
    return Converted(settings, weights_in_memory + shape.cache_bytes(shape.context) + WORKING_MEMORY)


def read_config(checkpoint: Path) -> PretrainedConfig:
    """The configuration of a checkpoint whose network can be built here.

    Raises:
        FactoryError: it is missing or not of a supported architecture.
    """
    raw = _read_json(checkpoint / "config.json")
    (architecture, *_) = raw.get("architectures") or ["of no architecture"]
    if architecture not in ARCHITECTURES:
        raise FactoryError(
            f"{checkpoint}: its architecture is {architecture}; this factory can make text-generation packs of "
            f"{' and '.join(ARCHITECTURES)}."
        )
    # Checkpoints written by transformers 5 hold all settings of the rotary embedding in one table.
    rotary = raw.get("rope_parameters") or raw.get("rope_scaling") or {}
    kind = rotary.get("rope_type") or rotary.get("type") or "default"
    if kind != "default":
        raise FactoryError(f"{checkpoint}: its rotary embedding is scaled (rope_scaling “{kind}”); {NOT_BUILT}.")
    try:
        # Not config.json alone: it leaves out the settings that are its class's own.
        config = AutoConfig.from_pretrained(checkpoint, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise FactoryError(f"{checkpoint / 'config.json'} is not as transformers knows it: {error}") from error
    config.rope_theta = rotary.get("rope_theta", config.rope_theta)
    for wrong, reason in _unsupported(config, rotary):
        if wrong:
            raise FactoryError(f"{checkpoint}: {reason}; {NOT_BUILT}.")
    return config


def _unsupported(config: PretrainedConfig, rotary: dict[str, Any]) -> Iterator[tuple[bool, str]]:
    rotated = rotary.get("partial_rotary_factor", getattr(config, "partial_rotary_factor", None)) or 1
    yield rotated != 1, "only a part of each head is rotated"
    yield config.hidden_act != "silu", f"its activation is {config.hidden_act}, not silu"
    yield bool(getattr(config, "mlp_bias", False)), "its feed-forward layers have biases"
    yield "sliding_attention" in (getattr(config, "layer_types", None) or ()), "it attends through a sliding window"
    yield getattr(config, "quantization_config", None) is not None, "its weights are quantized already"


def _shape(config: PretrainedConfig, names: frozenset[str], options: ConvertOptions) -> Shape:
    head_size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    biased = [name for name in ("q", "k", "v", "o") if f"model.layers.0.self_attn.{name}_proj.bias" in names]
    shape = Shape(
        layers=config.num_hidden_layers,
        hidden=config.hidden_size,
        intermediate=config.intermediate_size,
        heads=config.num_attention_heads,
        key_heads=config.num_key_value_heads,
        head_size=head_size,
        vocabulary=config.vocab_size,
        epsilon=config.rms_norm_eps,
        rope_theta=config.rope_theta,
        context=min(options.context, config.max_position_embeddings),
        tied=config.tie_word_embeddings or "lm_head.weight" not in names,
        qkv_bias="q" in biased,
        out_bias="o" in biased,
    )
    if options.bits < 32 and shape.block is None:
        widths = f"{shape.hidden}, {shape.intermediate} and {shape.heads * shape.head_size}"
        raise FactoryError(f"Its widths {widths} are not all multiples of {SIZES[-1]}: only 32 bits are possible.")
    return shape


@contextmanager
def open_weights(checkpoint: Path) -> Iterator[tuple[frozenset[str], Weights]]:
    """The names of a checkpoint's tensors, and a function that reads one as fp32.

    Raises:
        FactoryError: there is no safetensors file, or one cannot be read; the function: the tensor is not there.
    """
    with ExitStack() as stack:
        files = {}
        for path in _weight_files(checkpoint):
            try:
                file = stack.enter_context(safe_open(path, framework="pt"))
            except (OSError, SafetensorError) as error:
                raise FactoryError(f"{path} cannot be read: {error}. Fetch it again.") from error
            files.update(dict.fromkeys(file.keys(), file))

        def weights(name: str) -> Floats:
            if name not in files:
                raise FactoryError(
                    f"{checkpoint} has no tensor {name}: it is not complete, or of another architecture."
                )
            tensor: Floats = np.ascontiguousarray(files[name].get_tensor(name).to(torch.float32).numpy())
            return tensor

        yield frozenset(files), weights


def _weight_files(checkpoint: Path) -> list[Path]:
    index = checkpoint / "model.safetensors.index.json"
    if index.is_file():
        return [checkpoint / name for name in sorted(set(_read_json(index)["weight_map"].values()))]
    if (checkpoint / "model.safetensors").is_file():
        return [checkpoint / "model.safetensors"]
    raise FactoryError(f"{checkpoint} has no model.safetensors: weights in another form are not read.")


def _tokenizer_file(checkpoint: Path) -> str:
    found = next((name for name in TOKENIZERS if (checkpoint / name).is_file()), None)
    if found is None:
        raise FactoryError(f"{checkpoint} has no tokenizer: {' or '.join(TOKENIZERS)}.")
    return found


def _ends(checkpoint: Path, config: PretrainedConfig, tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The tokens that end an answer, by all that the checkpoint says of it."""
    path = checkpoint / "generation_config.json"
    generation = _read_json(path) if path.is_file() else {}
    ids: list[int] = []
    for said in (generation.get("eos_token_id"), config.eos_token_id, tokenizer.eos_token_id):
        ids += said if isinstance(said, list) else [] if said is None else [said]
    if not ids:
        raise FactoryError(f"{checkpoint} says of no token that it ends a text (eos_token_id).")
    return [str(tokenizer.convert_ids_to_tokens(number)) for number in dict.fromkeys(ids)]


def chat_form(tokenizer: PreTrainedTokenizerBase) -> ChatForm:
    """The tokenizer's chat template as data, found by rendering it and held against it.

    Raises:
        FactoryError: there is none, or it does more than to put marks around messages.
    """
    if not tokenizer.chat_template:
        raise FactoryError(
            "The checkpoint has no chat template: take the model that was taught to answer (“Instruct”)."
        )
    system, user, assistant = (Message(role, f"⟦{role}⟧") for role in ("system", "user", "assistant"))
    try:
        first = _render(tokenizer, [system])
        second = _render(tokenizer, [system, user])
        third = _render(tokenizer, [system, user, assistant])
        form = ChatForm(
            system=_blank(first, system),
            user=_blank(_after(first, second), user),
            assistant=_blank(_after(second, third), assistant),
            begin=_after(second, _render(tokenizer, [system, user], begin=True)),
        )
        alone = _render(tokenizer, [user])
        form = ChatForm(**{**vars(form), "opening": alone.removesuffix(form.user.replace(BLANK, user.text))})
        other = Message("user", "⟦other⟧")
        for messages in ([user], [user, assistant, other], [system, user, assistant, other]):
            ours = "".join(part.text for part in write_chat(form, messages))
            if ours != _render(tokenizer, messages, begin=True):
                raise ValueError(f"as data it makes {ours!r} of {len(messages)} messages")
    except (TemplateError, ValueError) as error:
        raise FactoryError(f"The checkpoint's chat template cannot be told as data: {error}") from error
    return form


def _render(tokenizer: PreTrainedTokenizerBase, messages: Sequence[Message], begin: bool = False) -> str:
    turns = [{"role": message.role, "content": message.text} for message in messages]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=begin))


def _after(shorter: str, longer: str) -> str:
    if not longer.startswith(shorter):
        raise ValueError("a message changes what stands before it")
    return longer[len(shorter) :]


def _blank(text: str, message: Message) -> str:
    if text.count(message.text) != 1:
        raise ValueError(f"the text of a message of the {message.role} stands there {text.count(message.text)} times")
    return text.replace(message.text, BLANK)


def _try(graph: Path, prompts: Path | None, checkpoint: Path) -> None:
    """Run two tokens through the graphs, so that what does not fit together is found here and not on a box."""
    try:
        text = CausalGraph(graph, str(checkpoint), 1, prompts).start(2)
        text.read([0])
        logits = text.step([1], [0])
    except EngineError as error:
        raise FactoryError(f"The graph made of {checkpoint} cannot be opened: {error}") from error
    if not np.isfinite(logits).all():
        raise FactoryError(f"The graph made of {checkpoint} computes no numbers: its weights are damaged.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise FactoryError(f"There is no {path}: it is not a checkpoint in Hugging Face form.") from None
    except (OSError, ValueError) as error:
        raise FactoryError(f"{path} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise FactoryError(f"{path} is not a table.")
    return found
