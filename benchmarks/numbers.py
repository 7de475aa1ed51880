"""Do numbers come through? Generated sentences with quantities, dates, times, sums and units, each way.

    .venv/bin/python -m benchmarks.numbers

Prints, for each direction, the share with every number right, the share that is wrong but marked on the page, and
the share that is wrong and not marked; a few of those in which a number was lost are shown.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from appliance import config
from appliance.app import Appliance

COUNT = 500
SHOWN = 3
MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
}
Draw = Callable[[random.Random], str]


def _day(language: str) -> Draw:
    joined = {"en": "{day} {month} {year}", "es": "{day} de {month} de {year}"}[language]
    return lambda rng: joined.format(
        day=rng.randint(1, 28), month=rng.choice(MONTHS[language]), year=rng.randint(1960, 2035)
    )


def _sum(rng: random.Random) -> str:
    return f"{rng.randint(1, 99)},{rng.randint(0, 999):03}.{rng.randint(0, 99):02}"


FORMS: dict[str, list[tuple[str, Draw]]] = {
    "en": [
        ("We need {} kg of seed.", lambda rng: str(rng.randint(2, 9000))),
        ("The meeting is on {}.", _day("en")),
        ("It costs {} shillings.", _sum),
        ("Come at {} tomorrow.", lambda rng: f"{rng.randint(13, 23)}:{rng.randint(10, 59)}"),
        ("{} of the families have no water.", lambda rng: f"{rng.randint(2, 99)}%"),
        ("Add {} litres of water.", lambda rng: f"{rng.randint(1, 40)}.{rng.randint(1, 9)}"),
        ("The field is {} metres long.", lambda rng: str(rng.randint(2, 900))),
    ],
    "es": [
        ("Necesitamos {} kg de semilla.", lambda rng: str(rng.randint(2, 9000))),
        ("La reunión es el {}.", _day("es")),
        ("Cuesta {} pesos.", _sum),
        ("Venga mañana a las {}.", lambda rng: f"{rng.randint(13, 23)}:{rng.randint(10, 59)}"),
        ("El {} de las familias no tiene agua.", lambda rng: f"{rng.randint(2, 99)} %"),
        ("Agregue {} litros de agua.", lambda rng: f"{rng.randint(1, 40)}.{rng.randint(1, 9)}"),
        ("El terreno tiene {} metros de largo.", lambda rng: str(rng.randint(2, 900))),
    ],
}


def main() -> None:
    """Print the table."""
    service = Appliance(config.load()).translation
    for source, target in (("en", "es"), ("es", "en")):
        rng = random.Random(2026)
        drawn = [rng.choice(FORMS[source]) for _ in range(COUNT)]
        texts = [form.format(draw(rng)) for form, draw in drawn]
        right, marked, silent = 0, 0, 0
        shown: list[str] = []
        for text in texts:
            done = service.translate(text, source, target)
            kept = sorted(_digits(text)) == sorted(_digits(done.text))
            noted = any(segment.missing or segment.added for segment in done.segments)
            right, marked, silent = right + kept, marked + (not kept and noted), silent + (not kept and not noted)
            if not kept and len(shown) < SHOWN:
                shown.append(f"    {text} → {done.text}")
        print(f"{source}→{target}  {COUNT} sentences", end="  ")
        print(f"right {right / COUNT:.1%}  marked {marked / COUNT:.1%}  wrong and not marked {silent / COUNT:.1%}")
        print(*shown, sep="\n")


def _digits(text: str) -> list[str]:
    """Every run of digits, without a care for separators: not the rule the page marks by, to check that rule."""
    return "".join(character if character.isdigit() else " " for character in text).split()


if __name__ == "__main__":
    main()
