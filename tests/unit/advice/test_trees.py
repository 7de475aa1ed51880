"""The trees that come with the box keep to their form, a wrong one is said by name, and every way through one ends."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from appliance.advice.pictures import VIEW
from appliance.advice.tree_files import read_tree, read_trees
from appliance.advice.trees import Checks, Leaf, Step, Tree, labels, resolve
from appliance.errors import TreeError, TreeNotFoundError, WayNotFoundError
from appliance.limits import LIMITS, Limits

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "knowledge" / "trees"
ARTICLES = {path.stem: path.parent.name for path in (ROOT / "knowledge").glob("*/*.md")}
TREES = read_trees(FOLDER, ARTICLES)
LANGUAGES = {"en", "es", "fr", "sw"}
PEOPLE = re.compile(
    r"\b(ask|call|tell|show|take|bring|fetch|get|report|let|have|go)\b.*\b(mechanics?|technicians?|vet|veterinar\w+|officers?|"
    r"health (worker|post|centre)|clinic|electricians?|some(body|one)|dealers?|repairers?|repair shop|caretakers?|"
    r"committee|workshop|plumbers?|office|extension|agents?|service|person who)\b",
    re.IGNORECASE,
)

SOUND = """
subject = "repair"
title = {en = "The lamp is dark", es = "La lámpara no alumbra"}
danger = {en = "It may be hot.", es = "Puede quemar."}
start = "switch"
[steps.switch]
picture = "lamp"
ask = {en = "Is it switched on?", es = "¿Está encendida?"}
look = {en = "Look at the button.", es = "Mire el botón."}
answers = [
  {say = {en = "Yes", es = "Sí"}, next = "glow"},
  {say = {en = "No", es = "No"}, next = "switch-it-on"},
]
[steps.glow]
ask = {en = "Does it glow?", es = "¿Brilla un poco?"}
answers = [
  {say = {en = "A little", es = "Un poco"}, next = "day"},
  {say = {en = "Not at all", es = "Nada"}, next = "broken"},
]
[steps.day]
ask = {en = "Did it stand in the sun?", es = "¿Estuvo al sol?"}
answers = [
  {say = {en = "Yes", es = "Sí"}, next = "broken"},
  {say = {en = "No", es = "No"}, next = "empty"},
]
[leaves.switch-it-on]
title = {en = "It is off", es = "Está apagada"}
do = {en = ["Switch it on."], es = ["Enciéndala."]}
article = "lamp"
[leaves.empty]
title = {en = "It is empty", es = "Está vacía"}
do = {en = ["Put it in the sun.", "Wait."], es = ["Póngala al sol.", "Espere."]}
article = "lamp"
[leaves.broken]
title = {en = "It is broken", es = "Está rota"}
do = {en = ["Ask the technician."], es = ["Pregunte al técnico."]}
danger = {en = "Do not open it.", es = "No la abra."}
article = "lamp"
"""
DRAWING = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 150" fill="none" stroke="currentColor" stroke-width="4">'
    '<title>A lamp</title><g transform="translate(4 -2.5) rotate(30)"><path d="M8 138H192l-.5,1"/></g>'
    '<circle cx="20" cy="20" r="9" fill="currentColor" fill-opacity=".2"/></svg>'
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a tree with its picture; gives the tree's file."""

    def write(text: str = SOUND, drawing: str = DRAWING, name: str = "lamp-is-dark") -> Path:
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / "lamp.svg").write_text(drawing, encoding="utf-8")
        path = tmp_path / f"{name}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def ways(tree: Tree, way: str = "") -> Iterator[str]:
    """Every way from the start to a leaf."""
    place = resolve(tree, way)
    if isinstance(place.here, Leaf):
        yield way
        return
    for number in range(1, len(place.here.choices) + 1):
        yield from ways(tree, place.on(number))


def texts(tree: Tree, language: str) -> str:
    """All that a tree says in a language."""
    said = [tree.title[language], tree.danger.get(language, "")]
    for step in tree.steps.values():
        said += [step.ask[language], step.look.get(language, ""), *(each.say[language] for each in step.choices)]
    for leaf in tree.leaves.values():
        said += [leaf.title[language], leaf.danger.get(language, ""), *leaf.do[language]]
    return "\n".join(said)


def test_there_are_trees_for_enough_problems() -> None:
    assert len(TREES) >= 25
    assert {path.stem for path in FOLDER.glob("*.toml")} == TREES.keys()
    assert len({tree.subject for tree in TREES.values()}) >= 5


@pytest.mark.parametrize("tree", TREES.values(), ids=lambda each: each.id)
def test_a_tree_speaks_four_languages_and_says_the_same_in_each(tree: Tree) -> None:
    assert tree.languages == LANGUAGES
    assert tree.subject in ARTICLES.values()
    assert len({tree.title[language] for language in LANGUAGES}) == len(LANGUAGES)
    figures = {language: sorted(re.findall(r"\d+", texts(tree, language))) for language in LANGUAGES}
    assert len(set(map(tuple, figures.values()))) == 1, figures


@pytest.mark.parametrize("tree", TREES.values(), ids=lambda each: each.id)
def test_every_way_through_a_tree_ends_at_a_leaf_after_a_few_observations(tree: Tree) -> None:
    every = list(ways(tree))
    assert max(way.count(".") + 1 for way in every) <= LIMITS.tree_observations
    assert {resolve(tree, way).here.name for way in every} == tree.leaves.keys()


@pytest.mark.parametrize("tree", TREES.values(), ids=lambda each: each.id)
def test_somewhere_a_tree_tells_to_ask_somebody_who_can_look(tree: Tree) -> None:
    assert any(PEOPLE.search(action) for leaf in tree.leaves.values() for action in leaf.do["en"])


@pytest.mark.parametrize("tree", TREES.values(), ids=lambda each: each.id)
def test_a_leaf_says_no_figure_that_its_article_does_not_say(tree: Tree) -> None:
    for leaf in tree.leaves.values():
        said = " ".join((leaf.title["en"], *leaf.do["en"], leaf.danger.get("en", "")))
        (article,) = (ROOT / "knowledge").glob(f"*/{leaf.article}.md")
        known = re.findall(r"\d+", article.read_text(encoding="utf-8"))
        assert set(re.findall(r"\d+", said)) <= set(known), leaf.name


@pytest.mark.parametrize("tree", TREES.values(), ids=lambda each: each.id)
def test_on_paper_every_arrow_points_downwards(tree: Tree) -> None:
    called = labels(tree)
    assert len(set(called.values())) == len(tree.steps) + len(tree.leaves)
    assert called[tree.start] == "1"
    for step in tree.steps.values():
        for choice in step.choices:
            if choice.next in tree.steps:
                assert int(called[choice.next]) > int(called[step.name])
            else:
                assert re.fullmatch("[A-Z]", called[choice.next])


def test_every_picture_belongs_to_a_tree_and_is_small() -> None:
    used = {step.picture.title for tree in TREES.values() for step in tree.steps.values() if step.picture}
    files = list((FOLDER / "pictures").iterdir())
    assert files
    for path in files:
        assert path.stat().st_size <= LIMITS.picture_bytes
        title = re.search("<title>(.*?)</title>", path.read_text(encoding="utf-8"), re.DOTALL)
        assert title, path.name
        assert title.group(1).strip() in used, f"{path.name} is in no tree"


def test_a_sound_tree_is_read(write: Write) -> None:
    tree = read_tree(write(), {"lamp"})
    assert (tree.id, tree.subject, tree.start, tree.spoken("es"), tree.spoken("sw")) == (
        *("lamp-is-dark", "repair", "switch"),
        *("es", "en"),
    )
    picture = tree.steps["switch"].picture
    assert picture
    assert picture.title == "A lamp"
    assert picture.svg.startswith(f'<svg viewBox="{VIEW}" fill="none" stroke="currentColor" stroke-width="4"><g ')
    assert "title" not in picture.svg
    assert tree.steps["glow"].picture is None
    assert tree.leaves["empty"].do["es"] == ("Póngala al sol.", "Espere.")
    assert labels(tree) == {"switch": "1", "glow": "2", "day": "3", "empty": "A", "broken": "B", "switch-it-on": "C"}


LONG = "x" * 91
CIRCLE = ('{say = {en = "No", es = "No"}, next = "empty"}', '{say = {en = "No", es = "No"}, next = "glow"}')
WRONG = {
    "no subject": ('subject = "repair"\n', "", "'subject' is missing"),
    "not TOML": ('subject = "repair"', "subject = ", "Invalid value"),
    "a field that is not known": ('start = "switch"', 'start = "switch"\nrun = "x"', "run is not known"),
    "a language less": ('ask = {en = "Does it glow?", es = "¿Brilla un poco?"}', 'ask = {en = "Does?"}', "glow.ask"),
    "a language more": ('{en = "A little", es', '{en = "A little", fr = "Un peu", es', "it is in en, fr, es"),
    "no English": ('title = {en = "The lamp is dark", es', "title = {es", "not in English"),
    "fewer actions in Spanish": ('["Póngala al sol.", "Espere."]', '["Póngala al sol."]', "more actions"),
    "no action": ('{en = ["Switch it on."], es = ["Enciéndala."]}', "{en = [], es = []}", "actions: 0"),
    "five actions": ('["Switch it on."], es = ["Enciéndala."]', f"{['a'] * 5}, es = {['b'] * 5}", "actions: 5"),
    "a long question": ("Is it switched on?", LONG, "91 characters, and 90"),
    "a long answer": ("Not at all", "x" * 61, "61 characters, and 60"),
    "a long action": ("Put it in the sun.", "x" * 201, "201 characters, and 200"),
    "an empty text": ('en = "Look at the button."', 'en = " "', "no line of text"),
    "two lines": ('en = "Look at the button."', 'en = "Look\\nthere"', "no line of text"),
    "no text at all": ('en = "Look at the button."', "en = 3", "no line of text"),
    "one answer": ('{say = {en = "Yes", es = "Sí"}, next = "broken"},', "", "answers: 1"),
    "nothing of that name": ('next = "day"', 'next = "night"', "there is no night"),
    "nothing leads there": ('next = "switch-it-on"', 'next = "broken"', "nothing leads to switch-it-on"),
    "a circle": (*CIRCLE, "circle"),
    "a start that is a leaf": ('start = "switch"', 'start = "empty"', "which is no step"),
    "no such article": ('article = "lamp"', 'article = "torch"', "no article torch"),
    "no such picture": ('picture = "lamp"', 'picture = "torch"', "picture torch"),
    "a picture from elsewhere": ('picture = "lamp"', 'picture = "../lamp"', "no name of a picture"),
    "names in capitals": ("steps.switch]", "steps.Switch]", "lower case"),
    "a step and a leaf of one name": ("[leaves.empty]", "[leaves.day]", "both called day"),
    "no steps": ("[steps.switch]", "[stairs.switch]", "stairs is not known"),
    "a table for a list": ("answers = [", "answers = 3 #", ""),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_tree_is_refused_by_name(write: Write, wrong: str) -> None:
    old, new, reason = WRONG[wrong]
    assert old in SOUND
    with pytest.raises(TreeError, match=r"The check lamp-is-dark is wrong") as told:
        read_tree(write(SOUND.replace(old, new, 1)), {"lamp"})
    assert reason in str(told.value)


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(tree_bytes=100), "larger than 100"),
        (Limits(tree_steps=2), "steps: 3"),
        (Limits(tree_leaves=2), "leaves: 3"),
        (Limits(tree_observations=2), "after 3 observations"),
        (Limits(picture_bytes=100), "larger than 100"),
    ],
)
def test_a_tree_that_is_too_large_is_refused(write: Write, limits: Limits, reason: str) -> None:
    with pytest.raises(TreeError, match=reason):
        read_tree(write(), {"lamp"}, limits)


def test_a_tree_has_three_steps_at_least_and_no_name_of_an_article(write: Write) -> None:
    small = re.sub(r"\[steps.day\].*?\]\n(?=\[leaves)", "", SOUND, flags=re.DOTALL).replace('"day"', '"empty"')
    with pytest.raises(TreeError, match="steps: 2"):
        read_tree(write(small), {"lamp"})
    with pytest.raises(TreeError, match="an article has the same name"):
        read_tree(write(), {"lamp", "lamp-is-dark"})


HARM = {
    "a script": ("<circle", "<script>x()</script><circle"),
    "a foreign namespace": ("<circle", '<p xmlns="http://www.w3.org/1999/xhtml"/><circle'),
    "foreign content": ("<circle", "<foreignObject/><circle"),
    "an image": ("<circle", '<image href="http://evil.example/x.png"/><circle'),
    "a link": ("<circle", '<a href="/keeper"/><circle'),
    "a use": ("<circle", '<use href="#x"/><circle'),
    "an animation": ("<circle", '<animate attributeName="href"/><circle'),
    "a style": ("<circle", "<style>*{display:none}</style><circle"),
    "a style of an element": ('r="9"', 'r="9" style="position:fixed"'),
    "a class": ('r="9"', 'r="9" class="skip"'),
    "an id": ('r="9"', 'r="9" id="main"'),
    "an event": ('r="9"', 'r="9" onclick="x()"'),
    "an attribute of another namespace": ('r="9"', 'r="9" xmlns:x="http://www.w3.org/1999/xlink" x:href="#a"'),
    "an address as paint": ('fill="none"', 'fill="url(http://evil.example/x)"'),
    "text": ("<circle", "words<circle"),
    "text in a shape": ("/></g>", ">words</path></g>"),
    "a shape in a shape": ("/></g>", "><path/></path></g>"),
    "a quote in a value": ("M8 138H192", "M8 138&quot; onload=&quot;x()"),
    "a declaration": ("<svg", '<!DOCTYPE svg [<!ENTITY a "aa"><!ENTITY b "&a;&a;">]><svg'),
    "an instruction": ("<svg", '<?xml-stylesheet href="x.css"?><svg'),
    "an entity": ("A lamp", "A &lamp;"),
    "another size": ("0 0 200 150", "0 0 2000 1500"),
    "no title": ("<title>A lamp</title>", ""),
    "an empty title": ("A lamp", " "),
    "an SVG in it": ("<circle", '<svg viewBox="0 0 200 150"/><circle'),
    "no SVG": ('xmlns="http://www.w3.org/2000/svg" ', ""),
    "no XML": ("</svg>", ""),
    "a deep nest": ("<circle", "<g>" * 9 + "</g>" * 9 + "<circle"),
}


@pytest.mark.parametrize("harm", HARM)
def test_a_picture_that_is_more_than_shapes_is_refused(write: Write, harm: str) -> None:
    old, new = HARM[harm]
    assert old in DRAWING
    with pytest.raises(TreeError, match="its picture lamp"):
        read_tree(write(drawing=DRAWING.replace(old, new, 1)), {"lamp"})


def test_a_wrong_tree_is_left_out_and_told_and_the_others_stay(write: Write, tmp_path: Path) -> None:
    write()
    write(SOUND.replace('next = "day"', 'next = "night"'), name="lamp-falls")
    told: list[TreeError] = []
    assert list(read_trees(tmp_path, {"lamp"}, on_error=told.append)) == ["lamp-is-dark"]
    assert [error.fields["tree"] for error in told] == ["lamp-falls"]
    with pytest.raises(TreeError):
        read_trees(tmp_path, {"lamp"})
    assert read_trees(tmp_path / "none", {"lamp"}) == {}


def test_a_way_is_the_numbers_of_the_answers(write: Write) -> None:
    tree = read_tree(write(), {"lamp"})
    start = resolve(tree, "")
    assert (start.here.name, start.said, start.on(2)) == ("switch", (), "2")
    place = resolve(tree, "1.1.2")
    assert place.here == tree.leaves["empty"]
    assert [(said.step.name, said.choice.say["en"], said.way) for said in place.said] == [
        ("switch", "Yes", ""),
        ("glow", "A little", "1"),
        ("day", "No", "1.1"),
    ]
    assert isinstance(resolve(tree, place.said[-1].way).here, Step)


@pytest.mark.parametrize("way", ["3", "0", "1.", ".1", "2.1", "1.1.2.1", "x", "1,1", "-1", "²", "1" * 50, "1.1" * 50])
def test_a_way_that_leads_nowhere_is_said(write: Write, way: str) -> None:
    with pytest.raises(WayNotFoundError):
        resolve(read_tree(write(), {"lamp"}), way)


def test_the_checks_of_an_article_are_those_with_a_leaf_that_leads_to_it(write: Write) -> None:
    tree = read_tree(write(), {"lamp"})
    checks = Checks({tree.id: tree})
    assert checks.all() == checks.of("lamp") == (checks.get("lamp-is-dark"),)
    assert checks.of("torch") == ()
    with pytest.raises(TreeNotFoundError):
        checks.get("lamp")
