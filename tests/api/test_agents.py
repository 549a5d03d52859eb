"""Agents, their drafts and their versions by a program: from nothing to one that answers, and nobody else's ever."""

import asyncio
import dataclasses
import uuid
from typing import Any, get_args

import pytest

from talktime.accounts.keys import Scope
from talktime.agents import checking
from talktime.agents.checking import FALLBACKS, FORWARDS
from talktime.agents.content import FIELDS, TOOLS, Content
from talktime.agents.turn_settings import TurnSettings
from talktime.api.agent_shapes import (
    AgentContent,
    ContentChange,
    ForwardReason,
    Reason,
    ToolName,
    TurnSetting,
)
from talktime.calls.routing import Route
from talktime.db.session import Database
from tests.agents.test_drafts import BAD
from tests.agents.writing import WHOLE, new_agent
from tests.api.program import Program, fields_of, program_of, refused
from tests.people import Person
from tests.web.stage import Stage

NEW = {"name": "Front desk", "business": "Wonderland Tea", "language": "en", "zone": "Europe/London"}


async def made(program: Program, **more: Any) -> str:
    answer = await program.make("/agents", NEW | more)
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/v1/agents/{answer.json()['id']}"
    return f"/agents/{answer.json()['id']}"


async def published(program: Program, agent: str, **sent: Any) -> dict[str, Any]:
    """Save these fields and publish; the version."""
    saved = await program.change(f"{agent}/draft", sent)
    assert saved.status_code == 200, saved.text
    answer = await program.make(f"{agent}/publish", {"revision": saved.json()["revision"]})
    assert answer.status_code == 201, answer.text
    version: dict[str, Any] = answer.json()
    return version


async def test_an_agent_is_made_written_and_published(as_alice: Program) -> None:
    agent = await made(as_alice, template="dentist")
    first = await as_alice.read(agent)
    assert (first["published_version"], first["active"], first["archived_at"]) == (None, True, None)
    draft = await as_alice.read(f"{agent}/draft")
    assert (draft["revision"], draft["is_open"]) == (1, True)
    assert "Wonderland Tea" in draft["content"]["greeting"] and len(draft["content"]["knowledge"]) >= 6
    saved = await as_alice.change(f"{agent}/draft", WHOLE)
    assert saved.headers["etag"] == '"2"'
    content = saved.json()["content"]
    assert {name: content[name] for name in WHOLE if name != "hours"} == {
        name: value for name, value in WHOLE.items() if name != "hours"
    }
    version = await as_alice.make(f"{agent}/publish", {"revision": 2})
    assert version.status_code == 201
    assert version.headers["location"] == f"/v1{agent}/versions/1"
    assert version.json()["content"] == content
    assert (await as_alice.read(agent))["published_version"] == 1
    assert (await as_alice.read(f"{agent}/versions/1")) == version.json()
    after = await as_alice.read(f"{agent}/draft")
    assert (after["is_open"], after["content"], after["based_on"]) == (False, content, None)


async def test_an_agent_begins_in_its_owners_language_and_zone(as_alice: Program) -> None:
    answer = await as_alice.make("/agents", {"name": "Desk", "business": "Tea"})
    assert (answer.json()["language"], answer.json()["zone"]) == ("en", "Europe/Berlin")


async def test_made_again_under_the_same_name_it_is_made_once(as_alice: Program) -> None:
    first, second = [await as_alice.make("/agents", NEW, once="desk") for _ in range(2)]
    assert first.json() == second.json() and second.headers["idempotency-replayed"] == "true"
    refused(await as_alice.make("/agents", NEW | {"name": "Other"}, once="desk"), 409, "used-for-something-else")
    assert len(await as_alice.all("/agents")) == 2


async def test_published_again_under_the_same_name_it_is_published_once(as_alice: Program) -> None:
    agent = await made(as_alice)
    tries = [await as_alice.make(f"{agent}/publish", {"revision": 1}, once="go") for _ in range(2)]
    assert [answer.json()["version_no"] for answer in tries] == [1, 1]
    refused(await as_alice.make(f"{agent}/publish", {"revision": 1}), 412, "draft-changed")
    refused(await as_alice.make(f"{agent}/publish", {"revision": 2}), 409, "nothing-to-publish")


async def test_an_agent_is_renamed_paused_archived_and_brought_back(as_alice: Program) -> None:
    agent = await made(as_alice)
    first = await as_alice.get(agent)
    tag = {"if-match": first.headers["etag"]}
    paused = await as_alice.patch(agent, json={"name": "Night desk", "active": False}, headers=tag)
    assert (paused.json()["name"], paused.json()["active"]) == ("Night desk", False)
    assert (await as_alice.get(agent)).headers["etag"] == paused.headers["etag"]
    refused(await as_alice.patch(agent, json={"active": True}, headers=tag), 412, "state-changed")
    refused(await as_alice.patch(agent, json={"active": True}), 428, "state-unknown")
    archived = await as_alice.post(f"{agent}/archive")
    assert archived.json()["archived_at"] and not archived.json()["active"]
    assert (await as_alice.post(f"{agent}/archive")).json() == archived.json()
    refused(await as_alice.change(agent, {"active": True}), 409, "archived-agent")
    refused(await as_alice.change(f"{agent}/draft", {"tone": "Warm."}), 409, "archived-agent")
    restored = await as_alice.post(f"{agent}/restore")
    assert (restored.json()["archived_at"], restored.json()["active"]) == (None, False)
    assert (await as_alice.change(agent, {"active": True})).json()["active"] is True


async def test_lists_are_filtered_sorted_and_paged(as_alice: Program, alice: Person) -> None:
    agents = [(await made(as_alice, name=f"Agent {number}")).removeprefix("/agents/") for number in range(4)]
    await as_alice.change(f"/agents/{agents[1]}", {"active": False})
    await as_alice.post(f"/agents/{agents[2]}/archive")
    mine = [str(alice.agent), *agents]

    async def listed(**query: Any) -> list[str]:
        return [each["id"] for each in await as_alice.all("/agents", limit=2, **query)]

    assert await listed(sort="created_at") == [mine[0], mine[1], mine[2], mine[4]]
    assert await listed() == [mine[4], mine[2], mine[1], mine[0]]
    assert await listed(status="active", sort="created_at") == [mine[0], mine[1], mine[4]]
    assert await listed(status="paused") == [mine[2]]
    assert await listed(status="archived") == [mine[3]]
    refused(await as_alice.get("/agents", params={"sort": "name"}), 422, "unknown-sort")
    refused(await as_alice.get("/agents", params={"status": "asleep"}), 422, "invalid-request")
    refused(await as_alice.get("/agents", params={"colour": "red"}), 422, "unknown-parameter")
    first = await as_alice.read("/agents", limit=1)
    other = {"cursor": first["next_cursor"], "status": "active"}
    refused(await as_alice.get("/agents", params=other), 422, "wrong-cursor")


async def test_the_second_of_two_who_save_is_told_what_the_first_one_changed(as_alice: Program) -> None:
    agent = await made(as_alice)
    seen = {"if-match": (await as_alice.get(f"{agent}/draft")).headers["etag"]}
    tries = [as_alice.patch(f"{agent}/draft", json={"tone": f"Tone {number}."}, headers=seen) for number in range(6)]
    answers = await asyncio.gather(*tries)
    (taken,) = [answer for answer in answers if answer.status_code == 200]
    for answer in answers:
        if answer is not taken:
            problem = refused(answer, 412, "draft-changed")
            (wrong,) = problem["errors"]
            assert wrong["field"] == "tone" and taken.json()["content"]["tone"] in wrong["message"]
    refused(await as_alice.patch(f"{agent}/draft", json={"tone": "x"}), 428, "state-unknown")
    strange = {"if-match": '"abc"'}
    refused(await as_alice.patch(f"{agent}/draft", json={"tone": "x"}, headers=strange), 412, "state-changed")
    whatever = {"if-match": "*"}
    assert (await as_alice.patch(f"{agent}/draft", json={"tone": "x"}, headers=whatever)).status_code == 200


async def test_a_draft_is_thrown_away_by_who_has_seen_it(as_alice: Program) -> None:
    agent = await made(as_alice)
    await published(as_alice, agent, greeting="First.")
    draft = await as_alice.change(f"{agent}/draft", {"greeting": "Second."})
    stale = await as_alice.request("DELETE", f"{agent}/draft", headers={"if-match": '"1"'})
    refused(stale, 412, "draft-changed")
    gone = await as_alice.request("DELETE", f"{agent}/draft", headers={"if-match": draft.headers["etag"]})
    assert (gone.json()["is_open"], gone.json()["content"]["greeting"]) == (False, "First.")


async def test_versions_are_listed_compared_and_rolled_back_to(as_alice: Program) -> None:
    agent = await made(as_alice)
    for greeting in ("First.\nHello.", "Second.\nHello.", "Third."):
        await published(as_alice, agent, greeting=greeting)
    listed = await as_alice.all(f"{agent}/versions", limit=2)
    assert [(each["version_no"], each["is_published"]) for each in listed] == [(3, True), (2, False), (1, False)]
    diff = await as_alice.read(f"{agent}/diff", older="1", newer="2")
    (change,) = diff["changes"]
    assert (change["field"], change["kind"], change["before"]) == ("greeting", "changed", "First.\nHello.")
    assert [(line["sign"], line["text"]) for line in change["lines"]] == [
        ("-", "First."), ("+", "Second."), (" ", "Hello."),
    ]  # fmt: skip
    assert (await as_alice.read(f"{agent}/diff"))["changes"] == []
    await as_alice.change(f"{agent}/draft", {"tone": "Warm."})
    assert [each["field"] for each in (await as_alice.read(f"{agent}/diff"))["changes"]] == ["tone"]
    refusal = refused(await as_alice.make(f"{agent}/versions/1/roll-back", {}), 409, "draft-is-open")
    assert "keep" in refusal["detail"] and fields_of(refusal) == ["draft"]
    back = await as_alice.make(f"{agent}/versions/1/roll-back", {"draft": "keep"})
    assert (back.status_code, back.json()["version_no"], back.json()["copied_from"]) == (201, 4, 1)
    assert back.json()["content"]["greeting"] == "First.\nHello."
    assert (await as_alice.read(f"{agent}/draft"))["content"]["tone"] == "Warm."
    refused(await as_alice.make(f"{agent}/versions/4/roll-back", {"draft": "keep"}), 409, "already-published")
    refused(await as_alice.make(f"{agent}/versions/9/roll-back", {"draft": "keep"}), 404, "no-such-version")
    refused(await as_alice.get(f"{agent}/versions/{2**40}"), 404, "not-found")
    refused(await as_alice.get(f"{agent}/diff", params={"older": "0"}), 422, "invalid-request")
    refused(await as_alice.get(f"{agent}/diff", params={"older": "9"}), 404, "no-such-version")


async def test_the_prompt_is_shown_as_it_is_sent(as_alice: Program) -> None:
    agent = await made(as_alice, template="restaurant", language="de")
    shown = await as_alice.read(f"{agent}/prompt", at="2026-12-24T22:30:00+00:00")
    assert shown["text"].startswith("# Wer du bist\nDu bist der Telefonassistent von Wonderland Tea.")
    assert "Es ist Donnerstag, 24. Dezember 2026, 22:30." in shown["text"]
    assert shown["at"] == "2026-12-24T22:30:00Z"
    refused(await as_alice.get(f"{agent}/prompt", params={"which": "published"}), 404, "no-such-version")
    for at in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-12-24T22:30:00", "tomorrow"):
        problem = refused(await as_alice.get(f"{agent}/prompt", params={"at": at}), 422, "invalid-request")
        assert fields_of(problem) == ["at"]
    for at in ("2000-01-01T00:00:00Z", "2199-12-31T23:59:59Z"):
        assert at[:4] in (await as_alice.read(f"{agent}/prompt", at=at))["text"]


async def test_templates_are_listed_and_shown(as_alice: Program) -> None:
    assert len(await as_alice.all("/agent-templates")) == 16
    german = await as_alice.all("/agent-templates", language="de")
    assert [each["key"] for each in german][:2] == ["dentist", "hairdresser"]
    one = await as_alice.read("/agent-templates/trades", language="de")
    assert one["name"] == "Handwerksbetrieb" and "{business}" in one["content"]["greeting"]
    for path, query in (("astronaut", {}), ("dentist", {"language": "fr"})):
        refused(await as_alice.get(f"/agent-templates/{path}", params=query), 404, "no-such-template")
    for language in ("null", "fr", "de-DE", ""):
        answer = await as_alice.get("/agent-templates", params={"language": language})
        assert fields_of(refused(answer, 422, "no-such-language")) == ["language"]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"template": "astronaut"}, "template"),
        ({"language": "fr"}, "language"),
        ({"zone": "Mars/Olympus"}, "zone"),
        ({"business": " "}, "business"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_an_agent_that_cannot_be_is_a_problem_that_names_the_field(
    as_alice: Program, more: dict[str, Any], field: str
) -> None:
    answer = await as_alice.make("/agents", NEW | more)
    assert answer.status_code == 422
    assert fields_of(answer.json()) == [field]
    assert len(await as_alice.all("/agents")) == 1


async def test_what_cannot_be_in_a_draft_is_a_problem_and_nothing_is_half_written(
    as_alice: Program, alice: Person
) -> None:
    path = f"/agents/{alice.agent}/draft"
    for sent, field, _says in BAD:
        if sent.get("tone", "").isascii():  # half a character cannot even be sent
            answer = await as_alice.patch(path, json={"tone": "Not kept.", **sent}, headers={"if-match": '"0"'})
            assert answer.status_code == 422, (field, answer.text)
            assert answer.json()["detail"]
    assert (await as_alice.read(path))["revision"] == 0


def test_the_description_of_a_draft_has_what_a_draft_has() -> None:
    assert [*ContentChange.model_fields] == [*AgentContent.model_fields] == [*FIELDS]
    assert set(get_args(Reason)) == set(FALLBACKS) and set(get_args(ForwardReason)) == set(FORWARDS)
    assert set(get_args(ToolName)) == set(TOOLS)
    settings = {field.name for field in dataclasses.fields(TurnSettings)}
    assert set(get_args(TurnSetting)) == settings - {"call_seconds_max"}
    never_stored = {Route.TALK, Route.TRANSFER, Route.UNKNOWN_NUMBER, Route.TROUBLE, Route.OVER}
    assert set(FALLBACKS) == {route.value for route in set(Route) - never_stored}
    for model in (AgentContent, ContentChange):
        (said,) = model.model_json_schema()["examples"]
        checking.revised(Content(), said)


async def test_what_is_unfinished_is_not_published(as_alice: Program) -> None:
    agent = await made(as_alice)
    saved = await as_alice.change(f"{agent}/draft", {"greeting": "", "knowledge": [{"key": "cake"}]})
    answer = await as_alice.make(f"{agent}/publish", {"revision": saved.json()["revision"]})
    problem = refused(answer, 422, "unfit-agent")
    assert fields_of(problem) == ["knowledge.0.answer", "knowledge.0.questions", "greeting"]
    assert "what the agent says when it answers" in str(problem["errors"])
    assert (await as_alice.read(agent))["published_version"] is None


async def test_there_are_only_so_many_agents(stage: Stage, alice: Person) -> None:
    few = Stage(stage.settings.model_copy(update={"agents_max": 2}), stage.database)
    async with program_of(few, alice) as program:
        agent = await made(program)
        refused(await program.make("/agents", NEW), 409, "too-many-agents")
        await program.post(f"{agent}/archive")
        await made(program)
        refused(await program.post(f"{agent}/restore"), 409, "too-many-agents")


async def test_somebody_elses_agent_is_not_there(
    as_alice: Program, as_bob: Program, database: Database, alice: Person
) -> None:
    agent = await new_agent(database, alice)
    await published(as_alice, f"/agents/{agent}", tone="Warm.")
    before = await as_alice.read(f"/agents/{agent}/draft")
    any_state = {"if-match": "*"}
    for unknown in (agent, uuid.uuid4(), "nonsense"):
        path = f"/agents/{unknown}"
        answers = [
            *[
                await as_bob.get(f"{path}{rest}")
                for rest in ("", "/draft", "/versions", "/versions/1", "/diff", "/prompt")
            ],
            await as_bob.patch(path, json={"name": "Bob's"}, headers=any_state),
            await as_bob.patch(f"{path}/draft", json={"tone": "Bob's"}, headers=any_state),
            await as_bob.request("DELETE", f"{path}/draft", headers=any_state),
            *[await as_bob.post(f"{path}/{deed}") for deed in ("archive", "restore")],
            await as_bob.make(f"{path}/publish", {"revision": before["revision"]}),
            await as_bob.make(f"{path}/versions/1/roll-back", {"draft": "discard"}),
        ]
        assert {answer.status_code for answer in answers} == {404}, [answer.text for answer in answers]
    assert await as_alice.read(f"/agents/{agent}/draft") == before
    assert str(agent) not in str(await as_bob.all("/agents"))


async def test_a_key_that_only_reads_changes_nothing(stage: Stage, alice: Person) -> None:
    async with program_of(stage, alice, [Scope.AGENTS_READ]) as reader:
        path = f"/agents/{alice.agent}"
        assert (await reader.get(path)).status_code == 200
        problem = refused(await reader.patch(path, json={"name": "x"}, headers={"if-match": "*"}), 403, "missing-scope")
        assert "agents:write" in problem["detail"]
        refused(await reader.make("/agents", NEW), 403, "missing-scope")
    async with program_of(stage, alice, [Scope.CALLS_READ]) as other:
        refused(await other.get(path), 403, "missing-scope")
        refused(await other.get("/agent-templates"), 403, "missing-scope")
