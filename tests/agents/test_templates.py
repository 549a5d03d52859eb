"""Each template is an agent that can be published as it stands, and that promises nothing its owner did not say."""

import re

import pytest

from talktime.agents import checking, prompt, templates
from talktime.agents.content import Content
from talktime.agents.problems import UnfitAgent
from talktime.agents.templates import KEYS, TEMPLATES, Template
from talktime.db.session import Database
from talktime.speech.contract import Message, Say
from talktime.speech.offline.rulebook import RuleBook
from tests.agents.writing import draft_of, new_agent, publish_draft
from tests.people import Person
from tests.speech.phone import MOMENT

BY_NAME = [pytest.param(each, id=f"{each.key}-{each.language}") for each in TEMPLATES]
NOTICE = {"en": "an assistant, not a person", "de": "einem Assistenten, nicht mit einem Menschen"}


def content_of(template: Template) -> Content:
    return template.content(Content(business="Wonderland", language=template.language, zone="Europe/Berlin"))


def test_there_are_eight_trades_each_in_both_languages() -> None:
    trades = "dentist hairdresser restaurant trades law_office property_manager online_shop doctor"
    assert " ".join(KEYS) == trades
    assert {(each.key, each.language) for each in TEMPLATES} == {(key, tag) for key in KEYS for tag in ("en", "de")}
    assert len(TEMPLATES) == 16


@pytest.mark.parametrize("template", BY_NAME)
def test_a_template_says_everything_that_an_agent_needs(template: Template) -> None:
    content = content_of(template)
    checking.require_fit(content)
    assert checking.tidied(content) == content
    assert NOTICE[template.language] in content.greeting and "Wonderland" in content.greeting
    assert "Wonderland" in content.instructions and len(content.instructions) > 300
    assert content.tone and len(content.avoid.splitlines()) >= 3 and len(content.phrases) >= 3
    assert content.hours is not None and sum(map(bool, content.hours.week)) >= 5
    assert len(content.knowledge) >= 6
    assert all(len(entry.questions) >= 3 and entry.answer for entry in content.knowledge)
    assert template.name and template.summary.endswith(".")
    assert "{" not in repr(content.to_json()["greeting"]) + content.instructions


@pytest.mark.parametrize("template", BY_NAME)
def test_a_template_is_said_in_words_and_states_no_fact_of_a_business(template: Template) -> None:
    for entry in template.knowledge:
        assert not re.search(r"[0-9€$£%@/]", entry.answer), entry.answer
        assert len(entry.answer) < 320, "too long for a phone"
        assert all(question == question.lower().rstrip("?.") for question in entry.questions)


@pytest.mark.parametrize("template", BY_NAME)
async def test_the_offline_head_answers_every_question_of_a_template(template: Template) -> None:
    """A question in the caller's words gets the answer that was written for it."""
    brief = prompt.brief_of(content_of(template), f"{template.key}:{template.language}")
    thinker = RuleBook()
    await thinker.prepare(brief)
    missed = []
    for entry in template.knowledge:
        for question in entry.questions:
            said = [
                piece async for piece in thinker.reply(brief, MOMENT, [Message("caller", question)], ())
                if isinstance(piece, Say)
            ]  # fmt: skip
            if not any(entry.key in piece.sources for piece in said):
                missed.append((question, entry.key, "".join(piece.text for piece in said)))
    assert missed == []


@pytest.mark.parametrize("language", ["en", "de", "de-CH", "en-GB"])
async def test_an_agent_made_from_a_template_can_be_published_at_once(
    database: Database, alice: Person, language: str
) -> None:
    agent = await new_agent(database, alice, template="restaurant", language=language, zone="Europe/Zurich")
    draft = await draft_of(database, alice, agent)
    assert draft.content.hours is not None and draft.content.hours.zone == "Europe/Zurich"
    assert NOTICE[language[:2]] in draft.content.greeting
    assert await publish_draft(database, alice, agent) == 1


@pytest.mark.parametrize(("key", "language"), [("astronaut", "en"), ("", "de"), ("Dentist", "en"), ("dentist", "fr")])
def test_a_template_that_there_is_not_is_an_error_that_names_those_there_are(key: str, language: str) -> None:
    with pytest.raises(UnfitAgent, match="dentist, hairdresser, restaurant") as refused:
        templates.find(key, language)
    assert list(refused.value.fields) == ["template"]
