"""Patterns for answers that the tests share."""

from __future__ import annotations

import math
import random
import re

PATTERNS = [
    "[0-9]{1,3} (kg|sacks)( and [a-z]+)?",
    "(yes|no|perhaps[.]?)",
    "[^\\n]{1,12}",
    "[à-ÿ]{2,3}|मक्का( 🌽)*",
    "- .+\\n- .+",
    " ?[ab]* ?x",
    "(20[0-9]{2})-(0[1-9]|1[0-2])(-[0-3][0-9])?",
]


def random_pattern(drawn: random.Random, letters: str, unbounded: bool, depth: int = 3) -> tuple[str, float]:
    """A pattern over `letters` and the length of the longest text that matches it."""
    kind = drawn.randrange(7) if depth else 0
    if kind <= 1:
        return re.escape(drawn.choice(letters)), 1
    if kind == 2:
        negated = "^" if unbounded and drawn.random() < 0.5 else ""
        other, first = (re.escape(drawn.choice(letters)) for _ in range(2))
        return f"[{negated}{other}{first}-{max(letters)}]", 1
    first, one = random_pattern(drawn, letters, unbounded, depth - 1)
    if kind <= 4:
        second, two = random_pattern(drawn, letters, unbounded, depth - 1)
        return (f"{first}{second}", one + two) if kind == 3 else (f"({first}|{second})", max(one, two))
    least = drawn.randrange(3)
    times = [("?", 1.0), (f"{{{least}}}", least), (f"{{{least},{least + 2}}}", least + 2.0)]
    if unbounded:
        times += [("*", math.inf), ("+", math.inf), (f"{{{least},}}", math.inf)]
    sign, most = drawn.choice(times)
    return f"({first}){sign}", most * one if most else 0
