"""What this box is made of, and whether it is well."""

from __future__ import annotations

from flask import Blueprint, Response, jsonify, render_template

from appliance import __version__
from webui.messages import words_for
from webui.site import appliance

pages = Blueprint("about", __name__)


@pages.get("/about")
def show() -> str:
    """Packs with their figures, licences and sources; what is wrong; how much is known."""
    box = appliance()
    articles = [article for found in box.advice.subjects().values() for article in found]
    publishers = {source.publisher for article in articles for source in article.sources}
    return render_template(
        "about.html",
        version=__version__,
        packs=[pack.manifest for pack in box.packs.active()],
        problems=[(words_for(problem), str(problem)) for problem in box.problems],
        articles=len(articles),
        publishers=sorted(publishers, key=str.casefold),
    )


@pages.get("/healthz")
def health() -> Response:
    """The same for programs. 200 as long as pages are served; `problems` are keys of errors."""
    box = appliance()
    return jsonify(
        version=__version__,
        directions=[f"{source}-{target}" for source, target in box.translation.directions],
        articles=sum(map(len, box.advice.subjects().values())),
        problems=[problem.key for problem in box.problems],
    )
