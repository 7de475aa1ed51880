"""What a model is asked when it writes a short answer, in the language that it is to write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from appliance.advice.service import Answer, Passage
from appliance.inference.chat import Message


@dataclass(frozen=True)
class Words:
    """The task, and what stands before the danger, the help, and the question."""

    task: str
    danger: str
    get_help: str
    question: str


WORDS = {
    "en": Words(
        "You answer people in a village from the notes that you are given. Copy the sentences of the notes that "
        "answer the question, four at most. Write no number, no name and no advice that is not in the notes.",
        "Danger",
        "When to get help",
        "Question",
    ),
    "es": Words(
        "Usted responde a la gente de un pueblo con las notas que recibe. Copie las frases de las notas que "
        "responden a la pregunta, cuatro como máximo. No escriba ningún número, nombre ni consejo que no esté ahí.",
        "Peligro",
        "Cuándo pedir ayuda",
        "Pregunta",
    ),
    "fr": Words(
        "Vous répondez aux gens d'un village avec les notes que vous recevez. Copiez les phrases des notes qui "
        "répondent à la question, quatre au plus. N'écrivez aucun chiffre, nom ou conseil qui n'y est pas.",
        "Danger",
        "Quand demander de l'aide",
        "Question",
    ),
    "sw": Words(
        "Unawajibu watu wa kijiji kwa kutumia maelezo unayopewa. Nakili sentensi za maelezo zinazojibu swali, "
        "zisizidi nne. Usiandike namba, jina wala ushauri ambao haumo kwenye maelezo.",
        "Hatari",
        "Wakati wa kutafuta msaada",
        "Swali",
    ),
}


def messages(answer: Answer, passages: Sequence[Passage]) -> Iterator[list[Message]]:
    """Prompts that ask the question of `answer` about `passages`, from the one that says most to the shortest."""
    words = WORDS.get(answer.language, WORDS["en"])
    for count in range(len(passages), 0, -1):
        for notes in (_all, _face, _steps):
            told = "\n\n".join("\n".join(notes(each, words)) for each in passages[:count])
            asked = f"{told}\n\n{words.question}: {answer.question}"
            yield [Message("system", words.task), Message("user", asked)]


def _all(passage: Passage, words: Words) -> list[str]:
    return [*_face(passage, words), *([passage.text] if passage.text else [])]


def _face(passage: Passage, words: Words) -> list[str]:
    face = passage.face
    title, *steps = _steps(passage, words)
    danger = [f"{words.danger}: {face.danger}"] if face.danger else []
    get_help = [f"{words.get_help}: {face.get_help}"] if face.get_help else []
    return [title, *danger, *(f"- {sign}" for sign in face.signs), *steps, *get_help]


def _steps(passage: Passage, _words: Words) -> list[str]:
    return [passage.face.title, *(f"- {step}" for step in passage.face.first_steps)]
