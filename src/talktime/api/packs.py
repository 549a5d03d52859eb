"""`/v1/packs`: what can be bought."""

import uuid
from typing import Annotated

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, whole
from talktime.api.routing import api_router
from talktime.api.shapes import Resource, example
from talktime.credits import packs
from talktime.credits.models import CreditPack

router = api_router("/packs", "Purchases")


class Pack(Resource):
    """So many credits for so much money."""

    model_config = example(
        id="0199c8f0-0000-7000-8000-00000000000a", name="Starter", credits=1500, price_minor=4900, currency="EUR"
    )

    id: uuid.UUID
    name: str
    credits: int
    price_minor: int
    """In the currency's minor unit: 4900 is € 49.00. Taxes are in it."""
    currency: str

    @classmethod
    def of(cls, pack: CreditPack) -> "Pack":
        return cls(
            id=pack.id, name=pack.name, credits=pack.credits, price_minor=pack.price_minor, currency=pack.currency
        )


@router.get("")
async def packs_list(caller: Annotated[Caller, needs(Scope.CREDITS_READ)]) -> Page[Pack]:
    """Lists the packs of credits that are on sale, all of them at once, in the order in which pages show them."""
    async with caller.transaction() as db:
        on_sale = await packs.on_sale(db)
    return whole([Pack.of(pack) for pack in on_sale if pack.price_minor])
