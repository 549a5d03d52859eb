"""Twilio's rings and reports, as forms."""

from urllib.parse import urlencode

import pytest

from talktime.carriers.contract import BadMessage, Forwarded, LegState, Report, Request, Ring
from talktime.carriers.twilio import Twilio

ACCOUNT, CALL = "AC" + "1" * 32, "CA" + "2" * 32
TWILIO = Twilio(ACCOUNT, "token")


def request_of(**fields: str | list[str] | None) -> Request:
    form = {"CallSid": CALL, "AccountSid": ACCOUNT, "From": "+4915112345678", "To": "+4930123456", **fields}
    present = {name: value for name, value in form.items() if value is not None}
    headers = {"content-type": "application/x-www-form-urlencoded"}
    return Request("POST", "https://example.org/voice", headers, urlencode(present, doseq=True).encode())


def test_a_ring_is_read() -> None:
    assert TWILIO.read_ring(request_of(CallStatus="ringing")) == Ring(ACCOUNT, CALL, "+4915112345678", "+4930123456")


@pytest.mark.parametrize(
    "caller", ["+266696687", "+7378742833", "+2562533", "+8656696", "+86282452253", "anonymous", "", None, "sip:a@b.de"]
)
def test_a_caller_without_a_number_has_none(caller: str | None) -> None:
    assert TWILIO.read_ring(request_of(From=caller)).caller == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"CallSid": None},
        {"CallSid": "../Accounts"},
        {"CallSid": CALL + "0"},
        {"CallSid": [CALL, CALL]},
        {"To": None},
        {"To": " 4930123456"},
        {"To": "client:bob"},
        {"To": "+٤٩٣٠١٢٣٤٥٦"},
        {"AccountSid": None},
    ],
)
def test_a_ring_that_is_not_of_twilios_form_is_refused(changes: dict[str, str | list[str] | None]) -> None:
    with pytest.raises(BadMessage):
        TWILIO.read_ring(request_of(**changes))


def test_a_body_that_is_no_form_is_refused() -> None:
    for body, kind in (
        (b"{}", "application/json"),
        (b"\xff", "application/x-www-form-urlencoded"),
        (b"a=1&" * 999, ""),
    ):
        with pytest.raises(BadMessage):
            TWILIO.read_ring(Request("POST", "https://example.org/voice", {"content-type": kind}, body))


def test_a_report_counts_seconds_and_never_the_billed_minutes() -> None:
    report = TWILIO.read_report(request_of(CallStatus="completed", CallDuration="95", Duration="2", SequenceNumber="3"))
    assert report == Report(ACCOUNT, CALL, f"{CALL}:3:completed", LegState.COMPLETED, 3, 95)


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("queued", LegState.RINGING), ("initiated", LegState.RINGING), ("ringing", LegState.RINGING),
        ("in-progress", LegState.IN_PROGRESS), ("completed", LegState.COMPLETED), ("busy", LegState.BUSY),
        ("no-answer", LegState.NO_ANSWER), ("canceled", LegState.CANCELED), ("failed", LegState.FAILED),
    ],
)  # fmt: skip
def test_every_status_is_known(status: str, state: LegState) -> None:
    report = TWILIO.read_report(request_of(CallStatus=status))
    assert report.state is state
    assert report.seconds is None


def test_a_report_without_a_number_stands_where_its_state_does() -> None:
    reports = [TWILIO.read_report(request_of(CallStatus=status)) for status in ("ringing", "in-progress", "busy")]
    assert [report.sequence for report in reports] == [0, 1, 2]
    assert len({report.event_id for report in reports}) == 3


def test_a_call_that_goes_on_has_no_length_yet() -> None:
    assert TWILIO.read_report(request_of(CallStatus="in-progress", CallDuration="5")).seconds is None


@pytest.mark.parametrize(
    "changes",
    [
        {"CallStatus": None},
        {"CallStatus": "COMPLETED"},
        {"CallStatus": "completed", "CallDuration": "-1"},
        {"CallStatus": "completed", "CallDuration": "1e3"},
        {"CallStatus": "completed", "CallDuration": "12345678"},
        {"CallStatus": "completed", "CallDuration": "٩"},
        {"CallStatus": "completed", "SequenceNumber": "x"},
        {"CallStatus": "completed", "CallSid": "CA1"},
    ],
)
def test_a_report_that_is_not_of_twilios_form_is_refused(changes: dict[str, str | list[str] | None]) -> None:
    with pytest.raises(BadMessage):
        TWILIO.read_report(request_of(**changes))


@pytest.mark.parametrize(
    ("status", "answered"),
    [("completed", True), ("answered", True), ("busy", False), ("no-answer", False), ("failed", False), ("x", False)],
)
def test_what_comes_after_a_leg_depends_on_whether_it_was_answered(status: str, answered: bool) -> None:
    asked = request_of(CallStatus="in-progress", DialCallStatus=status, DialCallSid="CA" + "3" * 32)
    assert TWILIO.read_forwarded(asked) == Forwarded(ACCOUNT, CALL, answered)


def test_a_leg_of_which_nothing_is_said_is_refused() -> None:
    with pytest.raises(BadMessage):
        TWILIO.read_forwarded(request_of(CallStatus="in-progress"))
