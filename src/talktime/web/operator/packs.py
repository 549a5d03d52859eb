"""Packs of credits: what is for sale, at which price, in which order.

The one rule: what was bought stays as it was; a change is for who buys from now on, and stops top-ups that agreed to
the old price.
"""

import uuid
from typing import Any

from fastapi import APIRouter, Request, Response

from talktime.credits import packs
from talktime.credits.models import CreditPack
from talktime.credits.packs import CREDITS_MAX, POSITION_MAX
from talktime.errors import Conflict, TalktimeError
from talktime.gateways import currencies
from talktime.web import local, who
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.operator import desk
from talktime.web.operator.desk import Input, Question
from talktime.web.routing import PageRoute
from talktime.web.sheet import back
from talktime.web.words import plain_amount

_PRICES = "/operator/prices"
PATH = f"{_PRICES}/packs"

router = APIRouter(prefix=PATH, route_class=PageRoute)


class ChangedMeanwhile(Conflict):
    """Somebody changed this pack meanwhile: what stands here is theirs. Look at it, then save yours again."""


@router.get("/new")
async def ask_new(request: Request) -> Response:
    """What is in it?"""
    return await desk.ask(request, await who.operator(request), _question(None))


@router.post("/new")
async def make(request: Request) -> Response:
    """Put it on sale, or keep it for later."""
    form, identity = await desk.sent(request)
    question = _question(None)
    values = _values(form)
    if form.errors:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await packs.create(db, **values, actor=identity.user_id)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(_PRICES, "pack")


@router.get("/{pack}")
async def ask_change(request: Request, pack: uuid.UUID) -> Response:
    """What changes?"""
    identity = await who.operator(request)
    async with desk.transaction(request) as db:
        found = await packs.find(db, pack)
    return await desk.ask(request, identity, _question(found))


@router.post("/{pack}")
async def change(request: Request, pack: uuid.UUID) -> Response:
    """Save what changed. Who began with an older one is shown the newer, and nothing is overwritten unseen."""
    form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        question = _question(await packs.find(db, pack))
    values = _values(form)
    if form.errors:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            now = await packs.find(db, pack, locked=True)
            if form.text("seen") != _stamp(now):
                raise ChangedMeanwhile
            await packs.change(db, pack, **values, actor=identity.user_id)
    except ChangedMeanwhile as error:
        # What stands in the fields is what the other one saved; so is what it is compared with the next time.
        fresh = Form(dict(question.values))
        return await desk.again(request, identity, question, fresh, error)
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(_PRICES, "pack")


@router.post("/{pack}/switch")
async def switch(request: Request, pack: uuid.UUID) -> Response:
    """Take it off sale, or put it on again; said twice it stays as it was said."""
    form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await packs.change(db, pack, active=form.text("to") == "on", actor=identity.user_id)
    return back(_PRICES, "pack")


def pack_view(pack: CreditPack) -> dict[str, object]:
    """One pack in a list."""
    return {
        "address": f"{PATH}/{pack.id}",
        "name": pack.name,
        "credits": local.figure(pack.credits),
        "price": local.amount(pack.price_minor, pack.currency),
        "position": pack.position,
        "active": pack.active,
    }


def _question(pack: CreditPack | None) -> Question:
    title = _("A new pack") if pack is None else pack.name
    return Question(
        here="prices",
        crumbs=[(_PRICES, _("Packs and prices")), (None, title)],
        title=title,
        sentences=[
            _("What is on sale can be bought from the moment you save it.")
            if pack is None
            else _("What was bought stays as it was. Top-ups that agreed to another price stop until it is agreed to.")
        ],
        inputs=[
            Input("field", "name", _("Name"), longest=packs.NAME_LENGTH_MAX),
            Input("amount", "credits", _("Credits"), unit=_("credits")),
            Input("amount", "price", _("Price"), hint=_("Taxes in it, such as 49.00."), unit=""),
            Input("field", "currency", _("Currency"), hint=_("Three capitals, such as EUR."), longest=3),
            Input("amount", "position", _("Place in the list"), hint=_("0 comes first.")),
            Input("tick", "active", _("On sale")),
            Input("hidden", "seen", ""),
        ],
        values={"currency": "EUR", "position": "0", "active": "on"} if pack is None else _kept(pack),
        button=_("Save"),
        back=_PRICES,
    )


def _kept(pack: CreditPack) -> dict[str, str]:
    return {
        "name": pack.name,
        "credits": str(pack.credits),
        "price": plain_amount(pack.price_minor, pack.currency),
        "currency": pack.currency,
        "position": str(pack.position),
        "seen": _stamp(pack),
        **({"active": "on"} if pack.active else {}),
    }


def _stamp(pack: CreditPack) -> str:
    """What somebody saw who began to change it."""
    return f"{pack.name}|{pack.credits}|{pack.price_minor}|{pack.currency}|{pack.position}|{pack.active}"


def _values(form: Form) -> dict[str, Any]:
    """The fields as a pack has them; what is wrong is noted."""
    currency = form.text("currency").upper()
    if not currencies.is_known(currency):
        form.errors["currency"] = _("The code of a currency: three capitals, such as EUR.")
    if not form.text("name"):
        form.errors["name"] = _("Give it a name.")
    price = form.money("price", currency) if "currency" not in form.errors else None
    return {
        "name": form.text("name"),
        "credits": desk.whole_number(form, "credits", least=1, most=CREDITS_MAX),
        "price_minor": price,
        "currency": currency,
        "position": desk.whole_number(form, "position", most=POSITION_MAX),
        "active": form.is_ticked("active"),
    }
