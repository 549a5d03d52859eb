"""One try over a real connection: what is taken for a yes, what is read, where a name may lead the second time."""

import ssl
import time
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
import trustme

from talktime.simulate.receiver import Manner, Receiver
from talktime.webhooks.post import Poster
from talktime.webhooks.targets import Resolve

BODY = b'{"type":"webhook.test"}'


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def leading_to(*answers: Sequence[str]) -> tuple[Resolve, list[str]]:
    """A resolver that says one thing after the other, and what it was asked for."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return answers[min(len(asked), len(answers)) - 1]

    return resolve, asked


@pytest.fixture
def near() -> Poster:
    """Sends to this machine, too."""
    return Poster(to_private=True, seconds_max=2)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
async def test_any_of_the_two_hundreds_is_a_yes(receiver: Receiver, near: Poster, status: int) -> None:
    receiver.status, receiver.answer = status, b"ok"
    outcome = await near.send(receiver.url, BODY, {"webhook-id": "msg_1"})
    assert (outcome.is_success, outcome.status) == (True, status)
    assert outcome.answer == ("" if status == 204 else "ok")
    assert receiver.received[0].body == BODY
    assert receiver.received[0].headers["webhook-id"] == "msg_1"
    assert receiver.received[0].headers["content-type"] == "application/json"
    assert receiver.received[0].headers["host"] == f"127.0.0.1:{receiver.port}"


@pytest.mark.parametrize("status", [300, 304, 400, 401, 404, 410, 429, 500, 503])
async def test_nothing_else_is(receiver: Receiver, near: Poster, status: int) -> None:
    receiver.status, receiver.answer = status, b"no"
    outcome = await near.send(receiver.url, BODY, {})
    assert not outcome.is_success
    assert outcome.status == status
    assert str(status) in (outcome.error or "")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_a_failure_and_not_followed(receiver: Receiver, near: Poster, status: int) -> None:
    async with Receiver() as elsewhere:
        receiver.status, receiver.headers = status, [("location", elsewhere.url)]
        outcome = await near.send(receiver.url, BODY, {})
        assert not outcome.is_success
        assert "Redirects are not followed" in (outcome.error or "")
        assert not elsewhere.received


@pytest.mark.parametrize("manner", [Manner.SILENT, Manner.DRIPPING])
async def test_all_of_it_ends_in_time(receiver: Receiver, manner: Manner) -> None:
    receiver.manner = manner
    began = time.monotonic()
    outcome = await Poster(to_private=True, seconds_max=0.4).send(receiver.url, BODY, {})
    assert time.monotonic() - began < 2
    assert not outcome.is_success
    assert "within 0.4 seconds" in (outcome.error or "")


async def test_of_an_answer_without_an_end_the_beginning_is_read_and_kept(receiver: Receiver, near: Poster) -> None:
    receiver.manner = Manner.ENDLESS
    outcome = await near.send(receiver.url, BODY, {})
    assert outcome.is_success
    assert outcome.answer == "x" * 4096


@pytest.mark.parametrize("manner", [Manner.DOWN, Manner.BREAKS_OFF, Manner.GARBAGE, Manner.HUGE_HEAD])
async def test_what_is_no_answer_is_a_failure_in_words(receiver: Receiver, near: Poster, manner: Manner) -> None:
    receiver.manner = manner
    outcome = await near.send(receiver.url, BODY, {})
    assert not outcome.is_success
    assert (outcome.error or "").endswith(".")
    assert "127.0.0.1" not in (outcome.error or "")


async def test_an_answer_that_says_it_is_compressed_is_not_expanded(receiver: Receiver, near: Poster) -> None:
    receiver.manner = Manner.BOMB
    outcome = await near.send(receiver.url, BODY, {})
    assert outcome.is_success
    assert receiver.received[0].headers["accept-encoding"] == "identity"


async def test_an_answer_of_any_bytes_is_kept_as_text(receiver: Receiver, near: Poster) -> None:
    receiver.status, receiver.answer = 200, b"\xff\x00\xfe" * 3000
    outcome = await near.send(receiver.url, BODY, {})
    assert outcome.answer is not None
    assert "\0" not in outcome.answer
    assert len(outcome.answer) == 4096


async def test_nobody_there_is_a_failure(near: Poster) -> None:
    async with Receiver() as receiver:
        url = receiver.url
    outcome = await near.send(url, BODY, {})
    assert (outcome.status, outcome.error) == (None, "No connection could be made.")


@pytest.mark.parametrize(
    "found",
    [["127.0.0.1"], ["::1"], ["::ffff:127.0.0.1"], ["169.254.169.254"], ["8.8.8.8", "127.0.0.1"], ["64:ff9b::a00:1"]],
)
async def test_a_name_that_leads_into_our_own_network_is_not_connected_to(receiver: Receiver, found: list[str]) -> None:
    resolve, asked = leading_to(found)
    outcome = await Poster(resolve=resolve, seconds_max=2).send(f"http://hooks.example.org:{receiver.port}/", BODY, {})
    assert outcome.error is not None
    assert "not of the public internet" in outcome.error
    assert asked == ["hooks.example.org"]
    assert not receiver.received


async def test_a_name_that_answers_differently_the_second_time_is_asked_once_and_leads_nowhere_else(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was looked at is what is connected to: the name is handed to nobody who would ask again."""
    resolve, asked = leading_to(["::1"], ["127.0.0.1"])
    looked_at: list[Sequence[str]] = []

    def look(found: Sequence[str]) -> list[str]:
        looked_at.append(found)
        return list(found)

    monkeypatch.setattr("talktime.webhooks.post.public_addresses", look)
    poster = Poster(resolve=resolve, seconds_max=1)
    outcome = await poster.send(f"http://hooks.example.org:{receiver.port}/", BODY, {})
    # The receiver listens where the second answer leads; the first, which was looked at, has nobody there.
    assert (asked, looked_at) == (["hooks.example.org"], [["::1"]])
    assert not outcome.is_success
    assert not receiver.received


async def test_a_name_is_looked_up_anew_for_every_try(receiver: Receiver) -> None:
    resolve, asked = leading_to(["127.0.0.1"])
    poster = Poster(to_private=True, resolve=resolve, seconds_max=2)
    for _ in range(2):
        assert (await poster.send(f"http://hooks.example.org:{receiver.port}/", BODY, {})).is_success
    assert len(asked) == 2


async def test_a_name_that_leads_nowhere_is_a_failure() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError(f"{host}: Name or service not known")

    outcome = await Poster(resolve=resolve).send("https://hooks.example.org/", BODY, {})
    assert outcome.error == "The name leads nowhere."
    resolve_nothing, _ = leading_to([])
    outcome = await Poster(resolve=resolve_nothing).send("https://hooks.example.org/", BODY, {})
    assert outcome.error == "The name leads nowhere."


async def test_the_next_address_is_tried_when_the_first_does_not_answer(receiver: Receiver) -> None:
    resolve, _ = leading_to(["::1", "127.0.0.1"])
    poster = Poster(to_private=True, resolve=resolve, seconds_max=2)
    assert (await poster.send(f"http://hooks.example.org:{receiver.port}/", BODY, {})).is_success


def _certified(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def _trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.mark.parametrize(
    ("certified", "trusting", "is_taken"),
    [
        (lambda ca: _certified(ca, "hooks.example.org"), _trusting, True),
        (lambda ca: _certified(ca, "other.example.org"), _trusting, False),
        (lambda ca: _certified(ca, "127.0.0.1"), _trusting, False),
        (lambda ca: _certified(ca, "hooks.example.org"), lambda _: ssl.create_default_context(), False),
    ],
)
async def test_the_certificate_is_the_names_and_of_somebody_who_is_trusted(
    authority: trustme.CA,
    certified: Callable[[trustme.CA], ssl.SSLContext],
    trusting: Callable[[trustme.CA], ssl.SSLContext],
    is_taken: bool,
) -> None:
    """It is the name's that stands in the address, although the connection goes to an address that was looked at."""
    resolve, _ = leading_to(["127.0.0.1"])
    async with Receiver(certificates=certified(authority)) as receiver:
        poster = Poster(to_private=True, resolve=resolve, certificates=trusting(authority), seconds_max=3)
        outcome = await poster.send(f"https://hooks.example.org:{receiver.port}/hook", BODY, {})
        assert outcome.is_success is is_taken
        if not is_taken:
            assert outcome.error == "The certificate is not one for this name that browsers would take."
            assert not receiver.received
