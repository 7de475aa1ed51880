"""A request on its way: followed with and without JavaScript, stopped, and left behind."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from appliance.inference.job import State
from appliance.limits import LIMITS
from tests.web.boxes import Box, make_box
from webui.site import site_of
from webui.streaming import message

LONG = " ".join(f"Sentence number {number}." for number in range(1, 6))


def messages(response: TestResponse) -> Iterator[dict[str, str]]:
    """The messages of an event stream, as a browser reads them."""
    rest = ""
    for chunk in response.iter_encoded():
        rest += chunk.decode()
        *whole, rest = rest.split("\n\n")
        for block in whole:
            fields: dict[str, str] = {}
            for line in block.split("\n"):
                name, _, value = line.partition(": ")
                fields[name] = f"{fields[name]}\n{value}" if name in fields else value
            if "event" in fields:
                yield fields


def plain(content: str) -> str:
    return re.sub(r"<[^>]+>", "", content)


def test_a_waiting_request_says_its_place_and_reloads_by_itself_without_javascript(box: Box) -> None:
    phone = box.phone()
    box.phone().translate("x" * 4_000)
    sent = phone.translate("Hello")
    page = phone.get(sent.location).text
    assert "1 request is before yours. It begins in about 8 seconds." in page
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page


def test_a_request_that_is_over_reloads_no_more(box: Box) -> None:
    sent = box.phone().translate("Hello")
    box.translator.open.set()
    box.appliance.queue.run_next()
    page = box.phone().get(sent.location).text
    assert "http-equiv" not in page
    assert "sse-connect" not in page


def test_a_stream_tells_text_progress_and_the_end(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate(LONG)
    box.translator.open.set()
    box.appliance.queue.run_next()
    followed = list(messages(phone.get(f"{sent.location}/events")))
    assert [each["event"] for each in followed] == ["text", "progress", "text", "progress", "done"]
    assert [each["id"] for each in followed] == ["1", "2", "3", "4", "5"]
    assert "".join(plain(each["data"]) for each in followed if each["event"] == "text") == LONG.upper()
    assert 'value="100"' in followed[3]["data"]


def test_a_stream_that_is_resumed_misses_nothing_and_repeats_nothing(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate(LONG)
    box.translator.open.set()
    box.appliance.queue.run_next()
    whole = list(messages(phone.get(f"{sent.location}/events")))
    resumed = list(messages(phone.get(f"{sent.location}/events", **{"Last-Event-ID": "2"})))
    assert resumed == whole[2:]
    assert list(messages(phone.get(f"{sent.location}/events?after=4"))) == whole[4:]
    assert phone.get(f"{sent.location}/events", **{"Last-Event-ID": "5"}).status_code == 204
    for nonsense in ("-1", "x", "9" * 40, "²"):
        assert list(messages(phone.get(f"{sent.location}/events?after={nonsense}"))) == whole


def test_a_page_opened_in_the_middle_shows_the_text_so_far_and_streams_the_rest(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate(LONG)
    box.translator.open.set()
    job = box.job(sent)
    at_second_part, go_on = threading.Event(), threading.Event()
    translate = box.translator.translate

    def pausing(sentences: list[str], *args: str, **options: object) -> object:
        if "Sentence number 3." in sentences:
            at_second_part.set()
            go_on.wait(10)
        return translate(sentences, *args, **options)  # type: ignore[arg-type]

    box.translator.translate = pausing  # type: ignore[method-assign, assignment]
    box.appliance.start()
    assert at_second_part.wait(10)
    page = phone.get(sent.location).text
    assert "<span>SENTENCE NUMBER 1. SENTENCE NUMBER 2. </span>" in page
    url = re.search(r'sse-connect="([^"]+)"', page)
    assert url
    go_on.set()
    rest = "".join(plain(each["data"]) for each in messages(phone.get(url.group(1))) if each["event"] == "text")
    assert rest == "SENTENCE NUMBER 3. SENTENCE NUMBER 4. SENTENCE NUMBER 5."
    assert job.watchers == 0


def test_a_stream_tells_a_waiting_request_its_place(box: Box) -> None:
    box.phone().translate("Hello")
    phone = box.phone("es")
    sent = phone.translate("Hello")
    response = phone.get(f"{sent.location}/events")
    stream = messages(response)
    first = next(stream)
    assert (first["event"], first["data"]) == ("waiting", "1 solicitud está antes que la suya.")
    assert "id" not in first
    assert box.job(sent).watchers == 1
    response.close()


def test_a_phone_that_goes_away_is_noticed_and_its_request_is_dropped(box: Box) -> None:
    now = [0.0]
    box.appliance.queue._clock = lambda: now[0]
    box.phone().translate("Hello")
    phone = box.phone()
    sent = phone.translate("Hello")
    response = phone.get(f"{sent.location}/events")
    next(messages(response))
    now[0] = 1_000.0
    job = box.appliance.queue._jobs[sent.location.rsplit("/", 1)[1]]
    assert not box.appliance.queue.is_unwanted(job)
    response.close()
    assert not box.appliance.queue.is_unwanted(job)
    now[0] += LIMITS.job_abandoned_seconds + 1
    assert box.appliance.queue.is_unwanted(job)


def test_more_streams_than_the_box_can_hold_are_refused_until_one_ends(small_box: Box) -> None:
    phone = small_box.phone()
    sent = phone.translate("Hello")
    first = phone.get(f"{sent.location}/events")
    refused = phone.get(f"{sent.location}/events")
    assert refused.status_code == 503
    first.close()  # before it was even begun
    again = phone.get(f"{sent.location}/events")
    assert again.status_code == 200
    again.close()


def test_a_stream_ends_after_its_time_and_when_the_server_stops(tmp_path: Path) -> None:
    box = make_box(tmp_path, replace(LIMITS, stream_seconds=0))
    phone = box.phone()
    sent = phone.translate("Hello")
    assert list(messages(phone.get(f"{sent.location}/events"))) == []
    box.appliance.close()


def test_a_server_that_stops_ends_its_streams(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate("Hello")
    site_of(box.app).stopping.set()
    assert list(messages(phone.get(f"{sent.location}/events"))) == []


def test_a_quiet_stream_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webui.streaming.GLANCE", 0.001)
    box = make_box(tmp_path, replace(LIMITS, stream_heartbeat_seconds=0))
    phone = box.phone()
    sent = phone.translate("Hello")
    response = phone.get(f"{sent.location}/events")
    chunks = response.iter_encoded()
    assert b": still here\n\n" in [next(chunks) for _ in range(4)]
    response.close()
    box.appliance.close()


def test_a_request_can_be_stopped_and_sent_again(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate("The water is clean")
    stopped = phone.post(f"{sent.location}/cancel")
    assert (stopped.status_code, stopped.location) == (303, sent.location)
    assert box.job(sent).state is State.CANCELLED
    page = phone.get(sent.location).text
    assert "This request was stopped." in page
    assert "The water is clean</textarea>" in page


def test_a_running_request_can_be_stopped(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate("The water is clean")
    box.appliance.start()
    while not box.translator.seen:
        box.appliance.queue.wait_until_over(box.job(sent), 0.01)
    phone.post(f"{sent.location}/cancel")
    assert box.job(sent).state is State.CANCELLED
    box.translator.open.set()
    second = phone.translate("Another one")
    assert box.appliance.queue.wait_until_over(box.job(second), 10)


def test_the_part_that_changes_can_be_fetched_alone(box: Box) -> None:
    phone = box.phone()
    sent = phone.translate("Hello")
    box.translator.open.set()
    box.appliance.queue.run_next()
    fragment = phone.get(f"{sent.location}/result").text
    assert fragment.lstrip().startswith("<title>The translation – Baraza</title>")
    assert "<html" not in fragment
    assert 'tabindex="-1" autofocus' in fragment


@pytest.mark.parametrize("text", ["one\ntwo", "one\r\ntwo", "one\rtwo"])
def test_a_line_break_does_not_break_a_message(text: str) -> None:
    assert message("text", text) == "event: text\ndata: one\ndata: two\n\n"  # type: ignore[arg-type]


def test_other_separators_are_not_line_breaks() -> None:
    assert message("text", "a\u2028b\x0bc", 7) == "id: 7\nevent: text\ndata: a\u2028b\x0bc\n\n"  # type: ignore[arg-type]
