"""Weights of few bits, as ONNX Runtime's operators read them.

Blocks, for MatMulNBits and GatherBlockQuantized: a block is some neighbouring inputs of one output, with a scale of
its own. Eight bits have their zero in the middle (128 of 0..255). Four bits have a zero of their own too: with it a
block of 64 loses about as little as one of 32 without it, and a sixth fewer bytes are read for a token.

Columns, for MatMulIntegerToFloat: one scale for all inputs of an output, seven bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

SIZES = (64, 32)  # of a block; the first that fits the widths of a network
ROWS = 4096  # quantized at once: bounds the memory
SHRINKS = (1.0, 0.93, 0.86, 0.79)  # of a 4-bit block's range: cutting its ends off can lose less than it gains
COLUMN_MOST = 64  # not 127: two products of 255 and 64 still fit the 16 bits that processors before VNNI add up in

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Blocks:
    """A weight (outputs, inputs) in blocks of `size` inputs.

    `packed` (outputs, blocks, size * bits / 8), the first value in the low bits; `scales` (outputs, blocks); `zeros`
    (outputs, blocks / 2 rounded up), packed alike, for 4 bits only.
    """

    bits: int
    size: int
    packed: Bytes
    scales: Floats
    zeros: Bytes | None = None


@dataclass(frozen=True)
class Columns:
    """A transposed weight: `values` (inputs, outputs), `scales` (outputs,)."""

    values: npt.NDArray[np.int8]
    scales: Floats


def block_size(widths: Sequence[int]) -> int | None:
    """The largest block that divides all `widths`; None if there is none."""
    return next((size for size in SIZES if not any(width % size for width in widths)), None)


def quantize(weight: Floats, bits: int, size: int = SIZES[0]) -> Blocks:
    """Quantize `weight` (outputs, inputs) to 4 or 8 bits; the inputs are a multiple of `size`."""
    outputs, inputs = weight.shape
    blocks = inputs // size
    packed = np.empty((outputs, blocks, size * bits // 8), np.uint8)
    scales = np.empty((outputs, blocks), np.float32)
    zeros = np.empty((outputs, (blocks + 1) // 2), np.uint8) if bits == 4 else None
    for first in range(0, outputs, ROWS):
        rows = slice(first, first + ROWS)
        values = weight[rows].reshape(-1, blocks, size)
        if zeros is None:
            packed[rows], scales[rows] = _eight_bits(values)
        else:
            nibbles, scales[rows], middles = _four_bits(values)
            packed[rows] = _pairs(nibbles)
            zeros[rows] = _pairs(np.pad(middles, ((0, 0), (0, blocks % 2))))
    return Blocks(bits, size, packed, scales, zeros)


def restore(blocks: Blocks) -> Floats:
    """The weight (outputs, inputs) that the operators compute with."""
    outputs, count = blocks.scales.shape
    values: npt.NDArray[np.float32]
    if blocks.zeros is None:
        values = blocks.packed.astype(np.float32) - 128
    else:
        zeros = _nibbles(blocks.zeros)[:, :count]
        values = _nibbles(blocks.packed).astype(np.float32) - zeros[..., None]
    restored: Floats = (values * blocks.scales[..., None]).reshape(outputs, -1)
    return restored


def quantize_columns(weight: Floats) -> Columns:
    """Quantize `weight` (outputs, inputs) with one scale an output."""
    scales = np.abs(weight).max(axis=1) / COLUMN_MOST
    values = np.rint(weight * _inverse(scales)[:, None]).astype(np.int8)
    return Columns(np.ascontiguousarray(values.T), scales)


def _pairs(nibbles: Bytes) -> Bytes:
    pairs: Bytes = nibbles[..., 0::2] | nibbles[..., 1::2] << 4
    return pairs


def _nibbles(pairs: Bytes) -> Bytes:
    return np.stack((pairs & 15, pairs >> 4), axis=-1).reshape(*pairs.shape[:-1], -1)


def _eight_bits(blocks: Floats) -> tuple[Bytes, Floats]:
    scales = np.abs(blocks).max(axis=-1) / 127
    values = np.rint(blocks * _inverse(scales)[..., None]) + 128
    return values.astype(np.uint8), scales


def _four_bits(blocks: Floats) -> tuple[Bytes, Floats, Bytes]:
    """Values, scales and zeros: of some ranges the one with the least squared error, with the scale that fits it best.

    A range holds 0, which is kept exactly.
    """
    low, high = np.minimum(blocks.min(axis=-1), 0), np.maximum(blocks.max(axis=-1), 0)
    best, middles = np.zeros(blocks.shape, np.uint8), np.zeros(low.shape, np.uint8)
    scales = np.zeros(low.shape, np.float32)
    gains = np.full(low.shape, -1.0, np.float32)
    for shrink in SHRINKS:
        inverse = _inverse((high - low) * np.float32(shrink / 15))
        middle = np.clip(np.rint(-low * shrink * inverse), 0, 15)
        stored = np.clip(np.rint(blocks * inverse[..., None]) + middle[..., None], 0, 15)
        values = stored - middle[..., None]
        dot = np.einsum("...i,...i->...", blocks, values)
        square = np.maximum(np.einsum("...i,...i->...", values, values), 1)
        # With the best scale dot / square the squared error is that of zeros less dot² / square.
        gain = dot * dot / square
        better = gain > gains
        gains = np.where(better, gain, gains)
        scales = np.where(better, dot / square, scales)
        middles = np.where(better, middle, middles).astype(np.uint8)
        np.copyto(best, stored.astype(np.uint8), where=better[..., None])
    return best, scales, middles


def _inverse(scales: Floats) -> Floats:
    """1 / scale; 0 for a block of zeros."""
    return np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
