"""What differs between two versions is all there, field by field, and line by line in long texts."""

import time
from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from talktime.agents import demo, versions
from talktime.agents.content import Content
from talktime.agents.differences import DiffLine, between, lines_between
from talktime.agents.publish import NoSuchVersion
from talktime.db.session import Database
from talktime.speech.contract import Entry
from tests.agents.writing import new_agent, publish_greeting, write
from tests.people import Person

OLD = Content(
    business="Tea",
    zone=demo.ZONE,
    greeting="Hello.",
    instructions="One.\nTwo.\nThree.",
    hours=demo.HOURS,
    knowledge=(Entry("cake", ("cake",), "Yes."), Entry("tea", ("tea",), "Yes.")),
    turn_settings={"silence_seconds": 9},
    fallback_texts={"debt": "Later."},
)


def test_what_is_the_same_differs_in_nothing() -> None:
    assert between(OLD, OLD) == ()


def test_long_texts_are_told_line_by_line() -> None:
    (change,) = between(OLD, replace(OLD, instructions="One.\nTwo and a half.\nThree.\nFour."))
    assert (change.field, change.kind) == ("instructions", "changed")
    assert change.lines == (
        DiffLine(" ", "One."),
        DiffLine("-", "Two."),
        DiffLine("+", "Two and a half."),
        DiffLine(" ", "Three."),
        DiffLine("+", "Four."),
    )
    (added,) = between(OLD, replace(OLD, tone="Warm."))
    assert (added.kind, added.before, added.after) == ("added", None, "Warm.")


def test_other_fields_are_told_part_by_part() -> None:
    assert OLD.hours is not None
    newer = replace(
        OLD,
        language="de",
        hours=replace(OLD.hours, week=((), *OLD.hours.week[1:]), special={date(2026, 12, 25): ()}),
        knowledge=(Entry("tea", ("tea",), "No."), Entry("scones", ("scones",), "Yes.")),
        tools=(),
        turn_settings={"silence_seconds": 5, "keys_seconds": 2},
        fallback_texts={},
        call_seconds_max=60,
    )
    told = {change.field: (change.kind, change.before, change.after) for change in between(OLD, newer)}
    assert told == {
        "language": ("changed", "en", "de"),
        "hours.week.monday": ("changed", [["09:00", "18:00"]], []),
        "hours.special.2026-12-26": ("removed", [], None),
        "hours.special.2027-01-01": ("removed", [], None),
        "knowledge.cake": ("removed", {"key": "cake", "questions": ["cake"], "answer": "Yes."}, None),
        "knowledge.tea": (
            "changed",
            {"key": "tea", "questions": ["tea"], "answer": "Yes."},
            {"key": "tea", "questions": ["tea"], "answer": "No."},
        ),
        "knowledge.scones": ("added", None, {"key": "scones", "questions": ["scones"], "answer": "Yes."}),
        "tools": ("changed", ["take_message"], []),
        "turn_settings.silence_seconds": ("changed", 9, 5),
        "turn_settings.keys_seconds": ("added", None, 2),
        "fallback_texts.debt": ("removed", "Later.", None),
        "call_seconds_max": ("changed", 1800, 60),
    }


def test_the_order_of_entries_is_a_difference_too() -> None:
    (change,) = between(OLD, replace(OLD, knowledge=OLD.knowledge[::-1]))
    assert (change.field, change.before, change.after) == ("knowledge.order", ["cake", "tea"], ["tea", "cake"])


def test_hours_that_were_not_said_before_are_there_as_a_whole() -> None:
    (change,) = between(replace(OLD, hours=None), OLD)
    assert (change.field, change.kind, change.before) == ("hours", "added", None)
    assert change.after["week"]["monday"] == [["09:00", "18:00"]]


@given(*(st.lists(st.sampled_from(["a", "b", "", "c c"]), max_size=12) for _ in range(2)))
def test_the_lines_of_each_text_are_all_there_in_order(old: list[str], new: list[str]) -> None:
    lines = lines_between("\n".join(old), "\n".join(new))
    assert [line.text for line in lines if line.sign != "+"] == "\n".join(old).splitlines()
    assert [line.text for line in lines if line.sign != "-"] == "\n".join(new).splitlines()


def test_comparing_the_longest_texts_takes_no_time() -> None:
    """Thousands of lines that are nearly all alike: the worst there is for aligning them."""
    old, new = ("\n".join("ab"[n * n * step % 7 % 2] for n in range(10_000)) for step in (1, 3))
    began = time.perf_counter()
    assert len(lines_between(old, new)) > 10_000
    assert time.perf_counter() - began < 2


async def test_versions_and_the_draft_are_compared_by_their_names(
    database: Database, alice: Person, bob: Person
) -> None:
    agent = await new_agent(database, alice)
    await publish_greeting(database, alice, agent, "First.")
    await publish_greeting(database, alice, agent, "Second.")
    await write(database, alice, agent, greeting="Third.", tone="Warm.")
    async with database.transaction(user=alice.id) as db:
        (change,) = await versions.diff(db, alice.id, agent, 1, 2)
        assert (change.before, change.after) == ("First.", "Second.")
        assert await versions.diff(db, alice.id, agent, 2, "published") == ()
        changes = await versions.diff(db, alice.id, agent, "published", "draft")
        assert [change.field for change in changes] == ["greeting", "tone"]
        with pytest.raises(NoSuchVersion):
            await versions.diff(db, alice.id, agent, 1, 3)
