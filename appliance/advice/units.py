"""Words for numbers and units in the languages of the articles, folded: lower case, without accents."""

from __future__ import annotations

import re


def _table(rows: str) -> dict[str, str]:
    """“day: dia dias” in lines, as word → unit; “_” in a word is a space."""
    pairs = (row.split(":") for row in rows.strip().splitlines())
    return {word.replace("_", " "): unit.strip() for unit, words in pairs for word in words.split()}


def _count(words: str, first: int, step: int = 1) -> dict[str, int]:
    return {word: first + step * place for place, word in enumerate(words.split())}


UNITS: dict[str, dict[str, str]] = {
    "signs": {
        **{sign: sign for sign in "mm cm km ml dl mg kg kV mV mA Ah mAh Wh kWh kW Hz psi kPa ppm rpm m² m³ ha".split()},
        **{"%": "%", "m": "m", "l": "l", "L": "l", "g": "g", "t": "tonne", "V": "volt", "A": "ampere", "W": "watt"},
        **{"h": "hour", "min": "minute", "s": "second", "cc": "ml", "lb": "pound", "ft": "foot", "Ω": "ohm"},
        **{"°C": "degree", "° C": "degree", "°": "degree", "°F": "degree F", "° F": "degree F", "bar": "bar"},
    },
    "en": _table("""
        second: second seconds sec secs
        minute: minute minutes mins
        hour: hour hours hrs
        day: day days
        night: night nights
        week: week weeks
        month: month months
        year: year years
        mm: millimetre millimetres millimeter millimeters
        cm: centimetre centimetres centimeter centimeters
        m: metre metres meter meters
        km: kilometre kilometres kilometer kilometers
        inch: inch inches
        foot: foot feet
        l: litre litres liter liters
        ml: millilitre millilitres milliliter milliliters
        g: gram grams gramme grammes
        kg: kilo kilos kilogram kilograms kilogramme kilogrammes
        tonne: tonne tonnes ton tons
        pound: pound pounds
        ha: hectare hectares
        acre: acre acres
        volt: volt volts
        ampere: amp amps ampere amperes
        watt: watt watts
        ohm: ohm ohms
        degree: degree degrees
        %: percent per_cent
        times: times time
        finger: finger fingers
        hand: hand hands
        step: pace paces
        teaspoon: teaspoon teaspoons teaspoonful teaspoonfuls
        spoon: spoon spoons spoonful spoonfuls tablespoon tablespoons
        cup: cup cups
        glass: glass glasses
        bucket: bucket buckets
        handful: handful handfuls
        pinch: pinch pinches
        drop: drop drops
        bottle: bottle bottles
        bag: bag bags sack sacks
        part: part parts
        tablet: tablet tablets pill pills
    """),
    "es": _table("""
        second: segundo segundos
        minute: minuto minutos
        hour: hora horas
        day: dia dias
        night: noche noches
        week: semana semanas
        month: mes meses
        year: ano anos
        mm: milimetro milimetros
        cm: centimetro centimetros
        m: metro metros
        km: kilometro kilometros
        inch: pulgada pulgadas
        foot: pie pies
        l: litro litros
        ml: mililitro mililitros
        g: gramo gramos
        kg: kilo kilos kilogramo kilogramos
        tonne: tonelada toneladas
        pound: libra libras
        ha: hectarea hectareas
        acre: acre acres
        volt: voltio voltios
        ampere: amperio amperios
        watt: vatio vatios
        ohm: ohmio ohmios
        degree: grado grados
        %: por_ciento
        times: vez veces
        finger: dedo dedos
        hand: mano manos palma palmas
        step: paso pasos
        teaspoon: cucharadita cucharaditas
        spoon: cucharada cucharadas cuchara cucharas
        cup: taza tazas
        glass: vaso vasos
        bucket: cubo cubos balde baldes cubeta cubetas
        handful: punado punados
        pinch: pizca pizcas
        drop: gota gotas
        bottle: botella botellas
        bag: bolsa bolsas saco sacos costal costales
        part: parte partes
        tablet: tableta tabletas pastilla pastillas
    """),
    "fr": _table("""
        second: seconde secondes
        minute: minute minutes
        hour: heure heures
        day: jour jours journee journees
        night: nuit nuits
        week: semaine semaines
        month: mois
        year: an ans annee annees
        mm: millimetre millimetres
        cm: centimetre centimetres
        m: metre metres
        km: kilometre kilometres
        inch: pouce pouces
        foot: pied pieds
        l: litre litres
        ml: millilitre millilitres
        g: gramme grammes
        kg: kilo kilos kilogramme kilogrammes
        tonne: tonne tonnes
        pound: livre livres
        ha: hectare hectares
        acre: acre acres
        volt: volt volts
        ampere: ampere amperes
        watt: watt watts
        ohm: ohm ohms
        degree: degre degres
        %: pour_cent
        times: fois
        finger: doigt doigts
        hand: main mains
        step: pas
        spoon: cuillere cuilleres cuilleree cuillerees
        cup: tasse tasses
        glass: verre verres
        bucket: seau seaux
        handful: poignee poignees
        pinch: pincee pincees
        drop: goutte gouttes
        bottle: bouteille bouteilles
        bag: sac sacs
        part: part parts partie parties
        tablet: comprime comprimes pastille pastilles
    """),
    "sw": _table("""
        second: sekunde
        minute: dakika
        hour: saa masaa
        day: siku
        night: usiku
        week: wiki juma
        month: mwezi miezi
        year: mwaka miaka
        mm: milimita
        cm: sentimita sm
        m: mita m
        km: kilomita
        inch: inchi
        foot: futi
        l: lita
        ml: mililita
        g: gramu
        kg: kilo kilogramu
        tonne: tani
        pound: ratili pauni
        ha: hekta hektari
        acre: ekari
        volt: volti
        ampere: ampea ampia
        watt: wati
        ohm: omu
        degree: digrii nyuzi
        %: asilimia
        times: mara
        finger: kidole vidole
        hand: mkono mikono kiganja viganja
        step: hatua
        teaspoon: kijiko_cha_chai
        spoon: kijiko vijiko
        cup: kikombe vikombe
        glass: glasi bilauri
        bucket: ndoo
        handful: konzi
        drop: tone matone
        bottle: chupa
        bag: gunia magunia mfuko mifuko
        part: sehemu
        tablet: kidonge vidonge tembe
    """),
}
# A unit written with a sign, after its number.
AFTER = re.compile(
    rf"\s?-?\s?({'|'.join(sorted(map(re.escape, UNITS['signs']), key=len, reverse=True))})(?![^\W_]|['’²³])"
)
# In Swahili the unit comes first.
BEFORE = {"sw": "|".join(sorted(UNITS["sw"], key=len, reverse=True))}
FILLERS = {
    "en": r"(?:of )?(?:an? |the )?(?:(?:full|whole|more|clear|dry|sunny|hot|good|small|large|big) )?",
    "es": r"(?:de )?(?:un[ao]? )?(?:(?:primer[oa]s|ultim[oa]s|buen[oa]s|grandes) )?",
    "fr": r"(?:d'|de )?(?:une? )?(?:(?:premiers|premieres|derniers|dernieres|bons|bonnes|grands|grandes|petites) )?",
    "sw": r"(?:ya |za |cha |vya |la )?",
}

NUMBERS: dict[str, dict[str, int | str]] = {
    "en": {
        **_count("two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen", 2),
        **_count("seventeen eighteen nineteen", 17),
        **_count("twenty thirty forty fifty sixty seventy eighty ninety hundred", 20, 10),
        **{"thousand": 1000, "dozen": 12, "half": "1/2", "halves": "1/2", "quarter": "1/4", "quarters": "1/4"},
    },
    "es": {
        **_count("dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis", 2),
        **_count("diecisiete dieciocho diecinueve veinte veintiuno veintidos veintitres veinticuatro veinticinco", 17),
        **_count("veintiseis veintisiete veintiocho veintinueve treinta", 26),
        **_count("treinta cuarenta cincuenta sesenta setenta ochenta noventa cien", 30, 10),
        **_count("ciento doscientos trescientos cuatrocientos quinientos seiscientos", 100, 100),
        **{"mil": 1000, "docena": 12, "mitad": "1/2", "medio": "1/2", "media": "1/2"},
    },
    "fr": {
        **_count("deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize", 2),
        **_count("vingt trente quarante cinquante soixante", 20, 10),
        **{"vingts": 20, "cent": 100, "cents": 100, "mille": 1000, "douzaine": 12, "moitie": "1/2"},
        **{"demi": "1/2", "demie": "1/2", "quart": "1/4", "tiers": "1/3"},
    },
    "sw": {
        **_count("mbili tatu nne tano sita saba nane tisa kumi", 2),
        **_count("wawili watatu wanne watano", 2),
        **_count("viwili vitatu vinne vitano", 2),
        **_count("miwili mitatu minne mitano", 2),
        **_count("mawili matatu manne matano", 2),
        **{"wanane": 8, "vinane": 8, "minane": 8, "manane": 8},
        **_count("kumi ishirini thelathini arobaini hamsini sitini sabini themanini tisini mia", 10, 10),
        **{"elfu": 1000, "dazeni": 12, "nusu": "1/2", "robo": "1/4", "theluthi": "1/3"},
    },
}
# One, where a unit follows: “a litre”, “one litre”.
ONES = {
    "en": frozenset({"one", "a", "an"}),
    "es": frozenset({"un", "una", "uno"}),
    "fr": frozenset({"un", "une"}),
    "sw": frozenset({"moja", "mmoja", "kimoja"}),
}
# Words that are numbers only before a unit: “neuf” is also new, “medio” also the middle.
WITH_UNIT = {"es": frozenset({"medio", "media"}), "fr": frozenset({"neuf"})}
# How often.
COUNTED: dict[str, dict[str, int]] = {"en": {"twice": 2, "thrice": 3}}
JOINERS = {"en": ("and", "and a"), "es": ("y", "y un"), "fr": ("et", "et un", "et une"), "sw": ("na",)}
# (what opens a range whose ends are joined by “and”, words between the ends of one)
RANGES = {
    "en": ("between", ("to", "or", "till", "until")),
    "es": ("entre", ("a", "o", "u", "hasta")),
    "fr": ("entre", ("a", "ou", "jusqu'a")),
    "sw": ("kati ya", ("hadi", "mpaka", "au", "ama")),
}
