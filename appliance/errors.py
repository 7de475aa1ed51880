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


class PackPublishedError(PackError):
    key = "pack_published"
    template = "{pack} is published already, with other content. Raise its version, build it again, then publish it."


class RepositoryError(PackError):
    """A folder of published packs is not what it should be."""

    key = "repository"
    template = "The packs in {path} cannot be used: {reason}"


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


class DocumentsSetAsideError(StorageError):
    key = "documents_set_aside"
    template = (
        "The saved documents could not be read. They were not deleted: they are kept in {path} for someone to mend."
    )


class FolderInUseError(StorageError):
    key = "folder_in_use"
    template = "Another Baraza is at work on {path}. Stop it first, or set BARAZA_DATA to another folder."


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
