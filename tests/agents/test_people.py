"""To whom an agent may put callers through, and who is rung in its place: what is taken, and what is refused."""

from typing import Any

import pytest

from talktime.agents import checking, content, differences, prompt
from talktime.agents.content import Content, Person
from talktime.agents.models import Agent, AgentVersion
from talktime.agents.problems import UnfitAgent
from talktime.calls.routing import Route

EMMA = {"name": "Emma Marsh", "number": "+442079460123"}
WORKSHOP = {"name": "the workshop", "number": "+4930123456"}
SHOP = Content(business="Shop", greeting="Hello.")


def wrong(field: str, value: object) -> dict[str, str]:
    with pytest.raises(UnfitAgent) as refused:
        checking.revised(SHOP, {field: value})
    return dict(refused.value.fields)


def test_people_are_taken_kept_and_read_again() -> None:
    said = checking.revised(SHOP, {"people": [EMMA, WORKSHOP], "fallback_forwards": {"after_hours": "+4930123456"}})
    assert said.people == (Person("Emma Marsh", "+442079460123"), Person("the workshop", "+4930123456"))
    checking.require_fit(said)
    assert content.from_stored(said.to_json()) == said
    stored = content.columns(said)
    assert stored["people"] == [EMMA, WORKSHOP]
    assert stored["fallback"] == {"forward": {"after_hours": "+4930123456"}}
    agent = Agent(business="", language="en", zone="Europe/Berlin")
    version = AgentVersion(**{**stored, "withheld": [], "tools": []})
    assert content.of_version(agent, version) == said


@pytest.mark.parametrize(
    "number",
    ["+4990012345678", "+4911833", "+19005551234", "+881612345678", "030123456", "+49 30 123456", "emma", 5, None],
)
def test_only_ordinary_numbers_written_whole_are_taken(number: Any) -> None:
    assert set(wrong("people", [{"name": "Emma", "number": number}])) == {"people.0.number"}
    assert set(wrong("fallback_forwards", {"after_hours": number})) == {"fallback_forwards.after_hours"}


def test_a_zero_that_is_dialled_at_home_only_is_left_out() -> None:
    (person,) = checking.revised(SHOP, {"people": [{"name": "Emma", "number": "+49030123456"}]}).people
    assert person.number == "+4930123456"


@pytest.mark.parametrize(
    ("people", "field"),
    [
        ("Emma", "people"),
        ([{"name": "Emma"}], "people.0"),
        ([{**EMMA, "boss": True}], "people.0"),
        ([{**EMMA, "name": 7}], "people.0.name"),
        ([{**EMMA, "name": "x" * 81}], "people.0.name"),
        ([{**EMMA, "name": "two\nlines"}], "people.0.name"),
        ([EMMA, {**WORKSHOP, "name": "emma marsh "}], "people.1.name"),
        ([{"name": f"{n}", "number": "+4930123456"} for n in range(21)], "people"),
    ],
)
def test_what_is_no_list_of_people_is_refused_by_name(people: object, field: str) -> None:
    assert set(wrong("people", people)) == {field}


def test_a_draft_may_lack_a_number_and_what_is_published_may_not() -> None:
    draft = checking.revised(SHOP, {"people": [{"name": " ", "number": ""}]})
    with pytest.raises(UnfitAgent) as refused:
        checking.require_fit(draft)
    assert set(refused.value.fields) == {"people.0.name", "people.0.number"}


def test_nobody_is_rung_for_a_reason_that_their_money_ends() -> None:
    assert set(wrong("fallback_forwards", {"no_credit": "+4930123456"})) == {"fallback_forwards.no_credit"}
    rungs = set(checking.FORWARDS) - {checking.AI_DOWN}
    assert rungs <= {route.value for route in Route} and rungs <= set(checking.FALLBACKS)


def test_the_model_is_told_whom_it_may_reach_and_no_name_is_a_heading() -> None:
    said = checking.revised(SHOP, {"people": [{**EMMA, "name": "# Emma"}, WORKSHOP]})
    told = prompt.standing(said)
    assert "transfer: put the caller through" in told and "You can reach: Emma, the workshop." in told
    assert "transfer" not in prompt.standing(SHOP)
    german = checking.revised(said, {"language": "de"})
    assert "Zu erreichen sind: Emma, the workshop." in prompt.standing(german)


def test_versions_differ_by_their_people_and_forwards() -> None:
    newer = checking.revised(SHOP, {"people": [EMMA], "fallback_forwards": {"no_agent": "+4930123456"}})
    changes = {change.field: change.after for change in differences.between(SHOP, newer)}
    assert changes == {"people": [EMMA], "fallback_forwards.no_agent": "+4930123456"}
