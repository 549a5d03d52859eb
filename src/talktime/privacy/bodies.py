"""What others wrote, without somebody in it: bodies of providers' events, and mails that lie in a folder.

The rule: only what was to go is changed. A body that its handler still has to read is read the same way afterwards; a
file is whole or not there.
"""

import email.policy
import secrets
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import orjson

from talktime.mail.message import is_mailbox
from talktime.mail.send import OUTBOX

Redact = Callable[[str], str]
"""Gives a text back without what is to go."""
_PERSON = ("name", "email", "phone", "address", "individual_name", "business_name", "tax_ids")
"""What a payment company keeps together about who paid."""


def redacted_body(body: bytes, redact: Redact) -> bytes:
    """A form or a JSON document without what is to go; anything else as the text that it is."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        # Whatever it is, as Latin-1 each byte is a character of its own, and the others stay as they were.
        return redact(body.decode("latin-1")).encode("latin-1", "replace")
    return orjson.dumps(redacted_value(value, redact))


def redacted_value(value: Any, redact: Redact) -> Any:
    """The same in JSON: texts in it and keys; a number that would be changed becomes null."""
    match value:
        case str():
            return redact(value)
        case bool() | None:
            return value
        case int() | float():
            return value if redact(str(value)) == str(value) else None
        case list():
            return [redacted_value(each, redact) for each in value]
        case dict():
            return {redact(key): redacted_value(each, redact) for key, each in value.items()}
    return value


def without_payer(body: bytes, address: str | None = None) -> bytes:
    """A payment company's event without who paid; handlers read none of it."""
    try:
        return orjson.dumps(without_person(orjson.loads(body), address))
    except orjson.JSONDecodeError:
        return body


def without_person(value: Any, address: str | None = None) -> Any:
    """A payment company's words without who paid: their e-mail address, and what stands beside it; where none is said,
    without every address."""
    if isinstance(value, list):
        return [without_person(each, address) for each in value]
    if isinstance(value, dict):
        is_theirs = _is(value.get("email"), address) or (address is None and "email" in value)
        return {
            key: None if is_theirs and key in _PERSON else without_person(each, address) for key, each in value.items()
        }
    return None if _is(value, address) else value


def redact_outbox(home: Path, redact: Redact, *, to: str | None = None) -> int:
    """Take something out of the mails that lie in a folder because there is no mail server; gives from how many.

    With `to`, only of mails to this address. Blocks: for a thread.
    """
    changed = 0
    for path in (home / OUTBOX).glob("*.eml"):
        message = _read(path)
        if message is None or (to is not None and not _is_to(message, to)):
            continue
        if _redact_message(message, redact):
            draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            draft.touch(mode=0o600)
            draft.write_bytes(message.as_bytes())
            draft.replace(path)
            changed += 1
    return changed


def empty_outbox(home: Path, to: str) -> int:
    """Remove the mails to this address that lie in that folder; gives how many. Blocks: for a thread."""
    gone = 0
    for path in (home / OUTBOX).glob("*.eml"):
        message = _read(path)
        if message is not None and _is_to(message, to):
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _read(path: Path) -> EmailMessage | None:
    try:
        message = BytesParser(policy=email.policy.default).parsebytes(path.read_bytes())
    except FileNotFoundError:
        return None
    assert isinstance(message, EmailMessage), path
    return message


def _is_to(message: EmailMessage, address: str) -> bool:
    field = message["to"]
    return field is not None and any(_is(each.addr_spec, address) for each in field.addresses)


def _is(value: object, address: str | None) -> bool:
    """Whether a value is this address; where none is said, whether it is one at all."""
    if not isinstance(value, str):
        return False
    return is_mailbox(value.strip()) if address is None else value.strip().casefold() == address.casefold()


def _redact_message(message: EmailMessage, redact: Redact) -> bool:
    is_changed = False
    for name in ("subject", "reply-to"):
        before = message[name]
        if before is not None and redact(str(before)) != str(before):
            message.replace_header(name, redact(str(before)))
            is_changed = True
    for part in message.walk():
        if part.get_content_maintype() != "text":
            continue
        assert isinstance(part, EmailMessage), type(part)
        said = part.get_content()
        if redact(said) != said:
            parameters: Mapping[str, Any] = {"subtype": part.get_content_subtype(), "charset": "utf-8"}
            part.set_content(redact(said), **parameters)
            is_changed = True
    return is_changed
