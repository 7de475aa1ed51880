"""The static files: few, small, ours or accounted for, and never from elsewhere."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest

from tests.web.boxes import Box
from webui.assets import FOLDER, Assets

OWN_SCRIPT_BYTES = 3_000
REFERENCE = re.compile(r"""(?:\b(?:href|src)\s*=\s*["']?|url\(\s*["']?)\s*(?:[a-z]+:)?//""", re.IGNORECASE)
FILES = sorted(path for path in FOLDER.rglob("*") if path.is_file())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_static_file_refers_to_nothing_elsewhere(path: Path) -> None:
    assert not REFERENCE.search(path.read_text(encoding="utf-8"))


def test_our_own_script_stays_small() -> None:
    assert (FOLDER / "baraza.js").stat().st_size <= OWN_SCRIPT_BYTES


def test_every_vendored_file_is_the_one_accounted_for() -> None:
    told = (FOLDER / "vendor" / "README.md").read_text(encoding="utf-8")
    scripts = sorted((FOLDER / "vendor").glob("*.js"))
    assert len(scripts) == 2
    for script in scripts:
        assert f"`{script.name}`" in told
        assert hashlib.sha256(script.read_bytes()).hexdigest() in told


def test_every_icon_that_a_page_draws_exists() -> None:
    drawn = set(re.findall(r'<symbol id="([^"]+)"', (FOLDER / "icons.svg").read_text(encoding="utf-8")))
    templates = "".join(path.read_text(encoding="utf-8") for path in (FOLDER.parent / "templates").glob("*.html"))
    subjects = {path.parent.name for path in (FOLDER.parents[1] / "knowledge").glob("*/*.md")}
    asked = set(re.findall(r"icon\(\"([a-z-]+)\"\)", templates)) | subjects
    assert asked <= drawn
    assert len(asked) > 10


def test_a_file_is_kept_for_long_under_the_address_of_its_content(box: Box) -> None:
    url = Assets().url("baraza.css")
    response = box.phone().get(url, **{"Accept-Encoding": "gzip"})
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert gzip.decompress(response.data) == (FOLDER / "baraza.css").read_bytes()
    assert response.mimetype == "text/css"
    assert box.phone().get(url).data == (FOLDER / "baraza.css").read_bytes()


def test_a_page_from_before_an_update_gets_the_new_file_and_does_not_keep_it(box: Box) -> None:
    response = box.phone().get("/static/0123456789/baraza.css")
    assert response.status_code == 200
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("name", ["nothing.css", "../app.py", "%2e%2e/app.py", "vendor/README.md", "vendor"])
def test_only_what_is_meant_to_be_served_is_served(box: Box, name: str) -> None:
    assert box.phone().get(f"/static/0/{name}").status_code == 404
