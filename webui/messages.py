"""Every error in the reader's language: its key here, its fields in the blanks, and what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask_babel import format_decimal, gettext, lazy_gettext

from appliance.errors import BarazaError
from webui.languages import language_name
from webui.progress import in_words

TAG = re.compile(r"\b[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*\b")

# The blanks are the fields of the error. A reason that is English is left out here; /about shows it.
WORDS = {
    "error": lazy_gettext(
        "Something went wrong inside the box. Please try again; if it happens again, tell the keeper."
    ),
    "empty_text": lazy_gettext("There is no text yet. Write or paste something first."),
    "text_too_long": lazy_gettext(
        "The text has %(length)s characters; %(most)s is the most. Shorten it, or send it in parts."
    ),
    "prompt_too_long": lazy_gettext(
        "The text is too long for the model: it counts %(length)s parts of words, and %(most)s is the most. "
        "Leave out a passage of about %(remove)s parts, two or three to a word."
    ),
    "not_utf8": lazy_gettext(
        "The box cannot read these letters: the text is not valid UTF-8. Type it again, or save it as UTF-8."
    ),
    "unknown_language_pair": lazy_gettext(
        "This box cannot translate from %(source)s to %(target)s. It can translate: %(installed)s."
    ),
    "language_not_recognised": lazy_gettext("The box could not tell the language of the text. Please choose it."),
    "unknown_kind": lazy_gettext("The box has no such kind of document. Choose one from the list."),
    "missing_answers": lazy_gettext("Some answers are missing. They are marked below."),
    "not_found": lazy_gettext("There is nothing here."),
    "document_not_found": lazy_gettext("This document is not on the box, or not any more."),
    "article_not_found": lazy_gettext("The box has no such article. Look through the list of topics."),
    "tree_not_found": lazy_gettext("The box has no such check. Choose one from the list."),
    "way_not_found": lazy_gettext("These answers do not fit this check; it may have changed. Start it again."),
    "calendar_not_found": lazy_gettext("The box has no calendar for this crop. Choose one from the list."),
    "date": lazy_gettext("The box cannot use “%(date)s” as a date. Write it like 2026-05-03."),
    "readings_file": lazy_gettext("The readings in %(file)s cannot be used, and none of them was taken."),
    "contribution_not_found": lazy_gettext("This is not on the box any more, or it was written on another device."),
    "contribution_changed": lazy_gettext("It has changed meanwhile. Look at it once more, then decide."),
    "contributions_full": lazy_gettext(
        "So much waits for the keeper that the box takes no more now. Ask the keeper to read it, then send this again."
    ),
    "owner_contributions_full": lazy_gettext(
        "%(most)s articles and notes of yours wait for the keeper. Wait until they are read, then send this again."
    ),
    "queue_full": lazy_gettext(
        "The box has all the work it can hold. Your text is still here: send it again in about %(seconds)s seconds."
    ),
    "owner_queue_full": lazy_gettext(
        "This device already has %(most)s requests waiting. Wait until one is ready, or stop one, then send this again."
    ),
    "long_wait": lazy_gettext(
        "The box has much to do: your request would only begin in about %(wait)s. Nothing that you wrote is lost."
    ),
    "job_lost": lazy_gettext("This request was lost, because the box was restarted. Please send it again."),
    "job_interrupted": lazy_gettext(
        "The power failed while the box worked on this. Nothing that you wrote is lost: let the box do it again."
    ),
    "job_gone": lazy_gettext("The box does not keep this request any more. Please send it again."),
    "cancelled": lazy_gettext("This request was stopped."),
    "engine_failed": lazy_gettext("The model of %(pack)s cannot be used. Tell the keeper of the box."),
    "engine_too_large": lazy_gettext(
        "The model of %(pack)s needs %(needs)s MiB of memory, and this box has %(has)s MiB for models. "
        "The keeper can install a smaller one, or use a board with more memory."
    ),
    "engine_busy": lazy_gettext("The memory of the box is taken by other work just now. Send this again in a minute."),
    "no_model": lazy_gettext(
        "The box has no model for this yet: %(kind)s. The keeper can install one from a USB stick."
    ),
    "pack_manifest": lazy_gettext("The pack %(pack)s is not in order and is not used. Tell the keeper of the box."),
    "pack_file": lazy_gettext(
        "The pack %(pack)s is damaged (%(file)s) and is not used. The keeper can copy it to the box again."
    ),
    "pack_archive": lazy_gettext("The file %(archive)s is not a pack that the box can use."),
    "pack_not_installed": lazy_gettext("The pack %(pack)s is not on the box."),
    "pack_too_new": lazy_gettext(
        "The pack %(pack)s is for a newer box: it needs version %(needs)s, and this is %(has)s. The keeper can bring "
        "the software up to date."
    ),
    "pack_selftest": lazy_gettext(
        "The pack %(pack)s did not pass its test on this box and is not used. What was in use before stays in use."
    ),
    "no_previous_version": lazy_gettext("There is no earlier version of the pack %(pack)s on the box."),
    "packs_busy": lazy_gettext("Another pack is being installed. Wait until that is done, then try again."),
    "pack_published": lazy_gettext(
        "The pack %(pack)s is published already, with other content. Its maker must raise its version."
    ),
    "repository": lazy_gettext("The collection of packs in %(path)s cannot be used. Tell whoever made it."),
    "unknown_publisher": lazy_gettext(
        "This box does not know who signed these packs. Their words are: %(words)s. The keeper can compare them with "
        "the words of the publisher, and trust them then."
    ),
    "repository_refused": lazy_gettext(
        "These packs were refused: they were damaged or changed on their way, or signed with keys that count no "
        "longer. Nothing was installed. Get them anew from %(root)s."
    ),
    "repository_older": lazy_gettext(
        "This is release %(release)s of %(root)s, and the box has seen release %(seen)s. Get a newer one."
    ),
    "repository_expired": lazy_gettext(
        "This release ended on %(expires)s, and for this box it is %(today)s. Get a newer one from %(root)s; if the "
        "date of the box is wrong, the keeper can set it."
    ),
    "pack_missing": lazy_gettext("The pack %(pack)s is listed, but it is not there. Get the whole collection again."),
    "source_lost": lazy_gettext(
        "The packs could not be read to the end, as if the stick was pulled out or the other box switched off. "
        "Nothing was changed. Connect it again and start over."
    ),
    "stick_not_found": lazy_gettext(
        "The stick %(stick)s is not in the box, or not any more. Plug it in, and wait a moment."
    ),
    "stick_busy": lazy_gettext(
        "The stick %(stick)s is still being used. Leave it in, wait until that is done, then try again."
    ),
    "stick_read_only": lazy_gettext(
        "The box cannot write to the stick %(stick)s. If it has a small switch, move it; otherwise use another stick."
    ),
    "neighbour_busy": lazy_gettext(
        "The other box is busy: it gives packs to others, or still reads its own. Try again in a minute."
    ),
    "shared_not_found": lazy_gettext("This box gives no such file to others."),
    "sharing_off": lazy_gettext("This box gives no packs to others."),
    "shared_later": lazy_gettext("The box still reads the packs that it gives to others. Come back in a minute."),
    "shared_busy": lazy_gettext("The box gives packs to others already. Come back in a minute."),
    "export_full": lazy_gettext(
        "There is no room: %(needs)s MB are needed, and %(free)s MB are free. What was there before is whole. Delete "
        "something there, or use another stick."
    ),
    "export_file": lazy_gettext(
        "The pack %(pack)s does not go onto this stick, which takes no file of more than 4 GB. Use a stick of the kind "
        "exFAT. What was there before is whole."
    ),
    "export_failed": lazy_gettext(
        "The stick could not be written to, as if it was pulled out. What was there before is whole. Plug it in again "
        "and start over."
    ),
    "address": lazy_gettext("There is no box at %(address)s that this one may ask for packs."),
    "root": lazy_gettext("The publisher %(name)s cannot be trusted in this way. Tell the keeper of the box."),
    "root_not_found": lazy_gettext("This box does not trust anybody called %(name)s."),
    "root_words": lazy_gettext(
        "These are not the words of that publisher, so nothing was changed. Compare them once more; if one of them is "
        "another, do not trust it."
    ),
    "root_damaged": lazy_gettext(
        "What the box knows of the publisher %(name)s is damaged, so none of their packs are installed. The keeper can "
        "remove %(name)s and add it again, comparing the words."
    ),
    "keys": lazy_gettext("The keys for signing packs cannot be used. Tell the keeper of the box."),
    "keys_locked": lazy_gettext("The keys for signing packs are locked. The passphrase is missing or wrong."),
    "storage": lazy_gettext("The box could not save this. Try again; if it happens again, tell the keeper."),
    "documents_set_aside": lazy_gettext(
        "The documents saved before could not be read. They are not deleted: the keeper finds them in %(path)s."
    ),
    "contributions_set_aside": lazy_gettext(
        "What the village wrote for the knowledge could not be read. It is not deleted: it is in %(path)s. The keeper "
        "can look at “Knowledge of the village” whether a copy from before can be brought back."
    ),
    "documents_last_copy": lazy_gettext(
        "The documents saved before could not be read. A copy from %(saved_at)s with %(documents)s documents is there: "
        "it can be brought back below. What could not be read is not deleted: the keeper finds it in %(path)s."
    ),
    "no_last_copy": lazy_gettext("There is no copy of documents to bring back."),
    "journal_set_aside": lazy_gettext(
        "What the box notes for itself could not be read, and is kept in %(path)s. Requests that were left with the "
        "box may be missing; please send them again."
    ),
    "backup": lazy_gettext("The backup %(path)s cannot be used. It may be damaged, or be another file."),
    "backup_locked": lazy_gettext("The backup does not open: the passphrase is wrong, or the file is damaged."),
    "disk_reserve": lazy_gettext(
        "The memory of the box is nearly full. What was saved before is safe. Delete a document, then try again."
    ),
    "disk_full": lazy_gettext(
        "The memory of the box is full. What was saved before is safe. Delete a document, then try again."
    ),
    "read_only": lazy_gettext(
        "The box cannot save anything now. What was saved before is safe. Ask the keeper to look at the memory card."
    ),
    "folder_in_use": lazy_gettext("Another Baraza is at work on the documents of this box. Tell the keeper."),
    "pin_short": lazy_gettext(
        "This is too short. Take at least %(digits)s digits, or a phrase of at least %(letters)s letters."
    ),
    "pin_long": lazy_gettext("This is too long: %(most)s characters are the most."),
    "pin_trivial": lazy_gettext(
        "Anybody would try this PIN first. Take another: digits that make no row, no pattern and no repetition."
    ),
    "pin_wrong": lazy_gettext("This is not the PIN."),
    "pin_wait": lazy_gettext(
        "Too many PINs were wrong, so this one was not even looked at. Wait for %(wait)s, then try again."
    ),
    "pin_not_set": lazy_gettext("This box has no keeper's PIN yet."),
    "pin_already_set": lazy_gettext("This box has a keeper's PIN already."),
    "pin_damaged": lazy_gettext(
        "The keeper's PIN cannot be read any more. Until it is set anew at the box, nobody is let in. What is left of "
        "it is in %(path)s."
    ),
    "kind": lazy_gettext("The kind of document %(kind)s is not in order. Tell the keeper of the box."),
    "config": lazy_gettext("The setting %(name)s of the box is wrong. Tell the keeper."),
    "knowledge": lazy_gettext("The article %(article)s is not in order. Tell the keeper of the box."),
    "tree": lazy_gettext("The check %(tree)s is not in order. Tell the keeper of the box."),
    "page_not_found": lazy_gettext("There is no page at this address. It may have been mistyped."),
    "request_too_large": lazy_gettext(
        "What you sent is too large for the box; %(kilobytes)s kB is the most. Send it in parts."
    ),
    "foreign_form": lazy_gettext(
        "This form did not come from a page of the box, so the box did nothing. Send it from a page of the box."
    ),
    "unknown_host": lazy_gettext(
        "This box is not called %(host)s. Open it by its own name or address, as it stands on the box."
    ),
    "unusable_request": lazy_gettext("The box cannot use this request. Go back and try again."),
    "not_at_the_box": lazy_gettext(
        "The first PIN is set at the box itself: on its own screen, or with a keyboard that is plugged into it."
    ),
    "pin_differs": lazy_gettext("You typed two different PINs. Nothing was changed: type the same one twice."),
    "passphrase_differs": lazy_gettext("You typed two different passphrases. Type the same one twice."),
    "nothing_chosen": lazy_gettext("Nothing is ticked. Choose at least one, then press the button again."),
    "busy_streams": lazy_gettext("Many phones follow their requests at once. This page will reload by itself."),
}

THINGS = {"translation": lazy_gettext("translation"), "knowledge": lazy_gettext("knowledge")}


def words_for(error: BarazaError) -> str:
    """What the page says of `error`, in the reader's language."""
    blanks = {name: FIELDS.get(name, _plain)(value) for name, value in error.fields.items()}
    return str(WORDS[error.key]) % blanks


def heading_for(error: BarazaError) -> str:
    """The heading of a page that shows only this error."""
    if error.status == 404:
        return str(gettext("Not found"))
    if error.status == 410:
        return str(gettext("Not there any more"))
    if error.status >= 500:
        return str(gettext("The box cannot do this now"))
    return str(gettext("This did not work"))


def _plain(value: Any) -> str:
    return str(format_decimal(value)) if isinstance(value, int) else str(value)


def _directions(installed: Any) -> str:
    """“en→es, es→en” with the names of the languages."""
    return TAG.sub(lambda tag: language_name(tag.group()), str(installed))


def _thing(kind: Any) -> str:
    return str(THINGS.get(str(kind), kind))


def _time(seconds: Any) -> str:
    return in_words(seconds) if isinstance(seconds, int) else str(seconds)


FIELDS: dict[str, Callable[[Any], str]] = {
    "source": lambda tag: language_name(str(tag)),
    "target": lambda tag: language_name(str(tag)),
    "installed": _directions,
    "kind": _thing,
    "wait": _time,
}
