"""Requests of `agents`.

Made from docs/openapi.json by scripts/client.py: change nothing here by hand.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from talktime_client._generated.shapes.agents import (
    Agent,
    AgentStatus,
    AgentStatusName,
    Contact,
    Diff,
    Draft,
    Hours,
    KnowledgeEntry,
    ListedVersion,
    OpenDraft,
    OpenDraftName,
    Prompt,
    Version,
)
from talktime_client._group import Group
from talktime_client._paging import Pages
from talktime_client._transport import Transport
from talktime_client._values import UNSET, Id, Unset, uuid_written


class AgentsDraftGroup(Group):
    """`client.agents.draft`"""

    def get(self, agent_id: Id) -> Draft:
        """Gives what is being written for an agent, or what is published while nothing is.

        `GET /v1/agents/{agent_id}/draft`, with the scope `agents:read`.
        """
        return self._ask(Draft, "GET", f"/v1/agents/{uuid_written(agent_id)}/draft")

    def save(
        self,
        agent_id: Id,
        *,
        if_match: str | None,
        answers_after_hours: bool | Unset = UNSET,
        avoid: str | Unset = UNSET,
        business: str | Unset = UNSET,
        call_seconds_max: int | Unset = UNSET,
        facts: str | Unset = UNSET,
        fallback_forwards: Mapping[str, str] | Unset = UNSET,
        fallback_texts: Mapping[str, str] | Unset = UNSET,
        greeting: str | Unset = UNSET,
        hours: Hours | Unset | None = UNSET,
        instructions: str | Unset = UNSET,
        knowledge: Sequence[KnowledgeEntry] | Unset = UNSET,
        language: str | Unset = UNSET,
        people: Sequence[Contact] | Unset = UNSET,
        phrases: Sequence[str] | Unset = UNSET,
        tone: str | Unset = UNSET,
        tools: Sequence[Literal["take_message"]] | Unset = UNSET,
        turn_settings: Mapping[str, int | float] | Unset = UNSET,
        voice: str | Unset = UNSET,
        zone: str | Unset = UNSET,
    ) -> Draft:
        """Saves some fields of the draft, and begins one if there is none. When somebody else has saved since, the
        answer is a 412 that names the fields which they changed.

        `PATCH /v1/agents/{agent_id}/draft`, with the scope `agents:write`.

        - `answers_after_hours`: False: outside the hours callers hear the fallback text for `after_hours`, which
          costs nothing.
        - `business`: What the business is called.
        - `facts`: What is true of the business: address, parking, who works there.
        - `fallback_forwards`: Who is rung instead, by the reason: a number, for which you pay as for a transfer.
        - `fallback_texts`: What callers hear when the agent cannot talk, by the reason; ours where you say
          nothing.
        - `greeting`: What it says when it answers. Say there that an assistant, not a person, is speaking.
        - `hours`: Null when they are not to be told.
        - `instructions`: What it is to do, in your words: at most 20,000 bytes of UTF-8.
        - `language`: BCP 47: `de`, `en`, or a kind of it such as `de-AT`.
        - `people`: To whom it may put callers through. Whoever is put through costs what your price for transfers
          says.
        - `phrases`: Further sentences that callers are likely to say, so that they are understood.
        - `tools`: What it may do besides talking.
        - `turn_settings`: How it takes turns, where it differs from the usual.
        - `voice`: The name of a voice; empty for the one that is spoken with by itself.
        - `zone`: A name of the IANA list, such as `Europe/Berlin`: whose hours and whose today the agent knows.
        """
        return self._ask(
            Draft,
            "PATCH",
            f"/v1/agents/{uuid_written(agent_id)}/draft",
            body={
                "answers_after_hours": answers_after_hours,
                "avoid": avoid,
                "business": business,
                "call_seconds_max": call_seconds_max,
                "facts": facts,
                "fallback_forwards": fallback_forwards,
                "fallback_texts": fallback_texts,
                "greeting": greeting,
                "hours": hours,
                "instructions": instructions,
                "knowledge": knowledge,
                "language": language,
                "people": people,
                "phrases": phrases,
                "tone": tone,
                "tools": tools,
                "turn_settings": turn_settings,
                "voice": voice,
                "zone": zone,
            },
            if_match=if_match,
        )

    def discard(self, agent_id: Id, *, if_match: str | None) -> Draft:
        """Throws the draft away; the answer is what is published.

        `DELETE /v1/agents/{agent_id}/draft`, with the scope `agents:write`.
        """
        return self._ask(Draft, "DELETE", f"/v1/agents/{uuid_written(agent_id)}/draft", if_match=if_match)


class AgentsVersionsGroup(Group):
    """`client.agents.versions`"""

    def list(self, agent_id: Id, *, limit: int | None = None, cursor: str | None = None) -> Pages[ListedVersion]:
        """Lists what was published of an agent, the newest first.

        `GET /v1/agents/{agent_id}/versions`, with the scope `agents:read`.
        """
        return self._pages(ListedVersion, f"/v1/agents/{uuid_written(agent_id)}/versions", {"limit": limit}, cursor)

    def get(self, agent_id: Id, version_no: int) -> Version:
        """Gives one version with everything that it says.

        `GET /v1/agents/{agent_id}/versions/{version_no}`, with the scope `agents:read`.
        """
        return self._ask(Version, "GET", f"/v1/agents/{uuid_written(agent_id)}/versions/{version_no}")

    def roll_back(
        self,
        agent_id: Id,
        version_no: int,
        *,
        draft: OpenDraft | OpenDraftName | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Version:
        """Publishes a copy of an older version as the next one. While a draft is open, say what becomes of it.

        `POST /v1/agents/{agent_id}/versions/{version_no}/roll-back`, with the scope `agents:write`.

        - `draft`: Needed while somebody writes one: `keep` leaves it as it is, `discard` throws it away.
        """
        return self._ask(
            Version,
            "POST",
            f"/v1/agents/{uuid_written(agent_id)}/versions/{version_no}/roll-back",
            body={"draft": draft},
            once=idempotency_key,
        )


class AgentsGroup(Group):
    """`client.agents`"""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self.draft: AgentsDraftGroup = AgentsDraftGroup(transport)
        self.versions: AgentsVersionsGroup = AgentsVersionsGroup(transport)

    def list(
        self,
        *,
        status: AgentStatus | AgentStatusName | None = None,
        limit: int | None = None,
        cursor: str | None = None,
        sort: Literal["-created_at", "created_at"] | None = None,
    ) -> Pages[Agent]:
        """Lists your agents.

        `GET /v1/agents`, with the scope `agents:read`.

        - `status`: All but the archived ones when it is left out.
        """
        return self._pages(Agent, "/v1/agents", {"status": status, "limit": limit, "sort": sort}, cursor)

    def create(
        self,
        *,
        name: str,
        business: str,
        language: str | Unset | None = UNSET,
        template: str | Unset | None = UNSET,
        zone: str | Unset | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Agent:
        """Makes an agent with a draft, from a template if you name one.

        `POST /v1/agents`, with the scope `agents:write`.

        - `name`: What you call it; callers never hear it.
        - `language`: BCP 47: `de` or `en`, or a kind of these. Yours when it is left out.
        - `template`: What its draft begins with; left out, it only says hello.
        - `zone`: A name of the IANA list. Yours when it is left out.
        """
        return self._ask(
            Agent,
            "POST",
            "/v1/agents",
            body={"name": name, "business": business, "language": language, "template": template, "zone": zone},
            once=idempotency_key,
        )

    def get(self, agent_id: Id) -> Agent:
        """Gives one agent, also an archived one.

        `GET /v1/agents/{agent_id}`, with the scope `agents:read`.
        """
        return self._ask(Agent, "GET", f"/v1/agents/{uuid_written(agent_id)}")

    def update(
        self, agent_id: Id, *, if_match: str | None, active: bool | Unset = UNSET, name: str | Unset = UNSET
    ) -> Agent:
        """Renames an agent, pauses it, or has it answer again. What it says is changed in its draft.

        `PATCH /v1/agents/{agent_id}`, with the scope `agents:write`.

        - `active`: False pauses it: new calls hear your fallback text, and those that go on go on.
        """
        return self._ask(
            Agent,
            "PATCH",
            f"/v1/agents/{uuid_written(agent_id)}",
            body={"active": active, "name": name},
            if_match=if_match,
        )

    def archive(self, agent_id: Id) -> Agent:
        """Puts an agent away. It answers no more; its versions and calls stay. Archived again, it stays as it is.

        `POST /v1/agents/{agent_id}/archive`, with the scope `agents:write`.
        """
        return self._ask(Agent, "POST", f"/v1/agents/{uuid_written(agent_id)}/archive")

    def diff(self, agent_id: Id, *, older: str | None = None, newer: str | None = None) -> Diff:
        """Says what differs, field by field, and line by line in long texts. Each is the number of a version,
        `draft` or `published`.

        `GET /v1/agents/{agent_id}/diff`, with the scope `agents:read`.
        """
        return self._ask(
            Diff, "GET", f"/v1/agents/{uuid_written(agent_id)}/diff", params={"older": older, "newer": newer}
        )

    def prompt(self, agent_id: Id, *, which: str | None = None, at: datetime | None = None) -> Prompt:
        """Shows the prompt as a language model is sent it on a call at that time: of the draft, of what is
        published, or of a version.

        `GET /v1/agents/{agent_id}/prompt`, with the scope `agents:read`.

        - `at`: When the call is; now when it is left out.
        """
        return self._ask(
            Prompt, "GET", f"/v1/agents/{uuid_written(agent_id)}/prompt", params={"which": which, "at": at}
        )

    def publish(self, agent_id: Id, *, revision: int, idempotency_key: str | None = None) -> Version:
        """Publishes the draft as the next version. Calls that ring from now on get it; those that go on keep theirs.

        `POST /v1/agents/{agent_id}/publish`, with the scope `agents:write`.

        - `revision`: The draft that you saw, so that you publish nothing that somebody else wrote a moment ago.
        """
        return self._ask(
            Version,
            "POST",
            f"/v1/agents/{uuid_written(agent_id)}/publish",
            body={"revision": revision},
            once=idempotency_key,
        )

    def restore(self, agent_id: Id) -> Agent:
        """Brings an archived agent back, paused.

        `POST /v1/agents/{agent_id}/restore`, with the scope `agents:write`.
        """
        return self._ask(Agent, "POST", f"/v1/agents/{uuid_written(agent_id)}/restore")
