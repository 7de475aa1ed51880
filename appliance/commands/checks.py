"""`baraza checks`: finding out step by step what is wrong, at the terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from appliance import config
from appliance.advice.trees import Leaf, Place, Step, Tree, resolve
from appliance.errors import ArticleNotFoundError

if TYPE_CHECKING:
    from appliance.app import Appliance

BACK, STOP = "b", "q"


@click.command("checks")
@click.option("--lang", default="en", show_default=True, help="Language of the checks.")
@click.option("--json", "as_json", is_flag=True, help="Print the list, or the whole check, as JSON.")
@click.argument("name", required=False)
def checks(lang: str, as_json: bool, name: str | None) -> None:
    """List the step-by-step checks, or go through the check NAME: it asks for one thing at a time."""
    from appliance.app import Appliance

    appliance = Appliance(config.load())
    if name is None:
        _list(appliance.knowing.checks.all(), lang, as_json)
        return
    tree = appliance.knowing.checks.get(name)
    if as_json:
        click.echo(json.dumps(_whole(tree, tree.spoken(lang)), ensure_ascii=False))
        return
    _walk(tree, tree.spoken(lang), appliance)


def _list(trees: tuple[Tree, ...], lang: str, as_json: bool) -> None:
    rows = [{"id": each.id, "subject": each.subject, "title": each.title[each.spoken(lang)]} for each in trees]
    if as_json:
        click.echo(json.dumps(rows, ensure_ascii=False))
        return
    for row in rows:
        click.echo(f"{row['id']:32} {row['title']}")


def _walk(tree: Tree, language: str, appliance: Appliance) -> None:
    click.echo(click.style(tree.title[language], bold=True))
    _warn(tree.danger.get(language, ""))
    place = resolve(tree, "")
    while isinstance(place.here, Step):
        asked = _ask(place.here, place, language)
        if asked == STOP:
            return
        place = resolve(tree, place.said[-1].way if asked == BACK else place.on(int(asked)))
    _print_leaf(tree, place.here, language, appliance)


def _ask(step: Step, place: Place, language: str) -> str:
    """The number of an answer, BACK or STOP."""
    click.echo(f"\n{step.ask[language]}")
    if step.look:
        click.echo(f"  {step.look[language]}")
    for number, choice in enumerate(step.choices, 1):
        click.echo(f"  {number}. {choice.say[language]}")
    ways = [*map(str, range(1, len(step.choices) + 1)), *([BACK] if place.said else []), STOP]
    words = f"Number ({BACK}: back, {STOP}: stop)" if place.said else f"Number ({STOP}: stop)"
    asked: str = click.prompt(words, type=click.Choice(ways), show_choices=False)
    return asked


def _print_leaf(tree: Tree, leaf: Leaf, language: str, appliance: Appliance) -> None:
    click.echo()
    try:
        face = appliance.knowing.article(leaf.article).face(language)
    except ArticleNotFoundError:  # it came on a pack that was taken out since
        face = None
    if leaf.danger or tree.danger:
        _warn(leaf.danger.get(language, ""))
    elif face:
        _warn(face.danger)
    click.echo(click.style(leaf.title[language], bold=True))
    for number, action in enumerate(leaf.do[language], 1):
        click.echo(f"  {number}. {action}")
    if face:
        click.echo(f"  More: {face.title} ({leaf.article})")


def _warn(danger: str) -> None:
    if danger:
        click.echo(f"  ! {danger}")


def _whole(tree: Tree, language: str) -> dict[str, Any]:
    """The tree in one language; "" where it has no such text."""
    steps = [
        {
            "name": step.name,
            "ask": step.ask[language],
            "look": step.look.get(language, ""),
            "answers": [{"say": choice.say[language], "next": choice.next} for choice in step.choices],
        }
        for step in tree.steps.values()
    ]
    leaves = [
        {
            "name": leaf.name,
            "title": leaf.title[language],
            "danger": leaf.danger.get(language, ""),
            "do": list(leaf.do[language]),
            "article": leaf.article,
        }
        for leaf in tree.leaves.values()
    ]
    about = {"id": tree.id, "subject": tree.subject, "language": language, "title": tree.title[language]}
    return {**about, "danger": tree.danger.get(language, ""), "start": tree.start, "steps": steps, "leaves": leaves}
