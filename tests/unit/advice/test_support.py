"""A sentence passes only if one passage says it, with its figures, its names and its “not”."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import pytest

from appliance.advice.articles import Article
from appliance.advice.service import Passage
from appliance.advice.support import MOST, Grounds
from benchmarks.advice import LANGUAGES, knowledge
from tests.unit.advice.grounds import READING, grounds, passage

WORM, WATER, BATTERY = "maize-fall-armyworm", "water-make-safe", "battery-swollen-lithium"

SUPPORTED = [
    ("en", "Crush the egg clusters and the small caterpillars between your fingers."),
    ("en", "Crush the egg clusters and the small caterpillars."),
    ("en", "It is probably fall armyworm in maize."),
    ("en", "The signs of fall armyworm are ragged holes in the leaves and wet droppings like sawdust."),
    ("en", "Put a pinch of dry sand or cold wood ash into the funnel of each plant that has a caterpillar."),
    ("en", "Ash hurts the eyes."),
    ("en", "Ash hurts the eyes: do not throw it against the wind."),
    ("en", "Boil it: keep it boiling for one minute, or for three minutes if you live above 2,000 metres."),
    ("en", "If it is cloudy, let it stand until the dirt sinks, then pour the clear water through a clean cloth."),
    ("en", "The smoke is poisonous and the battery can explode."),
    ("en", "Never throw batteries into the fire."),
    ("en", "Use only a product registered for maize."),
    ("es", "Aplaste con los dedos los grupos de huevos y los gusanos pequeños."),
    ("es", "Probablemente es el gusano cogollero en el maíz."),
    ("es", "La ceniza lastima los ojos: no la eche contra el viento."),
    ("es", "Cuando hierva a borbotones, déjela hervir un minuto; a más de 2000 metros de altura, tres minutos."),
    ("es", "Nunca eche baterías al fuego."),
    ("es", "El humo es venenoso y la batería puede explotar."),
    ("fr", "Écrasez entre les doigts les paquets d’œufs et les petites chenilles."),
    ("fr", "Faites-la bouillir à gros bouillons pendant une minute, ou 3 minutes à plus de 2 000 mètres d'altitude."),
    ("fr", "Ne jetez jamais de batteries au feu."),
    ("fr", "La cendre blesse les yeux : ne la jetez pas contre le vent."),
    ("sw", "Ponda mafungu ya mayai na viwavi wadogo kwa vidole."),
    ("sw", "Yachemshe: yakitokota kwa nguvu, yaache yatokote kwa dakika moja, au dakika tatu kama unaishi zaidi ya "
     "mita 2000 juu ya usawa wa bahari."),
    ("sw", "Majivu huumiza macho: usiyarushe kuelekea upepo."),
    ("sw", "Usiwasumbue sisimizi, buibui, nyigu na ndege."),
]  # fmt: skip

REFUSED = [
    # a figure that is not there, or is of something else, or a part of it
    ("en", "Boil it for 5 minutes."),
    ("en", "Keep it boiling for 1 hour."),
    ("en", "Keep it boiling for 1 minute if you live above 3000 metres."),
    ("en", "Keep it boiling for 1 minute."),
    ("en", "Keep it boiling for 1 to 3 minutes."),
    ("en", "Put two pinches of dry sand into the funnel."),
    ("en", "Put a pinch of dry sand into the funnel of 50 % of the plants."),
    ("en", "Crush half of the egg clusters and the small caterpillars."),
    ("es", "Déjela hervir 10 minutos."),
    ("es", "Déjela hervir un minuto."),
    ("es", "Déjela hervir media hora, tapada y sin hielo."),
    ("fr", "Faites-la bouillir à gros bouillons pendant dix minutes."),
    ("fr", "Prenez un litre d'eau à l'endroit le plus propre."),
    ("sw", "Yachemshe kwa dakika kumi."),
    ("sw", "Chota lita 20 za maji mahali pasafi zaidi."),
    # a dose, a product, a medicine, a name
    ("en", "Put 5 ml of poison into the funnel of each plant."),
    ("en", "Put Furadan into the funnel of each plant that has a caterpillar."),
    ("en", "Put carbofuran into the funnel of each plant that has a caterpillar."),
    ("en", "Ask Doctor Kamau before you buy any spray."),
    ("en", "Use only X-100, a product registered for maize."),
    ("en", "Ragged holes and torn edges in the youngest leaves, said FAW."),
    ("es", "Ponga Malathion en el cogollo de cada planta que tenga gusano."),
    ("es", "Use solo clorpirifos registrado para maíz."),
    ("fr", "Mettez du Décis dans le cornet de chaque plant qui a une chenille."),
    ("fr", "Donnez du paracétamol avec de l'eau propre."),
    ("sw", "Weka Sumithion ndani ya moyo wa kila mmea wenye kiwavi."),
    ("sw", "Weka klorpirifosi ndani ya moyo wa kila mmea wenye kiwavi."),
    # a “not” that was dropped or put in
    ("en", "Throw ash against the wind."),
    ("en", "Do not crush the egg clusters and the small caterpillars."),
    ("en", "Press, open, pierce, bend and heat it."),
    ("en", "Throw batteries into the fire."),
    ("en", "Never keep children away from the pot."),
    ("en", "Boiling and chlorine remove pesticide, fuel and salt."),
    ("es", "Eche baterías al fuego."),
    ("es", "Eche la ceniza contra el viento."),
    ("es", "No aplaste los grupos de huevos."),
    ("es", "Guarde agua en un envase que tuvo plaguicida."),
    ("fr", "Jetez les batteries au feu."),
    ("fr", "N'écrasez pas les paquets d'œufs et les petites chenilles."),
    ("fr", "Jetez la cendre contre le vent."),
    ("sw", "Tupa betri motoni."),
    ("sw", "Usiponde mafungu ya mayai na viwavi wadogo."),
    ("sw", "Rusha majivu kuelekea upepo."),
    # a condition or a limit that was dropped
    ("en", "Carry it outside with a shovel, onto bare soil."),
    ("en", "Use a product registered for maize."),
    ("es", "Use un producto registrado para maíz."),
    # two passages, or two lines of one, in one sentence
    ("en", "Crush the caterpillars and boil the water."),
    ("en", "Put the caterpillars into a clean container with a lid."),
    ("es", "Aplaste los gusanos pequeños y desconecte el cargador de la pared."),
    ("fr", "Versez l'eau claire dans le cornet de chaque plant."),
    ("sw", "Ponda viwavi wadogo na chemsha maji."),
    # the contrary by a small word
    ("en", "Wash your hands with soap after you pour."),
    ("en", "Switch it on and pull out the charger at the wall."),
    # what says nothing, or asks, or is in other letters
    ("en", "Sure!"),
    ("en", "I hope this helps you."),
    ("en", "Do you crush the egg clusters?"),
    ("en", "Crush the egg clusters and the ядовитые caterpillars."),
    ("en", "Crush the egg clusters and the small caterpillars for $."),
    ("en", "See www.poison.example for small caterpillars."),
]  # fmt: skip


@pytest.mark.parametrize(("language", "sentence"), SUPPORTED)
def test_what_a_passage_says_passes(language: str, sentence: str) -> None:
    found = grounds(language, WORM, WATER, BATTERY).support(sentence)
    assert found is not None
    assert found.text


@pytest.mark.parametrize(("language", "sentence"), REFUSED)
def test_what_no_passage_says_does_not_pass(language: str, sentence: str) -> None:
    assert grounds(language, WORM, WATER, BATTERY).support(sentence) is None


def test_a_sentence_is_tied_to_its_passage_and_its_line() -> None:
    found = grounds("en", WORM, WATER).support("Keep water in a clean container with a lid.")
    assert found is not None
    assert found.passage.article.id == WATER
    assert [(line.part, line.claim.text[:24]) for line in found.lines] == [("step", "Keep it in a clean conta")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_line_of_an_article_is_supported_by_it(language: str) -> None:
    refused = []
    for name in islice(knowledge()[0], 0, None, 12):
        face = passage(name, language).face
        ground = grounds(language, name)
        for text in (*face.signs, *face.first_steps, face.danger, face.get_help):
            refused += [each for each in READING.sentences(text) if len(each) <= MOST and not ground.support(each)]
    assert refused == []


def has_digits(article: Article) -> bool:
    return any(each.isdigit() for step in article.faces["en"].first_steps for each in step)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_line_passes_with_another_figure(language: str) -> None:
    passed, tried = [], 0
    for name in islice((name for name, each in knowledge()[0].items() if has_digits(each)), 0, None, 8):
        ground = grounds(language, name)
        face = passage(name, language).face
        for text in (*face.signs, *face.first_steps, face.danger, face.get_help):
            for sentence in READING.sentences(text):
                for each in READING.numbers(READING.plain(sentence)):
                    tried += 1
                    wrong = READING.plain(sentence)
                    wrong = f"{wrong[: each.start]}7{wrong[each.start :]}"
                    passed += [wrong] if ground.support(wrong) else []
    assert tried > 10
    assert passed == []


def test_a_passage_in_another_language_supports_nothing() -> None:
    english = passage(WORM, "en")
    only = replace(english.article, faces={"en": english.face})
    foreign = Grounds([Passage(only, english.face, 0.9)], "es", READING)
    assert foreign.support("Crush the egg clusters and the small caterpillars.") is None
