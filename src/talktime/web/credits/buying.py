"""Buying a pack of credits: to the payment company's page, and back from it.

The one rule: who buys comes from the session alone, and nobody buys in somebody's place. What is charged is the payment
company's business, and what it says is what is shown.
"""

import uuid
from collections.abc import Sequence
from urllib.parse import quote

from fastapi import APIRouter, Request, Response

from talktime.credits import packs
from talktime.credits.account import funds_of
from talktime.errors import NotFound, ProviderError, TalktimeError
from talktime.http.context import context_of
from talktime.payments import checkout, invoices
from talktime.payments.models import Purchase
from talktime.web import local, refusals
from talktime.web.credits import overview, said
from talktime.web.credits import purchases_shown as shown
from talktime.web.forms import Form, read_form
from talktime.web.language import _
from talktime.web.render import page
from talktime.web.routing import PageRoute
from talktime.web.sheet import sheet
from talktime.web.who import signed_in, themselves

_PURCHASES_LOOKED_AT = 100
_LOOK_AGAIN_SECONDS = 3

router = APIRouter(prefix="/credits", route_class=PageRoute)


@router.post("/buy")
async def buy(request: Request) -> Response:
    """Begin a purchase, and send the buyer to the payment company."""
    form, identity = await read_form(request), await themselves(request)
    context = context_of(request)
    gateway, key = context.gateway, form.text("key")

    async def refused(why: str, status: int | None = None) -> Response:
        form.errors["buy"] = why
        return await overview.shown(request, identity, form=form, status=status)

    if gateway is None:
        return await refused(_("Nothing can be bought at the moment."))
    try:
        url = await checkout.begin(
            context.database,
            gateway,
            identity.user_id,
            _pack_of(form),
            success_url=f"{context.settings.base_url}/credits/bought?key={quote(key, safe='')}",
            cancel_url=f"{context.settings.base_url}/credits?cancelled=true",
            key=key,
            save_card=form.is_ticked("save_card"),
        )
    except TalktimeError as error:
        return await refused(refusals.in_words(error))
    except ProviderError:
        why = _("The payment company does not answer. Try again in a minute: nothing was charged.")
        return await refused(why, 502)
    if not shown.is_web_address(url):
        why = _("The payment company sent no address that can be opened. Nothing was charged.")
        return await refused(why, 502)
    # Not a redirect: our pages let a form lead to this site only, and a browser holds redirects to that, too.
    return page("to_payment.html", url=url, back="/credits", headers={"refresh": f"0; url={url}"})


@router.get("/bought")
async def bought(request: Request, key: str = "") -> Response:
    """Where a buyer comes back to: what is known of the purchase, honestly."""
    identity = await signed_in(request)
    async with context_of(request).database.transaction(user=identity.user_id, snapshot=True) as db:
        purchase = _of_key(await checkout.newest(db, identity.user_id, limit=_PURCHASES_LOOKED_AT), key)
        documents = await invoices.of_purchase(db, identity.user_id, purchase.id)
        funds = await funds_of(db, identity.user_id)
        paper = await sheet(request, db, identity, "credits")
    return paper.page(
        "credits/bought.html",
        purchase=shown.purchase_view(purchase, documents, paper.clock),
        credits=said.credits_of(purchase.credits),
        balance=local.figure(funds.balance),
        state=purchase.state.value,
        headers={"refresh": str(_LOOK_AGAIN_SECONDS)} if shown.waits(purchase) else {},
    )


def _pack_of(form: Form) -> uuid.UUID:
    try:
        return uuid.UUID(form.text("pack"))
    except ValueError:
        raise packs.NoSuchPack from None


def _of_key(purchases: Sequence[Purchase], key: str) -> Purchase:
    for each in purchases:
        if key and each.request_key == key:
            return each
    raise NotFound("There is no such purchase.")
