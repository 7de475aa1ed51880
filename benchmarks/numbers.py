"""Do numbers come through? Generated sentences with quantities, dates, times, money, phone numbers and more, each way.

    .venv/bin/python -m benchmarks.numbers [SENTENCES] [en-es fr-sw …]

Every direction of the box, those through English too; 500 sentences each, unless said otherwise. Prints the share
with every number right, the share in which the box put true numbers back for that, the share that is wrong but marked
on the page, and the share that is wrong and not marked; a few of those in which a number was lost are shown.

A number is right if its groups of digits stand in the translation in the same order, one after another, and no other
digits do: a rule of its own, without a care for marks, to check the one that the page marks by.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass, field

from appliance import config
from appliance.app import Appliance
from appliance.translation.service import Segment, TranslationService

COUNT = 500
SHOWN = 3
MONTHS = {
    "en": "January February March April May June July August September October November December".split(),
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split(),
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre".split(),
    "sw": "Januari Februari Machi Aprili Mei Juni Julai Agosti Septemba Oktoba Novemba Desemba".split(),
}
Draw = Callable[[random.Random], str]


def _between(least: int, most: int, form: str = "{}") -> Draw:
    return lambda rng: form.format(rng.randint(least, most))


def _day(language: str) -> Draw:
    form = "{} de {} de {}" if language == "es" else "{} {} {}"
    return lambda rng: form.format(rng.randint(2, 28), rng.choice(MONTHS[language]), rng.randint(1960, 2035))


def _date(rng: random.Random) -> str:
    return f"{rng.randint(1, 28)}/{rng.randint(1, 12)}/{rng.randint(1990, 2035)}"


def _iso_date(rng: random.Random) -> str:
    return f"{rng.randint(1990, 2035)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"


def _time(joint: str) -> Draw:
    return lambda rng: f"{rng.randint(7, 23)}{joint}{rng.randint(10, 59)}"


def _sum(between: str, before: str) -> Draw:
    return lambda rng: f"{rng.randint(2, 99)}{between}{rng.randint(0, 999):03}{before}{rng.randint(0, 99):02}"


def _decimal(mark: str) -> Draw:
    return lambda rng: f"{rng.randint(2, 40)}{mark}{rng.randint(1, 9)}"


def _phone(rng: random.Random) -> str:
    return f"07{rng.randint(0, 99):02} {rng.randint(100, 999)} {rng.randint(100, 999)}"


def _fraction(rng: random.Random) -> str:
    return rng.choice(["1/2", "1/3", "2/3", "1/4", "3/4", "2/5", "7/8"])


def _range(rng: random.Random) -> str:
    least = rng.randint(2, 40)
    return f"{least}-{least + rng.randint(1, 20)}"


FORMS: dict[str, list[tuple[str, Draw]]] = {
    "en": [
        ("We need {} kg of seed.", _between(2, 9000)),
        ("The meeting is on {}.", _day("en")),
        ("The letter of {} has not come yet.", _date),
        ("The report was written on {}.", _iso_date),
        ("It costs {} shillings.", _sum(",", ".")),
        ("Come at {} tomorrow.", _time(":")),
        ("{} of the families have no water.", _between(2, 99, "{}%")),
        ("Add {} litres of water.", _decimal(".")),
        ("The field is {} metres long.", _between(2, 900)),
        ("Call me at {}.", _phone),
        ("Use {} of a cup of salt.", _fraction),
        ("This is the {} time that the pump has broken.", _between(4, 20, "{}th")),
        ("The price of maize went from {} to 150 shillings.", _between(20, 140)),
        ("Plant {} seeds in each hole.", _range),
        ("I paid ${} for the medicine.", _between(2, 500)),
        ("The school has {} pupils and 12 teachers.", _between(100, 2000)),
    ],
    "es": [
        ("Necesitamos {} kg de semilla.", _between(2, 9000)),
        ("La reunión es el {}.", _day("es")),
        ("La carta del {} todavía no ha llegado.", _date),
        ("El informe se escribió el {}.", _iso_date),
        ("Cuesta {} pesos.", _sum(".", ",")),
        ("Venga mañana a las {}.", _time(":")),
        ("El {} de las familias no tiene agua.", _between(2, 99, "{} %")),
        ("Agregue {} litros de agua.", _decimal(",")),
        ("El terreno tiene {} metros de largo.", _between(2, 900)),
        ("Llámeme al {}.", _phone),
        ("Use {} de taza de sal.", _fraction),
        ("Es la {} vez que se rompe la bomba.", _between(4, 20, "{}.ª")),
        ("El precio del maíz subió de {} a 150 pesos.", _between(20, 140)),
        ("Siembre {} semillas en cada hoyo.", _range),
        ("Pagué {} dólares por la medicina.", _between(2, 500)),
        ("La escuela tiene {} alumnos y 12 maestros.", _between(100, 2000)),
    ],
    "fr": [
        ("Nous avons besoin de {} kg de semences.", _between(2, 9000)),
        ("La réunion aura lieu le {}.", _day("fr")),
        ("La lettre du {} n'est pas encore arrivée.", _date),
        ("Le rapport a été écrit le {}.", _iso_date),
        ("Cela coûte {} francs.", _sum(" ", ",")),
        ("Venez demain à {}.", _time(" h ")),
        ("{} des familles n'ont pas d'eau.", _between(2, 99, "{} %")),
        ("Ajoutez {} litres d'eau.", _decimal(",")),
        ("Le champ mesure {} mètres de long.", _between(2, 900)),
        ("Appelez-moi au {}.", _phone),
        ("Utilisez {} de tasse de sel.", _fraction),
        ("C'est la {} fois que la pompe est en panne.", _between(4, 20, "{}e")),
        ("Le prix du maïs est passé de {} à 150 francs.", _between(20, 140)),
        ("Semez {} graines dans chaque trou.", _range),
        ("J'ai payé {} euros pour le médicament.", _between(2, 500)),
        ("L'école a {} élèves et 12 enseignants.", _between(100, 2000)),
    ],
    "sw": [
        ("Tunahitaji kilo {} za mbegu.", _between(2, 9000)),
        ("Mkutano utakuwa tarehe {}.", _day("sw")),
        ("Barua ya tarehe {} bado haijafika.", _date),
        ("Ripoti iliandikwa tarehe {}.", _iso_date),
        ("Bei yake ni shilingi {}.", _sum(",", ".")),
        ("Njoo kesho saa {}.", _time(":")),
        ("Familia {} hazina maji.", _between(2, 99, "{}%")),
        ("Ongeza lita {} za maji.", _decimal(".")),
        ("Shamba lina urefu wa mita {}.", _between(2, 900)),
        ("Nipigie simu {}.", _phone),
        ("Tumia {} ya kikombe cha chumvi.", _fraction),
        ("Hii ni mara ya {} pampu kuharibika.", _between(4, 20)),
        ("Bei ya mahindi ilipanda kutoka {} hadi 150.", _between(20, 140)),
        ("Panda mbegu {} katika kila shimo.", _range),
        ("Nililipa dola {} kwa dawa.", _between(2, 500)),
        ("Shule ina wanafunzi {} na walimu 12.", _between(100, 2000)),
    ],
}


@dataclass
class Tally:
    """How the sentences of one direction came out."""

    right: int = 0
    helped: int = 0  # of the right ones: the true numbers were put in the places of stand-ins
    marked: int = 0
    silent: int = 0
    shown: list[str] = field(default_factory=list)


def main() -> None:
    """Print the table."""
    service = Appliance(config.load()).translation
    counts = [int(each) for each in sys.argv[1:] if each.isdecimal()]
    chosen = [tuple(each.split("-")) for each in sys.argv[1:] if not each.isdecimal()]
    for source, target in service.directions:
        if source in FORMS and (not chosen or (source, target) in chosen):
            _print(service, source, target, *counts[:1])


def _print(service: TranslationService, source: str, target: str, count: int = COUNT) -> None:
    tally = measure(service, source, target, count)
    through = service.through(source, target)
    print(f"{source}→{target}{f' through {through}' if through else ''}  {count} sentences", end="  ")
    print(f"right {tally.right / count:.1%} (helped {tally.helped / count:.1%})", end="  ")
    print(f"marked {tally.marked / count:.1%}  wrong and not marked {tally.silent / count:.1%}")
    print("".join(f"    {line}\n" for line in tally.shown), end="", flush=True)


def measure(service: TranslationService, source: str, target: str, count: int) -> Tally:
    """Translate `count` sentences, the same each time, and see what became of their numbers."""
    rng = random.Random(2026)
    drawn = [(form, draw(rng)) for form, draw in (rng.choice(FORMS[source]) for _ in range(count))]
    texts = [form.format(number) for form, number in drawn]
    tally = Tally()
    lines = _by_line(service.translate("\n".join(texts), source, target).segments)
    for text, (_, number), segments in zip(texts, drawn, lines, strict=True):
        translated = "".join(each.target + each.after for each in segments)
        if _kept(text, number, translated):
            tally.right += 1
            tally.helped += any(each.restored for each in segments)
            continue
        noted = any(each.needs_a_look for each in segments)
        tally.marked, tally.silent = tally.marked + noted, tally.silent + (not noted)
        if len(tally.shown) < SHOWN or not noted:
            tally.shown.append(f"{text} → {translated}{'' if noted else '   NOT MARKED'}")
    return tally


def _by_line(segments: tuple[Segment, ...]) -> list[list[Segment]]:
    lines: list[list[Segment]] = [[]]
    for each in segments:
        if each.before == "\n":
            lines.append([])
        else:
            lines[-1].append(each)
    return lines


def _kept(source: str, number: str, target: str) -> bool:
    digits, drawn = _digits(target), _digits(number)
    together = any(digits[at : at + len(drawn)] == drawn for at in range(len(digits)))
    return together and sorted(digits) == sorted(_digits(source))


def _digits(text: str) -> list[str]:
    """Every run of digits, in order."""
    return "".join(character if character.isdigit() else " " for character in text).split()


if __name__ == "__main__":
    main()
