"""The price list: what a minute costs everybody, and whom it costs something else.

The one rule: a price is added, never changed, so that what was charged can be read for ever; running calls keep theirs.
"""

import uuid
from datetime import datetime

from fastapi import APIRouter, Request, Response

from talktime.accounts import people
from talktime.accounts.reading import emails_of
from talktime.accounts.sessions import Identity
from talktime.credits import packs, prices
from talktime.credits import reading as ledger
from talktime.credits.models import PriceKind
from talktime.credits.prices import RATE_MAX, SECONDS_MAX
from talktime.errors import TalktimeError
from talktime.web import who
from talktime.web.forms import Form
from talktime.web.language import _
from talktime.web.operator import desk, words
from talktime.web.operator.desk import Input, Question
from talktime.web.operator.numbers import id_of
from talktime.web.operator.packs import pack_view
from talktime.web.operator.price_words import price_view
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.words import clock_zone

PATH = "/operator/prices"

router = APIRouter(prefix=PATH, route_class=PageRoute)


@router.get("")
async def show(request: Request) -> Response:
    """What is for sale, and what holds now."""
    identity = await who.operator(request)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "prices", said=_said())
        offered = await packs.all_packs(db)
        holds = await prices.price_list(db, paper.clock.now)
        emails = await emails_of(db, [each.user_id for each in holds if each.user_id])
    views = [price_view(each, paper.clock, emails.get(each.user_id, "") if each.user_id else "") for each in holds]
    return paper.page(
        "operator/prices.html",
        packs=[pack_view(each) for each in offered],
        everybodys=[each for each in views if not each["is_own"]],
        own=[each for each in views if each["is_own"]],
    )


@router.get("/history")
async def history(request: Request) -> Response:
    """Every price there was, is and will be: everybody's, or one customer's."""
    identity = await who.operator(request)
    user, before = desk.some_id(request, "user"), desk.place(request, datetime.fromisoformat, uuid.UUID)
    async with desk.transaction(request, snapshot=True) as db:
        paper = await sheet(request, db, identity, "prices")
        email = (await people.find(db, user)).email if user else ""
        rows = await ledger.prices(db, user, before=before, limit=desk.SHOWN + 1)
    page = desk.listed(request, rows, lambda row: desk.written(row.valid_from, row.id))
    return paper.page(
        "operator/price_history.html",
        crumbs=[(PATH, _("Packs and prices")), (None, _("Earlier and later prices"))],
        rows=[price_view(each, paper.clock, email) for each in page.rows],
        email=email,
        newest=page.newest,
        older=page.older,
    )


@router.get("/new")
async def ask_new(request: Request) -> Response:
    """For whom, how much, from when?"""
    identity = await who.operator(request)
    return await desk.ask(request, identity, await _question(request, identity, desk.some_id(request, "user")))


@router.post("/new")
async def make(request: Request) -> Response:
    """Add it."""
    form, identity = await desk.sent(request)
    user = id_of(form.text("user"))
    if user is None and form.text("user"):
        raise people.NoSuchPerson  # what names nobody is not for everybody
    question = await _question(request, identity, user)
    figures = {
        "credits_per_minute": desk.whole_number(form, "credits_per_minute", most=RATE_MAX),
        "connection_fee": desk.whole_number(form, "connection_fee", most=RATE_MAX),
        "initial_seconds": desk.whole_number(form, "initial_seconds", least=1, most=SECONDS_MAX),
        "increment_seconds": desk.whole_number(form, "increment_seconds", least=1, most=SECONDS_MAX),
        "free_seconds": desk.whole_number(form, "free_seconds", most=SECONDS_MAX),
    }
    valid_from = _moment(form, identity.zone)
    if form.errors:
        return await desk.ask(request, identity, question, form)
    try:
        async with desk.transaction(request) as db:
            await prices.set_price(
                db,
                user=user,
                kind=_kind_of(form),
                valid_from=valid_from,
                actor=identity.user_id,
                allow_free=form.is_ticked("allow_free"),
                **{name: figure or 0 for name, figure in figures.items()},
            )
    except TalktimeError as error:
        return await desk.again(request, identity, question, form, error)
    return back(f"/operator/users/{user}" if user else PATH, "price")


@router.post("/follow-list/{user}/{kind}")
async def follow_list(request: Request, user: uuid.UUID, kind: PriceKind) -> Response:
    """End a customer's own price: everybody's holds for them from now on."""
    _form, identity = await desk.sent(request)
    async with desk.transaction(request) as db:
        await prices.follow_list(db, user=user, kind=kind, actor=identity.user_id)
    return back(PATH, "followed")


def _said() -> dict[str, str]:
    return {
        "price": _("The price is set."),
        "followed": _("From now on everybody’s price holds for them."),
        "pack": _("Saved."),
    }


async def _question(request: Request, identity: Identity, user: uuid.UUID | None) -> Question:
    sentences = [_("Calls that run keep the price they rang at.")]
    crumbs: list[tuple[str | None, str]] = [(PATH, _("Packs and prices")), (None, _("A new price"))]
    if user is not None:
        async with desk.transaction(request) as db:
            email = (await people.find(db, user)).email
        sentences.insert(0, _("For {email} alone.").format(email=email))
        crumbs = [
            ("/operator/users", _("Users")),
            (f"/operator/users/{user}", email),
            (None, _("A price of their own")),
        ]
    else:
        sentences.insert(0, _("For everybody who has no price of their own."))
    seconds = _("seconds")
    return Question(
        here="prices" if user is None else "users",
        crumbs=crumbs,
        title=_("A new price") if user is None else _("A price of their own"),
        sentences=sentences,
        inputs=[
            Input("hidden", "user", ""),
            Input("choose", "kind", _("For"), choices=[(each.value, words.kind_of_price(each)) for each in PriceKind]),
            Input("amount", "credits_per_minute", _("A minute costs"), unit=_("credits")),
            Input("tick", "allow_free", _("0 is meant: calls are free")),
            Input("amount", "connection_fee", _("Each answered call costs besides"), unit=_("credits")),
            Input("amount", "initial_seconds", _("Counted at first"), unit=seconds),
            Input("amount", "increment_seconds", _("Then in steps of"), unit=seconds),
            Input(
                "amount",
                "free_seconds",
                _("Free up to"),
                hint=_("A call that is no longer than this costs nothing."),
                unit=seconds,
            ),
            Input(
                "field",
                "valid_from",
                _("From when"),
                hint=_("Empty is at once. Your time: {zone}.").format(zone=identity.zone),
                type="datetime-local",
            ),
        ],
        values={
            "user": str(user or ""),
            "kind": desk.text(request, "kind") or PriceKind.CALL.value,
            "connection_fee": "0",
            "initial_seconds": "60",
            "increment_seconds": "60",
            "free_seconds": "0",
        },
        button=_("Set the price"),
        back=PATH if user is None else f"/operator/users/{user}",
    )


def _kind_of(form: Form) -> PriceKind:
    return PriceKind.TRANSFER if form.text("kind") == PriceKind.TRANSFER else PriceKind.CALL


def _moment(form: Form, zone: str) -> datetime | None:
    """When it begins, as it was typed on the reader's clock; None for at once."""
    said = form.text("valid_from")
    if not said:
        return None
    try:
        return datetime.fromisoformat(said).replace(tzinfo=clock_zone(zone))
    except ValueError:
        form.errors["valid_from"] = _("A day and a time, such as 2026-12-01T08:00; or nothing for at once.")
        return None
