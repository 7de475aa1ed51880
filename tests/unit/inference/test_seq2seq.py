"""The places of sentences that are decoded together: each as if it were alone, whoever comes and goes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.inference.seq2seq import FIRST_STEPS, Floats, Places, Seq2Seq

PACK = Path(__file__).resolve().parents[2] / "data" / "tiny" / "pack"
SOURCES = [[5, 40, 60, 80, 2], [6, 70, 2], [5, *range(30, 60), 2]]
BEAM, CANDIDATES = 2, 4


@pytest.fixture(scope="module")
def graphs() -> Seq2Seq:
    return Seq2Seq(PACK / "encoder.onnx", PACK / "decoder.onnx", "tiny", 1, [0, 1, 3, 4])


def alone(graphs: Seq2Seq, source: list[int], steps: int) -> list[Floats]:
    """Scores of each step, where both hypotheses write token 30 + step and swap places every third step."""
    places = Places(graphs, BEAM, CANDIDATES)
    places.add([source])
    return [told(places, [step], 1)[0] for step in range(steps)]


def told(places: Places, steps: list[int], count: int) -> Floats:
    tokens = np.array([[30 + step, 31 + step] for step in steps])
    parents = np.array([[1, 0] if step % 3 == 2 else [0, 1] for step in steps])
    scores, _ = places.step(tokens, parents)
    assert scores.shape == (count, BEAM, CANDIDATES)
    return scores.copy()


def test_sentences_that_come_and_go_are_each_as_if_alone(graphs: Seq2Seq) -> None:
    places = Places(graphs, BEAM, CANDIDATES)
    first, second, third = (alone(graphs, source, 12) for source in SOURCES)
    places.add(SOURCES[:1])
    np.testing.assert_allclose(told(places, [0], 1)[0], first[0], atol=1e-4)
    places.add(SOURCES[1:])  # the third is longer than the place that there was
    for step in range(4):
        scores = told(places, [step + 1, step, step], 3)
        for place, expected in enumerate((first[step + 1], second[step], third[step])):
            np.testing.assert_allclose(scores[place], expected, atol=1e-4)
    places.take_out(0)  # the third moves there
    scores = told(places, [4, 4], 2)
    np.testing.assert_allclose(scores[0], third[4], atol=1e-4)
    np.testing.assert_allclose(scores[1], second[4], atol=1e-4)
    places.take_out(1)
    np.testing.assert_allclose(told(places, [5], 1)[0], third[5], atol=1e-4)


def test_the_cache_grows_with_what_is_in_it(graphs: Seq2Seq) -> None:
    steps = 3 * FIRST_STEPS
    expected = alone(graphs, SOURCES[0], steps)
    places = Places(graphs, BEAM, CANDIDATES)
    places.add([SOURCES[0]])
    for step in range(steps - 2):
        told(places, [step], 1)
    places.add([SOURCES[1]])
    scores = told(places, [steps - 2, 0], 2)
    np.testing.assert_allclose(scores[0], expected[steps - 2], atol=1e-4)
    np.testing.assert_allclose(scores[1], alone(graphs, SOURCES[1], 1)[0], atol=1e-4)


def sizes(places: Places) -> tuple[int, int, int]:
    """Sentences, source tokens and steps that there is room for."""
    return *places._mask.shape, places._seen.shape[2] // BEAM  # type: ignore[return-value]


def test_what_a_long_sentence_took_is_given_back_while_others_go_on(graphs: Seq2Seq) -> None:
    """A search that never ends holds what the sentences in it need, not what the longest ever did."""
    places = Places(graphs, BEAM, CANDIDATES, most=3)
    first, second, third = (alone(graphs, source, 4 * FIRST_STEPS) for source in SOURCES)
    places.add(SOURCES[2:])
    for step in range(3 * FIRST_STEPS):
        told(places, [step], 1)
    places.add(SOURCES[:1])
    assert sizes(places) == (2, len(SOURCES[2]), 4 * FIRST_STEPS)
    told(places, [3 * FIRST_STEPS, 0], 2)
    places.take_out(0)
    places.add(SOURCES[1:2])
    assert sizes(places) == (2, len(SOURCES[0]), FIRST_STEPS)
    scores = told(places, [1, 0], 2)
    np.testing.assert_allclose(scores[0], first[1], atol=1e-4)
    np.testing.assert_allclose(scores[1], second[0], atol=1e-4)
    places.add(SOURCES[2:])
    assert sizes(places) == (3, len(SOURCES[2]), FIRST_STEPS)  # not 4
    for step in range(2 * FIRST_STEPS):
        scores = told(places, [step + 2, step + 1, step], 3)
        for place, expected in enumerate((first[step + 2], second[step + 1], third[step])):
            np.testing.assert_allclose(scores[place], expected, atol=1e-4)


def test_a_forked_hypothesis_sees_what_its_parent_wrote(graphs: Seq2Seq) -> None:
    """Both hypotheses go on from the second; then they write the same, and think the same."""
    places = Places(graphs, BEAM, CANDIDATES)
    places.add([SOURCES[0]])
    places.step(np.array([[0, 0]]), np.array([[0, 1]]))
    apart = places.step(np.array([[40, 50]]), np.array([[0, 0]]))[0].copy()
    forked = places.step(np.array([[60, 60]]), np.array([[1, 1]]))[0].copy()
    assert not np.allclose(apart[0, 0], apart[0, 1])
    np.testing.assert_array_equal(forked[0, 0], forked[0, 1])


def test_banned_tokens_are_never_among_the_candidates(graphs: Seq2Seq) -> None:
    places = Places(graphs, 1, graphs.allowed)
    places.add([SOURCES[0]])
    scores, ids = places.step(np.array([[0]]), np.array([[0]]))
    assert not {0, 1, 3, 4} & set(ids[0, 0].tolist())
    assert np.isfinite(scores).all()
    assert (np.diff(scores[0, 0]) <= 0).all()
