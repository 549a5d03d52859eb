"""The page about credit: what there is, how long it lasts, buying more, and what may be spent.

The one rule: whose credit it is comes from the session alone. What costs money is done by `payments`; here a person is
asked, and told.
"""

import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from talktime.accounts.sessions import Identity
from talktime.calls import watching
from talktime.credits import money, packs
from talktime.credits.account import funds_of, guards_of, opened_at
from talktime.credits.forecast import days_left
from talktime.errors import NotFound, ProviderError, TalktimeError
from talktime.http.context import Context, context_of
from talktime.payments import billing_details, checkout, invoices, saved_card
from talktime.payments.models import Purchase, PurchaseState
from talktime.web import credit_views as views
from talktime.web import words
from talktime.web.forms import Form, read_form
from talktime.web.frame import frame
from talktime.web.render import page
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in, themselves
from talktime.web.words import Clock

_PURCHASES_SHOWN = 12
_PURCHASES_LOOKED_AT = 100
_LOOK_AGAIN_SECONDS = 3
_PRICE = re.compile(r"[0-9]{1,18}", re.ASCII)
_SAVED = {
    "guards": "Your limits are saved.",
    "low-balance": "Saved.",
    "top-up": "Saved.",
    "card": "The card is gone.",
    "billing": "Saved. It stands on your invoices from the next one on.",
}

router = APIRouter(prefix="/credits", route_class=PageRoute)


@router.get("")
async def all_about_it(request: Request, saved: str = "", cancelled: bool = False) -> Response:
    """Everything about somebody's credit."""
    identity = await signed_in(request)
    said = "Nothing was bought." if cancelled else _SAVED.get(saved, "")
    return await _credits(context_of(request), identity, said=said)


@router.post("/low-balance")
async def set_low_balance(request: Request) -> Response:
    """When to be told."""
    form, identity = await _sent(request)
    context = context_of(request)
    threshold = form.credits("threshold")
    if not form.errors:
        async with context.database.transaction(user=identity.user_id) as db:
            await money.set_low_balance(db, identity.user_id, threshold, actor=identity.acts_as)
        return _back("low-balance")
    return await _credits(context, identity, form=form)


@router.post("/guards")
async def set_guards(request: Request) -> Response:
    """What may be spent."""
    form, identity = await _sent(request)
    context = context_of(request)
    day, call, caller = form.credits("day"), form.credits("call"), form.credits("caller")
    if not form.errors:
        async with context.database.transaction(user=identity.user_id) as db:
            await money.set_guards(
                db, identity.user_id, per_day=day, per_call=call, per_caller=caller, actor=identity.acts_as
            )
        return _back("guards")
    return await _credits(context, identity, form=form)


@router.post("/billing")
async def set_billing_details(request: Request) -> Response:
    """What is to stand on invoices."""
    form, identity = await _sent(request)
    context = context_of(request)
    try:
        async with context.database.transaction(user=identity.user_id) as db:
            await billing_details.keep(db, identity.user_id, views.billing_details_of(form), actor=identity.acts_as)
        return _back("billing")
    except billing_details.WrongDetails as error:
        form.errors.update({f"billing_{name}": message for name, message in error.fields.items()})
    return await _credits(context, identity, form=form)


@router.post("/buy")
async def buy(request: Request) -> Response:
    """Begin a purchase, and send the buyer to the payment company."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    gateway, key = context.gateway, form.text("key")
    if gateway is None:
        return await _credits(context, identity, form=_wrong(form, "buy", "Nothing can be bought at the moment."))
    try:
        url = await checkout.begin(
            context.database,
            gateway,
            identity.user_id,
            _id_of(form.text("pack")),
            success_url=f"{context.settings.base_url}/credits/bought?key={quote(key, safe='')}",
            cancel_url=f"{context.settings.base_url}/credits?cancelled=true",
            key=key,
            save_card=form.is_ticked("save_card"),
        )
    except TalktimeError as error:
        return await _credits(context, identity, form=_wrong(form, "buy", str(error)))
    except ProviderError:
        wrong = _wrong(form, "buy", "The payment company does not answer. Try again in a minute: nothing was charged.")
        return await _credits(context, identity, form=wrong, status=502)
    if not views.is_web_address(url):
        wrong = _wrong(form, "buy", "The payment company sent no address that can be opened. Nothing was charged.")
        return await _credits(context, identity, form=wrong, status=502)
    # Not a redirect: our pages let a form lead to this site only, and a browser holds redirects to that, too.
    return page("to_payment.html", url=url, headers={"refresh": f"0; url={url}"})


@router.get("/bought")
async def bought(request: Request, key: str = "") -> Response:
    """Where a buyer comes back to: what is known of the purchase, honestly."""
    identity = await signed_in(request)
    context = context_of(request)
    clock = Clock(datetime.now(UTC), identity.zone)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        purchase = _of_key(await checkout.newest(db, identity.user_id, limit=_PURCHASES_LOOKED_AT), key)
        documents = await invoices.of_purchase(db, identity.user_id, purchase.id)
        funds = await funds_of(db, identity.user_id)
        live = await watching.running(db, identity.user_id)
    waits = purchase.state == PurchaseState.OPEN or (
        purchase.state == PurchaseState.PAID and purchase.credited_at is None
    )
    return page(
        "bought.html",
        **frame(identity, funds, live, clock, "credits"),
        purchase=views.purchase_view(purchase, documents, clock, identity.locale),
        credits=words.credits_in_words(purchase.credits),
        state=purchase.state.value,
        headers={"refresh": str(_LOOK_AGAIN_SECONDS)} if waits else {},
    )


@router.post("/top-up")
async def set_top_up(request: Request) -> Response:
    """Switch topping up by itself on, off, or change it."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    if form.text("do") == "off":
        async with context.database.transaction(user=identity.user_id) as db:
            await saved_card.off(db, identity.user_id, actor=identity.acts_as)
        return _back("top-up")
    try:
        async with context.database.transaction(user=identity.user_id) as db:
            pack_id, _, price = form.text("choice").partition(":")
            pack = await packs.find(db, _id_of(pack_id))
            threshold, ceiling = form.credits("top_up_threshold"), form.money("ceiling", pack.currency)
            if not threshold and "top_up_threshold" not in form.errors:
                form.errors["top_up_threshold"] = "Below how many credits? One at least."
            if threshold and ceiling and not form.errors:
                seen = int(price) if _PRICE.fullmatch(price) else -1
                choice = saved_card.Choice(threshold, pack.id, ceiling, seen)
                await saved_card.choose(db, identity.user_id, choice, datetime.now(UTC), actor=identity.acts_as)
                return _back("top-up")
    except TalktimeError as error:
        form.errors["top_up"] = str(error)
    return await _credits(context, identity, form=form)


@router.post("/card/forget")
async def forget_card(request: Request) -> Response:
    """Take the saved card away, here and at the payment company."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    try:
        if context.gateway is not None:
            await saved_card.forget(context.database, context.gateway, identity.user_id, actor=identity.acts_as)
    except ProviderError:
        words_of_it = "It is not charged any more, but the payment company did not answer. Try again in a minute."
        return await _credits(context, identity, form=_wrong(form, "top_up", words_of_it), status=502)
    return _back("card")


async def _credits(
    context: Context, identity: Identity, *, said: str = "", form: Form | None = None, status: int | None = None
) -> Response:
    """The page; with a form that has something wrong, its words and what is wrong stand in it."""
    user, clock = identity.user_id, Clock(datetime.now(UTC), identity.zone)
    async with context.database.transaction(user=user, snapshot=True) as db:
        funds = await funds_of(db, user)
        days = await days_left(db, user, clock.now, zone=identity.zone)
        guards = await guards_of(db, user, clock.now)
        on_sale = await packs.on_sale(db)
        bought_so_far = await checkout.newest(db, user, limit=_PURCHASES_SHOWN)
        documents = await invoices.newest(db, user, limit=_PURCHASES_LOOKED_AT)
        details = await billing_details.of(db, user)
        top_up = await saved_card.of(db, user)
        months = views.months(await opened_at(db, user), clock)
        live = await watching.running(db, user)
    values: dict[str, Any] = {
        **frame(identity, funds, live, clock, "credits"),
        "said": said,
        "lasts": views.lasts(funds, days),
        "free": words.figure(funds.free),
        "spent_today": words.figure(guards.spent_today),
        "packs": [views.pack_view(pack, identity.locale) for pack in on_sale if pack.price_minor],
        "can_buy": context.gateway is not None,
        "purchases": [views.purchase_view(each, documents, clock, identity.locale) for each in bought_so_far],
        "top_up": views.top_up_view(top_up, identity.locale, clock.now),
        "months": months,
        "values": {
            **views.guard_values(guards),
            **views.billing_values(details),
            **(form.values if form is not None else {}),
        },
        "errors": form.errors if form is not None else {},
    }
    return page("credits.html", status=status or (422 if values["errors"] else 200), **values)


async def _sent(request: Request) -> tuple[Form, Identity]:
    """The form, and who sent it. Raises NotSignedIn for nobody."""
    form = await read_form(request)
    return form, await signed_in(request)


def _wrong(form: Form, name: str, message: str) -> Form:
    form.errors[name] = message
    return form


def _back(saved: str) -> Response:
    return RedirectResponse(f"/credits?saved={saved}", 303)


def _id_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise packs.NoSuchPack from None


def _of_key(purchases: Sequence[Purchase], key: str) -> Purchase:
    for each in purchases:
        if key and each.request_key == key:
            return each
    raise NotFound("There is no such purchase.")
