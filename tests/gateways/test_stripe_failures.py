"""What happens when Stripe is slow, broken, or not there: a ProviderError that says whether to try again."""

import json
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from talktime.errors import ProviderError, Refused
from talktime.gateways import stripe_transport
from talktime.gateways.contract import Charge, ChargeStatus, Gateway, SavedCard
from talktime.gateways.simulated import Simulated, refuse_outside_demo
from talktime.gateways.simulated_account import SimulatedGatewayAccount
from talktime.gateways.stripe import Stripe
from talktime.gateways.stripe_notices import API_VERSION
from talktime.settings import Settings
from talktime.simulate.gateway_deeds import Faults
from talktime.simulate.vendor import Answered, Asked, Fault, VendorServer, pieces
from tests.gateways.shop import KEY, Shop, charge, order


def answering(status: int, said: Any) -> Any:
    body = said if isinstance(said, bytes) else json.dumps(said).encode()
    return lambda _asked: Answered(status, "application/json", pieces(body))


@pytest.fixture
async def vendor() -> AsyncIterator[VendorServer]:
    server = VendorServer(answering(200, {}))
    await server.start()
    yield server
    await server.close()


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library does not wait before it tries again."""

    async def no_sleep(_self: object, _seconds: float) -> None:
        return

    monkeypatch.setattr(stripe_transport.Transport, "sleep_async", no_sleep)


@pytest.fixture
async def gateway(vendor: VendorServer) -> AsyncIterator[Stripe]:
    gateway = Stripe(KEY, ("whsec_x",), vendor.url, trust_env=False)
    yield gateway
    await gateway.close()


async def test_a_request_carries_the_key_the_version_and_the_idempotency_key(
    vendor: VendorServer, gateway: Stripe
) -> None:
    wanted = order()
    with pytest.raises(ProviderError, match="no checkout"):
        await gateway.create_checkout(wanted)
    asked: Asked = vendor.asked[0]
    assert (asked.method, asked.path) == ("POST", "/v1/checkout/sessions")
    assert asked.headers["authorization"] == f"Bearer {KEY}"
    assert asked.headers["stripe-version"] == API_VERSION
    assert asked.headers["idempotency-key"] == str(wanted.purchase_id)


@pytest.mark.parametrize(
    ("status", "error", "permanent"),
    [
        (400, {"type": "invalid_request_error", "message": "Alice"}, True),
        (400, {"type": "idempotency_error", "message": "Alice"}, True),
        (401, {"type": "invalid_request_error", "message": "Invalid API Key: sk_test_***"}, True),
        (402, {"type": "card_error", "code": "card_declined", "message": "Alice"}, True),
        (403, {"type": "invalid_request_error"}, True),
        (404, {"type": "invalid_request_error", "code": "resource_missing"}, True),
        (409, {"type": "idempotency_error", "code": "idempotency_key_in_use"}, False),
        (429, {"type": "invalid_request_error", "code": "lock_timeout"}, False),
        (500, {"type": "api_error", "message": "Alice"}, False),
        (503, {"type": "api_error"}, False),
    ],
)
@pytest.mark.usefixtures("at_once")
async def test_an_error_says_whether_to_try_again_and_names_nobody(
    vendor: VendorServer, gateway: Stripe, status: int, error: Any, permanent: bool
) -> None:
    vendor.answer = answering(status, {"error": error})
    with pytest.raises(ProviderError, match=f"HTTP {status}") as raised:
        await gateway.create_checkout(order())
    assert raised.value.permanent is permanent
    assert "Alice" not in str(raised.value)
    assert "sk_test" not in str(raised.value)
    assert raised.value.__suppress_context__
    keys = {asked.headers["idempotency-key"] for asked in vendor.asked}
    assert len(keys) == 1
    assert len(vendor.asked) == (3 if status in (409, 500, 503) else 1)


@pytest.mark.parametrize("error", ["Alice", None, [], 7, {}, {"code": ["x"]}, {"payment_intent": "Alice"}])
@pytest.mark.parametrize("status", [302, 400, 402, 404, 429, 500])
@pytest.mark.usefixtures("at_once")
async def test_an_error_of_any_form_is_one(vendor: VendorServer, gateway: Stripe, status: int, error: Any) -> None:
    vendor.answer = answering(status, {"error": error})
    for asking in (
        gateway.create_checkout(order()),
        gateway.refund("pi_1", amount_minor=None, currency="EUR", idempotency_key="k"),
    ):
        with pytest.raises(ProviderError) as raised:
            await asking
        assert "Alice" not in str(raised.value)


@pytest.mark.usefixtures("at_once")
async def test_a_decline_that_says_nothing_more_is_still_one(vendor: VendorServer, gateway: Stripe) -> None:
    card = SavedCard("cus_1", "pm_1", "visa", "4242", 12, 2030)
    for error in ({"type": "card_error"}, {"type": "card_error", "code": 7, "payment_intent": {"id": 7}}):
        vendor.answer = answering(402, {"error": error})
        assert await gateway.charge_saved_card(charge(card)) == Charge("", ChargeStatus.DECLINED, "")


@pytest.mark.parametrize("body", [b"", b"<html>busy</html>", b"[]", b'"x"', b"null"])
@pytest.mark.parametrize("status", [200, 502])
@pytest.mark.usefixtures("at_once")
async def test_what_is_no_answer_is_worth_another_try(
    vendor: VendorServer, gateway: Stripe, body: bytes, status: int
) -> None:
    vendor.answer = answering(status, body)
    for asking in (gateway.create_checkout(order()), gateway.saved_card("pi_1"), _listed(gateway)):
        with pytest.raises(ProviderError) as raised:
            await asking
        assert not raised.value.permanent


async def test_an_answer_that_never_comes_is_given_up(
    vendor: VendorServer, gateway: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_transport, "REQUEST_SECONDS_MAX", 0.2)
    vendor.fault = Fault.SLOW
    with pytest.raises(ProviderError, match="no answer") as raised:
        await gateway.create_checkout(order())
    assert not raised.value.permanent


@pytest.mark.usefixtures("at_once")
async def test_nobody_there_is_worth_another_try() -> None:
    gateway = Stripe(KEY, ("whsec_x",), "http://127.0.0.1:1", trust_env=False)
    for asking in (
        gateway.create_checkout(order()),
        gateway.fetch_checkout("cs_1"),
        gateway.expire_checkout("cs_1"),
        gateway.saved_card("pi_1"),
        gateway.forget_card("pm_1"),
        gateway.refund("pi_1", amount_minor=1, currency="EUR", idempotency_key="k"),
        _listed(gateway),
    ):
        with pytest.raises(ProviderError, match="cannot be reached") as raised:
            await asking
        assert not raised.value.permanent
    await gateway.close()


async def test_a_list_that_does_not_end_is_given_up(vendor: VendorServer, gateway: Stripe) -> None:
    session = {"id": "cs_1", "object": "checkout.session", "created": 1, "mode": "payment", "status": "expired"}
    vendor.answer = answering(200, {"object": "list", "data": [session], "has_more": True, "url": "/v1/x"})
    with pytest.raises(ProviderError, match="does not end"):
        await _listed(gateway)
    vendor.answer = answering(200, {"object": "list", "data": [], "has_more": True, "url": "/v1/x"})
    with pytest.raises(ProviderError, match="does not end"):
        await _listed(gateway)


def test_both_adapters_keep_the_contract() -> None:
    def takes(gateway: type[Gateway]) -> str:
        return gateway.name

    assert [takes(Stripe), takes(Simulated)] == ["stripe", "simulated"]


async def test_a_charge_in_no_known_state_is_an_error(vendor: VendorServer, gateway: Stripe, shop: Shop) -> None:
    vendor.answer = answering(200, {"id": "pi_1", "object": "payment_intent", "status": "dreaming"})
    with pytest.raises(ProviderError, match="no known state"):
        await gateway.charge_saved_card(charge(await shop.card()))


async def test_the_library_writes_nothing_of_anybody_into_the_log(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        await shop.checkout()
        with pytest.raises(ProviderError):
            await shop.checkout(email="not-an-address-of-alice")
    assert "alice" not in caplog.text


async def test_the_simulated_company_fails_as_it_is_told(shop: Shop) -> None:
    await shop.control.go_wrong(Faults(api_status=503))
    with pytest.raises(ProviderError, match="HTTP 503") as raised:
        await shop.checkout()
    assert not raised.value.permanent
    await shop.control.go_wrong(Faults(api_status=401))
    with pytest.raises(ProviderError, match="HTTP 401") as raised:
        await shop.checkout()
    assert raised.value.permanent


def test_the_simulated_company_lives_on_loopback_and_has_no_live_mode() -> None:
    for base in ("https://api.stripe.com", "http://example.org", "http://10.0.0.1:80", "file:///x", ""):
        with pytest.raises(ValueError, match="loopback"):
            Simulated(SimulatedGatewayAccount(KEY, "whsec_x", "c", base))
    with pytest.raises(ValueError, match="live mode"):
        Simulated(SimulatedGatewayAccount("sk_live_x", "whsec_x", "c", "http://127.0.0.1:1"))


def test_outside_the_demo_nobody_buys_with_simulated_money() -> None:
    refuse_outside_demo("simulated", demo=True)
    refuse_outside_demo("stripe", demo=False)
    with pytest.raises(Refused):
        refuse_outside_demo("simulated", demo=False)


def test_both_sides_of_an_installation_know_the_same_secrets() -> None:
    settings = Settings(secret_key="s" * 32, port=4000)  # type: ignore[arg-type]  # pydantic makes it a secret
    account = SimulatedGatewayAccount.of(settings)
    assert account == SimulatedGatewayAccount.of(settings)
    assert account.api_base == "http://127.0.0.1:4002"
    assert SimulatedGatewayAccount.of(settings, 5000).api_base == "http://127.0.0.1:5000"
    assert account.webhook_secret not in repr(account)
    secrets = {account.api_key, account.webhook_secret, account.control_secret}
    assert len(secrets) == 3
    assert Simulated.of(settings).live is False
    other = SimulatedGatewayAccount.of(Settings(secret_key="t" * 32))  # type: ignore[arg-type]  # as above
    assert other.api_key != account.api_key


async def _listed(gateway: Stripe) -> None:
    now = datetime.now(UTC)
    async for _ in gateway.list_payments(now - timedelta(days=1), now):
        pass
