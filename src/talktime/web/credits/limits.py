"""What may be spent, when to be told, what is charged to a saved card, and what stands on invoices.

The one rule: whose settings these are comes from the session alone; what costs money later on, only its owner switches
on, and nobody in their place.
"""

import re
import uuid
from datetime import UTC, datetime

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.credits import money, packs
from talktime.credits.account import guards_of
from talktime.errors import ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.payments import billing_details, saved_card
from talktime.web import refusals
from talktime.web.credits import limits_shown as shown
from talktime.web.credits.purchases_shown import pack_view
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.routing import PageRoute
from talktime.web.sheet import back, sheet
from talktime.web.who import signed_in, themselves

PATH = "/credits/settings"
_PRICE = re.compile(r"[0-9]{1,18}", re.ASCII)

router = APIRouter(prefix="/credits", route_class=PageRoute)


@router.get("/settings")
async def look(request: Request) -> Response:
    """What is set."""
    return await _shown(request, await signed_in(request))


@router.post("/low-balance")
async def set_low_balance(request: Request) -> Response:
    """When to be told."""
    form, identity = await read_form(request), await signed_in(request)
    threshold = form.credits("threshold")
    if form.errors:
        return await _shown(request, identity, form)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await money.set_low_balance(db, identity.user_id, threshold, actor=identity.acts_as)
    return back(PATH, "low-balance")


@router.post("/guards")
async def set_guards(request: Request) -> Response:
    """What may be spent."""
    form, identity = await read_form(request), await signed_in(request)
    day, call, caller = form.credits("day"), form.credits("call"), form.credits("caller")
    if form.errors:
        return await _shown(request, identity, form)
    async with context_of(request).database.transaction(user=identity.user_id) as db:
        await money.set_guards(
            db, identity.user_id, per_day=day, per_call=call, per_caller=caller, actor=identity.acts_as
        )
    return back(PATH, "guards")


@router.post("/billing")
async def set_billing_details(request: Request) -> Response:
    """What is to stand on invoices."""
    form, identity = await read_form(request), await signed_in(request)
    try:
        async with context_of(request).database.transaction(user=identity.user_id) as db:
            await billing_details.keep(db, identity.user_id, shown.billing_details_of(form), actor=identity.acts_as)
    except billing_details.WrongDetails as error:
        form.errors.update(shown.billing_problems(error.fields))
        return await _shown(request, identity, form)
    return back(PATH, "billing")


@router.post("/top-up")
async def set_top_up(request: Request) -> Response:
    """Switch topping up by itself on, off, or change it."""
    form, identity = await read_form(request), await themselves(request)
    database = context_of(request).database
    if form.text("do") == "off":
        async with database.transaction(user=identity.user_id) as db:
            await saved_card.off(db, identity.user_id, actor=identity.acts_as)
        return back(PATH, "top-up")
    try:
        async with database.transaction(user=identity.user_id) as db:
            pack_id, _colon, price = form.text("choice").partition(":")
            pack = await packs.find(db, _id_of(pack_id))
            threshold, ceiling = form.credits("top_up_threshold"), form.money("ceiling", pack.currency)
            if not threshold and "top_up_threshold" not in form.errors:
                form.errors["top_up_threshold"] = _("Below how many credits? One at least.")
            if threshold and ceiling and not form.errors:
                seen = int(price) if _PRICE.fullmatch(price) else -1
                choice = saved_card.Choice(threshold, pack.id, ceiling, seen)
                await saved_card.choose(db, identity.user_id, choice, datetime.now(UTC), actor=identity.acts_as)
    except TalktimeError as error:
        form.errors["top_up"] = refusals.in_words(error)
    return await _shown(request, identity, form) if form.errors else back(PATH, "top-up")


@router.post("/card/forget")
async def forget_card(request: Request) -> Response:
    """Take the saved card away, here and at the payment company."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    try:
        if context.gateway is not None:
            await saved_card.forget(context.database, context.gateway, identity.user_id, actor=identity.acts_as)
    except ProviderError:
        form.errors["top_up"] = _(
            "It is not charged any more, but the payment company did not answer. Try again in a minute."
        )
        return await _shown(request, identity, form, 502)
    return back(PATH, "card")


async def _shown(request: Request, identity: Identity, form: Form | None = None, status: int | None = None) -> Response:
    user = identity.user_id
    async with context_of(request).database.transaction(user=user, snapshot=True) as db:
        paper = await sheet(request, db, identity, "credits", said=_done())
        guards = await guards_of(db, user, paper.clock.now)
        details = await billing_details.of(db, user)
        card = await saved_card.of(db, user)
        on_sale = await packs.on_sale(db)
    top_up = shown.top_up_view(card, paper.clock.now)
    return paper.page(
        "credits/settings.html",
        form=form,
        status=status,
        values={**shown.guard_values(guards), **shown.billing_values(details), **top_up.values},
        top_up=top_up,
        packs=[pack_view(pack) for pack in on_sale if pack.price_minor],
        is_acting=identity.actor_id is not None,
    )


def _done() -> dict[str, str]:
    return {
        "guards": _("Your limits are saved."),
        "low-balance": _("Saved."),
        "top-up": _("Saved."),
        "card": _("The card is gone."),
        "billing": _("Saved. It stands on your invoices from the next one on."),
    }


def _id_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise packs.NoSuchPack from None
