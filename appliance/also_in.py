"""A document in another language, beside the one that it was written in."""

from __future__ import annotations

from collections.abc import Callable

from appliance.drafting.service import DraftingService
from appliance.inference.kept import Task
from appliance.inference.queue import Context
from appliance.storage.documents import Document, Documents
from appliance.translation.service import TranslationService


class AlsoIn:
    """`documents` gives those of the box, and may raise StorageError."""

    def __init__(
        self, documents: Callable[[], Documents], drafting: DraftingService, translation: TranslationService
    ) -> None:
        self._documents, self._drafting, self._translation = documents, drafting, translation

    def task(self, document_id: str, language: str) -> Task:
        """What puts a document in another language, for the queue.

        A document as the form wrote it gets the form's own wording in that language, if it has one, with the
        answers that are sentences translated; any other document is translated as it stands.

        Raises DocumentNotFoundError, UnknownLanguagePairError, StorageError.
        """
        document = self._documents().get(document_id)
        way = (document.language, language)
        cost = self._translation.cost(document.text, *way)

        def work(context: Context) -> Document:
            def translate(text: str) -> str:
                context.breathe()
                done = self._translation.translate(
                    text,
                    *way,
                    cancelled=context.cancelled,
                    on_wait=context.opening,
                    between_parts=context.breathe,
                    others_wait=context.others_wait,
                    owner=context.owner,
                    background=context.background,
                )
                return done.text

            other = self._written(document, language, translate)
            return self._documents().update(document_id, translations={**document.translations, language: other})

        request = {"document": document_id, "language": language, "title": document.title}
        return Task("document", request, work, cost, self._translation.is_long(document.text))

    def _written(self, document: Document, language: str, translate: Callable[[str], str]) -> str:
        written = self._drafting.write(document.kind, document.answers, document.language).text
        if document.text == written and language in self._drafting.kind(document.kind).words:
            return self._drafting.also_in(document.kind, document.answers, language, translate).text
        return translate(document.text)
