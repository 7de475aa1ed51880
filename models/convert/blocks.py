"""Weights in blocks of few bits, as ONNX Runtime's operators MatMulNBits and GatherBlockQuantized read them.

A block is `BLOCK` neighbouring inputs of one output: it has one scale, and its zero stands in the middle of the
values (8 of 0..15, 128 of 0..255), so that nothing but the scale is stored beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

BLOCK = 32
ROWS = 4096  # quantized at once: bounds the memory
SHRINKS = (1.0, 0.93, 0.86)  # of a 4-bit block's range: cutting its largest value off can lose less than it gains

Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Blocks:
    """`packed` (outputs, blocks, BLOCK * bits / 8), the first value in the low bits; `scales` (outputs, blocks)."""

    bits: int
    packed: Bytes
    scales: Floats


def quantize(weight: Floats, bits: int) -> Blocks:
    """Quantize `weight` (outputs, inputs) to 4 or 8 bits; the inputs are a multiple of BLOCK."""
    outputs, inputs = weight.shape
    packed = np.empty((outputs, inputs // BLOCK, BLOCK * bits // 8), np.uint8)
    scales = np.empty((outputs, inputs // BLOCK), np.float32)
    for first in range(0, outputs, ROWS):
        rows = slice(first, first + ROWS)
        blocks = weight[rows].reshape(-1, inputs // BLOCK, BLOCK)
        if bits == 8:
            packed[rows], scales[rows] = _eight_bits(blocks)
        else:
            values, scales[rows] = _four_bits(blocks)
            packed[rows] = values[..., 0::2] | values[..., 1::2] << 4
    return Blocks(bits, packed, scales)


def restore(blocks: Blocks) -> Floats:
    """The weight (outputs, inputs) that the operators compute with."""
    values: npt.NDArray[np.float32]
    if blocks.bits == 8:
        values = blocks.packed.astype(np.float32) - 128
    else:
        pairs = np.stack((blocks.packed & 15, blocks.packed >> 4), axis=-1)
        values = pairs.reshape(*blocks.packed.shape[:2], BLOCK).astype(np.float32) - 8
    restored: Floats = (values * blocks.scales[..., None]).reshape(len(values), -1)
    return restored


def _eight_bits(blocks: Floats) -> tuple[Bytes, Floats]:
    scales = np.abs(blocks).max(axis=-1) / 127
    values = np.rint(blocks * _inverse(scales)[..., None]) + 128
    return values.astype(np.uint8), scales


def _four_bits(blocks: Floats) -> tuple[Bytes, Floats]:
    """Of some ranges the one with the least squared error, each with the scale that fits its values best.

    The value of largest size maps to -8, the end with one step more.
    """
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=-1)[..., None], axis=-1)[..., 0]
    best = np.zeros(blocks.shape, np.float32)
    scales = np.zeros(blocks.shape[:-1], np.float32)
    gains = np.full(scales.shape, -1.0, np.float32)
    for shrink in SHRINKS:
        inverse = _inverse(largest * np.float32(shrink / -8))
        values = np.clip(np.rint(blocks * inverse[..., None]), -8, 7)
        dot = np.einsum("...i,...i->...", blocks, values)
        square = np.maximum(np.einsum("...i,...i->...", values, values), 1)
        # With the best scale dot / square the squared error is that of zeros less dot² / square.
        gain = dot * dot / square
        better = gain > gains
        gains = np.where(better, gain, gains)
        scales = np.where(better, dot / square, scales)
        np.copyto(best, values, where=better[..., None])
    return (best + 8).astype(np.uint8), scales


def _inverse(scales: Floats) -> Floats:
    """1 / scale; 0 for a block of zeros."""
    return np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
