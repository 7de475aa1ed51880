"""Charts: right places, readable without colour and by a screen reader."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.plot import BELOW, HEIGHT, LEFT, RIGHT, WIDTH, Axis, Series, draw, save

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*series: Series, x: Axis | None = None, y: Axis | None = None) -> ElementTree.Element:
    return ElementTree.fromstring(draw("Speed", "It grows.", x or Axis("phones"), y or Axis("seconds"), series))


def discs(chart: ElementTree.Element) -> list[tuple[float, float]]:
    """The places of the points of the first line; the first is its mark in the legend."""
    found = [each for each in chart.iter(f"{SVG}circle") if each.get("fill") == "#000000"]
    return [(float(each.get("cx", "")), float(each.get("cy", ""))) for each in found[1:]]


def test_points_stand_where_their_values_are() -> None:
    (left, low), (middle, _), (right, high) = discs(drawn(Series("a", [(0, 0), (5, 5), (10, 10)])))
    assert (left, right) == (LEFT, WIDTH - RIGHT)
    assert low == HEIGHT - BELOW
    assert high < low
    assert middle == pytest.approx((left + right) / 2, abs=0.1)


def test_on_a_logarithmic_axis_equal_ratios_are_equal_lengths() -> None:
    places = discs(drawn(Series("a", [(1, 1), (10, 10), (100, 100)]), x=Axis("n", log=True), y=Axis("s", log=True)))
    (one, _), (ten, _), (hundred, _) = places
    assert ten - one == pytest.approx(hundred - ten, abs=0.2)
    assert places[0][1] - places[1][1] == pytest.approx(places[1][1] - places[2][1], abs=0.2)


def test_numbers_stand_at_the_ticks_that_are_asked_for() -> None:
    chart = drawn(Series("a", [(1, 1), (40, 3)]), x=Axis("phones", log=True, ticks=(1, 10, 40)))
    words = [each.text for each in chart.iter(f"{SVG}text")]
    assert words[2:5] == ["1", "10", "40"]
    assert "phones" in words
    assert "seconds" in words


def test_lines_differ_without_colour_and_are_named() -> None:
    chart = drawn(*(Series(f"line {number}", [(0, number), (1, number)]) for number in range(8)))
    strokes = [
        each for each in chart.iter(f"{SVG}path") if each.get("stroke-width") == "2" and "L" in (each.get("d") or "")
    ]
    assert len({(each.get("stroke-dasharray"), each.get("stroke")) for each in strokes}) == 8
    assert {f"line {number}" for number in range(8)} <= {each.text for each in chart.iter(f"{SVG}text")}


def test_a_reader_who_cannot_see_it_is_told_what_it_shows() -> None:
    chart = drawn(Series("<a> & b", [(0, 1)]))
    assert (chart.findtext(f"{SVG}title"), chart.findtext(f"{SVG}desc")) == ("Speed", "It grows.")
    assert chart.get("role") == "img"
    assert "<a> & b" in [each.text for each in chart.iter(f"{SVG}text")]


def test_the_same_figures_give_the_same_file(tmp_path: Path) -> None:
    for name in ("one.svg", "two.svg"):
        save(tmp_path / "new" / name, "T", "D", Axis("x"), Axis("y"), [Series("a", [(1, 0.1), (2, 0.30000004)])])
    assert (tmp_path / "new" / "one.svg").read_bytes() == (tmp_path / "new" / "two.svg").read_bytes()


@pytest.mark.parametrize("value", [1e-6, 0.02, 1.0, 7.3, 44.0, 1234.0, 2.5e7])
def test_every_range_has_a_few_round_numbers(value: float) -> None:
    for log in (False, True):
        chart = draw("T", "D", Axis("x"), Axis("y", log=log), [Series("a", [(0, value), (1, 3 * value)])])
        ticks = re.findall(r'text-anchor="end">([^<]+)<', chart)
        assert 2 <= len(ticks) <= 12
        assert all(len(tick) <= 10 for tick in ticks)


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
def test_what_has_no_place_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        drawn(Series("a", [(1, value)]), y=Axis("seconds", log=True))


def test_a_chart_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing"):
        drawn(Series("a", []))
