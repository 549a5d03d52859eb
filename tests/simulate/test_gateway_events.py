"""What the simulated payment company tells, and how it goes wrong on demand: over real HTTP, read by the adapter."""

import asyncio

import pytest

from talktime.errors import BadInput, ProviderError
from talktime.gateways.contract import Notice, NoticeKind
from talktime.simulate.gateway import SimulatedGateway
from talktime.simulate.gateway_control import GatewayControl
from talktime.simulate.gateway_deeds import (
    Expire,
    Faults,
    MakeRefund,
    Means,
    OpenDispute,
    Pay,
    Release,
    Resend,
    Settle,
)
from tests.gateways.shop import CONTROL, KEY, WEBHOOK, Shop, open_shop

K = NoticeKind
COMPLETED = "checkout.session.completed"


async def bought(shop: Shop, faults: Faults) -> list[Notice]:
    """One purchase with these faults, and what was heard of it."""
    await shop.control.go_wrong(faults)
    await shop.pay(await shop.checkout())
    return await shop.heard()


async def test_an_event_is_repeated_under_its_own_id(shop: Shop) -> None:
    notices = await bought(shop, Faults(types=(COMPLETED,), copies=3))
    assert [each.kind for each in notices] == [K.PAID] * 3
    assert len({each.event_id for each in notices}) == 1


async def test_the_same_payment_comes_under_another_event_id(shop: Shop) -> None:
    notices = await bought(shop, Faults(types=(COMPLETED,), copies=2, another_id=True))
    assert len({each.event_id for each in notices}) == 2
    assert len({each.payment_id for each in notices}) == 1


async def test_an_event_can_say_a_wrong_amount_currency_or_mode(shop: Shop) -> None:
    (notice,) = await bought(shop, Faults(amount=1, currency="USD", live=True))
    assert (notice.amount_minor, notice.currency, notice.live) == (1, "USD", True)
    (checkout,) = {each.checkout_id for each in shop.door.notices if each.checkout_id}
    assert checkout is not None
    truth = await shop.gateway.fetch_checkout(checkout)
    assert truth is not None
    assert (truth.amount_minor, truth.currency, truth.live) == (2000, "EUR", False)


@pytest.mark.parametrize("faults", [Faults(bad_signature=True), Faults(stale_seconds=400)])
async def test_a_bad_signature_is_refused(shop: Shop, faults: Faults) -> None:
    assert await bought(shop, faults) == []
    assert shop.door.refused


async def test_events_come_late(shop: Shop) -> None:
    await shop.control.go_wrong(Faults(delay_seconds=0.3))
    await shop.pay(await shop.checkout())
    assert not await shop.control.settled(0.05)
    assert shop.door.notices == []
    assert len(await shop.heard()) == 1


async def test_events_come_in_reverse(shop: Shop) -> None:
    await shop.control.go_wrong(Faults(types=(COMPLETED, "checkout.session.async_payment_succeeded"), hold=2))
    session = await shop.pay(await shop.checkout(), Means.DEBIT)
    assert await shop.heard() == []
    await shop.control.do(Settle(payment=session["payment_intent"]))
    assert sorted(each.kind for each in await shop.heard()) == [K.COMPLETED_UNPAID, K.PAID]
    events = [each["type"] for each in await shop.control.events() if each["object"] == session["id"]]
    assert events == [COMPLETED, "checkout.session.async_payment_succeeded"]


async def test_a_refund_is_told_before_its_payment(shop: Shop) -> None:
    await shop.control.go_wrong(Faults(types=(COMPLETED,), hold=10))
    session = await shop.pay(await shop.checkout())
    await shop.control.do(MakeRefund(payment=session["payment_intent"]))
    await shop.heard()
    await shop.control.do(Release())
    assert [each.kind for each in await shop.heard(K.PAID, K.REFUND)] == [K.REFUND, K.PAID]


async def test_an_event_that_was_lost_can_be_sent_again(shop: Shop) -> None:
    assert await bought(shop, Faults(lost=True)) == []
    lost = (await shop.control.events(COMPLETED))[-1]
    assert (lost["state"], lost["tries"]) == ("lost", 0)
    await shop.control.do(Resend(event=lost["id"]))
    await shop.control.do(Resend(event=lost["id"], another_id=True))
    first, second = await shop.heard()
    assert first.checkout_id == second.checkout_id == lost["object"]
    assert lost["id"] in {first.event_id, second.event_id}
    assert first.event_id != second.event_id


async def test_an_event_is_repeated_until_it_is_taken(shop: Shop) -> None:
    shop.door.answers += [500, 404, 302, 503, 500]
    await shop.pay(await shop.checkout())
    assert [each.kind for each in await shop.heard()] == [K.PAID]
    told = [each for each in await shop.control.events() if each["state"] != "lost"]
    assert all(each["state"] == "delivered" and each["answer"] == 204 for each in told)
    assert sum(each["tries"] - 1 for each in told[-4:]) == 5


async def test_an_event_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talktime.simulate.gateway_events.RETRY_SECONDS", (0.01, 0.01))
    async with open_shop() as shop:
        shop.door.answers += [500] * 100
        await shop.pay(await shop.checkout())
        assert await shop.heard() == []
        told = await shop.control.events(COMPLETED)
        assert [(each["state"], each["tries"], each["answer"]) for each in told] == [("failed", 3, 500)]


async def test_many_buy_at_once(shop: Shop) -> None:
    async def buy() -> str:
        checkout = await shop.checkout()
        await shop.pay(checkout)
        return checkout.id

    made = await asyncio.gather(*(buy() for _ in range(25)))
    paid = [each.checkout_id for each in await shop.heard(K.PAID)]
    assert sorted(str(each) for each in paid) == sorted(made)


async def test_the_books_are_bounded(monkeypatch: pytest.MonkeyPatch, shop: Shop) -> None:
    monkeypatch.setattr("talktime.simulate.gateway_books.KEPT", 12)
    kept = await shop.checkout()
    for _ in range(12):
        await shop.pay(await shop.checkout())
    # What is over goes first: what is open can still be paid.
    await shop.pay(kept)
    async with shop.company.control() as control:
        assert await control.pid() is not None
    assert len(await shop.control.events()) <= 12


async def test_a_checkout_expires_by_itself_when_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("talktime.simulate.gateway_objects.CHECKOUT_SECONDS", 0)
    async with open_shop() as shop:
        checkout = await shop.checkout()
        async with asyncio.timeout(10):
            while not await shop.heard(K.EXPIRED):
                await asyncio.sleep(0.05)
        assert (await shop.gateway.expire_checkout(checkout.id)).kind is K.EXPIRED


async def test_what_cannot_be_done_says_why(shop: Shop) -> None:
    session = await shop.pay(await shop.checkout())
    for deed in (
        Pay(checkout=session["id"]),
        Pay(checkout="cs_unknown"),
        Expire(checkout=session["id"]),
        Settle(payment=session["payment_intent"]),
        MakeRefund(payment=session["payment_intent"], amount=2001),
        OpenDispute(payment="pi_unknown"),
        Resend(event="evt_unknown"),
    ):
        with pytest.raises(BadInput):
            await shop.control.do(deed)


async def test_the_control_door_asks_for_its_own_secret(shop: Shop) -> None:
    for secret in ("wrong", KEY, WEBHOOK):
        async with GatewayControl(shop.company.api_base, secret) as control:
            assert await control.pid() is None
            for asking in (control.do(Release()), control.go_wrong(Faults()), control.events(), control.settled()):
                with pytest.raises(ProviderError) as error:
                    await asking
                assert error.value.permanent
    async with GatewayControl("http://127.0.0.1:1", CONTROL) as control:
        with pytest.raises(ProviderError) as error:
            await control.events()
        assert not error.value.permanent


async def test_without_an_address_nobody_is_told() -> None:
    async with open_shop(webhook_url="") as shop:
        await shop.pay(await shop.checkout())
        assert {each["state"] for each in await shop.control.events()} == {"lost"}
        assert shop.door.notices == []


@pytest.mark.parametrize("secrets", [("sk_live_x", "w", "c"), ("", "w", "c"), (KEY, "", "c"), (KEY, "w", "")])
def test_it_needs_three_secrets_and_a_key_of_test_mode(secrets: tuple[str, str, str]) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        SimulatedGateway(*secrets)
