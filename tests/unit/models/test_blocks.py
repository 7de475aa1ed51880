"""Weights of few bits: close to what they were, and packed as the operators read them."""

from __future__ import annotations

import numpy as np
import pytest

from models.convert.blocks import (
    COLUMN_MOST,
    ROWS,
    SIZES,
    Floats,
    block_size,
    quantize,
    quantize_columns,
    restore,
)

SIZE = SIZES[0]


def some_weights(outputs: int = 50, inputs: int = 192) -> Floats:
    return np.random.default_rng(1).standard_normal((outputs, inputs), dtype=np.float32)


def error(restored: Floats, weights: Floats) -> float:
    return float(np.sqrt(((restored - weights) ** 2).mean() / (weights**2).mean()))


@pytest.mark.parametrize(("bits", "size", "most"), [(8, 64, 0.0065), (8, 32, 0.006), (4, 64, 0.09), (4, 32, 0.08)])
def test_rounding_loses_as_little_as_the_bits_allow(bits: int, size: int, most: float) -> None:
    weights = some_weights()
    assert error(restore(quantize(weights, bits, size)), weights) < most


def test_a_range_that_fits_loses_less_than_the_whole_range() -> None:
    weights = some_weights(400)
    blocks = weights.reshape(-1, SIZE)
    low, high = (ends(blocks, axis=1, keepdims=True) for ends in (np.min, np.max))
    scale = (high - low) / 15
    middle = np.rint(-low / scale)
    plain = (np.clip(np.rint(blocks / scale) + middle, 0, 15) - middle) * scale
    ours = restore(quantize(weights, 4)) - weights
    assert (ours**2).sum() < 0.97 * ((plain - blocks) ** 2).sum()


def test_blocks_of_64_with_a_zero_lose_no_more_than_blocks_of_32_without() -> None:
    """Weights with long tails, as trained ones have them; llama.cpp's Q4_0 is a block of 32 without a zero."""
    weights = np.random.default_rng(2).standard_t(4, (200, 192)).astype(np.float32)
    blocks = weights.reshape(-1, 32)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    plain = np.clip(np.rint(blocks * -8 / largest), -8, 7) * largest / -8
    assert error(restore(quantize(weights, 4, 64)), weights) < 1.02 * error(plain, blocks)


def test_values_are_packed_low_bits_first_with_their_zero() -> None:
    weights = np.zeros((1, 3 * SIZE), np.float32)
    weights[0, :3] = [-8, 7, 1]
    weights[0, SIZE : SIZE + 2] = [15, 1]
    weights[0, 2 * SIZE : 2 * SIZE + 2] = [-15, -1]
    four = quantize(weights, 4)
    assert (four.packed.shape, four.scales.tolist()) == ((1, 3, SIZE // 2), [[1.0, 1.0, 1.0]])
    assert four.packed[0, :, :2].tolist() == [[0 | 15 << 4, 9 | 8 << 4], [15 | 1 << 4, 0], [0 | 14 << 4, 15 | 15 << 4]]
    assert four.zeros is not None
    assert four.zeros.tolist() == [[8 | 0 << 4, 15]]
    eight = quantize(weights[:, :SIZE] * 127 / 8, 8)
    assert (eight.packed.shape, eight.scales.tolist(), eight.zeros) == ((1, 1, SIZE), [[1.0]], None)
    assert eight.packed[0, 0, :4].tolist() == [1, 239, 144, 128]


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_stay_zeros(bits: int) -> None:
    assert not restore(quantize(np.zeros((3, 64), np.float32), bits)).any()
    weights = some_weights()
    weights[weights > 0.5] = 0
    assert not restore(quantize(weights, bits))[weights == 0].any()


@pytest.mark.parametrize("bits", [4, 8])
def test_many_rows_are_rounded_each_by_itself(bits: int) -> None:
    weights = some_weights(ROWS + 7, SIZE)
    whole = restore(quantize(weights, bits))
    assert np.array_equal(whole[ROWS:], restore(quantize(weights[ROWS:], bits)))


def test_blocks_are_as_large_as_the_widths_allow() -> None:
    assert [block_size(widths) for widths in ([576, 1536], [576, 96], [576, 100])] == [64, 32, None]


def test_a_column_has_one_scale_and_seven_bits() -> None:
    weights = some_weights()
    weights[3] = 0
    columns = quantize_columns(weights)
    assert (columns.values.shape, columns.scales.shape) == ((192, 50), (50,))
    assert np.abs(columns.values).max() == COLUMN_MOST
    assert error((columns.values * columns.scales).T, weights) < 0.015
    assert not columns.values[:, 3].any()
