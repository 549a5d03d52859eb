"""One mail as plain values, and as the message that travels.

The rules: nothing that a person chose reaches a header but their address, and that only when it is one; and the
Message-ID follows from our own id, so that a second sending of the same mail is recognised as such.
"""

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTPUTF8
from email.utils import format_datetime, parseaddr

import idna

from talktime.errors import BadInput, ProviderError

# RFC 5322 atoms, and what RFC 6531 adds to them: anything beyond ASCII that is neither a blank nor a control character.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\uffff-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~\u00a1-\uffff-]+)*")
_UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")


class Undeliverable(ProviderError):
    """This very mail will never be taken: nobody has the address, or the server refuses what it says."""

    def __init__(self, message: str) -> None:
        super().__init__(message, permanent=True)


@dataclass(frozen=True, slots=True)
class Link:
    """Where to go, and what it is called."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says. Nothing in it is escaped: that is `render`'s work."""

    subject: str
    paragraphs: Sequence[str]
    """A line break inside a paragraph is kept."""
    link: Link | None = None
    greeting: str = ""
    closing: str = ""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A document that goes with a mail."""

    name: str
    """`TT-000017.pdf`: ours, not a person's."""
    content: bytes
    kind: str = "application/pdf"


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to be sent."""

    id: uuid.UUID
    """Of what it tells; a second try of the same has the same."""
    to: Sequence[str]
    language: str
    words: Words
    attachments: Sequence[Attachment] = ()
    off_url: str | None = None
    """Where a program of the reader's says, with one POST, that they want no more of these (RFC 8058)."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who our mails are from."""

    name: str
    address: str
    domain: str

    @classmethod
    def of(cls, said: str) -> "Sender":
        """Read `Talktime <hello@example.org>`, or the bare address."""
        name, address = parseaddr(said)
        try:
            return cls(name, mailbox(address), _domain_of(address))
        except Undeliverable:
            raise BadInput(
                "TALKTIME_MAIL_FROM is not an address: write it as `Talktime <hello@example.org>`."
            ) from None


def mailbox(address: str) -> str:
    """The address as a server understands it, its domain in ASCII; Undeliverable when it is none."""
    local, at, _ = address.rpartition("@")
    if not at or len(address) > 254 or _UNPRINTABLE.search(address) or not _LOCAL.fullmatch(local):
        raise Undeliverable("the address is not one that mail can be sent to")
    return f"{local}@{_domain_of(address)}"


def is_mailbox(address: str) -> bool:
    """Whether mail can be sent there, as far as its form tells."""
    try:
        return bool(mailbox(address))
    except Undeliverable:
        return False


def to_message(mail: Mail, sender: Sender, *, text: str, html: str, now: datetime) -> EmailMessage:
    """The message, in plain text and as a page."""
    message = EmailMessage(policy=SMTPUTF8)
    message["Message-ID"] = f"<{mail.id}@{sender.domain}>"
    message["Date"] = format_datetime(now)
    message["From"] = _written(sender.address, _one_line(sender.name))
    message["To"] = [_written(mailbox(address)) for address in mail.to]
    message["Subject"] = _one_line(mail.words.subject)
    message["Content-Language"] = mail.language
    # Nobody's holiday is to answer us (RFC 3834).
    message["Auto-Submitted"] = "auto-generated"
    if mail.off_url is not None:
        message["List-Unsubscribe"] = f"<{mail.off_url}>"
        message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    # Base64 keeps every line short and every byte as it is, whatever the servers on the way do with 8 bits.
    message.set_content(text, charset="utf-8", cte="base64")
    message.add_alternative(html, subtype="html", charset="utf-8", cte="base64")
    for attachment in mail.attachments:
        maintype, _, subtype = attachment.kind.partition("/")
        message.add_attachment(
            attachment.content, maintype=maintype, subtype=subtype, filename=_one_line(attachment.name)
        )
    return message


def _written(address: str, name: str = "") -> Address:
    # In two parts, because the whole is only taken in ASCII.
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _domain_of(address: str) -> str:
    domain = address.rpartition("@")[2]
    try:
        # IDNA 2008: the older rules in the standard library make `straße.de` somebody else's `strasse.de`.
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        raise Undeliverable("the domain of the address is none") from None


def _one_line(said: str) -> str:
    return " ".join(_UNPRINTABLE.sub(" ", said).split())
