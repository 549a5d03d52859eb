"""An agent puts its caller through to a person: the tool that the model has for it, and what comes of using it.

The rule: only people whom the agent's version names are offered, whatever a caller or a model asks for; nobody is told
that they are put through before it was asked whether they can be; and from the moment the carrier is told, the line is
not ours to hang up.
"""

import asyncio
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from talktime import log
from talktime.agents.content import TAKE_MESSAGE, TRANSFER, Person
from talktime.calls import transfers
from talktime.calls.coming_back import Before
from talktime.calls.lifecycle import Answered
from talktime.calls.models import Party
from talktime.calls.routing import put_through
from talktime.calls.transfers import TRANSFERRED, Transfer
from talktime.carriers.contract import Carrier
from talktime.db.base import new_id
from talktime.errors import BadInput, ProviderError, Refused
from talktime.hooks.calls import forward_to
from talktime.http.context import Context
from talktime.http.problems import DATABASE_AWAY, DATABASE_SAYS_NO
from talktime.speech.contract import Brief, Message, Tool
from talktime.voice.conversation import Way
from talktime.voice.phrases import people_phrases
from talktime.voice.receptionists import Receptionist

_SILENT = "carrier_silent"
_NOBODY_ANSWERED = "error: nobody answered there, and the caller is back with you"
_LOGGER = log.get(__name__)


class NobodyOfThatName(BadInput):
    """Nobody of that name can be reached by phone here."""


class NotNow(Refused):
    """That person cannot be reached by phone at the moment. Say so, and ask whether you may do something else."""


class SpokenBetween(Refused):
    """The caller spoke in between, so it was not done; use it again if they still want it."""


class Leaver(Protocol):
    """The conversation, as far as it is needed here."""

    @property
    def agents_turn(self) -> object:
        """See `Conversation`."""

    def leave_by(self, way: Way, *, reason: str, key: str, turn: object) -> bool:
        """See `Conversation`."""


class PuttingThrough:
    """What one live call can do about people."""

    def __init__(
        self,
        context: Context,
        company: Carrier,
        call: Answered,
        receptionist: Receptionist,
        leaver: Callable[[], Leaver],
    ) -> None:
        """`leaver` gives the call's conversation, which is made after its tools."""
        self._context = context
        self._company = company
        self._call = call
        self._receptionist = receptionist
        self._leaver = leaver
        self._dialling: asyncio.Task[Transfer] | None = None
        self._log = _LOGGER.bind(call_id=str(call.call_id), user_id=str(call.user_id))

    @property
    def tool(self) -> Tool | None:
        """What the model is offered; None for an agent that puts nobody through."""
        return transfer_tool(self._receptionist.people)

    async def use(self, arguments: Mapping[str, Any], key: str) -> str:
        """The tool: have the caller put through once the agent has said so. Raises NobodyOfThatName, NotNow,
        SpokenBetween."""
        turn = self._leaver().agents_turn
        person = self._named(str(arguments["person"]))
        refused = await self._refusal(person)
        if refused is not None:
            self._log.info("a caller cannot be put through", reason=refused)
            raise NotNow
        leg = new_id()
        if not self._leaver().leave_by(lambda: self._go(leg, person), reason=TRANSFERRED, key=key, turn=turn):
            raise SpokenBetween
        return (
            "The caller is put through as soon as your next sentence was played. Say in one short sentence that you are"
            f" putting them through to {person.name}, and ask nothing."
        )

    async def relieve(self, reason: str) -> Transfer | None:
        """The agent cannot go on: ring whom the customer named for that. None where that is nobody."""
        number = self._receptionist.stand_in
        if number is None:
            return None
        language = self._receptionist.brief.language
        self._dialling = asyncio.create_task(
            self._dial(new_id(), number, said=put_through(language), language=language, our_fault=reason)
        )
        return await self.settled()

    async def settled(self) -> Transfer | None:
        """What came of it, once that is known; None when it was never tried. Never raises."""
        if self._dialling is None:
            return None
        await asyncio.wait((self._dialling,))
        return None if self._dialling.cancelled() or self._dialling.exception() else self._dialling.result()

    def has_line(self, transfer: Transfer | None, *, line_closed: bool) -> bool:
        """Whether the line is the carrier's now, which rings the person or may be doing so: then it is not hung up.

        Of a carrier that did not say, a line that was closed from there tells that it does.
        """
        if self._dialling is None:
            return False
        if transfer is None:
            return line_closed
        return transfer.is_dialled or (transfer.reason == _SILENT and line_closed)

    def _named(self, name: str) -> Person:
        wanted = " ".join(name.split()).casefold()
        for person in self._receptionist.people:
            if person.name.casefold() == wanted:
                return person
        raise NobodyOfThatName

    async def _refusal(self, person: Person) -> str | None:
        try:
            return await transfers.refusal(
                self._context.database, self._call.user_id, self._call.call_id, person.number
            )
        except DATABASE_AWAY as error:
            raise ProviderError("whether a caller can be put through is not known") from error

    async def _go(self, leg: uuid.UUID, person: Person) -> str | None:
        """Have the person rung; gives what to say when they are not."""
        self._dialling = asyncio.create_task(self._dial(leg, person.number))
        # Whatever ends the conversation meanwhile: what the carrier was told is told, and its answer is needed.
        transfer = await asyncio.shield(self._dialling)
        return None if transfer.is_dialled else self._regret()

    async def _dial(
        self, leg: uuid.UUID, number: str, *, said: str = "", language: str = "en", our_fault: str | None = None
    ) -> Transfer:
        user, call = self._call.user_id, self._call.call_id
        forward = forward_to(self._context.settings, self._company.name, user, leg, number=number)
        forward = replace(forward, text=said, language=language)
        try:
            return await transfers.begin(
                self._context.database, self._company, user, call, leg=leg, forward=forward, our_fault=our_fault
            )
        except (*DATABASE_SAYS_NO, OSError) as error:
            # Nothing was told to the carrier: it hears of a leg only after that is stored.
            self._log.warning("a caller was not put through", error=type(error).__name__)
            return Transfer(leg, False, "not_stored", 0)

    def _regret(self) -> str:
        return f"{people_phrases(self._receptionist.brief.language).not_possible} {_offer(self._receptionist)}"


def transfer_tool(people: Sequence[Person]) -> Tool | None:
    """The tool that puts callers through to one of these; None where there is nobody."""
    if not people:
        return None
    return Tool(
        TRANSFER,
        "Put the caller through to a person of the business, by name. Use it when the caller asks for one of them,"
        " or for a person. Say nothing before its answer.",
        {
            "type": "object",
            "properties": {
                "person": {"type": "string", "enum": [person.name for person in people], "description": "Whom"}
            },
            "required": ["person"],
        },
    )


def greeted_again(receptionist: Receptionist, before: Before) -> Brief:
    """The brief of an agent whose caller is back from a person who did not answer: it says that, and greets nobody."""
    said = people_phrases(receptionist.brief.language)
    names = [person.name for person in receptionist.people if person.number == before.dialled]
    person = names[0] if names else said.somebody
    return replace(receptionist.brief, greeting=f"{said.not_answered.format(person=person)} {_offer(receptionist)}")


def recalled(before: Before) -> Sequence[Message]:
    """What was said before a caller came back, as models are told it; the transfer did not come to anything."""
    messages: list[Message] = []
    for turn in before.turns:
        if turn.speaker is Party.CALLER:
            messages.append(Message("caller", turn.text))
            continue
        for place, use in enumerate(turn.tools):
            name, arguments = str(use["name"]), str(use["arguments"])
            named = {"tool_call_id": f"before-{turn.turn_no}-{place}", "tool_name": name, "tool_arguments": arguments}
            messages.append(Message("agent", "", **named))
            messages.append(Message("tool", _NOBODY_ANSWERED if name == TRANSFER else str(use["result"]), **named))
        if turn.text:
            messages.append(Message("agent", turn.text))
    return messages


def _offer(receptionist: Receptionist) -> str:
    """What is offered in the place of a person."""
    said = people_phrases(receptionist.brief.language)
    return said.offer_message if TAKE_MESSAGE in receptionist.tools else said.offer_help
