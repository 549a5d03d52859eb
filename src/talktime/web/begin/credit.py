"""Credits to talk with: what there is, what a pack lasts, and buying one on the way.

The one rule: what was bought is told as the books have it, never because somebody came back from the payment.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from talktime.accounts.sessions import Identity
from talktime.credits import packs, prices
from talktime.errors import ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.payments import checkout
from talktime.payments.models import Purchase, PurchaseState
from talktime.web.begin import costing
from talktime.web.begin.desk import desk_of, own_numbers
from talktime.web.begin.progress import CREDITS
from talktime.web.credits import purchases_shown as shown
from talktime.web.credits.said import credits_of
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.refusals import in_words
from talktime.web.render import page
from talktime.web.routing import PageRoute
from talktime.web.who import signed_in, themselves

_LOOK_AGAIN_SECONDS = 3
_LOOKED_AT = 20

router = APIRouter(route_class=PageRoute)


@router.get("/begin/credits")
async def ask(request: Request, key: str = "", cancelled: bool = False) -> Response:
    """What there is, and what can be bought; after a payment, what became of it."""
    return await _page(request, await signed_in(request), key=key, was_cancelled=cancelled)


@router.post("/begin/credits")
async def buy(request: Request) -> Response:
    """Begin a purchase, and send the buyer to the payment company, which sends them back here."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    gateway, key = context.gateway, form.text("key")
    if gateway is None:
        form.errors["form"] = _("Nothing can be bought at the moment.")
        return await _page(request, identity, form)
    here = f"{context.settings.base_url}/begin/credits"
    try:
        url = await checkout.begin(
            context.database,
            gateway,
            identity.user_id,
            _id_of(form.text("pack")),
            success_url=f"{here}?key={quote(key, safe='')}",
            cancel_url=f"{here}?cancelled=true",
            key=key,
        )
    except TalktimeError as error:
        form.errors["form"] = in_words(error)
        return await _page(request, identity, form, status=error.status)
    except ProviderError:
        form.errors["form"] = _("The payment company does not answer. Try again in a minute: nothing was charged.")
        return await _page(request, identity, form, status=502)
    if not shown.is_web_address(url):
        form.errors["form"] = _("The payment company does not answer. Try again in a minute: nothing was charged.")
        return await _page(request, identity, form, status=502)
    # Not a redirect: our pages let a form lead to this site only, and a browser holds redirects to that, too.
    return page("to_payment.html", url=url, back="/begin/credits", headers={"refresh": f"0; url={url}"})


async def _page(
    request: Request,
    identity: Identity,
    form: Form | None = None,
    *,
    key: str = "",
    was_cancelled: bool = False,
    status: int | None = None,
) -> Response:
    context = context_of(request)
    numbers = await own_numbers(context, identity)
    async with context.database.transaction(user=identity.user_id, snapshot=True) as db:
        desk = await desk_of(request, db, identity, numbers)
        price = await prices.price_of(db, identity.user_id, datetime.now(UTC))
        on_sale = await packs.on_sale(db)
        bought = await checkout.newest(db, identity.user_id, limit=_LOOKED_AT) if key else ()
    purchase = _of_key(bought, key)
    waits = purchase is not None and shown.waits(purchase)
    return desk.page(
        "begin/credits.html",
        CREDITS,
        form=form,
        status=status,
        headers={"refresh": str(_LOOK_AGAIN_SECONDS)} if waits else {},
        free=credits_of(desk.funds.free),
        has_credits=desk.funds.free > 0,
        lasts=costing.talk(desk.funds.free, price),
        minute=costing.minute(price),
        packs=costing.offers(on_sale, price),
        can_buy=context.gateway is not None,
        support_email=context.settings.support_email,
        purchase_state=_state(purchase),
        was_cancelled=was_cancelled,
        onward=desk.onward,
    )


def _state(purchase: Purchase | None) -> str:
    """What became of the purchase one comes back from: "" | waits | pending | paid | failed."""
    if purchase is None:
        return ""
    if shown.waits(purchase):
        return "waits"
    names = {PurchaseState.PENDING: "pending", PurchaseState.PAID: "paid"}
    return names.get(purchase.state, "failed")


def _of_key(bought: Sequence[Purchase], key: str) -> Purchase | None:
    return next((each for each in bought if key and each.request_key == key), None)


def _id_of(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError:
        raise packs.NoSuchPack from None
