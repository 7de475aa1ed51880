"""The fingerprint of a publisher in eight words, to be compared aloud before a box trusts a stranger's packs.

It is made from the public keys of the root role and their threshold, and from nothing else, so that it stays the same
when a root is renewed. How many words it takes, and why the keys are stretched: docs/decisions/0009-signed-packs.md.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache

from securesystemslib.signer import Key
from tuf.api.metadata import Root

LENGTH = 8  # bytes, a word each
SCRYPT_N, SCRYPT_R = 2**15, 8  # 32 MiB and about 0.2 s a guess
SALT = b"baraza root fingerprint 1"

# Our own list: short, easily spelt, and no two alike in their first four letters or but for one letter.
WORDS = tuple(
    """
    acorn actor adult after agent alarm album amber angel ankle apple april apron arrow atlas autumn
    bacon badge bamboo banana basket beard bell bicycle bird blanket blue boat bone book bottle box
    branch bread bridge brown bucket bus butter cabin cactus camel candle carpet castle cat chain cheese
    cherry chicken circle city clay clock cloud cobra coffee copper corner cotton cow crane cup curtain
    dance desert dinner doctor dog door dragon dream drum duck dust eagle earth east edge egg
    elbow elephant empty engine evening eye face family farm father fence fever field finger fire fish
    flag flower forest fork friend fruit garden gate giant giraffe glass gold goose grape guitar hammer
    hand harbour harvest heart hill hippo hospital hotel house hundred husband idea igloo inch ink iron
    island ivory jacket jaguar jar jelly jewel jungle jury kettle king kitchen kite knife ladder lake
    lamp leaf lemon letter lion lizard lunch machine magnet mango maple market meadow metal milk minute
    mirror monkey month morning mosquito mother mountain mushroom music nail needle nephew nest night north number
    nurse ocean office olive onion orange orchid oven owl oyster palace paper parrot pebble pepper picture
    pigeon pillow pilot pipe planet plum pocket potato prince pump purple queen question rabbit radio rain
    razor ribbon rice riddle river robot roof rooster rope rubber sailor salt sandal saw school seven
    shadow shirt silver sister sky sleep smile snake soap soldier spoon stone street sugar summer table
    teacher tent thread tiger tomato tower tractor umbrella uncle valley village violin water window winter yellow
    """.split()
)


def fingerprint(root: Root) -> str:
    """The words of the keys that may sign `root`, with spaces between them."""
    return _words(public_keys(root))


def key_fingerprint(key: Key) -> str:
    """The words of one public key: of a cooperative, which a publisher compares before letting it list packs."""
    return _words(json.dumps([key.keytype, key.scheme, key.keyval], sort_keys=True))


@lru_cache(maxsize=64)  # a fifth of a second, and a list of roots asks for all of them
def _words(keys: str) -> str:
    memory = 2 * 128 * SCRYPT_N * SCRYPT_R
    digest = hashlib.scrypt(keys.encode(), salt=SALT, n=SCRYPT_N, r=SCRYPT_R, p=1, maxmem=memory, dklen=LENGTH)
    return " ".join(WORDS[byte] for byte in digest)


def public_keys(root: Root) -> str:
    """The keys that may sign `root`, and how many of them must: equal for two roots of the same publisher."""
    role = root.get_delegated_role(Root.type)
    # The values of the keys, not their ids: an id is a label that whoever wrote the file chose.
    keys = sorted(
        json.dumps([key.keytype, key.scheme, key.keyval], sort_keys=True) for key in map(root.get_key, role.keyids)
    )
    return json.dumps([role.threshold, keys])
