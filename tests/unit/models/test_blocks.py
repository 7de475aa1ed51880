"""Weights of few bits: close to what they were, and packed as the operators read them."""

from __future__ import annotations

import numpy as np
import pytest

from models.convert.blocks import BLOCK, ROWS, quantize, restore


def some_weights(outputs: int = 50, inputs: int = 96) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((outputs, inputs), dtype=np.float32)


@pytest.mark.parametrize(("bits", "error"), [(8, 0.006), (4, 0.086)])
def test_rounding_loses_as_little_as_the_bits_allow(bits: int, error: float) -> None:
    weights = some_weights()
    lost = restore(quantize(weights, bits)) - weights
    assert np.sqrt((lost**2).mean() / (weights**2).mean()) < error


def test_a_range_that_fits_loses_less_than_the_whole_range() -> None:
    weights = some_weights(400)
    blocks = weights.reshape(-1, BLOCK)
    largest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=1)[:, None], axis=1)
    scale = largest / -8
    plain = np.clip(np.rint(blocks / scale), -8, 7) * scale
    assert ((restore(quantize(weights, 4)) - weights) ** 2).sum() < 0.97 * ((plain - blocks) ** 2).sum()


def test_values_are_packed_low_bits_first_around_the_middle() -> None:
    weights = np.zeros((1, BLOCK), np.float32)
    weights[0, :3] = [-8, 7, 1]
    four = quantize(weights, 4)
    assert (four.packed.shape, four.scales.tolist()) == ((1, 1, 16), [[1.0]])
    assert four.packed[0, 0, :2].tolist() == [0 | 15 << 4, 9 | 8 << 4]
    eight = quantize(weights * 127 / 8, 8)
    assert (eight.packed.shape, eight.scales.tolist()) == ((1, 1, 32), [[1.0]])
    assert eight.packed[0, 0, :4].tolist() == [1, 239, 144, 128]


@pytest.mark.parametrize("bits", [4, 8])
def test_zeros_stay_zeros(bits: int) -> None:
    assert not restore(quantize(np.zeros((3, 64), np.float32), bits)).any()


@pytest.mark.parametrize("bits", [4, 8])
def test_many_rows_are_rounded_each_by_itself(bits: int) -> None:
    weights = some_weights(ROWS + 7, BLOCK)
    whole = restore(quantize(weights, bits))
    assert np.array_equal(whole[ROWS:], restore(quantize(weights[ROWS:], bits)))
