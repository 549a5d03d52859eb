"""E-mail addresses, in the one form in which they are kept and looked for.

The rule: two ways to write the same mailbox are one address here, so that nobody has two accounts by typing capitals or
by writing `münchen.de` as `xn--mnchen-3ya.de`; and a mail goes to what is kept, never to what somebody typed.
"""

import re
import unicodedata

from talktime.errors import BadInput
from talktime.mail.message import Undeliverable, mailbox
from talktime.security import token_hash

_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""What counts as printable and shows nothing (Unicode's Default_Ignorable_Code_Point, and the empty Braille cell)."""


class NoAddress(BadInput):
    """This is not an e-mail address: write it like name@example.org."""


def read_address(typed: str) -> str:
    """The address as it is kept: small letters, the domain in ASCII. Raises NoAddress for what is none."""
    address = unicodedata.normalize("NFC", typed.strip(" \t").lower())
    try:
        address.encode()
        kept = mailbox(address)
    except (Undeliverable, UnicodeError):
        raise NoAddress from None
    # A domain without a dot is a mistake of whoever typed it, or a machine of ours; what is not to be seen makes two
    # addresses look like one; and one mailbox has two domains where a dot at the end counts.
    domain = kept.rpartition("@")[2]
    if "." not in domain or domain.endswith(".") or not kept.isprintable() or _UNSEEN.search(kept):
        raise NoAddress
    return kept


def is_seen(words: str) -> bool:
    """Whether anything of these words can be seen."""
    return words.isprintable() and bool(_UNSEEN.sub("", words).strip())


def look_up_key(typed: str) -> str:
    """What to look for when somebody says who they are: never an error, and nobody's address for what is none."""
    try:
        return read_address(typed)
    except NoAddress:
        # Older accounts may have an address that nobody could sign up with any more: `operator@localhost`.
        plain = typed.strip(" \t").lower()
        if plain.isascii() and plain.isprintable() and len(plain) <= 254:
            return plain
        return f"none:{token_hash(typed.encode('utf-8', 'replace').decode()).hex()}"
