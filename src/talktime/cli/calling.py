"""A simulated caller, as a command sees it: the call is placed with the simulated phone company, and what was said is
read from the transcript as it is written.
"""

import asyncio
import contextlib
import shutil
import sys
import textwrap
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import text

from talktime.agents import demo as content
from talktime.calls import history
from talktime.calls.history import CallRecord
from talktime.calls.models import Party, Turn
from talktime.calls.receipt import Receipt
from talktime.carriers.simulated import SimulatedAccount
from talktime.db.session import Database
from talktime.errors import BadInput, NotFound
from talktime.settings import Settings
from talktime.simulate.control import place_call
from talktime.simulate.orders import HangUp, Order, Say, Stay, Step, WaitForAgent
from talktime.simulate.sound import read_wav
from talktime.simulate.voice import speak

_WHY = "a command looks at the call it placed"
_LOOK_SECONDS = 0.2
_SETTLES_SECONDS_MAX = 20.0
_CALLER = "+447700900123"


async def steps_of_texts(texts: Sequence[str]) -> tuple[Step, ...]:
    """A caller who lets the agent finish, says a sentence, and so on, then hangs up."""
    steps: list[Step] = []
    for words in texts:
        steps += [WaitForAgent(), Say(text=words, pcm=await speak(words))]
    return (*steps, WaitForAgent(), HangUp())


def steps_of_wav(path: Path) -> tuple[Step, ...]:
    """A caller who plays a recording after the greeting."""
    return (WaitForAgent(), Say(text=path.name, pcm=read_wav(path)), WaitForAgent(), HangUp())


def steps_of_demo() -> tuple[Step, ...]:
    """The demo caller: recordings that the package carries; in the end the agent puts the caller through."""
    steps: list[Step] = []
    for line in content.CONVERSATION:
        with as_file(files("talktime.simulate") / "wavs" / f"{line.wav}.wav") as path:
            steps += [WaitForAgent(), Say(text=line.text, pcm=read_wav(path))]
    return (*steps, Stay())


class PlacedCall:
    """One call from a command: rings, follows the transcript, and ends with the record of the call."""

    def __init__(self, settings: Settings, database: Database, number: str, steps: tuple[Step, ...]) -> None:
        self._settings = settings
        self._database = database
        self._number = number
        self._order = Order(
            dialled=number,
            caller=_CALLER,
            voice_url=f"{settings.base_url}/hooks/simulated/ring",
            status_callback=f"{settings.base_url}/hooks/simulated/report",
            script=steps,
            seconds_max=600,
            dial_ring_seconds=2,
            dial_seconds=8,
        )
        self.events: list[dict[str, Any]] = []
        self._is_over = asyncio.Event()
        self._carrier_call_id: str | None = None
        self._whose: tuple[uuid.UUID, uuid.UUID] | None = None

    async def turns(self) -> AsyncIterator[Turn]:
        """The turns of the call as they are written, until it is over and settled."""
        account = SimulatedAccount.of(self._settings)
        listening = asyncio.create_task(self._listen(account))
        shown = 0
        try:
            while True:
                over = self._is_over.is_set()
                record = await self.record()
                for turn in record.turns[shown:] if record else ():
                    shown += 1
                    yield turn
                if over:
                    break
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._is_over.wait()
            async with asyncio.timeout(_SETTLES_SECONDS_MAX):
                while (record := await self.record()) is not None and record.is_live:
                    await asyncio.sleep(_LOOK_SECONDS)
            for turn in record.turns[shown:] if record else ():
                yield turn
            await listening
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def record(self) -> CallRecord | None:
        """The call as the books have it; None before it rang, and when nobody answers the number."""
        if self._carrier_call_id is None:
            return None
        if self._whose is None:
            async with self._database.transaction(everyone=_WHY) as db:
                row = (
                    await db.execute(
                        text(
                            "SELECT user_id, call_id FROM call_directory"
                            " WHERE carrier = 'simulated' AND carrier_call_id = :call"
                        ),
                        {"call": self._carrier_call_id},
                    )
                ).first()
            if row is None:
                return None
            self._whose = (row.user_id, row.call_id)
        user, call = self._whose
        async with self._database.transaction(user=user) as db:
            return await history.one(db, user, call)

    async def leg(self, leg: uuid.UUID) -> CallRecord | None:
        """A leg to a person, once it is settled; None when that takes too long."""
        assert self._whose is not None
        user, _ = self._whose
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SETTLES_SECONDS_MAX):
                while True:
                    async with self._database.transaction(user=user) as db:
                        record = await history.one(db, user, leg)
                    if not record.is_live:
                        return record
                    await asyncio.sleep(_LOOK_SECONDS)
        return None

    def announced(self) -> list[str]:
        """What the carrier itself said to the caller, when the agent could not talk."""
        return [event["text"] for event in self.events if event["event"] == "announced"]

    async def _listen(self, account: SimulatedAccount) -> None:
        try:
            async with contextlib.aclosing(place_call(account.api_base, account.control_secret, self._order)) as events:
                async for event in events:
                    self.events.append(event)
                    if event["event"] == "placed":
                        self._carrier_call_id = event["call_sid"]
                    if event["event"] == "ended":
                        self._is_over.set()
        finally:
            self._is_over.set()


async def ring_demo(settings: Settings, database: Database, number: str) -> None:
    """The first call of a new installation: the demo caller, printed as it happens."""
    await print_call(PlacedCall(settings, database, number, steps_of_demo()), number)


async def print_call(call: PlacedCall, number: str) -> CallRecord | None:
    """Follow a call on the terminal: both sides as they speak, then the receipt."""
    _say(f"Ringing {number} …")
    async for turn in call.turns():
        _say(fitted(line_of(turn)))
    for words in call.announced():
        _say(f"  carrier          {words}")
    record = await call.record()
    if record is None:
        _say("Nobody answers this number.")
        return None
    _say("")
    _say(f"Receipt of call {record.call.id}: {record.call.status.value}, {record.call.end_reason}")
    for line in receipt_lines(record.receipt):
        _say(line)
    for leg in record.receipt.legs if record.receipt is not None else ():
        person = await call.leg(leg)
        if person is not None:
            _say("")
            _say(f"Receipt of call {leg}: {person.call.status.value}, {person.call.end_reason}")
            for line in receipt_lines(person.receipt):
                _say(line)
    return record


def line_of(turn: Turn) -> str:
    """`  caller   0:07.2  What are your opening hours?`"""
    minutes, milliseconds = divmod(turn.began_ms, 60_000)
    who = "agent" if turn.speaker == Party.AGENT else "caller"
    extra = []
    if turn.latency and "first_audio" in turn.latency:
        extra.append(f"answered after {turn.latency['first_audio']} ms")
    if turn.interrupted:
        extra.append("interrupted")
    extra += [str(use["name"]) for use in turn.tools]
    note = f"  [{', '.join(extra)}]" if extra else ""
    return f"  {who:<7} {minutes}:{milliseconds / 1000:04.1f}   {turn.text}{note}"


def fitted(line: str) -> str:
    """A line as it fits the terminal, with what is said in a column of its own; as it is when nobody watches."""
    width = shutil.get_terminal_size((120, 24)).columns
    if not sys.stdout.isatty() or len(line) <= width:
        return line
    indent = line.index("   ", 10) + 3
    return line[:indent] + f"\n{' ' * indent}".join(textwrap.wrap(line[indent:], max(30, width - indent)))


def receipt_lines(receipt: Receipt | None, *, zone: str = "UTC") -> list[str]:
    """The receipt as text: both clocks, the sum in words, each line of the ledger, what was not billed and why."""
    if receipt is None:
        return ["  not charged: the agent did not talk"]
    lines = [f"  {name:<9} {words}" for name, words in _times(receipt, zone)]
    lines.append(f"  {receipt.rule}")
    if receipt.not_charged_reason:
        lines.append(f"  not charged: {receipt.not_charged_reason.replace('_', ' ')}")
    lines += [
        f"  line {line.seq}  {line.type:<16} {line.amount:>6} credits   balance {line.balance_after}"
        + (f"   {line.reason}" if line.reason else "")
        for line in receipt.lines
    ]
    if receipt.final_reason:
        lines.append(f"  it got no more time: {receipt.final_reason.replace('_', ' ')}")
    if receipt.unbilled:
        lines.append(f"  {receipt.unbilled} credits more were talked than could be charged; they are not billed")
    if receipt.parent_id is not None:
        lines.append(f"  put through from call {receipt.parent_id}; charged by the carrier's clock")
    lines += [f"  the caller was put through: call {leg}, with a receipt of its own" for leg in receipt.legs]
    if receipt.claim is not None:
        by_itself = " by itself" if receipt.claim.automatic else ""
        claimed = f"{receipt.claim.reason.replace('_', ' ')}: {receipt.claim.state.value.lower()}{by_itself}"
        lines.append(f"  said not to be a real call, {claimed}")
    if not receipt.is_final:
        return [*lines, f"  held so far: {receipt.held} credits"]
    return [*lines, f"  charged: {receipt.charged} credits"]


def _times(receipt: Receipt, zone: str) -> list[tuple[str, str]]:
    """When it rang, was answered and ended, on the reader's clock, and how long each side measured."""
    moments = (("rang", receipt.began_at), ("answered", receipt.answered_at), ("ended", receipt.ended_at))
    local = [(name, f"{at.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S %Z}") for name, at in moments if at is not None]
    if receipt.answered_at is None:
        return local
    carriers = (
        ""
        if receipt.carrier_seconds is None or not receipt.is_comparable
        else f", {receipt.carrier_seconds} s by the carrier's"
    )
    return [*local, ("talk", f"{receipt.seconds} s by our clock{carriers}")]


def document_of(call: PlacedCall, record: CallRecord | None, number: str) -> dict[str, Any]:
    """The whole call as one JSON document."""
    if record is None:
        return {"number": number, "call_id": None, "announced": call.announced(), "transcript": [], "receipt": None}
    row = record.call
    return {
        "number": number,
        "call_id": row.id,
        "carrier_call_id": row.carrier_call_id,
        "status": row.status,
        "route": row.route,
        "end_reason": row.end_reason,
        "started_at": row.started_at,
        "answered_at": row.answered_at,
        "ended_at": row.ended_at,
        "summary": row.summary,
        "announced": call.announced(),
        "transcript": [
            {
                "turn_no": turn.turn_no,
                "speaker": turn.speaker,
                "text": turn.text,
                "began_ms": turn.began_ms,
                "ended_ms": turn.ended_ms,
                "interrupted": turn.interrupted,
                "latency_ms": turn.latency,
                "tools": turn.tools,
                "sources": turn.sources,
            }
            for turn in record.turns
        ],
        "heard_by_caller": [event for event in call.events if event["event"] in ("caller_says", "agent_audio_begins")],
        "answer_ms": next((event["answer_ms"] for event in call.events if event["event"] == "ended"), []),
        "receipt": asdict(record.receipt) if record.receipt else None,
    }


def print_json(document: dict[str, Any]) -> None:
    """Print one document on one line."""
    sys.stdout.write(orjson.dumps(document, default=str).decode() + "\n")


async def number_to_ring(database: Database, number: str | None) -> str:
    """The number that was asked for, else the first that the simulated carrier reaches. Raises NotFound."""
    if number is not None:
        return number
    async with database.transaction(everyone=_WHY) as db:
        found = await db.scalar(
            text(
                "SELECT number FROM phone_numbers WHERE carrier = 'simulated' AND agent_id IS NOT NULL"
                " ORDER BY created_at LIMIT 1"
            )
        )
    if found is None:
        raise NotFound("No agent answers a number of the simulated carrier: start the server with --demo.")
    return str(found)


def read_script(path: Path) -> tuple[Step, ...]:
    """Steps from a JSON file, as the simulated phone company takes them (a list under `script`, or the list itself)."""
    try:
        loaded = orjson.loads(path.read_bytes())
        steps = loaded["script"] if isinstance(loaded, dict) else loaded
        return Order(dialled="+10000000", voice_url="http://127.0.0.1/", script=steps).script
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"The script {path} cannot be used: {error}") from None


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
