"""What customers want to stand on their invoices: a company's name, its address, its VAT id.

The rule: it holds for documents that are issued from now on. Those that were issued stay as they are.
"""

import re
import unicodedata
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.errors import BadInput
from talktime.payments.invoice_models import BillingDetails

LINES_MAX = 3
NAME_MAX = 200
LINE_MAX = 100
EMAIL_MAX = 254
_COUNTRY = re.compile(r"[A-Z]{2}", re.ASCII)
_VAT_ID = re.compile(r"[A-Z]{2}[A-Z0-9+*]{2,18}", re.ASCII)
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
_JOINERS = "\u200c\u200d"
"""They stand inside words of some scripts; whatever else steers a text and is not seen could make it read otherwise."""


class WrongDetails(BadInput):
    """Something of this cannot stand on an invoice."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        super().__init__(" ".join(fields.values()))
        self.fields = fields
        """By the name of the field: what to do about it."""


@dataclass(frozen=True, slots=True)
class Details:
    """As a customer gives them; what is empty is left out, and the account's own name and e-mail address stand in."""

    name: str = ""
    address: str = ""
    """Its lines."""
    country: str = ""
    """ISO 3166, two letters."""
    vat_id: str = ""
    email: str = ""


async def of(db: AsyncSession, user: uuid.UUID) -> Details:
    """What will stand on somebody's next invoice; all empty when they never said."""
    row = await db.scalar(
        select(BillingDetails).where(BillingDetails.user_id == user).execution_options(populate_existing=True)
    )
    return Details() if row is None else Details(**{each.name: getattr(row, each.name) for each in fields(Details)})


async def keep(db: AsyncSession, user: uuid.UUID, details: Details, *, actor: uuid.UUID | None = None) -> Details:
    """Keep what is to stand on somebody's documents from now on, and give it as it is kept. Raises WrongDetails.

    `actor` is the operator when the customer does not do it.
    """
    tidy = _tidy(details)
    wrong = {name: message for name, message in _checks(tidy).items() if message}
    if wrong:
        raise WrongDetails(wrong)
    values, before = asdict(tidy), asdict(await of(db, user))
    row = insert(BillingDetails).values(user_id=user, **values)
    await db.execute(row.on_conflict_do_update(index_elements=[BillingDetails.user_id], set_=values))
    changed = [name for name, value in values.items() if before[name] != value]
    if changed:
        # Which of them, and not what they are: those are personal.
        await audit.record(db, user, actor or user, "billing_details.changed", after={"changed": changed})
    return tidy


def _tidy(details: Details) -> Details:
    lines = (line.strip() for line in details.address.split("\n"))
    return Details(
        name=details.name.strip(),
        address="\n".join(line for line in lines if line),
        country=_upper(details.country.strip()),
        # Written with blanks, dots and dashes by some, and without by the offices.
        vat_id=_upper(re.sub(r"[ .\-/]", "", details.vat_id)),
        email=details.email.strip(),
    )


def _upper(written: str) -> str:
    """In capitals, where these are the same letters: those of a `ß` are another country's."""
    return written.upper() if written.isascii() else written


def _checks(details: Details) -> dict[str, str]:
    """What is wrong with each field; \"\" where nothing is."""
    lines = details.address.split("\n") if details.address else []
    wrong = {
        "name": _text(details.name, NAME_MAX),
        "address": next((found for line in lines if (found := _text(line, LINE_MAX))), ""),
        "country": "" if not details.country or _COUNTRY.fullmatch(details.country) else "Two letters, such as DE.",
        "vat_id": "",
        "email": _text(details.email, EMAIL_MAX),
    }
    if len(lines) > LINES_MAX:
        wrong["address"] = f"{LINES_MAX} lines at most."
    if details.vat_id and not _VAT_ID.fullmatch(details.vat_id):
        wrong["vat_id"] = "Two letters of the country, then figures or letters, such as DE123456789."
    if details.email and not wrong["email"] and not _EMAIL.fullmatch(details.email):
        wrong["email"] = "An e-mail address, such as books@example.com."
    return wrong


def _text(written: str, characters_max: int) -> str:
    if len(written) > characters_max:
        return f"{characters_max} characters at most."
    if any(_is_unseen(character) for character in written):
        return "There is a character in it that cannot be seen: type it again."
    return ""


def _is_unseen(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") and character not in _JOINERS
