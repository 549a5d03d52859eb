"""What a process does when somebody buys, gets money back, or is topped up; able to break off anywhere.

What others do meanwhile (the buyer at the company's page, the company's telling) happens while it cannot die.
"""

import re
import uuid
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import text

from talktime import inbox
from talktime.gateways.simulated import Simulated
from talktime.notices.send import send_notices
from talktime.payments import checkout, refunding, top_up
from talktime.payments.till import Till
from talktime.simulate.gateway_deeds import Pay
from tests.crash.killing import Life
from tests.crash.paydesk import BACK, Letter, Paydesk, deliver, handlers_of, kind_of

PAYING = ("payment_intent.succeeded", "checkout.session.completed")
"""Of what is told of a payment, this means something."""
GIVING_BACK = ("refund.created", "refund.failed", "charge.dispute.funds_withdrawn", "charge.dispute.closed")
REFUND_KEY = "goodwill"
REFUND_MINOR = 500


async def bought(life: Life, user: str, pack: str, key: str, desk: dict[str, str]) -> None:
    """From the click to the ledger."""
    company = Paydesk(**desk)
    gateway = company.gateway()
    till = company.till(life.url, gateway)
    url = await checkout.begin(
        life.database,
        gateway,
        uuid.UUID(user),
        uuid.UUID(pack),
        success_url=f"{BACK}/bought",
        cancel_url=f"{BACK}/credits",
        key=key,
    )
    with life.points.asleep():
        async with company.control() as control:
            await control.do(Pay(checkout=checkout_in(url)))
        letters = [each for each in await company.letters(user) if each.type in PAYING]
    await _told(life, till, gateway, letters, user)
    await gateway.close()


async def given_back(life: Life, user: str, purchase: str, payment: str, *, actor: str, desk: dict[str, str]) -> None:
    """The operator refunds a part; the company tells of that, of a refund that failed, of a dispute that was lost."""
    company = Paydesk(**desk)
    gateway = company.gateway()
    till = company.till(life.url, gateway)
    await refunding.refund(
        life.database,
        till.billing,
        gateway,
        user=uuid.UUID(user),
        purchase=uuid.UUID(purchase),
        amount_minor=REFUND_MINOR,
        key=REFUND_KEY,
        actor=uuid.UUID(actor),
    )
    with life.points.asleep():
        told = await company.letters(payment)
        letters = [each for each in told if each.type in GIVING_BACK]
    await _told(life, till, gateway, letters, user)
    await gateway.close()


async def topped_up(life: Life, user: str, desk: dict[str, str]) -> None:
    """The credit is low, and the saved card is charged. While nobody else's may be."""
    company = Paydesk(**desk)
    gateway = company.gateway()
    till = company.till(life.url, gateway)
    assert await top_up.due(life.database, till, gateway) == 1
    with life.points.asleep():
        async with life.database.transaction(user=uuid.UUID(user)) as db:
            purchase = await db.scalar(text("SELECT id FROM purchases WHERE kind = 'TOP_UP'"))
        told = await company.letters(str(purchase))
        letters = [each for each in told if each.type.startswith("payment_intent.") and "created" not in each.type]
    await _told(life, till, gateway, letters, user)
    await gateway.close()


async def told_by_mail(life: Life, outbox: str) -> None:
    """A customer is told by mail. While nobody else waits to be."""
    assert await send_notices(life.database, life.outbox(Path(outbox)), base_url="http://127.0.0.1") == 1


def checkout_in(url: str) -> str:
    """The name of a checkout in the address of its page."""
    found = re.search(r"cs_\w+", url)
    assert found is not None, url
    return found[0]


async def _told(life: Life, till: Till, gateway: Simulated, letters: Sequence[Letter], user: str) -> None:
    assert letters
    await deliver(life.database, till, gateway, letters, scope=user)
    kind = kind_of(user)
    await inbox.drain(life.database, {kind: handlers_of(till, user)[kind]})
