"""How much memory the engine of a translation pack takes, for its manifest."""

from __future__ import annotations

from appliance.limits import LIMITS

RUNTIME = 64 * 1024 * 1024  # bytes, beside weights and caches: measured by benchmarks/memory.py
COPIES = 2  # of the weights at most: as they lie in the file, and as ONNX Runtime packs them for its products
BEAM = 4  # hypotheses of a sentence: what a box is set to as a rule
WRITTEN = 48  # tokens of each sentence of a full batch: longer ones are rare, and fewer of them fit into a batch


def translation_memory(size: int, decoder_layers: int, width: int) -> int:
    """Bytes to reckon with for a pack of `size` bytes, whose decoder has so many layers of so many dimensions.

    What a batch takes are the keys and values, in fp32, of its source tokens and of what is written of each hypothesis.
    """
    token = decoder_layers * 2 * width * 4
    tokens = LIMITS.batch_pieces + LIMITS.batch_sentences * BEAM * WRITTEN
    return COPIES * size + RUNTIME + token * tokens
