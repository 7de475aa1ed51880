"""Print, as JSON, the token ids that each starter pack for translation gives for a few sentences on this processor."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path

import onnxruntime

from appliance.inference.translator import Translator
from appliance.packs.store import verify

STARTER = Path(__file__).resolve().parents[2] / "models" / "starter"
SENTENCES = {
    "en": ["The water is clean.", "My goat has not eaten for 2 days.", "Where can I sell 1,250 kg of maize?"],
    "es": ["El agua está limpia.", "La bomba no da agua desde el 3 de mayo.", "¿Dónde hay un médico?"],
    "fr": ["L'eau est propre.", "Le panneau solaire ne charge pas la batterie.", "Où est le médecin ?"],
    "sw": ["Maji ni safi.", "Mbuzi wangu hajala kwa siku 2.", "Daktari yuko wapi?"],
}
LIMIT = 40


def main() -> None:
    """One thread and small inputs: an emulator is a hundred times slower."""
    found: dict[str, list[list[int]]] = {}
    for folder in sorted(path.parent for path in STARTER.glob("*/*/pack.toml")):
        pack = verify(folder)
        if pack.manifest.translation is None:
            continue
        translator = Translator(pack, threads=1)
        for source, target in sorted(translator.directions):
            ids = [translator.encode(sentence, source, target) for sentence in SENTENCES[source]]
            for beam in (1, 4):
                name = f"{folder.parent.name} {source}-{target} beam {beam}"
                found[name] = translator.decode_ids(ids, LIMIT, beam, way=(source, target))
    said = {"machine": platform.machine(), "onnxruntime": onnxruntime.__version__, "tokens": found}
    json.dump(said, sys.stdout)


if __name__ == "__main__":
    main()
