"""What can be bought: packs of credits, at a price in whole minor units of one currency.

The rule: what is for sale can be sold. A pack that no payment company would take is refused when it is made, not when
somebody wants to buy it. Purchases copy what they need, so a pack may change at any time.
"""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.accounts import audit
from talktime.credits.models import CreditPack
from talktime.errors import BadInput, NotFound
from talktime.gateways import currencies

CREDITS_MAX = 10**12
PRICE_MINOR_MAX = 10**12
POSITION_MAX = 10**6
NAME_LENGTH_MAX = 80


class NoSuchPack(NotFound):
    """There is no such pack of credits."""


async def on_sale(db: AsyncSession) -> Sequence[CreditPack]:
    """What can be bought now, in order."""
    rows = await db.scalars(_ORDERED.where(CreditPack.active))
    return rows.all()


async def all_packs(db: AsyncSession) -> Sequence[CreditPack]:
    """Also what was taken off sale, last."""
    return (await db.scalars(_ORDERED)).all()


async def find(db: AsyncSession, pack: uuid.UUID, *, locked: bool = False) -> CreditPack:
    """Raises NoSuchPack. `locked` it stays as it is until the transaction ends."""
    if locked:
        return await _locked(db, pack)
    found = await db.get(CreditPack, pack)
    if found is None:
        raise NoSuchPack
    return found


async def create(
    db: AsyncSession,
    *,
    name: str,
    credits: int,
    price_minor: int,
    currency: str,
    position: int = 0,
    active: bool = True,
    actor: uuid.UUID | None = None,
) -> CreditPack:
    """A new pack. Raises BadInput. Needs a transaction that is everyone's, as the verbs below do.

    `actor` is the operator who does it; without one the installation does, which the audit log is not about.
    """
    values = {
        "name": name,
        "credits": credits,
        "price_minor": price_minor,
        "currency": currency,
        "position": position,
        "active": active,
    }
    pack = CreditPack(**_checked(values))
    db.add(pack)
    await db.flush()
    if actor is not None:
        await audit.record(db, actor, actor, "pack.made", after=_row(pack))
    return pack


async def change(db: AsyncSession, pack: uuid.UUID, *, actor: uuid.UUID | None = None, **changes: Any) -> CreditPack:
    """Change `name`, `credits`, `price_minor`, `currency`, `position` or `active`. Raises NoSuchPack, BadInput.

    Purchases that were begun keep what they copied. Top-ups that agreed to the old price stop.
    """
    found = await _locked(db, pack)
    before, called = _row(found), found.name
    values = {field: getattr(found, field) for field in _FIELDS}
    assert changes.keys() <= values.keys(), changes.keys() - values.keys()
    for field, value in _checked({**values, **changes}).items():
        setattr(found, field, value)
    await db.flush()
    await _record_change(db, actor, before, found, is_renamed=found.name != called)
    return found


async def deactivate(db: AsyncSession, pack: uuid.UUID, *, actor: uuid.UUID | None = None) -> CreditPack:
    """Take a pack off sale; what was bought of it stays bought. Raises NoSuchPack."""
    found = await _locked(db, pack)
    before = _row(found)
    found.active = False
    await db.flush()
    await _record_change(db, actor, before, found, is_renamed=False)
    return found


async def _locked(db: AsyncSession, pack: uuid.UUID) -> CreditPack:
    found = await db.get(CreditPack, pack, with_for_update=True, populate_existing=True)
    if found is None:
        raise NoSuchPack
    return found


async def _record_change(
    db: AsyncSession, actor: uuid.UUID | None, before: Mapping[str, audit.Value], pack: CreditPack, *, is_renamed: bool
) -> None:
    """Its name is a text that somebody typed: that it changed is written down, and how stands on the pack."""
    after = _row(pack)
    if actor is not None and (is_renamed or after != before):
        await audit.record(db, actor, actor, "pack.changed", before=before, after={**after, "renamed": is_renamed})


def _checked(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """The values of a pack that can be. Raises BadInput."""
    name, currency = values["name"], values["currency"]
    for field, most in (("credits", CREDITS_MAX), ("price_minor", PRICE_MINOR_MAX), ("position", POSITION_MAX)):
        value = values[field]
        if isinstance(value, bool) or not isinstance(value, int):
            raise BadInput(f"The {field} of a pack is a whole number, not {value!r}.")
        if not 0 <= value <= most:
            raise BadInput(f"The {field} of a pack is 0 to {most:,}, not {value}.")
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= NAME_LENGTH_MAX or not name.isprintable():
        raise BadInput(f"The name of a pack is one line of 1 to {NAME_LENGTH_MAX} characters.")
    if values["credits"] < 1:
        raise BadInput("A pack has one credit at least.")
    if not isinstance(currency, str) or not currencies.is_known(currency):
        raise BadInput(f"{str(currency)[:10]!r} is no currency: give its code of three capitals, such as EUR.")
    if currencies.decimals(currency) == 3 and values["price_minor"] % 10:
        raise BadInput(f"The last digit of a price in {currency} has to be 0: card networks take no thousandths.")
    if values["price_minor"] == 0 and values["active"]:
        raise BadInput("What is on sale costs something: give credits away with an adjustment instead.")
    return {**values, "name": name.strip()}


def _row(pack: CreditPack) -> dict[str, audit.Value]:
    return {"pack_id": str(pack.id), **{field: getattr(pack, field) for field in _FIELDS if field != "name"}}


_FIELDS = ("name", "credits", "price_minor", "currency", "position", "active")
_ORDERED = select(CreditPack).order_by(
    CreditPack.active.desc(), CreditPack.position, CreditPack.price_minor, CreditPack.id
)
