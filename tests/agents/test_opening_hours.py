"""Opening hours: when a business is open, whatever the clocks do, and how that is said."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.agents import spoken_hours
from talktime.agents.demo import HOURS
from talktime.agents.opening_hours import DAYS, Interval, OpeningHours
from talktime.errors import BadInput

BERLIN = ZoneInfo("Europe/Berlin")


def hours(**week: str) -> OpeningHours:
    """`hours(monday="09:00-12:00 14:00-18:00")`, in Berlin."""
    return special_hours({}, **week)


def special_hours(special: dict[str, list[list[str]]], zone: str = "Europe/Berlin", **week: str) -> OpeningHours:
    days = {day: [one.split("-") for one in text.split()] for day, text in week.items()}
    return OpeningHours.from_json({"zone": zone, "week": days, "special": special})


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN)


NINE_TO_SIX = hours(**dict.fromkeys(DAYS[:5], "09:00-18:00"))
WITH_LUNCH = hours(monday="09:00-12:00 14:00-18:00")
BAR = hours(friday="20:00-03:00", saturday="20:00-04:00")
ALWAYS = hours(**dict.fromkeys(DAYS, "00:00-00:00"))


@pytest.mark.parametrize(
    ("at", "is_open"),
    [
        ("2026-11-23T08:59:59", False),
        ("2026-11-23T09:00:00", True),
        ("2026-11-23T17:59:59", True),
        ("2026-11-23T18:00:00", False),
        ("2026-11-22T12:00:00", False),
    ],
)
def test_it_is_open_from_the_first_minute_until_before_the_last(at: str, is_open: bool) -> None:
    assert NINE_TO_SIX.is_open(berlin(at)) is is_open
    assert NINE_TO_SIX.is_open(berlin(at).astimezone(UTC)) is is_open


def test_a_lunch_break_is_closed_and_ends() -> None:
    assert not WITH_LUNCH.is_open(berlin("2026-11-23T13:00"))
    assert WITH_LUNCH.closes_at(berlin("2026-11-23T10:00")) == berlin("2026-11-23T12:00")
    assert WITH_LUNCH.next_opening(berlin("2026-11-23T13:00")) == berlin("2026-11-23T14:00")
    assert WITH_LUNCH.next_opening(berlin("2026-11-23T18:00")) == berlin("2026-11-30T09:00")


def test_an_evening_goes_on_past_midnight_and_belongs_to_the_day_it_began() -> None:
    assert BAR.is_open(berlin("2026-11-28T02:59"))
    assert not BAR.is_open(berlin("2026-11-28T03:00"))
    assert BAR.closes_at(berlin("2026-11-27T23:00")) == berlin("2026-11-28T03:00")
    assert not BAR.is_open(berlin("2026-11-27T02:00"))


def test_intervals_that_touch_are_one() -> None:
    through = hours(monday="09:00-12:00 12:00-18:00", tuesday="00:00-06:00")
    assert through.closes_at(berlin("2026-11-23T10:00")) == berlin("2026-11-23T18:00")
    night = hours(monday="20:00-00:00", tuesday="00:00-06:00")
    assert night.closes_at(berlin("2026-11-23T21:00")) == berlin("2026-11-24T06:00")


def test_a_business_that_never_closes_has_no_closing_time() -> None:
    assert ALWAYS.is_open(berlin("2026-11-23T00:00"))
    assert ALWAYS.closes_at(berlin("2026-11-23T03:00")) is None
    assert ALWAYS.next_opening(berlin("2026-11-23T03:00")) is None
    assert ALWAYS.moment(berlin("2026-11-23T03:00"), "en").opening == "We are open around the clock."


def test_a_business_that_never_opens_has_no_opening() -> None:
    never = hours(monday="")
    assert never.next_opening(berlin("2026-11-23T03:00")) is None
    assert never.moment(berlin("2026-11-23T03:00"), "en").opening == "We are closed at the moment."
    assert never.spoken("en")["week"] == "We are closed all week."


def test_a_holiday_goes_before_its_weekday() -> None:
    shop = special_hours(
        {"2026-12-25": [], "2026-12-24": [["09:00", "13:00"]]},
        monday="09:00-18:00",
        thursday="09:00-18:00",
        friday="09:00-18:00",
    )
    assert shop.closes_at(berlin("2026-12-24T10:00")) == berlin("2026-12-24T13:00")
    assert not shop.is_open(berlin("2026-12-25T10:00"))
    assert shop.next_opening(berlin("2026-12-24T15:00")) == berlin("2026-12-28T09:00")
    moment = shop.moment(berlin("2026-12-24T08:00"), "en")
    assert moment.special == {
        "thursday": "As an exception, we are open today from nine in the morning to one in the afternoon.",
        "friday": "As an exception, we are closed tomorrow.",
    }
    assert shop.moment(berlin("2026-12-10T08:00"), "en").special == {}


def test_opening_is_by_the_clock_on_both_sides_of_a_change_of_clocks() -> None:
    # Germany goes to summer time on 29 March 2026 and back on 25 October.
    before, after = (
        NINE_TO_SIX.next_opening(berlin("2026-03-26T20:00")),
        NINE_TO_SIX.next_opening(berlin("2026-03-28T20:00")),
    )
    assert before is not None
    assert after is not None
    assert before.astimezone(UTC).hour == 8
    assert after.astimezone(UTC).hour == 7


def test_the_hour_that_the_clocks_leave_out_shortens_a_night() -> None:
    night = hours(saturday="22:00-04:00")
    closes = night.closes_at(berlin("2026-03-28T23:00"))
    assert closes == berlin("2026-03-29T04:00")
    assert closes is not None
    assert closes.astimezone(UTC) - berlin("2026-03-28T22:00").astimezone(UTC) == timedelta(hours=5)
    in_the_gap = hours(sunday="02:15-02:45")
    opened = [
        minute
        for minute in range(180)
        if in_the_gap.is_open(berlin("2026-03-29T00:00").astimezone(UTC) + timedelta(minutes=minute))
    ]
    assert len(opened) in (0, 30)


def test_the_hour_that_comes_twice_is_open_from_its_first_minute() -> None:
    night = hours(sunday="02:30-03:30")
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)  # 02:30 in summer time
    assert night.is_open(first)
    assert night.is_open(first + timedelta(hours=1))  # 02:30 again, in winter time
    assert not night.is_open(first + timedelta(hours=2))


@given(
    st.integers(0, 2 * 365 * 24 * 60).map(
        lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    ),
    st.sampled_from([NINE_TO_SIX, WITH_LUNCH, BAR, HOURS]),
)
def test_open_closing_and_opening_never_contradict_each_other(at: datetime, kept: OpeningHours) -> None:
    closes, opens = kept.closes_at(at), kept.next_opening(at)
    if kept.is_open(at):
        assert opens is None
        assert closes is not None
        assert at < closes
        assert not kept.is_open(closes)
    else:
        assert closes is None
        assert opens is not None
        assert at < opens
        assert kept.is_open(opens)


def test_hours_come_back_from_json_as_they_went() -> None:
    for kept in (NINE_TO_SIX, WITH_LUNCH, BAR, ALWAYS, HOURS):
        assert OpeningHours.from_json(kept.to_json()) == kept
    assert hours(monday="09:00-24:00").week[0] == (Interval(time(9), time(0)),)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (None, "must be an object"),
        ([], "must be an object"),
        ({}, "zone must be text"),
        ({"zone": "Europe/London"}, "week must be an object"),
        ({"zone": "Mars/Base", "week": {}}, "not a time zone"),
        ({"zone": "../../etc/passwd", "week": {}}, "not a time zone"),
        ({"zone": "", "week": {}}, "not a time zone"),
        ({"zone": "UTC", "week": {}, "extra": 1}, "'extra'"),
        ({"zone": "UTC", "week": {"moonday": []}}, "'moonday'"),
        ({"zone": "UTC", "week": {1: []}}, "must be an object"),
        ({"zone": "UTC", "week": {"monday": "09:00-18:00"}}, "monday: a list"),
        ({"zone": "UTC", "week": {"monday": [["09:00"]]}}, "monday: an interval is a pair"),
        ({"zone": "UTC", "week": {"monday": [["9:00", "18:00"]]}}, "'9:00' is not a time"),
        ({"zone": "UTC", "week": {"monday": [["09:00", "24:30"]]}}, "'24:30' is not a time"),
        ({"zone": "UTC", "week": {"monday": [["09:00", None]]}}, "None is not a time"),
        ({"zone": "UTC", "week": {"monday": [["09:00", "12:00"], ["11:00", "18:00"]]}}, "overlap"),
        ({"zone": "UTC", "week": {"monday": [["20:00", "02:00"], ["22:00", "23:00"]]}}, "overlap"),
        ({"zone": "UTC", "week": {"monday": [["09:00", "10:00"]] * 9}}, "at most 8"),
        ({"zone": "UTC", "week": {}, "special": {"2026-02-30": []}}, "'2026-02-30' is not a date"),
        ({"zone": "UTC", "week": {}, "special": {"christmas": []}}, "'christmas' is not a date"),
    ],
)
def test_hours_that_cannot_be_right_are_refused_with_the_reason(data: object, message: str) -> None:
    with pytest.raises(BadInput) as raised:
        OpeningHours.from_json(data)
    assert message in str(raised.value)


def test_a_week_needs_seven_days() -> None:
    with pytest.raises(BadInput):
        OpeningHours("UTC", ((),) * 6)


@pytest.mark.parametrize(
    ("clock", "english", "german"),
    [
        ("09:00", "nine in the morning", "neun Uhr"),
        ("09:30", "half past nine in the morning", "neun Uhr dreißig"),
        ("08:15", "a quarter past eight in the morning", "acht Uhr fünfzehn"),
        ("17:45", "a quarter to six in the evening", "siebzehn Uhr fünfundvierzig"),
        ("11:45", "a quarter to noon", "elf Uhr fünfundvierzig"),
        ("10:05", "ten oh five in the morning", "zehn Uhr fünf"),
        ("13:20", "one twenty in the afternoon", "dreizehn Uhr zwanzig"),
        ("18:35", "six thirty five in the evening", "achtzehn Uhr fünfunddreißig"),
        ("22:00", "ten at night", "zweiundzwanzig Uhr"),
        ("12:00", "noon", "zwölf Uhr"),
        ("00:00", "midnight", "Mitternacht"),
        ("01:00", "one in the morning", "ein Uhr"),
        ("21:01", "nine oh one at night", "einundzwanzig Uhr eins"),
    ],
)
def test_times_are_said_as_people_say_them(clock: str, english: str, german: str) -> None:
    assert spoken_hours.clock(time.fromisoformat(clock), "en-GB") == english
    assert spoken_hours.clock(time.fromisoformat(clock), "de") == german


@given(st.times())
def test_no_time_of_day_is_said_with_figures(at: time) -> None:
    for language in ("en", "de"):
        assert not any(character.isdigit() for character in spoken_hours.clock(at, language))


def test_a_week_is_said_with_its_equal_days_together() -> None:
    assert HOURS.spoken("en")["week"] == (
        "We are open Monday to Thursday from nine in the morning to six in the evening, Friday from nine in the morning"
        " to half past four in the afternoon and Saturday from ten in the morning to one in the afternoon."
        " We are closed on Sunday."
    )
    assert NINE_TO_SIX.spoken("de")["week"] == (
        "Wir haben Montag bis Freitag von neun Uhr bis achtzehn Uhr geöffnet."
        " Samstag und Sonntag haben wir geschlossen."
    )
    odd = hours(monday="09:00-12:00", wednesday="09:00-12:00", friday="09:00-12:00")
    assert odd.spoken("en")["week"] == (
        "We are open Monday, Wednesday and Friday from nine in the morning to noon."
        " We are closed on Tuesday, Thursday, Saturday and Sunday."
    )
    assert ALWAYS.spoken("en")["week"] == "We are open every day all day."


def test_each_day_has_a_sentence() -> None:
    spoken = WITH_LUNCH.spoken("en")
    assert set(spoken) == {*DAYS, "week"}
    assert spoken["monday"] == (
        "On Monday we are open from nine in the morning to noon and from two in the afternoon to six in the evening."
    )
    assert spoken["tuesday"] == "On Tuesday we are closed."
    assert WITH_LUNCH.spoken("de")["tuesday"] == "Am Dienstag haben wir geschlossen."


@pytest.mark.parametrize(
    ("at", "english"),
    [
        ("2026-11-23T14:05", "We are open now, until six in the evening."),
        ("2026-11-23T20:00", "We are closed right now. We open tomorrow at nine in the morning."),
        ("2026-11-23T08:00", "We are closed right now. We open today at nine in the morning."),
        ("2026-11-27T20:00", "We are closed right now. We open on Monday at nine in the morning."),
    ],
)
def test_the_present_is_said_for_whoever_asks_now(at: str, english: str) -> None:
    moment = NINE_TO_SIX.moment(berlin(at), "en")
    assert moment.opening == english


def test_an_evening_past_midnight_is_still_tonight() -> None:
    assert BAR.moment(berlin("2026-11-27T23:00"), "en").opening == "We are open now, until three in the morning."


def test_an_opening_in_weeks_is_said_with_its_date() -> None:
    closed = special_hours({f"2026-11-{day:02}": [] for day in (23, 30)}, monday="09:00-18:00")
    assert closed.moment(berlin("2026-11-23T10:00"), "en").opening == (
        "We are closed right now. We open on Monday the seventh of December at nine in the morning."
    )
    assert closed.moment(berlin("2026-11-23T10:00"), "de").opening == (
        "Wir haben gerade geschlossen. Wir öffnen am Montag, dem siebten Dezember um neun Uhr."
    )


def test_the_moment_is_on_the_clock_of_the_business() -> None:
    moment = HOURS.moment(datetime(2026, 11, 23, 0, 30, tzinfo=UTC), "en")
    assert (moment.today, moment.local_time) == ("monday", "Monday, 23 November 2026, 00:30")
    auckland = special_hours({}, "Pacific/Auckland", monday="09:00-18:00")
    assert auckland.moment(datetime(2026, 11, 22, 20, 30, tzinfo=UTC), "de").local_time == (
        "Montag, 23. November 2026, 09:30"
    )
    assert auckland.is_open(datetime(2026, 11, 22, 20, 30, tzinfo=UTC))
    assert HOURS.local(datetime(2026, 7, 1, 12, tzinfo=UTC)).hour == 13
    assert HOURS.intervals_on(date(2026, 12, 25)) == ()
