"""What the pages show of an answer: extracts at once, and beside them what a model wrote."""

from __future__ import annotations

from typing import Any

from appliance.advice.answers import KIND, Extract, Written, extract
from appliance.advice.service import Answer
from appliance.inference.job import Job, State
from webui import prose
from webui.site import appliance


def is_answer(job: Job) -> bool:
    return job.kind == KIND


def extracts(answer: Answer) -> dict[str, Extract]:
    """The extract of each passage, by the id of its article."""
    return {each.article.id: extract(each, answer.question, answer.language) for each in answer.passages}


def view(job: Job) -> dict[str, Any]:
    """What the page of a short answer shows besides the job: the extracts it is written from, found anew."""
    answer = appliance().ask(job.request["question"], job.request["language"])
    written = job.result if job.state is State.DONE and isinstance(job.result, Written) else None
    return {
        "answer": answer,
        "extracts": extracts(answer),
        "written": written,
        "from_passages": written.passages if written else answer.passages[: appliance().limits.written_passages],
        "prose": prose,
    }
