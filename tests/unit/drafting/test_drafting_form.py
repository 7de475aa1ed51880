"""A template is filled without holes, and a finished text is read back whatever a person made of it."""

from __future__ import annotations

import pytest

from appliance.drafting.form import Block, blocks, fill, is_valid, keys


def test_a_value_takes_the_place_of_its_key_wherever_it_stands() -> None:
    assert fill("# $name\n\nI, ${name}, owe $$5.", {"name": "Asha"}) == "# Asha\n\nI, Asha, owe $5."


@pytest.mark.parametrize("value", ["$name", "${other}", "$$", "{{7*7}}", "{0}", "%s", "\\1", "<b>", "# x", "____"])
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert fill("Name: $name", {"name": value}) == f"Name: {value}"


def test_a_line_with_an_empty_value_is_left_out() -> None:
    assert fill("$name\n$phone\nFarmer", {"name": "Asha", "phone": ""}) == "Asha\nFarmer"


def test_a_paragraph_without_values_is_left_out_with_its_heading() -> None:
    template = "First\n\n## Next\nDay:\n$day\n$hour\n\nLast"
    assert fill(template, {"day": "", "hour": ""}) == "First\n\nLast"


def test_a_paragraph_with_one_of_its_values_keeps_its_heading() -> None:
    assert fill("## Next\n$day\n$hour", {"day": "", "hour": "ten"}) == "## Next\nten"


def test_a_paragraph_that_never_had_a_value_stays() -> None:
    assert fill("Dear Sir\n\n$text", {"text": ""}) == "Dear Sir"


def test_one_empty_line_stands_between_paragraphs_however_many_the_template_has() -> None:
    assert fill("\n\nFirst\n\n\n \nSecond\n", {}) == "First\n\nSecond"


def test_the_lines_of_a_value_are_kept() -> None:
    assert fill("$text", {"text": "one\ntwo\n\nthree"}) == "one\ntwo\n\nthree"


def test_keys_are_named_once_each() -> None:
    assert keys("$a ${b} $a $$c") == ("a", "b")


@pytest.mark.parametrize(("template", "valid"), [("$a $$5", True), ("$5", False), ("${a", False), ("100 $", False)])
def test_a_dollar_begins_a_key_or_is_doubled(template: str, valid: bool) -> None:
    assert is_valid(template) is valid


def test_the_parts_of_a_text_are_told_apart() -> None:
    text = "# Minutes\nKibaoni\n\nPlace: school\nDate: today\n## Present\n1. Asha\n\n__________\nAsha\nChair"
    assert blocks(text) == (
        Block("title", ("Minutes",)),
        Block("paragraph", ("Kibaoni",)),
        Block("paragraph", ("Place: school", "Date: today")),
        Block("heading", ("Present",)),
        Block("paragraph", ("1. Asha",)),
        Block("signature", ("Asha", "Chair")),
    )


def test_a_text_from_a_text_box_has_the_same_parts() -> None:
    text = "# Title\n\none\ntwo\n\nthree"
    assert blocks(text.replace("\n", "\r\n")) == blocks(text)


@pytest.mark.parametrize("text", ["", "\n\n", "   ", "\r\n \r\n"])
def test_a_text_of_nothing_has_no_parts(text: str) -> None:
    assert blocks(text) == ()


@pytest.mark.parametrize("text", ["#hash", "### three", "_________", "a __________", "- point", "<b>x</b>", "**x**"])
def test_what_is_no_mark_is_text_as_it_stands(text: str) -> None:
    assert blocks(text) == (Block("paragraph", (text,)),)


def test_a_line_to_sign_on_may_have_nobody_under_it() -> None:
    assert blocks("Signed:\n____________\n\nLast") == (
        Block("paragraph", ("Signed:",)),
        Block("signature", ()),
        Block("paragraph", ("Last",)),
    )
