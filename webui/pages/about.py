"""What this box is made of, and whether it is well."""

from __future__ import annotations

from flask import Blueprint, jsonify, redirect, render_template, url_for
from werkzeug.wrappers import Response

from appliance import __version__
from appliance.errors import DocumentsLastCopyError
from webui.messages import words_for
from webui.site import appliance

pages = Blueprint("about", __name__)


@pages.get("/about")
def show() -> str:
    """What is installed, what is wrong, how much is known."""
    box = appliance()
    articles = [article for found in box.knowing.advice.subjects().values() for article in found]
    publishers = {source.publisher for article in articles for source in article.sources}
    return render_template(
        "about.html",
        version=__version__,
        packs=[pack.manifest for pack in box.packs.active()],
        problems=[(words_for(problem), str(problem)) for problem in box.problems],
        last_copy=any(isinstance(problem, DocumentsLastCopyError) for problem in box.problems),
        articles=len(articles),
        publishers=sorted(publishers, key=str.casefold),
    )


@pages.post("/about/bring-back")
def bring_back() -> Response:
    """Bring back the documents of the last good copy. It adds what is missing, so anybody may."""
    appliance().restore_documents()
    return redirect(url_for("about.show"), 303)


@pages.get("/healthz")
def health() -> Response:
    """The same for programs. 200 as long as pages are served; `problems` are keys of errors.

    `through` has the language in the middle of each of the `directions` that take two steps. `provider` says
    what computes and why, `memory` what models may take, what those take that are open, and which they are.
    """
    box = appliance()
    use = box.engines.use()
    directions = box.translation.directions
    return jsonify(
        version=__version__,
        directions=[f"{source}-{target}" for source, target in directions],
        through={f"{way[0]}-{way[1]}": hub for way in directions if (hub := box.translation.through(*way))},
        articles=sum(map(len, box.knowing.advice.subjects().values())),
        problems=[problem.key for problem in box.problems],
        provider={"used": box.provider.name, "reason": box.provider.reason},
        memory={"budget_bytes": use.budget, "taken_bytes": use.taken, "open": list(use.packs)},
    )
