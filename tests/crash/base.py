"""What most scenarios share."""

from __future__ import annotations

from appliance.app import Appliance
from tests.crash.facts import brief
from tests.crash.place import Place
from tests.crash.promises import Facts
from tests.crash.scenario import OWNERS, document_key

ANN, BEN = OWNERS
AGAIN = "Saved after the cut"


def save(box: Appliance, owner: str, title: str, text: str) -> str:
    return box.documents.create(owner, "letter", "en", title, {"to": "the council"}, text).id


class Base:
    """Afterwards a document can be saved."""

    told: tuple[str, ...] = ()
    fat = ""

    def prepare(self, place: Place) -> None:
        place.disk.mkdir(exist_ok=True)

    def again(self, place: Place, box: Appliance) -> Facts:
        save(box, BEN, AGAIN, AGAIN)
        return {document_key(BEN, AGAIN): brief(AGAIN)}
