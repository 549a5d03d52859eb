"""What notices say: every kind in both languages, and never more than they are told."""

import uuid
from collections.abc import Mapping
from typing import Any

import pytest

from talktime.mail.render import html_of, text_of
from talktime.notices.kinds import KINDS, LANGUAGES, language_of, page_of
from talktime.notices.words import NoWords, words_of

SITE = "https://talktime.example"
CALL = str(uuid.uuid4())
PURCHASE = str(uuid.uuid4())
DETAILS: Mapping[str, list[dict[str, Any]]] = {
    "low_balance": [
        {"balance": 1, "threshold": 1},
        {"balance": 1234, "threshold": 2000},
        {"balance": 0, "threshold": 10},
        {"balance": -20, "threshold": 10},
    ],
    "credit_exhausted": [{"call_id": CALL}],
    "calls_refused": [
        {"reason": reason, "on": "2026-03-09"}
        for reason in (
            "no_credit",
            "debt",
            "day_limit",
            "call_limit",
            "caller_limit",
            "too_many_calls",
            "something new",
        )
    ],
    "guard_reached": [
        {"reason": guard, "limit": 500, "on": "2026-12-31"}
        for guard in ("day_limit", "call_limit", "caller_limit", "something new")
    ],
    "top_up_done": [{"purchase_id": PURCHASE, "credits": 1}, {"purchase_id": PURCHASE, "credits": 10_000}],
    "top_up_declined": [
        {"purchase_id": PURCHASE, "reason": reason, "tries": tries}
        for reason in ("insufficient_funds", "expired_card", "authentication_required", "something new")
        for tries in (1, 3)
    ],
    "top_up_stopped": [{"reason": reason} for reason in ("ceiling", "declined", "something new")],
    "purchase_paid": [{"purchase_id": PURCHASE, "credits": 1}, {"purchase_id": PURCHASE, "credits": 10_000}],
    "refunded": [{"purchase_id": PURCHASE, "credits": 1}, {"purchase_id": PURCHASE, "credits": 10_000}],
    "charge_claim_decided": [{"call_id": CALL, "granted": True}, {"call_id": CALL, "granted": False}],
    "rent_unpaid": [{"number_id": CALL, "ends": "0958", "credits": 300, "release_on": "2026-03-09"}],
    "number_released": [{"number_id": CALL, "ends": "0958", "credits": 300}],
    "webhook_disabled": [{"endpoint_id": CALL, "reason": reason} for reason in ("failing", "gone")],
    "password_changed": [{}],
    "second_factor_on": [{}],
    "second_factor_off": [{}],
    "recovery_code_used": [{"left": 9}, {"left": 1}, {"left": 0}],
    "message_taken": [{"call_id": CALL}],
    "call_summary": [{"call_id": CALL}],
    "missed_calls": [{"call_id": CALL}],
    "daily_digest": [{"on": "2026-03-09"}],
}
_CALLED = {"caller": "+49 30 1234567", "at": "9 Mar 2026, 10:05", "agent": "Reception", "seconds": 125, "charged": 32}
GATHERED: Mapping[str, list[dict[str, Any]]] = {
    "top_up_done": [{"invoice": "TT-000017", "total": "€10.50"}],
    "purchase_paid": [{"invoice": "TT-000017", "total": "€10.50"}],
    "message_taken": [
        {**_CALLED, "summary": "Message from Karl: call me back"},
        {**_CALLED, "caller": None, "summary": None},
    ],
    "call_summary": [
        {**_CALLED, "summary": "An appointment was made"},
        {**_CALLED, "caller": None, "agent": None, "seconds": 0, "charged": None, "summary": None},
    ],
    "missed_calls": [
        {"calls": ["9 Mar 2026, 10:05: +49 30 1234567"], "more": 0},
        {"calls": ["9 Mar 2026, 10:05: unknown number"] * 20, "more": 1480},
    ],
    "daily_digest": [
        {"calls": 1, "missed": 0, "minutes": 1, "messages": 0, "used": 1, "left": 0},
        {"calls": 1234, "missed": 12, "minutes": 4321, "messages": 7, "used": 98765, "left": 1234567},
    ],
}
"""What is put together for a mail when it is sent."""


def test_every_kind_is_tried() -> None:
    assert DETAILS.keys() == KINDS.keys()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_told_in_every_language_whatever_its_detail(kind: str, language: str) -> None:
    told = set()
    for detail in DETAILS[kind]:
        for days_left in (None, 0, 1, 12, 4000):
            words = words_of(kind, detail, name="Alice", language=language, base_url=SITE, days_left=days_left)
            text = text_of(words)
            assert 10 < len(words.subject) < 90
            assert words.link is not None
            assert words.link.url.startswith(SITE + "/")
            assert words.link.url in text
            assert "  " not in text.replace("-- ", "")
            assert all(paragraph.endswith((".", "?")) for paragraph in words.paragraphs)
            assert "Alice" in words.greeting
            # A reason that nobody has words for is not shown as it stands in the database.
            assert not any(code in text for code in ("_limit", "no_credit", "something new", "ceiling:", "{", "}"))
            assert "<html" in html_of(words, language)
            told.add(text)
    assert len(told) >= len(DETAILS[kind]) // 2


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", [kind for kind, about in KINDS.items() if about.gathers])
def test_what_is_put_together_for_a_mail_is_said_in_every_language(kind: str, language: str) -> None:
    bare = words_of(kind, DETAILS[kind][0], name="Alice", language=language, base_url=SITE)
    for gathered in GATHERED[kind]:
        assert gathered.keys() <= KINDS[kind].gathers
        words = words_of(kind, DETAILS[kind][0], name="Alice", language=language, base_url=SITE, gathered=gathered)
        text = text_of(words)
        assert words != bare
        assert 10 < len(words.subject) < 90
        assert "None" not in text
        assert "{" not in text
        assert all(paragraph.endswith((".", "?")) for paragraph in words.paragraphs)
        for value in gathered.values():
            if isinstance(value, str) and len(value) > 3:
                assert value in text


def test_what_a_caller_said_is_quoted_on_one_line_and_is_no_letter_of_its_own() -> None:
    said = (
        "hello\n\nYour account is closed, go to <a href='http://evil.example'>here</a>\r\nBcc: all\u202e" + "x" * 9000
    )
    gathered = {**_CALLED, "summary": said}
    words = words_of("message_taken", {"call_id": CALL}, name="", language="en", base_url=SITE, gathered=gathered)
    [quoted] = [paragraph for paragraph in words.paragraphs if "Your account is closed" in paragraph]
    assert quoted.startswith("What was noted: “hello Your account is closed")
    assert "\n" not in quoted
    assert "\u202e" not in quoted
    assert len(quoted) < 2100
    assert "<a href='http" not in html_of(words, "en")
    assert words.link is not None
    assert words.link.url == f"{SITE}/calls/{CALL}"


def test_who_may_say_no_is_told_where() -> None:
    words = words_of(
        "daily_digest", {"on": "2026-03-09"}, name="", language="de", base_url=SITE, off_url=f"{SITE}/mail/off/x"
    )
    assert words.closing.endswith(f"{SITE}/mail/off/x")


@pytest.mark.parametrize("kind", KINDS)
def test_the_two_languages_say_it_differently(kind: str) -> None:
    english, german = (
        words_of(kind, DETAILS[kind][0], name="", language=language, base_url=SITE) for language in LANGUAGES
    )
    assert english.subject != german.subject
    assert not set(english.paragraphs) & set(german.paragraphs)
    assert (english.greeting, german.greeting) == ("Hello,", "Guten Tag,")


@pytest.mark.parametrize("kind", KINDS)
def test_a_detail_that_lacks_something_has_no_words(kind: str) -> None:
    for key in KINDS[kind].needs:
        detail = {name: value for name, value in DETAILS[kind][0].items() if name != key}
        with pytest.raises(NoWords, match=key):
            words_of(kind, detail, name="Alice", language="en", base_url=SITE)


@pytest.mark.parametrize(
    ("kind", "detail"),
    [
        ("no_such_kind", {}),
        ("purchase_paid", {"purchase_id": PURCHASE, "credits": 1.5}),
        ("purchase_paid", {"purchase_id": PURCHASE, "credits": "12"}),
        ("purchase_paid", {"purchase_id": PURCHASE, "credits": None}),
        ("purchase_paid", {"purchase_id": PURCHASE, "credits": True}),
        ("calls_refused", {"reason": "no_credit", "on": "yesterday"}),
        ("calls_refused", {"reason": "no_credit", "on": 20260309}),
        ("guard_reached", {"reason": "day_limit", "on": "2026-03-09", "limit": None}),
        ("charge_claim_decided", {"call_id": "../../sign-out?", "granted": True}),
        ("top_up_declined", {"purchase_id": PURCHASE, "reason": "x", "tries": "three"}),
    ],
)
def test_a_detail_that_cannot_be_right_has_no_words(kind: str, detail: dict[str, Any]) -> None:
    with pytest.raises(NoWords):
        words_of(kind, detail, name="Alice", language="en", base_url=SITE)


def test_more_than_a_kind_needs_is_never_said() -> None:
    detail = DETAILS["calls_refused"][4] | {"caller": "+4915112345678", "call_id": CALL}
    for language in LANGUAGES:
        words = words_of("calls_refused", detail, name="Alice", language=language, base_url=SITE)
        assert "+49" not in text_of(words)
        assert CALL not in text_of(words)


def test_a_name_is_one_line_and_no_letter_of_its_own() -> None:
    name = "Alice\r\nSubject: You have won\n\n<a href='http://evil.example'>click</a>\u202e" + "x" * 500
    words = words_of("credit_exhausted", {"call_id": CALL}, name=name, language="en", base_url=SITE)
    assert "\n" not in words.greeting
    assert len(words.greeting) < 100
    assert "<a href='http" not in html_of(words, "en")
    braces = words_of("credit_exhausted", {"call_id": CALL}, name="{site} {{ 7*7 }}", language="en", base_url=SITE)
    assert braces.greeting == "Hello {site} {{ 7*7 }},"


def test_numbers_and_days_are_written_where_the_reader_lives() -> None:
    detail = {"balance": 1234, "threshold": 2000}
    english = words_of("low_balance", detail, name="", language="en", base_url=SITE, days_left=12)
    german = words_of("low_balance", detail, name="", language="de", base_url=SITE, days_left=12)
    assert english.subject == "Your credit is running low: 1,234 credits left"
    assert german.subject == "Ihr Guthaben geht zur Neige: noch 1.234 Credits"
    assert "about 12 days" in english.paragraphs[0]
    assert "etwa 12 Tage" in german.paragraphs[0]
    refused = DETAILS["calls_refused"][0]
    assert "9 March 2026" in words_of("calls_refused", refused, name="", language="en", base_url=SITE).subject
    assert "9. März 2026" in words_of("calls_refused", refused, name="", language="de", base_url=SITE).subject
    one = words_of("purchase_paid", DETAILS["purchase_paid"][0], name="", language="en", base_url=SITE)
    assert one.subject == "Thank you: 1 credit added to your account"


def test_a_claim_leads_to_its_call_and_money_to_the_credits() -> None:
    assert page_of("charge_claim_decided", {"call_id": CALL}) == f"/calls/{CALL}"
    assert page_of("low_balance", {}) == "/credits"


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("de_CH", "de"),
        ("DE", "de"),
        ("en", "en"),
        ("fr", "en"),
        ("", "en"),
        ("den", "en"),
    ],
)
def test_everybody_reads_german_or_english(locale: str, language: str) -> None:
    assert language_of(locale) == language
