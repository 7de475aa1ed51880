"""What a keeper is told of the box: its health, and what happened to it, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext

from appliance.health.finding import Finding, Level
from appliance.packs.look import Change, Obstacle
from appliance.packs.unattended import News, Outcome
from webui.messages import words_for

# By the name of the check: what it looks at, and what to do when it found something.
CHECKS = {
    "disk": (
        lazy_gettext("Room on the memory card"),
        lazy_gettext("Delete documents that nobody needs, or take a larger card."),
    ),
    "reserve": (
        lazy_gettext("Room that is kept free"),
        lazy_gettext("Delete documents that nobody needs. The box makes its reserve again within an hour."),
    ),
    "inodes": (
        lazy_gettext("Number of files on the card"),
        lazy_gettext("Something made very many small files. Somebody who knows Linux has to delete them."),
    ),
    "memory": (
        lazy_gettext("Memory for the models"),
        lazy_gettext("The models take turns, which is slow. Go back to smaller packs, or take a board with more."),
    ),
    "provider": (
        lazy_gettext("What computes"),
        lazy_gettext("The part that was chosen for computing is not there. The box works without it, more slowly."),
    ),
    "power": (
        lazy_gettext("Power supply"),
        lazy_gettext("Take the power supply made for the board and a short, thick cable, and unplug other things."),
    ),
    "heat": (
        lazy_gettext("Temperature"),
        lazy_gettext("Give the box air and shade, and clean its fan."),
    ),
    "clock": (
        lazy_gettext("Date and time"),
        lazy_gettext("Set the date. Documents would carry a wrong one, and packs could be taken for outdated."),
    ),
    "stop": (
        lazy_gettext("Switched off properly"),
        lazy_gettext("Switch the box off before you pull the plug, and wait for its light. Cuts wear out the card."),
    ),
    "writing": (
        lazy_gettext("What is written stays written"),
        lazy_gettext("The card fails, or takes no writing. Make a backup now if you can, then take a new card."),
    ),
    "saved": (
        lazy_gettext("Saved documents"),
        lazy_gettext("Documents could not be read and were put aside. “About this box” says how to bring them back."),
    ),
    "journal": (
        lazy_gettext("Journal of the box"),
        lazy_gettext("A journal could not be read and was put aside. Delete it when nobody misses a request."),
    ),
    "root": (
        lazy_gettext("Publishers"),
        lazy_gettext("Ask this publisher for a stick with a renewed signature. What is installed goes on working."),
    ),
    "keeper": (
        lazy_gettext("PIN of the keeper"),
        lazy_gettext("Somebody may be guessing, or the PIN is damaged. Set a new one, a longer one."),
    ),
    "pack": (
        lazy_gettext("Files of a pack"),
        lazy_gettext("The pack is damaged. Install it again from a stick."),
    ),
    "signed": (
        lazy_gettext("Packs that came with the box"),
        lazy_gettext("Somebody else made this pack. Get the software again from where it came, if it was not you."),
    ),
    "model": (
        lazy_gettext("A model at work"),
        lazy_gettext("If it does not work, go back to the version before, or install it again from a stick."),
    ),
}
LEVELS = {
    Level.GOOD: lazy_gettext("good"),
    Level.WARNING: lazy_gettext("look at this"),
    Level.BAD: lazy_gettext("does not work"),
}
WORST_FIRST = (Level.BAD, Level.WARNING, Level.GOOD)

# By the name of the event in the journal. The blanks are what is written down with it.
EVENTS = {
    "started": lazy_gettext("The box was switched on."),
    "cut": lazy_gettext("The box was switched on, after the power had been cut."),
    "keeper_pin": lazy_gettext("A PIN was set on the page."),
    "rollback": lazy_gettext("Back to the version before: %(pack)s."),
    "publisher_added": lazy_gettext("The publisher %(name)s was added."),
    "publisher_changed": lazy_gettext("What the publisher %(name)s may bring was changed."),
    "publisher_removed": lazy_gettext("The publisher %(name)s was removed."),
    "clock_right": lazy_gettext("The keeper said that the date is right."),
    "installed": lazy_gettext("Installed: %(pack)s."),
    "knowledge_accepted": lazy_gettext("Accepted for the knowledge of the village: “%(title)s”."),
    "knowledge_edited": lazy_gettext("Accepted for the knowledge of the village, after changes: “%(title)s”."),
    "knowledge_refused": lazy_gettext("Not accepted for the knowledge of the village: “%(title)s”."),
    "knowledge_taken_back": lazy_gettext("Taken out of the knowledge of the village: “%(title)s”."),
    "knowledge_withdrawn": lazy_gettext("Withdrawn by whoever wrote it: “%(title)s”."),
    "village_named": lazy_gettext("The village is called: %(village)s."),
    "stick": lazy_gettext("Something became of the stick %(stick)s: see “Sticks and neighbours”."),
}

CHANGES = {
    Change.NEW: lazy_gettext("new"),
    Change.NEWER: lazy_gettext("newer than %(installed)s, which is on the box"),
    Change.SAME: lazy_gettext("on the box already"),
    Change.OLDER: lazy_gettext("older than %(installed)s, which is on the box"),
    Change.OTHER: lazy_gettext("says it is %(installed)s, as on the box, but is another: ask the publisher"),
}
OBSTACLES = {
    Obstacle.MISSING: lazy_gettext("It is listed, but it is not there."),
    Obstacle.MEMORY: lazy_gettext("It needs more memory than this box has."),
    Obstacle.DISK: lazy_gettext("It does not fit on the memory card."),
    Obstacle.APPLIANCE: lazy_gettext("It needs a newer version of the software."),
}
NEWS = {
    Outcome.INSTALLED: lazy_gettext("%(pack)s was installed from the stick %(stick)s, from %(root)s."),
    Outcome.FAILED: lazy_gettext("%(pack)s from the stick %(stick)s was not installed."),
    Outcome.REFUSED: lazy_gettext("Nothing was taken from the stick %(stick)s."),
    Outcome.CLOCK: lazy_gettext(
        "Nothing was taken from the stick %(stick)s by itself: the date of the box cannot be right."
    ),
}


def change_words(change: Change, installed: str) -> str:
    """What a pack would change; `installed`: the version in use."""
    return str(CHANGES[change]) % {"installed": installed}


def obstacle_words(obstacle: Obstacle) -> str:
    """Why a pack cannot be installed."""
    return str(OBSTACLES[obstacle])


def news_words(news: News) -> str:
    """What became of a stick, and why."""
    said = str(NEWS[news.outcome]) % {"stick": news.stick, "root": news.root, "pack": news.pack}
    return f"{said} {words_for(news.error)}" if news.error else said


@dataclass(frozen=True)
class Found:
    """A finding in the reader's words; `detail` and `advice_detail` are English, with the figures."""

    level: str
    level_name: str
    name: str
    advice: str
    detail: str
    advice_detail: str


def findings_of(findings: Iterable[Finding]) -> list[Found]:
    """What checks found, the worst first."""
    return sorted(map(_found, findings), key=lambda each: [level.value for level in WORST_FIRST].index(each.level))


def event_words(event: str, about: dict[str, Any]) -> str:
    """What happened to the box; an event that has no words here is shown by its name."""
    kind = "cut" if event == "started" and about.get("cut") else event
    words = EVENTS.get(kind)
    try:
        return str(words) % about if words else f"{event} {', '.join(map(str, about.values()))}".strip()
    except (KeyError, TypeError, ValueError):  # written down by another version of the software
        return event


def _found(finding: Finding) -> Found:
    name, advice = CHECKS.get(finding.check, (finding.check, ""))
    well = finding.level is Level.GOOD
    return Found(
        finding.level.value,
        str(LEVELS[finding.level]),
        str(name),
        "" if well else str(advice),
        finding.found,
        "" if well else finding.advice,
    )
