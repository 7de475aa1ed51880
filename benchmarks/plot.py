"""Line charts as SVG, by hand: no library, no colour needed to tell the lines apart.

    plot.save(path, "Time to the end", "What a reader who cannot see it should know.",
              Axis("phones", log=True, ticks=(1, 10, 40)), Axis("seconds"), [Series("p50", [(1, 0.1), (40, 2.0)])])

Each line has its own dashes and its own mark, both shown in the legend. The background is white, so that the chart can
be read on a dark page too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 420  # of the whole picture, in its own units
LEFT, RIGHT, TOP = 78, 24, 52  # what the lines leave free
LINE = 20  # height of a line of the legend
BELOW = 62  # for the numbers and the words under the x axis
WANTED_TICKS = 6
DASHES = ("", "8 5", "2 4", "12 4 2 4", "4 3", "16 6")
MARKS = ("disc", "square", "triangle", "ring", "diamond", "cross")
INKS = ("#000000", "#555555")


@dataclass(frozen=True)
class Series:
    """A line: points (x, y) in the order in which they are joined."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Axis:
    """`label` says what is measured and its unit. `ticks`: where numbers stand; () chooses them.

    A linear axis begins at 0 unless there are values below it; a logarithmic one takes positive values only.
    """

    label: str
    log: bool = False
    ticks: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Scale:
    """From values to places: `first` and `last` are the values at `start` and `end`."""

    first: float
    last: float
    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        low, high, here = (
            (map(math.log10, (self.first, self.last, value)))
            if self.log
            else (
                self.first,
                self.last,
                value,
            )
        )
        return self.start + (here - low) / (high - low) * (self.end - self.start)


def save(path: Path, title: str, description: str, x: Axis, y: Axis, series: Sequence[Series]) -> None:
    """Write the chart to `path`. Raises ValueError as `draw`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(draw(title, description, x, y, series), encoding="utf-8")


def draw(title: str, description: str, x: Axis, y: Axis, series: Sequence[Series]) -> str:
    """The chart as the text of an SVG file; the same input gives the same text.

    Raises:
        ValueError: there is no point, or one that is not finite, or not positive on a logarithmic axis.
    """
    points = [point for each in series for point in each.points]
    _check(points, x, y)
    top = TOP + LINE * math.ceil(len(series) / 2)
    across = _scale([point[0] for point in points], x, LEFT, WIDTH - RIGHT)
    up = _scale([point[1] for point in points], y, HEIGHT - BELOW, top)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="13" fill="#000">',
        f'<title id="title">{escape(title)}</title>',
        f'<desc id="desc">{escape(description)}</desc>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="24" font-size="16" font-weight="bold">{escape(title)}</text>',
        *_legend(series),
        *_across(across, x, top),
        *_up(up, y, top),
        *(line for number, each in enumerate(series) for line in _line(each, number, across, up)),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _check(points: Sequence[tuple[float, float]], x: Axis, y: Axis) -> None:
    if not points:
        raise ValueError("there is nothing to draw")
    for axis, values in ((x, [point[0] for point in points]), (y, [point[1] for point in points])):
        wrong = [value for value in values if not math.isfinite(value) or (axis.log and value <= 0)]
        if wrong:
            raise ValueError(f"{axis.label}: {wrong[0]} has no place on this axis")


def _scale(values: Sequence[float], axis: Axis, start: float, end: float) -> _Scale:
    low, high = min(*values, *axis.ticks, math.inf), max(*values, *axis.ticks, -math.inf)
    if axis.log:
        return _Scale(*_log_range(low, high, bool(axis.ticks)), start, end, True)
    low = min(low, 0.0)
    high = high if high > low else low + 1.0
    step = _step(high - low)
    if not axis.ticks:
        low, high = math.floor(low / step) * step, math.ceil(high / step - 1e-9) * step
    return _Scale(low, high, start, end, False)


def _log_range(low: float, high: float, exact: bool) -> tuple[float, float]:
    if exact and low < high:
        return low, high
    low, high = 10.0 ** math.floor(math.log10(low)), 10.0 ** math.ceil(math.log10(high))
    return low, high if high > low else low * 10


def _step(span: float) -> float:
    """1, 2 or 5 times a power of ten: about WANTED_TICKS of them make up `span`."""
    rough = span / WANTED_TICKS
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))


def _ticks(scale: _Scale, axis: Axis) -> list[float]:
    if axis.ticks:
        return list(axis.ticks)
    if not scale.log:
        step = _step(scale.last - scale.first)
        first, last = round(scale.first / step), math.floor(scale.last / step + 1e-9)
        return [number * step for number in range(first, last + 1)]
    powers = range(round(math.log10(scale.first)), round(math.log10(scale.last)) + 1)
    factors = (1, 2, 5) if len(powers) <= 3 else (1,)
    return [each for power in powers for factor in factors if (each := factor * 10.0**power) <= scale.last * 1.0001]


def _number(value: float) -> str:
    """As people write it: no exponent between a thousandth and a million."""
    if value and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.0e}".replace("e+0", "e").replace("e-0", "e-")
    return f"{value:,.6g}" if abs(value) >= 1e4 else f"{value:.6g}"


def _across(scale: _Scale, axis: Axis, top: float) -> Iterator[str]:
    bottom = HEIGHT - BELOW
    for tick in _ticks(scale, axis):
        place = scale.place(tick)
        yield f'<path d="M{place:.1f} {top}V{bottom + 5}" stroke="#ddd"/>'
        yield f'<text x="{place:.1f}" y="{bottom + 20}" text-anchor="middle">{_number(tick)}</text>'
    yield f'<path d="M{LEFT} {bottom}H{WIDTH - RIGHT}" stroke="#000"/>'
    middle = (LEFT + WIDTH - RIGHT) / 2
    yield f'<text x="{middle:.1f}" y="{HEIGHT - 16}" text-anchor="middle">{escape(axis.label)}</text>'


def _up(scale: _Scale, axis: Axis, top: float) -> Iterator[str]:
    bottom = HEIGHT - BELOW
    for tick in _ticks(scale, axis):
        place = scale.place(tick)
        yield f'<path d="M{LEFT - 5} {place:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>'
        yield f'<text x="{LEFT - 9}" y="{place + 4.5:.1f}" text-anchor="end">{_number(tick)}</text>'
    yield f'<path d="M{LEFT} {top}V{bottom}" stroke="#000"/>'
    middle = (top + bottom) / 2
    yield f'<text transform="translate(18 {middle:.1f}) rotate(-90)" text-anchor="middle">{escape(axis.label)}</text>'


def _legend(series: Sequence[Series]) -> Iterator[str]:
    """Two entries a line, over the chart."""
    for number, each in enumerate(series):
        x, y = LEFT + (WIDTH - LEFT - RIGHT) / 2 * (number % 2), 44 + LINE * (number // 2)
        yield _stroke(f"M{x:.0f} {y}h40", number)
        yield _mark(number, x + 20, y)
        yield f'<text x="{x + 48:.0f}" y="{y + 4.5}">{escape(each.name)}</text>'


def _line(series: Series, number: int, across: _Scale, up: _Scale) -> Iterator[str]:
    places = [(across.place(x), up.place(y)) for x, y in series.points]
    if len(places) > 1:
        yield _stroke("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), number)
    for x, y in places:
        yield _mark(number, x, y)


def _stroke(path: str, number: int) -> str:
    dashes = DASHES[number % len(DASHES)]
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<path d="{path}" fill="none" stroke="{_ink(number)}" stroke-width="2"{dashed}/>'


def _mark(number: int, x: float, y: float) -> str:
    ink, mark = _ink(number), MARKS[number % len(MARKS)]
    if mark in ("disc", "ring"):
        inside = ink if mark == "disc" else "#fff"
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4.5" fill="{inside}" stroke="{ink}" stroke-width="2"/>'
    paths = {
        "square": "m-4.5 -4.5h9v9h-9z",
        "triangle": "m0 -6l5.5 10h-11z",
        "diamond": "m0 -6l6 6l-6 6l-6 -6z",
        "cross": "m-5 -5l10 10m0 -10l-10 10",
    }
    inside = "none" if mark == "cross" else "#fff" if mark == "diamond" else ink
    return f'<path d="M{x:.1f} {y:.1f}{paths[mark]}" fill="{inside}" stroke="{ink}" stroke-width="2"/>'


def _ink(number: int) -> str:
    return INKS[number // len(DASHES) % len(INKS)]
