"""Opening hours: by keyboard and without a script, a row a day; and the days that are different."""

import pytest

from talktime.agents.opening_hours import DAYS
from talktime.db.session import Database
from tests.agents.writing import draft_of, write
from tests.people import Person
from tests.web.agents.pages import Editing
from tests.web.test_pages import words_of


async def hours_of(database: Database, alice: Person, editing: Editing) -> dict[str, dict[str, list[list[str]]]]:
    found: dict[str, dict[str, list[list[str]]]] = (await draft_of(database, alice, editing.agent)).content.to_json()[
        "hours"
    ]
    return found


async def test_a_week_is_typed_as_people_write_it(editing: Editing, database: Database, alice: Person) -> None:
    typed = {
        "monday-0-opens": "9", "monday-0-closes": "12:30", "monday-1-opens": "14.00", "monday-1-closes": "1800",
        "tuesday-0-opens": "930", "tuesday-0-closes": "0:00", "sunday-0-opens": "22", "sunday-0-closes": "3",
        "wednesday-0-opens": "0:00", "wednesday-0-closes": "24:00",
    }  # fmt: skip
    assert (await editing.save("/hours", **typed, told="on", after="answers")).status_code == 303
    hours = await hours_of(database, alice, editing)
    assert hours["week"] == {
        **{day: [] for day in DAYS},
        "monday": [["09:00", "12:30"], ["14:00", "18:00"]],
        "tuesday": [["09:30", "00:00"]],
        "wednesday": [["00:00", "00:00"]],
        "sunday": [["22:00", "03:00"]],
    }
    assert hours["special"] == {"2026-12-25": []}, "the days that are different stay"
    assert (await draft_of(database, alice, editing.agent)).content.answers_after_hours


async def test_hours_that_are_not_told_are_none(editing: Editing, database: Database, alice: Person) -> None:
    assert (await editing.save("/hours", told=None, after="answers")).status_code == 303
    assert (await draft_of(database, alice, editing.agent)).content.hours is None


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"friday-0-opens": "nine", "friday-0-closes": "18"}, "Write both times, such as 9:00 and 18:00."),
        ({"friday-0-opens": "9", "friday-0-closes": ""}, "Write both times, such as 9:00 and 18:00."),
        ({"friday-0-opens": "25:00", "friday-0-closes": "26:00"}, "Write both times"),
        ({"friday-0-opens": "24:30", "friday-0-closes": "25"}, "Write both times"),
        (
            {"friday-0-opens": "9", "friday-0-closes": "13", "friday-1-opens": "12", "friday-1-closes": "18"},
            "These times overlap: write them one after the other.",
        ),
    ],
)
async def test_a_day_that_cannot_be_says_so_in_its_row(
    *, editing: Editing, database: Database, alice: Person, typed: dict[str, str], said: str
) -> None:
    before = await draft_of(database, alice, editing.agent)
    answer = await editing.save("/hours", **typed, told="on")
    assert answer.status_code == 422
    assert f'id="friday-about">{said}' in answer.text
    assert f'name="friday-0-opens" value="{typed["friday-0-opens"]}"' in answer.text
    assert await draft_of(database, alice, editing.agent) == before


async def test_a_holiday_is_added_written_anew_and_taken_out(
    editing: Editing, database: Database, alice: Person
) -> None:
    days = {"day": "2027-01-01", "kind": "closed", "day-0-opens": "", "day-0-closes": ""}
    assert (await editing.send("/hours/days", days)).status_code == 303
    assert "Friday, 1 January 2027 closed" in words_of(await editing.page("/hours"))
    opened = {**days, "kind": "open", "day-0-opens": "10", "day-0-closes": "13"}
    for _ in range(2):
        assert (await editing.send("/hours/days", opened)).status_code == 303
    hours = await hours_of(database, alice, editing)
    assert hours["special"] == {"2026-12-25": [], "2027-01-01": [["10:00", "13:00"]]}
    for _ in range(2):
        assert (await editing.send("/hours/days/2027-01-01/remove")).status_code == 303
    assert (await hours_of(database, alice, editing))["special"] == {"2026-12-25": []}


@pytest.mark.parametrize(
    ("typed", "place", "said"),
    [
        ({"day": "", "kind": "closed"}, "day", "Choose a day, such as 2026-12-25."),
        ({"day": "25.12.", "kind": "closed"}, "day", "Choose a day, such as 2026-12-25."),
        ({"day": "2027-01-01", "kind": "open"}, "day-0-opens", "Say from when until when"),
        (
            {"day": "2027-01-01", "kind": "open", "day-0-opens": "9", "day-0-closes": "13", "day-1-opens": "12",
             "day-1-closes": "14"},
            "day-0-opens", "These times overlap",
        ),
        (
            {"day": "2027-01-01", "kind": "open", "day-0-opens": "soon", "day-0-closes": "13"},
            "day-0-opens", "Write both times",
        ),
    ],
)  # fmt: skip
async def test_a_day_that_is_wrong_says_so_beside_its_field(
    editing: Editing, typed: dict[str, str], place: str, said: str
) -> None:
    answer = await editing.send("/hours/days", typed)
    assert answer.status_code == 422
    assert f'id="{place}-about">{said}' in answer.text


async def test_without_a_week_no_day_is_different(editing: Editing, database: Database, alice: Person) -> None:
    await write(database, alice, editing.agent, hours=None, answers_after_hours=True)
    answer = await editing.send("/hours/days", {"day": "2027-01-01", "kind": "closed"})
    assert answer.status_code == 422
    assert (await draft_of(database, alice, editing.agent)).content.hours is None
    assert (await editing.send("/hours/days/2027-01-01/remove")).status_code == 303


async def test_two_who_add_different_days_both_keep_theirs(
    editing: Editing, elsewhere: Editing, database: Database, alice: Person
) -> None:
    await editing.page("/hours")
    await elsewhere.send("/hours/days", {"day": "2027-01-06", "kind": "closed"})
    await editing.send("/hours/days", {"day": "2027-01-01", "kind": "closed"})
    assert set((await hours_of(database, alice, editing))["special"]) == {"2026-12-25", "2027-01-01", "2027-01-06"}
