"""What Twilio's API for numbers might answer and must not fool us with."""

from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from talktime.carriers.numbers import Doors, NumberKind, Search, Spoken, numbers_of
from talktime.carriers.twilio import Twilio
from talktime.carriers.twilio_numbers import markup
from talktime.errors import ProviderError
from talktime.simulate.server import listen, serve

ACCOUNT, NUMBER_ID, LONDON = "AC" + "1" * 32, "PN" + "2" * 32, "+442079460001"
DOORS = Doors("https://a.example/ring", "https://a.example/report")


class Liar:
    """A server that says whatever it is told to say."""

    def __init__(self) -> None:
        self.says: Any = {}
        self.status = 200
        self.asked: list[tuple[str, str]] = []

    async def answer(self, request: Request) -> Response:
        self.asked.append((request.method, request.url.path))
        body = self.says if isinstance(self.says, bytes) else orjson.dumps(self.says)
        return Response(body, self.status, media_type="application/json")


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[tuple[Liar, str]]:
    liar, listener = Liar(), listen(0)
    port = listener.getsockname()[1]
    every = Route("/{path:path}", liar.answer, methods=["GET", "POST", "DELETE"])
    async with serve(Starlette(routes=[every]), listener):
        yield liar, f"http://127.0.0.1:{port}"


@pytest.fixture
async def told(server: tuple[Liar, str]) -> AsyncIterator[tuple[Liar, Twilio]]:
    liar, base = server
    liar.says, liar.status, liar.asked = {}, 200, []
    twilio = Twilio(ACCOUNT, "token", base)
    yield liar, twilio
    await twilio.close()


@pytest.mark.parametrize(
    "says",
    [
        b"<html>busy</html>",
        b"",
        b"[]",
        {},
        {"incoming_phone_numbers": "none"},
        {"incoming_phone_numbers": [{}]},
        {"incoming_phone_numbers": [{"sid": NUMBER_ID, "phone_number": "0207"}]},
        {"incoming_phone_numbers": [{"sid": "../x", "phone_number": LONDON}]},
        {"incoming_phone_numbers": [], "next_page_uri": "https://evil.example/2010-04-01/x"},
        {"incoming_phone_numbers": [], "next_page_uri": "//evil.example/x"},
    ],
)
async def test_a_list_that_makes_no_sense_is_no_list(told: tuple[Liar, Twilio], says: Any) -> None:
    liar, twilio = told
    liar.says = says
    for ask in (twilio.numbers.owned, lambda: twilio.numbers.find(LONDON)):
        with pytest.raises(ProviderError):
            await ask()
    assert all(path.startswith(f"/2010-04-01/Accounts/{ACCOUNT}/") for _, path in liar.asked)


async def test_a_list_without_an_end_ends(told: tuple[Liar, Twilio], monkeypatch: pytest.MonkeyPatch) -> None:
    liar, twilio = told
    monkeypatch.setattr("talktime.carriers.twilio_numbers.PAGES_MAX", 5)
    path = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json?Page=1"
    liar.says = {"incoming_phone_numbers": [], "next_page_uri": path}
    with pytest.raises(ProviderError, match="no end"):
        await twilio.numbers.owned()
    assert len(liar.asked) == 5


async def test_another_number_than_was_ordered_is_none_that_was_bought(told: tuple[Liar, Twilio]) -> None:
    liar, twilio = told
    liar.says = {"sid": NUMBER_ID, "phone_number": "+442079460002"}
    with pytest.raises(ProviderError, match="another number"):
        await twilio.numbers.buy(LONDON, DOORS)
    liar.says = b"OK"
    with pytest.raises(ProviderError) as error:
        await twilio.numbers.buy(LONDON, DOORS)
    assert not error.value.permanent, "perhaps it was bought"
    assert [method for method, _ in liar.asked] == ["POST", "POST"], "once each"


@pytest.mark.parametrize(
    "says",
    [
        {},
        {"price_unit": "USD", "phone_number_prices": None},
        {"price_unit": "USD", "phone_number_prices": [{"number_type": "local"}]},
        {"price_unit": "USD", "phone_number_prices": [{"number_type": "local", "current_price": "-1"}]},
        {"price_unit": "dollars", "phone_number_prices": [{"number_type": "local", "current_price": "1.15"}]},
        {"price_unit": "USD", "phone_number_prices": ["local", {"number_type": "mobile", "current_price": "1"}]},
    ],
)
async def test_a_price_that_is_none_is_not_guessed(told: tuple[Liar, Twilio], says: Any) -> None:
    liar, twilio = told
    liar.says = says
    assert await twilio.numbers.price("US", NumberKind.LOCAL) is None


async def test_a_call_without_a_name_may_ring_all_the_same(told: tuple[Liar, Twilio]) -> None:
    liar, twilio = told
    liar.says, liar.status = {"sid": "CA1"}, 201
    with pytest.raises(ProviderError) as error:
        await twilio.numbers.place("+4930999888", LONDON, Spoken(("Hello",)))
    assert not error.value.permanent
    assert len(liar.asked) == 1


async def test_offers_and_fields_are_read_as_the_api_writes_them(told: tuple[Liar, Twilio]) -> None:
    liar, twilio = told
    liar.says = {
        "available_phone_numbers": [
            {
                "phone_number": "+12125550100",
                "locality": None,
                "region": "NY",
                "address_requirements": "any",
                "capabilities": {"voice": True, "SMS": True, "MMS": False},
            }
        ]
    }
    (offered,) = await twilio.numbers.available(Search("US", area="212"))
    assert (offered.place, list(offered.capabilities), offered.needs_address) == ("NY", ["sms", "voice"], True)
    owned = {"sid": NUMBER_ID, "phone_number": LONDON, "voice_url": None, "status_callback": ""}
    for more, is_ours in (
        ({}, True),
        ({"voice_application_sid": "AP1"}, False),
        ({"trunk_sid": "TK1"}, False),
        ({"voice_method": "GET"}, False),
        ({"status_callback_method": "GET"}, False),
    ):
        liar.says = {"incoming_phone_numbers": [{**owned, **more}]}
        (read,) = await twilio.numbers.owned()
        assert (read.rings_by_post, read.doors) == (is_ours, Doors("", ""))
    assert numbers_of(None) is None


def test_what_our_call_says_is_escaped_markup() -> None:
    said = markup(Spoken(('<Hangup/> & "quotes"',), "de", pause_seconds=2))
    assert said == (
        '<Response><Say language="de-DE">&lt;Hangup/&gt; &amp; "quotes"</Say><Pause length="2"/><Hangup/></Response>'
    )
    assert markup(Spoken(pause_seconds=4)) == '<Response><Pause length="4"/><Hangup/></Response>'
