"""The phone company's numbers: asked by the real adapter, by Twilio's own library, and with all that goes wrong."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest
from twilio.base.exceptions import TwilioRestException  # type: ignore[import-untyped]  # it has no types
from twilio.http.http_client import TwilioHttpClient  # type: ignore[import-untyped]
from twilio.rest import Client  # type: ignore[import-untyped]

from talktime.carriers.contract import LegState
from talktime.carriers.numbers import (
    Doors,
    NotForSale,
    NumberGone,
    NumberKind,
    NumberPrice,
    Search,
    SlowDown,
    Spoken,
    numbers_of,
)
from talktime.carriers.twilio import Twilio
from talktime.carriers.twilio_numbers import TwilioNumbers
from talktime.errors import ProviderError
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.numbers import NumberBooks
from talktime.simulate.orders import NumberFault
from tests.simulate.conftest import CONTROL
from tests.simulate.exchange import ACCOUNT, TOKEN, Exchange

LONDON = "+442079460001"
DOORS = Doors("https://talk.example.org/hooks/twilio/ring", "https://talk.example.org/hooks/twilio/report")


@pytest.fixture(scope="module")
async def the_company() -> AsyncGenerator[SimulatedCarrier, None]:
    async with SimulatedCarrier(ACCOUNT, TOKEN, control_secret=CONTROL) as company:
        yield company


@pytest.fixture
def company(the_company: SimulatedCarrier) -> SimulatedCarrier:
    """Without any number."""
    the_company.numbers = NumberBooks()
    return the_company


@pytest.fixture
async def numbers(company: SimulatedCarrier) -> AsyncGenerator[TwilioNumbers, None]:
    twilio = Twilio(ACCOUNT, TOKEN, company.api_base)
    assert numbers_of(twilio) is twilio.numbers
    yield twilio.numbers
    await twilio.close()


def sdk(company: SimulatedCarrier) -> Client:
    """Twilio's own library, which is sent to the company instead of the world."""

    class Here(TwilioHttpClient):  # type: ignore[misc]  # it has no types
        def request(self, method: str, url: str, *more: Any, **rest: Any) -> Any:
            for host in ("https://api.twilio.com", "https://pricing.twilio.com"):
                url = url.replace(host, company.api_base)
            return super().request(method, url, *more, **rest)

    return Client(ACCOUNT, TOKEN, http_client=Here(pool_connections=False))


async def test_a_number_is_found_priced_bought_configured_and_given_back(numbers: TwilioNumbers) -> None:
    offered = await numbers.available(Search("GB", area="020", limit=3))
    assert [each.number for each in offered] == ["+442079460000", LONDON, "+442079460002"]
    assert (offered[0].place, offered[0].kind, offered[0].capabilities) == ("London", NumberKind.LOCAL, ["voice"])
    assert await numbers.price("GB", NumberKind.LOCAL) == NumberPrice(1_150_000, "USD")
    bought = await numbers.buy(LONDON, DOORS)
    assert (bought.number, bought.doors, bought.rings_by_post) == (LONDON, DOORS, True)
    assert await numbers.find(LONDON) == bought
    assert await numbers.owned() == [bought]
    assert LONDON not in [each.number for each in await numbers.available(Search("GB", limit=50))]
    elsewhere = Doors("https://other.example.org/ring", "https://other.example.org/report")
    assert (await numbers.configure(bought.number_id, elsewhere)).doors == elsewhere
    await numbers.release(bought.number_id)
    await numbers.release(bought.number_id)
    assert await numbers.find(LONDON) is None
    with pytest.raises(NumberGone):
        await numbers.configure(bought.number_id, DOORS)


async def test_what_is_not_sold_says_so_and_what_has_no_price_has_none(
    company: SimulatedCarrier, numbers: TwilioNumbers
) -> None:
    company.numbers.take(LONDON)
    with pytest.raises(NotForSale, match="somebody else"):
        await numbers.buy(LONDON, DOORS)
    assert company.numbers.orders == 0
    assert await numbers.available(Search("FR")) == []
    assert await numbers.available(Search("DE", NumberKind.TOLL_FREE)) == []
    assert await numbers.price("FR", NumberKind.LOCAL) is None
    assert await numbers.price("DE", NumberKind.TOLL_FREE) is None
    company.numbers.go_wrong(NumberFault(what="buy", status=400, code=21631))
    with pytest.raises(NotForSale, match="address"):
        await numbers.buy("+442079460002", DOORS)


async def test_a_search_is_by_area_digits_and_kind(numbers: TwilioNumbers) -> None:
    assert {each.number[:5] for each in await numbers.available(Search("US", area="212"))} == {"+1212"}
    mobile = await numbers.available(Search("DE", NumberKind.MOBILE, limit=2))
    assert [each.needs_address for each in mobile] == [True, True]
    berlin = await numbers.available(Search("DE", area="030", contains="77", limit=50))
    assert berlin
    assert all("77" in each.number and each.number.startswith("+4930") for each in berlin)
    assert (await numbers.available(Search("US", NumberKind.TOLL_FREE, limit=1)))[0].number == "+18005550100"


async def test_all_pages_of_a_long_list_are_read(
    company: SimulatedCarrier, numbers: TwilioNumbers, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = [company.numbers.put(f"+4420794600{nth:02d}").number for nth in range(23)]
    monkeypatch.setattr("talktime.carriers.twilio_numbers.PAGE_SIZE", 10)
    assert [each.number for each in await numbers.owned()] == put
    company.numbers.put("+442079460001234"[:13])
    found = await numbers.find("+442079460012")
    assert found is not None
    assert found.number == "+442079460012"


@pytest.mark.parametrize(("status", "permanent"), [(500, False), (503, False), (400, True), (403, True), (404, True)])
async def test_a_refusal_says_whether_to_try_again(
    company: SimulatedCarrier, numbers: TwilioNumbers, status: int, permanent: bool
) -> None:
    company.numbers.go_wrong(NumberFault(what="list", status=status))
    with pytest.raises(ProviderError) as error:
        await numbers.owned()
    assert error.value.permanent is permanent
    assert TOKEN not in str(error.value)
    assert await numbers.owned() == []


async def test_who_asks_too_often_is_told_how_long_to_wait(company: SimulatedCarrier, numbers: TwilioNumbers) -> None:
    company.numbers.go_wrong(NumberFault(what="change", status=429, retry_after_seconds=7))
    owned = company.numbers.put(LONDON)
    with pytest.raises(SlowDown) as error:
        await numbers.configure(owned.sid, DOORS)
    assert (error.value.retry_after_seconds, error.value.permanent) == (7, False)
    assert owned.voice_url == ""


async def test_a_number_may_be_sold_although_the_answer_is_lost(company: SimulatedCarrier) -> None:
    company.numbers.go_wrong(NumberFault(what="buy", after=True, delay_seconds=3))
    async with httpx.AsyncClient(timeout=0.3) as client:
        twilio = Twilio(ACCOUNT, TOKEN, company.api_base, client)
        with pytest.raises(ProviderError) as error:
            await twilio.numbers.buy(LONDON, DOORS)
        assert not error.value.permanent
        assert await twilio.numbers.find(LONDON)
        with pytest.raises(NotForSale):
            await twilio.numbers.buy(LONDON, DOORS)
    assert company.numbers.orders == 1


async def test_what_is_no_number_and_no_name_never_leaves(company: SimulatedCarrier) -> None:
    twilio = Twilio(ACCOUNT, TOKEN, "http://127.0.0.1:1")
    for ask in (
        lambda: twilio.numbers.buy("030 123", DOORS),
        lambda: twilio.numbers.find("+49 30"),
        lambda: twilio.numbers.configure("PN1/../x", DOORS),
        lambda: twilio.numbers.release("../Calls"),
        lambda: twilio.numbers.price("DE/../US", NumberKind.LOCAL),
        lambda: twilio.numbers.available(Search("../")),
        lambda: twilio.numbers.place("1", LONDON, Spoken()),
    ):
        with pytest.raises(ProviderError) as error:
            await ask()
        assert error.value.permanent, ask
    await twilio.close()
    assert company.numbers.orders == 0


async def test_our_call_says_a_code_to_whoever_picks_up(company: SimulatedCarrier, numbers: TwilioNumbers) -> None:
    company.numbers.put(LONDON)
    call = await numbers.place("+4930999888", LONDON, Spoken(("Your code is:", "1, 2, 3"), "de"))
    leg = await until_over(numbers, call)
    assert leg == LegState.COMPLETED
    assert company.heard("+4930999888")[-2:] == ["Your code is:", "1, 2, 3"]
    company.outcomes["+4930999777"] = "busy"
    assert await until_over(numbers, await numbers.place("+4930999777", LONDON, Spoken(("x",)))) == LegState.BUSY
    with pytest.raises(ProviderError) as error:
        await numbers.place("+4930999888", "+4930111111", Spoken(("x",)))
    assert error.value.permanent
    async with httpx.AsyncClient(trust_env=False, headers={"Authorization": f"Bearer {CONTROL}"}) as client:
        said = (await client.get(f"{company.api_base}/simulate/numbers", params={"heard": "+4930999888"})).json()
        assert said["heard"][-2:] == ["Your code is:", "1, 2, 3"]
        assert [each["phone_number"] for each in said["numbers"]] == [LONDON]
        fault = NumberFault(what="list", status=500).model_dump_json()
        await client.post(f"{company.api_base}/simulate/number-faults", content=fault)
        bad = await client.post(f"{company.api_base}/simulate/number-faults", content="{}")
        assert bad.status_code == 422
        await client.post(f"{company.api_base}/simulate/numbers", data={"drop": LONDON, "put": "+442079460009"})
    with pytest.raises(ProviderError):
        await numbers.owned()
    assert [each.number for each in await numbers.owned()] == ["+442079460009"]


async def test_our_call_to_our_own_number_rings_at_its_voice_address(
    company: SimulatedCarrier, numbers: TwilioNumbers, exchange: Exchange
) -> None:
    company.numbers.put(LONDON, voice_url=f"{exchange.url}/ring", status_callback=f"{exchange.url}/report")
    company.numbers.put("+442079460002")
    call = await numbers.place(LONDON, "+442079460002", Spoken(pause_seconds=1))
    async with asyncio.timeout(8):
        while not exchange.sockets:
            await asyncio.sleep(0.02)
    assert await until_over(numbers, call) == LegState.COMPLETED
    silent = await numbers.place("+442079460002", LONDON, Spoken(pause_seconds=1))
    assert await until_over(numbers, silent) == LegState.FAILED


def test_what_an_account_has_outlives_its_company(tmp_path: Path) -> None:
    kept = tmp_path / "home" / "numbers.json"
    books = NumberBooks(kept)
    assert books.all() == []
    sold = books.sell(LONDON, {"VoiceUrl": DOORS.voice_url})
    other = books.put("+442079460002")
    books.change(other, {"StatusCallback": DOORS.status_callback})
    books.remove(books.put("+442079460003").sid)
    assert NumberBooks(kept).all() == [sold, other]
    assert NumberBooks(tmp_path / "nowhere.json").all() == []


async def test_control_and_api_ask_for_their_own_secrets(company: SimulatedCarrier) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        for path in ("/simulate/numbers", "/v1/PhoneNumbers/Countries/US"):
            assert (await client.get(company.api_base + path)).status_code == 401
        for method, path in (
            ("GET", "IncomingPhoneNumbers.json"),
            ("POST", "IncomingPhoneNumbers.json"),
            ("DELETE", "IncomingPhoneNumbers/PN1.json"),
            ("GET", "AvailablePhoneNumbers/US/Local.json"),
            ("POST", "Calls.json"),
        ):
            url = f"{company.api_base}/2010-04-01/Accounts/{ACCOUNT}/{path}"
            answer = await client.request(method, url, auth=(ACCOUNT, "wrong"))
            assert (answer.status_code, answer.json()["code"]) == (401, 20003)


async def test_twilios_own_library_understands_the_company(company: SimulatedCarrier) -> None:
    """Their client against our server: the same pages, fields and errors."""
    put = [company.numbers.put(f"+44207946{nth:04d}").number for nth in range(7)]

    def ask() -> None:
        client = sdk(company)
        listed = client.incoming_phone_numbers.list(page_size=3)
        assert [each.phone_number for each in listed] == put
        offered = client.available_phone_numbers("US").local.list(area_code=212, limit=4)
        assert [each.phone_number for each in offered] == [f"+121255501{nth:02d}" for nth in range(4)]
        prices = client.pricing.v1.phone_numbers.countries("US").fetch()
        assert (prices.price_unit, prices.phone_number_prices[0]["current_price"]) == ("USD", "1.15")
        bought = client.incoming_phone_numbers.create(phone_number="+12125550100", voice_url=DOORS.voice_url)
        assert (bought.voice_url, bought.capabilities["voice"]) == (DOORS.voice_url, True)
        changed = bought.update(voice_url="https://x.example.org", status_callback=DOORS.status_callback)
        assert (changed.voice_url, changed.status_callback) == ("https://x.example.org", DOORS.status_callback)
        with pytest.raises(TwilioRestException) as error:
            client.incoming_phone_numbers.create(phone_number="+12125550100")
        assert (error.value.status, error.value.code) == (400, 21422)
        call = client.calls.create(to="+4930999888", from_=put[0], twiml="<Response><Say>Hi</Say></Response>")
        assert (call.direction, call.status) == ("outbound-api", "queued")
        assert bought.delete()
        with pytest.raises(TwilioRestException) as error:
            client.incoming_phone_numbers(bought.sid).fetch()
        assert (error.value.status, error.value.code) == (404, 20404)

    await asyncio.to_thread(ask)


async def until_over(numbers: TwilioNumbers, call: str) -> LegState:
    async with asyncio.timeout(10):
        while True:
            leg = await numbers.look_up(call)
            assert leg is not None
            if leg.state.is_over:
                return leg.state
            await asyncio.sleep(0.05)
