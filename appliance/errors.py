"""One tree of errors. Each has a key and fields, so that a page can say it in the reader's language.

`str(error)` is English, for the command line and the log; `key` is looked up by the page
(`webui/messages.py`), `fields` fill its blanks. A test holds that every key has words on the page.
"""

from __future__ import annotations

from typing import ClassVar


class BarazaError(Exception):
    """Something that a person can be told about. `status` is the HTTP status it is shown with."""

    key: ClassVar[str] = "error"
    template: ClassVar[str] = "Something went wrong."
    status: ClassVar[int] = 500

    def __init__(self, **fields: str | int) -> None:
        super().__init__(self.template.format(**fields))
        self.fields = fields


class InputError(BarazaError):
    """What the person sent cannot be used."""

    status = 400


class EmptyTextError(InputError):
    key = "empty_text"
    template = "There is no text. Write or paste something first."


class TextTooLongError(InputError):
    key = "text_too_long"
    template = "The text has {length} characters; {most} is the most. Send it in parts."
    status = 413


class PromptTooLongError(InputError):
    """Counted in the tokens of a model: a word has one, two or three."""

    key = "prompt_too_long"
    template = "The text is {remove} tokens too long for the model: it has {length}, and {most} is the most."
    status = 413


class NotUtf8Error(InputError):
    key = "not_utf8"
    template = "The text is not valid UTF-8. Save it as UTF-8 and try again."


class UnknownLanguagePairError(InputError):
    key = "unknown_language_pair"
    template = "This box cannot translate from {source} to {target}. Installed: {installed}."


class LanguageNotRecognisedError(InputError):
    key = "language_not_recognised"
    template = "The language of the text could not be recognised. Choose it by hand."


class UnknownKindError(InputError):
    key = "unknown_kind"
    template = "There is no kind of document called {kind}."
    status = 404


class MissingAnswersError(InputError):
    """`fields['questions']` are the keys of the questions, joined by commas."""

    key = "missing_answers"
    template = "Please answer: {questions}."


class DateError(InputError):
    key = "date"
    template = "“{date}” is not a date that can be used. Write it like 2026-05-03."


class ReadingsFileError(InputError):
    """Readings of sensors in a file; none of them was taken."""

    key = "readings_file"
    template = "Nothing of {file} was added. {reason}"


class NotFoundError(BarazaError):
    key = "not_found"
    template = "There is nothing here."
    status = 404


class DocumentNotFoundError(NotFoundError):
    key = "document_not_found"
    template = "This document is not on the box (any more)."


class ArticleNotFoundError(NotFoundError):
    key = "article_not_found"
    template = "There is no article called {article}."


class TreeNotFoundError(NotFoundError):
    key = "tree_not_found"
    template = "There is no check called {tree}. `baraza checks` lists them."


class WayNotFoundError(NotFoundError):
    """The answers that were given lead nowhere: the tree has changed, or somebody typed the address."""

    key = "way_not_found"
    template = "The check {tree} has no such answers. Start it again."


class CalendarNotFoundError(NotFoundError):
    key = "calendar_not_found"
    template = "There is no calendar of {crop}."


class ContributionNotFoundError(NotFoundError):
    key = "contribution_not_found"
    template = "What was written here is not on the box (any more), or another device wrote it."


class ContributionChangedError(BarazaError):
    """What is to be done with it was decided of something that is not so any more."""

    key = "contribution_changed"
    template = "It has changed meanwhile. Look at it again, then decide."
    status = 409


class ContributionsFullError(BarazaError):
    key = "contributions_full"
    template = "{most} articles and notes wait for the keeper or are kept, which is the most."
    status = 503


class OwnerContributionsFullError(ContributionsFullError):
    """The more waits, the less may come from one device: a flood from one leaves room for the others."""

    key = "owner_contributions_full"
    template = "{most} articles and notes from this device wait for the keeper already. Wait until they are read."
    status = 429


class QueueError(BarazaError):
    status = 503


class QueueFullError(QueueError):
    key = "queue_full"
    template = "The box has all the work it can hold. Try again in about {seconds} seconds."


class OwnerQueueFullError(QueueError):
    key = "owner_queue_full"
    template = "This device already has {most} requests waiting. Wait until one is finished, or cancel one."
    status = 429


class LongWaitError(QueueError):
    """The request was not taken: it would not begin soon. It may be left with the box all the same."""

    key = "long_wait"
    template = "The box has much to do: this would only begin in about {wait} seconds. Leave it, or come back later."


class JobLostError(QueueError):
    key = "job_lost"
    template = "This request was lost: the box was restarted since. Please send it again."
    status = 410


class JobInterruptedError(QueueError):
    key = "job_interrupted"
    template = "The power failed while the box worked on this. What was asked is kept: run it again."
    status = 410


class JobGoneError(QueueError):
    key = "job_gone"
    template = "This request is not kept any more. Please send it again."
    status = 410


class CancelledError(BarazaError):
    """The work was stopped because nobody waits for it any more."""

    key = "cancelled"
    template = "The request was cancelled."
    status = 410


class EngineError(BarazaError):
    key = "engine_failed"
    template = "The model of pack {pack} cannot be used: {reason}"


class EngineTooLargeError(BarazaError):
    """The pack needs more memory than all models together may take here."""

    key = "engine_too_large"
    template = (
        "The model of pack {pack} needs {needs} MiB of memory, and this box has {has} MiB for models. "
        "Use a smaller pack, a board with more memory, or set BARAZA_MEMORY."
    )
    status = 507


class EngineBusyError(BarazaError):
    """The pack would fit, but what is at work now holds the memory."""

    key = "engine_busy"
    template = "The memory of the box is taken by other work, so pack {pack} cannot be opened. Try again in a minute."
    status = 503


class NoModelError(BarazaError):
    key = "no_model"
    template = "No {kind} pack is installed. Install one with `baraza packs install FILE`."
    status = 503


class PackError(BarazaError):
    status = 422


class PackManifestError(PackError):
    key = "pack_manifest"
    template = "{pack}: pack.toml is wrong: {reason}"


class PackFileError(PackError):
    """A file of the pack is missing, of another size or of another content than pack.toml says."""

    key = "pack_file"
    template = "{pack}: {file}: {reason}. Copy the pack again from where it came from."


class PackArchiveError(PackError):
    key = "pack_archive"
    template = "{archive} is not a usable pack: {reason}"


class PackNotInstalledError(PackError):
    key = "pack_not_installed"
    template = "No pack {pack} is installed. `baraza packs list` shows those that are."
    status = 404


class PackTooNewError(PackError):
    key = "pack_too_new"
    template = "{pack} needs Baraza {needs} or newer; this is {has}. Bring the software of the box up to date first."


class PackSelftestError(PackError):
    """The pack was tried out after it was copied, and is not used."""

    key = "pack_selftest"
    template = "{pack} did not pass its self-test and is not used: {reason}"


class NoPreviousVersionError(PackError):
    key = "no_previous_version"
    template = "There is no version of {pack} before the one in use."
    status = 404


class PacksBusyError(PackError):
    key = "packs_busy"
    template = "Another pack is being installed. Wait until that is done, then try again."
    status = 503


class PackPublishedError(PackError):
    key = "pack_published"
    template = "{pack} is published already, with other content. Raise its version, build it again, then publish it."


class RepositoryError(PackError):
    """A folder of published packs is not what it should be."""

    key = "repository"
    template = "The packs in {path} cannot be used: {reason}"


class UnknownPublisherError(RepositoryError):
    """`fields['words']` are the eight words that a keeper compares before trusting whoever signed."""

    key = "unknown_publisher"
    template = (
        "{path}: this box does not know who signed these packs. Their words: {words} (version {version}). "
        "If you know the publisher, compare the words with theirs, then: baraza roots add NAME {path}"
    )
    status = 403


class RepositoryRefusedError(RepositoryError):
    """A check of The Update Framework failed; `fields['reason']` says which."""

    key = "repository_refused"
    template = (
        "{path} was refused, and nothing was taken from it: {reason}. It was damaged or changed on its way, or signed "
        "with keys that count no longer. Get it anew from {root}."
    )


class RepositoryOlderError(RepositoryRefusedError):
    """A release from before the newest that this box has seen of the same publisher."""

    key = "repository_older"
    template = (
        "{path} was refused: it holds release {release} of {root}, and this box has seen release {seen}. "
        "Get a newer one: an old release may bring back a fault that was mended."
    )


class RepositoryExpiredError(RepositoryRefusedError):
    key = "repository_expired"
    template = (
        "{path} was refused: its release ended on {expires}, and for this box it is {today}. Get a newer release from "
        "{root}; if the date of the box is wrong, set it, then: baraza roots clock --right"
    )


class PackMissingError(RepositoryError):
    key = "pack_missing"
    template = "{pack} is listed in {path}, but not there. Get the whole folder again."
    status = 404


class SourceLostError(RepositoryError):
    """What was read went away: a stick that was pulled out, a box that was switched off, a Wi-Fi out of reach."""

    key = "source_lost"
    template = "{path} could not be read to its end ({reason}). Nothing was changed. Connect it again and start over."
    status = 503


class StickNotFoundError(NotFoundError):
    key = "stick_not_found"
    template = "There is no stick {stick} in this box (any more). Plug it in, and wait a moment."


class StickBusyError(BarazaError):
    key = "stick_busy"
    template = "The stick {stick} is still being used. Leave it in, wait until that is done, then try again."
    status = 503


class ExportError(BarazaError):
    """Packs, or a backup, cannot be copied to where they are wanted. What was there before is whole."""

    status = 507


class ExportFullError(ExportError):
    key = "export_full"
    template = (
        "There is no room in {path}: {needs} MB are needed, and {free} MB are free. What was there before is whole. "
        "Delete something there, or use another stick."
    )


class ExportFileError(ExportError):
    key = "export_file"
    template = (
        "{pack} does not go onto {path}: a stick of the kind FAT32 takes files of 4 GB at most. What was there before "
        "is whole. Use a stick of the kind exFAT."
    )


class ExportFailedError(ExportError):
    key = "export_failed"
    template = (
        "{path} could not be written to ({reason}), as if it was pulled out. What was there before is whole. "
        "Connect it again and start over."
    )


class NeighbourBusyError(RepositoryError):
    """The other box gives packs to as many others as it can."""

    key = "neighbour_busy"
    template = "{path} is busy: it gives packs to others, or still reads its own. Try again in a minute."
    status = 503


class SharedNotFoundError(NotFoundError):
    key = "shared_not_found"
    template = "This box gives no such file to others."


class SharingOffError(SharedNotFoundError):
    key = "sharing_off"
    template = "This box gives no packs to others: its keeper has switched that off (BARAZA_SHARE)."
    status = 403


class SharedLaterError(BarazaError):
    key = "shared_later"
    template = "This box still reads the packs that it gives to others. Come back in {seconds} seconds."
    status = 503


class SharedBusyError(SharedLaterError):
    key = "shared_busy"
    template = "This box gives packs to others already. Come back in {seconds} seconds."


class AddressError(RepositoryError):
    key = "address"
    template = "{address} is no box in this network: {reason}. An address looks like http://192.168.1.20:8080"
    status = 400


class RootError(BarazaError):
    key = "root"
    template = "The trusted root {name} cannot be used so: {reason}"
    status = 422


class RootNotFoundError(RootError):
    key = "root_not_found"
    template = "This box trusts no root called {name}. `baraza roots list` shows those that it trusts."
    status = 404


class RootWordsError(RootError):
    key = "root_words"
    template = (
        "These are not the words of that publisher, so {name} was not added. Compare them once more; if a word is "
        "another, do not trust it: somebody may have changed what you hold."
    )


class RootDamagedError(RootError):
    """Both copies of what is known of a root are damaged: it is not forgotten silently which release was seen."""

    key = "root_damaged"
    template = (
        "What this box knows of the trusted root {name} is damaged, so nothing of it is installed. To trust it again: "
        "baraza roots remove {name}, then baraza roots add, comparing its words; older releases are accepted then."
    )
    status = 500


class KeysError(BarazaError):
    key = "keys"
    template = "The keys in {path} cannot be used: {reason}"


class KeysLockedError(KeysError):
    key = "keys_locked"
    template = "The key {path} stays locked: the passphrase is missing or wrong."


class StorageError(BarazaError):
    key = "storage"
    template = "The box could not read or write {path}: {reason}"
    status = 507


class DiskFullError(StorageError):
    key = "disk_full"
    template = "The disk of the box is full ({path}). What was saved is safe; delete or move something, then try again."


class ReadOnlyError(StorageError):
    key = "read_only"
    template = "The box cannot write to {path}. What was saved is safe; ask the keeper to look at the card."


class StickReadOnlyError(ReadOnlyError):
    key = "stick_read_only"
    template = (
        "The box cannot write to the stick {stick}. If it has a small switch, move it; otherwise use another stick."
    )


class DocumentsSetAsideError(StorageError):
    key = "documents_set_aside"
    template = (
        "The saved documents could not be read. They were not deleted: they are kept in {path} for someone to mend."
    )


class ContributionsSetAsideError(StorageError):
    key = "contributions_set_aside"
    template = (
        "What the village wrote for the knowledge could not be read. It was not deleted: it is kept in {path}. The "
        "keeper can bring a copy from before back, if there is one."
    )


class DocumentsLastCopyError(DocumentsSetAsideError):
    """As above, and a copy from before is there: of how many documents, and when it was saved."""

    key = "documents_last_copy"
    template = (
        "The saved documents could not be read; they are kept in {path}. A copy of {saved_at} with {documents} "
        "documents is there: bring them back with `baraza documents restore-last`."
    )


class NoLastCopyError(NotFoundError):
    key = "no_last_copy"
    template = "There is no copy of documents to bring back."


class ReserveError(DiskFullError):
    """There is some room left, which is kept for deleting and for the box itself."""

    key = "disk_reserve"
    template = "The disk of the box is nearly full ({path}). What was saved is safe; delete something, then try again."


class JournalSetAsideError(StorageError):
    key = "journal_set_aside"
    template = (
        "The journal of the box could not be read. It is kept in {path}, and the box goes on with {copy}. "
        "Requests that were left with the box may be missing."
    )


class BackupError(StorageError):
    key = "backup"
    template = "The backup {path} cannot be used: {reason}"
    status = 422


class BackupLockedError(BackupError):
    key = "backup_locked"
    template = "The backup {path} does not open: the passphrase is wrong, or the beginning of the file is damaged."


class FolderInUseError(StorageError):
    key = "folder_in_use"
    template = "Another Baraza is at work on {path}. Stop it first, or set BARAZA_DATA to another folder."


class KeeperError(BarazaError):
    """Of the PIN that opens the keeper's pages."""

    status = 403


class PinShortError(KeeperError):
    key = "pin_short"
    template = "A PIN has at least {digits} digits, or is a phrase of at least {letters} letters."
    status = 400


class PinLongError(KeeperError):
    key = "pin_long"
    template = "This is too long for a PIN: {most} characters are the most."
    status = 400


class PinTrivialError(KeeperError):
    key = "pin_trivial"
    template = "Anybody would try this PIN first. Take another: six digits that make no row and no pattern."
    status = 400


class PinWrongError(KeeperError):
    key = "pin_wrong"
    template = "This is not the PIN."


class PinWaitError(KeeperError):
    """The PIN was not looked at."""

    key = "pin_wait"
    template = "Too many PINs were wrong, so this one was not looked at. Try again in {wait} seconds."
    status = 429


class PinNotSetError(KeeperError):
    key = "pin_not_set"
    template = "This box has no keeper's PIN yet. Set one: baraza keeper pin"


class PinAlreadySetError(KeeperError):
    key = "pin_already_set"
    template = "This box has a keeper's PIN already. Whoever has forgotten it sets another: baraza keeper pin"


class PinDamagedError(KeeperError):
    """Nobody is let in, as nobody could tell the keeper from others."""

    key = "pin_damaged"
    template = "The keeper's PIN cannot be read; what is left of it is in {path}. Set it anew: baraza keeper pin"


class ConfigError(BarazaError):
    key = "config"
    template = "The setting {name} is wrong: {reason}"


class KindError(BarazaError):
    """A kind of document in `appliance/drafting/kinds` is not of its form."""

    key = "kind"
    template = "The kind of document {kind} is wrong: {reason}"


class KnowledgeError(BarazaError):
    key = "knowledge"
    template = "The article {article} is wrong: {reason}"


class TreeError(KnowledgeError):
    key = "tree"
    template = "The check {tree} is wrong: {reason}"


def error_of(key: str, fields: object) -> BarazaError:
    """The error that was written down as its key and its fields; the general one if there is none such (any more)."""
    kinds = [BarazaError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    for kind in kinds:
        if kind.key == key and isinstance(fields, dict):
            try:
                return kind(**fields)
            except (KeyError, TypeError):
                break
    return BarazaError()
