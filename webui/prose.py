"""Markdown of articles, as HTML that can do nothing but be read."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

TAGS = {"p", "br", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "strong", "em", "blockquote", "code", "hr"}
TAGS |= {"table", "thead", "tbody", "tr", "th", "td"}
LOWEST = 6

_markdown = MarkdownIt("commonmark", {"html": False}).enable("table")


def html(text: str, deeper: int = 0) -> Markup:
    """`text` as HTML without links, images or attributes; its headings go `deeper` levels down.

    An article may come on a stick from a stranger: it is cleaned after it is rendered.
    """
    tokens = _markdown.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(LOWEST, int(token.tag[1:]) + deeper)}"
    rendered = _markdown.renderer.render(tokens, _markdown.options, {})
    return Markup(nh3.clean(rendered, tags=TAGS, attributes={}))  # noqa: S704 - cleaned in this line
