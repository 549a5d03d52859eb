"""What a client is made with, what it never shows, and values on their way in and out."""

import copy
import logging
import pickle
import traceback
from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import httpx
import pytest

from talktime_client import (
    UNSET,
    AnswerUnreadable,
    ApiError,
    AsyncClient,
    Client,
    ConnectionFailed,
    FieldError,
    NotFound,
    RateLimited,
    Retry,
    TimedOut,
)
from talktime_client._exchange import Answer
from talktime_client._retry import retry_after
from talktime_client._values import read_as, written
from talktime_client.errors import error_class
from talktime_client.models import CallStatus, Contact, KnowledgeEntry, MadeKey, Number, Scope
from tests.client.described import Described
from tests.client.everything import arguments_for, methods_of

KEY = "tt_live_" + "S3cr3t" * 5
SITE = "https://talktime.example"


@pytest.mark.parametrize(
    "key", ["", " ", "tt_live_x y", "tt_live_x\n", "tt_live_x\r\nx-a: b", "tt_live_ü", "x" * 201, "tt_live_\0"]
)
def test_a_key_that_cannot_be_one_is_refused_and_not_repeated(key: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(ValueError, match="no API key") as failed:
            kind(SITE, key=key)
        assert "tt_live_x" not in str(failed.value)


@pytest.mark.parametrize(
    "url",
    ["", "talktime.example", "ftp://talktime.example", "https://", "https://user:password@talktime.example",
     "https://talktime.example/?a=b", "https://talktime.example/#a", "https://[", "http://talktime.example"],
)  # fmt: skip
def test_an_address_that_cannot_be_one_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"base_url|unencrypted") as failed:
        Client(url, key=KEY)
    assert "password@" not in str(failed.value)


def test_plain_http_goes_to_this_machine_unless_it_is_wanted() -> None:
    for url in ("http://127.0.0.1:8000", "http://localhost:8000/", "http://[::1]:8000"):
        Client(url, key=KEY).close()
    Client("http://web:8000", key=KEY, allow_plain_http=True).close()


def test_the_key_is_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = Described()

    def broken(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/keys":
            raise httpx.ReadError("cut", request=request)
        if request.url.path == "/v1/account":
            return httpx.Response(500, headers={"content-type": "text/html"}, text=str(request.headers.raw))
        return server.answer(request)

    shown = []
    with Client(SITE, key=KEY, transport=httpx.MockTransport(broken), retry=Retry(tries_max=1)) as client:
        client.me.get()
        for deed in (client.account.get, client.keys.list().first_page):
            try:
                deed()
            except (ApiError, ConnectionFailed) as error:
                shown += [str(error), repr(error), "".join(traceback.format_exception(error)), repr(error.__cause__)]
        shown += [repr(client), str(vars(client)), repr(client._transport), repr(client._transport._http.auth)]
        with pytest.raises(TypeError):
            pickle.dumps(client._transport._http.auth)
    assert len(shown) == 12
    assert "Client('https://talktime.example')" in shown
    assert not [each for each in [*shown, caplog.text] if KEY in each or "S3cr3t" in each]


def test_secrets_that_come_are_not_shown() -> None:
    server = Described()
    server.document["components"]["schemas"]["MadeKey"]["examples"][0]["secret"] = "tt_live_new"
    with Client(SITE, key=KEY, transport=httpx.MockTransport(server.answer)) as client:
        made = client.keys.create(name="CRM", scopes=[Scope.CALLS_READ])
        assert isinstance(made, MadeKey)
        assert made.secret == "tt_live_new"
        assert "tt_live_new" not in repr(made)
        for name, method in methods_of(client):
            places, named = arguments_for(method)
            assert "secret=" not in repr(method(*places, **named)), name


def test_a_request_that_never_left_is_known_to_be_undone() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("no", request=request)

    with (
        Client(SITE, key=KEY, transport=httpx.MockTransport(refuse), retry=Retry(tries_max=1)) as client,
        pytest.raises(TimedOut) as failed,
    ):
        client.me.get()
    assert not failed.value.maybe_done


def test_values_are_frozen_and_can_be_copied() -> None:
    entry = KnowledgeEntry(key="parking")
    with pytest.raises(FrozenInstanceError):
        entry.key = "else"  # type: ignore[misc]
    assert copy.deepcopy(entry) == entry == pickle.loads(pickle.dumps(entry))
    parked = CallStatus("PARKED")
    assert pickle.loads(pickle.dumps(parked)) == parked == copy.deepcopy(parked) == "PARKED"
    assert {parked: 1}[CallStatus("PARKED")] == 1
    assert not UNSET
    assert repr(UNSET) == "UNSET"


def test_errors_can_be_handed_to_another_process() -> None:
    error = NotFound(404, "/problems/not-found", "Not found", "It is not there.", [FieldError("id", "no")], "r1", 2.5)
    for each in (error, TimedOut("late", True), AnswerUnreadable("no")):
        again = pickle.loads(pickle.dumps(each))
        assert (type(again), str(again), vars(again)) == (type(each), str(each), vars(each))
    assert error.kind == "not-found"


def test_every_refusal_has_its_class() -> None:
    assert error_class(429, "/problems/too-many-requests") is RateLimited
    assert error_class(404, "/problems/no-such-line") is NotFound
    assert error_class(418, "about:blank") is ApiError
    assert error_class(599, "about:blank").__name__ == "ServerError"


def test_what_is_sent_is_written_as_json_has_it() -> None:
    berlin = timezone(timedelta(hours=1))
    assert written(datetime(2026, 11, 20, 9, 0, tzinfo=berlin)) == "2026-11-20T09:00:00+01:00"
    assert written(date(2026, 11, 20)) == "2026-11-20"
    assert written([Contact(name="A", number="+491"), CallStatus.COMPLETED, UUID(int=1)]) == [
        {"name": "A", "number": "+491"}, "COMPLETED", "00000000-0000-0000-0000-000000000001"
    ]  # fmt: skip
    assert type(written(CallStatus.COMPLETED)) is str
    with pytest.raises(ValueError, match="zone"):
        written(datetime(2026, 11, 20))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(TypeError):
        written(object())


def test_what_comes_is_read_into_its_type_or_refused_by_its_place() -> None:
    number: dict[str, Any] = {
        "id": "0199c8f6-0000-7000-8000-000000000001", "number": "+493023125000", "national": "030 23125000",
        "agent_id": None, "capabilities": ["voice"], "assigned_at": "2026-10-02T08:00:00Z", "rent_credits": 300,
        "rent_due_on": "2026-12-02", "rent_unpaid_since": None,
    }  # fmt: skip
    found = read_as(Number, {**number, "added_later": 1})
    assert (found.rent_due_on, found.assigned_at) == (date(2026, 12, 2), datetime(2026, 10, 2, 8, tzinfo=UTC))
    for field, wrong in (
        ("id", "no id"), ("id", 5), ("rent_credits", "300"), ("rent_credits", True), ("rent_credits", 3.5),
        ("assigned_at", "yesterday"), ("assigned_at", "2026-10-02T08:00:00"), ("rent_due_on", "2026-13-01"),
        ("capabilities", "voice"), ("capabilities", [5]), ("number", None),
    ):  # fmt: skip
        with pytest.raises(AnswerUnreadable, match=field):
            read_as(Number, {**number, field: wrong})
    del number["national"]
    with pytest.raises(AnswerUnreadable, match="national"):
        read_as(Number, number)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("5", 5), ("0", 0), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("٥", None), ("9" * 40, 999999999),
     ("Wed, 21 Oct 2015 07:28:00 GMT", 0), ("Wed, 99 Oct 2015", None)],
)  # fmt: skip
def test_how_long_to_wait_is_read_as_seconds_or_as_a_date(said: str, seconds: float | None) -> None:
    assert retry_after(Answer(429, {"retry-after": said}, b"")) == seconds
