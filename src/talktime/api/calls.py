"""`/v1/calls`: what was talked about with whom, and what it cost.

The rule: who called and what was said is shown to whoever has `calls:read`, and to nobody by way of a log or a message.
"""

import asyncio
import uuid
from dataclasses import fields
from typing import Annotated, Any

from fastapi import Depends, Query, Response

from talktime.accounts.keys import Scope
from talktime.api.caller import Caller, needs
from talktime.api.files import PdfResponse, pdf
from talktime.api.paging import Key, Page, Paging, pages
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, When, example, example_like
from talktime.api.writing import Once, only_once, shown
from talktime.calls import history, search
from talktime.calls import receipt as receipts
from talktime.calls.history import CallFilter, CallRecord, Place
from talktime.calls.history import ListedCall as Row
from talktime.calls.models import CallStatus, Direction, Party
from talktime.calls.models import Turn as TurnRow
from talktime.calls.receipt import ReceiptClaim
from talktime.credits import money
from talktime.credits.models import ChargeClaim, ClaimState, NotCharged
from talktime.db.session import Session
from talktime.documents.receipt import render_receipt_pdf
from talktime.errors import BadInput
from talktime.http import drawing

router = api_router("/calls", "Calls")

_CLAIMABLE = (NotCharged.SPAM, NotCharged.WRONG_NUMBER, NotCharged.NOT_A_CALL)


class NoSuchReason(BadInput):
    """Say what it was: spam, wrong_number or not_a_call."""

    field = "reason"


class WordsNewestFirst(BadInput):
    """Calls that are found by words come newest first: leave `sort` out."""

    field = "sort"


class ListedCall(Resource):
    """A call, as a row of a list."""

    model_config = example(
        id="0199c901-2f7c-7d00-8b3e-9a2c4e6f8a01",
        agent_id="0199c8f5-0000-7000-8000-000000000001",
        agent_version=3,
        agent_name="Reception",
        number_id="0199c8f5-0000-7000-8000-000000000002",
        carrier="twilio",
        direction="INBOUND",
        parent_id=None,
        caller="+4930901820",
        dialled="+493012345678",
        status="COMPLETED",
        route="talk",
        started_at="2026-11-20T09:30:00.120Z",
        answered_at="2026-11-20T09:30:03.480Z",
        ended_at="2026-11-20T09:31:38.010Z",
        end_reason="caller_hung_up",
        seconds=95,
        outcome="message",
        summary="Ms Weber asks to be called back about her appointment.",
        credits=30,
        held=0,
    )

    id: uuid.UUID
    agent_id: uuid.UUID | None
    agent_version: int | None
    """Null for a call from the dashboard to the agent as its draft was."""
    agent_name: str | None
    number_id: uuid.UUID | None
    carrier: str
    """The phone company that it came through; `browser` for a call that you made from the dashboard, which has neither
    `caller` nor `dialled`."""
    direction: Direction
    parent_id: uuid.UUID | None
    """Of a leg to a person, the call whose caller was put through."""
    caller: str | None
    """E.164; null when it was withheld, is not kept any more, or there is none (`carrier`)."""
    dialled: str | None
    status: CallStatus
    route: str
    """What the caller got: `talk`, or what was said instead, such as `after_hours`."""
    started_at: Moment
    answered_at: Moment | None
    ended_at: Moment | None
    end_reason: str | None
    seconds: int | None
    """Talk by our clock, rounded up; null while it runs."""
    outcome: str | None
    summary: str | None
    credits: int
    """What it cost, corrections included."""
    held: int
    """What is set aside while it runs."""

    @classmethod
    def of(cls, call: Row) -> "ListedCall":
        names = set(cls.model_fields) - {"credits"}
        return cls(**{name: getattr(call, name) for name in names}, credits=call.charged)


class Turn(Resource):
    """One side's stretch of speech: as it was heard, or really spoken."""

    turn_no: int
    speaker: Party
    text: str
    began_ms: int
    """Milliseconds since the call was answered."""
    ended_ms: int
    interrupted: bool
    """The caller spoke over it; what was not heard any more is not in the text."""
    tools: list[dict[str, Any]]
    """What the agent did meanwhile: a name, what it gave, what it got."""

    @classmethod
    def of(cls, turn: TurnRow) -> "Turn":
        return cls(
            turn_no=turn.turn_no,
            speaker=turn.speaker,
            text=turn.text,
            began_ms=turn.began_ms,
            ended_ms=turn.ended_ms,
            interrupted=turn.interrupted,
            tools=[tool if isinstance(tool, dict) else {"name": str(tool)} for tool in turn.tools],
        )


class ReceiptLine(Resource):
    """A line of the ledger that the call made."""

    seq: int
    type: str
    amount: int
    balance_after: int
    reason: str | None
    created_at: Moment


class Claim(Resource):
    """The customer's word that it was not a real call, and what became of it."""

    model_config = example(
        reason="spam", state="GRANTED", automatic=True, credits=15, note=None, created_at="2026-11-20T10:02:11Z"
    )

    reason: str
    state: ClaimState
    automatic: bool
    """It was granted at once, because the call was short and it was one of the month's first."""
    credits: int
    """What the call had cost by then."""
    note: str | None
    """What whoever decided it wants to be known."""
    created_at: Moment


class Receipt(Resource):
    """How the charge was arrived at, so that anybody can do the sum again."""

    seconds: int
    carrier_seconds: int | None
    counted_seconds: int
    """What the charge goes by: ours, or the phone company's where the two differ too much."""
    billable_seconds: int
    credits_per_minute: int
    connection_fee: int
    initial_seconds: int
    increment_seconds: int
    free_seconds: int
    charged: int
    """The lines' sum, as a positive number."""
    corrected: int
    unbilled: int
    held: int
    is_final: bool
    """False while the call runs, or is not settled yet."""
    not_charged_reason: str | None
    final_reason: str | None
    """Why it got no more time, where it did not: `no_credit`, or the name of a limit of yours."""
    rule: str
    """The sum, in words."""
    lines: list[ReceiptLine]
    claim: Claim | None

    @classmethod
    def of(cls, found: receipts.Receipt) -> "Receipt":
        names = (
            "seconds", "carrier_seconds", "counted_seconds", "billable_seconds", "charged", "corrected", "unbilled",
            "held", "is_final", "not_charged_reason", "final_reason", "rule",
        )  # fmt: skip
        rate = ("credits_per_minute", "connection_fee", "initial_seconds", "increment_seconds", "free_seconds")
        return cls(
            **{name: getattr(found, name) for name in names},
            **{name: getattr(found.rate, name) for name in rate},
            lines=[
                ReceiptLine(**{name: getattr(line, name) for name in ReceiptLine.model_fields}) for line in found.lines
            ],
            claim=None if found.claim is None else _claim(found.claim),
        )


class Call(ListedCall):
    """A call with what was said, and its receipt."""

    model_config = example_like(
        ListedCall,
        carrier_seconds=96,
        turns=[
            {
                "turn_no": 1,
                "speaker": "AGENT",
                "text": "Rose Lane Dental, this is the assistant. How can I help?",
                "began_ms": 0,
                "ended_ms": 3900,
                "interrupted": False,
                "tools": [],
            }
        ],
        receipt={
            "seconds": 95,
            "carrier_seconds": 96,
            "counted_seconds": 95,
            "billable_seconds": 120,
            "credits_per_minute": 15,
            "connection_fee": 0,
            "initial_seconds": 60,
            "increment_seconds": 60,
            "free_seconds": 5,
            "charged": 30,
            "corrected": 0,
            "unbilled": 0,
            "held": 0,
            "is_final": True,
            "not_charged_reason": None,
            "final_reason": None,
            "rule": "95 s, billed as 120 s (first 60 s, then steps of 60 s) at 15 credits a minute:"
            " 120 / 60 × 15 = 30 credits",
            "lines": [
                {
                    "seq": 1204,
                    "type": "CALL_USAGE",
                    "amount": -30,
                    "balance_after": 1250,
                    "reason": None,
                    "created_at": "2026-11-20T09:31:38.115Z",
                }
            ],
            "claim": None,
        },
        legs=[],
    )

    carrier_seconds: int | None
    turns: list[Turn]
    receipt: Receipt | None
    """Null where nobody asked about credit, because the agent did not answer."""
    legs: list[uuid.UUID]
    """The calls to persons that the caller was put through on."""


class NewClaim(Fields):
    """What it was."""

    model_config = example(reason="spam")

    reason: NotCharged
    """`spam`, `wrong_number` or `not_a_call`."""


def _filter(
    *,
    agent_id: Annotated[uuid.UUID | None, Query(description="Answered by this agent.")] = None,
    number_id: Annotated[uuid.UUID | None, Query(description="Came to this number.")] = None,
    status: Annotated[CallStatus | None, Query(description="Where it stands.")] = None,
    outcome: Annotated[str | None, Query(max_length=100, description="What came of it.")] = None,
    caller: Annotated[
        str | None, Query(pattern=r"^\+[1-9][0-9]{2,14}$", description="From this number, in E.164.")
    ] = None,
    started_from: Annotated[When | None, Query(description="Began at this moment, or later.")] = None,
    started_before: Annotated[When | None, Query(description="Began before this moment.")] = None,
) -> CallFilter:
    """Which calls a list is of."""
    return CallFilter(
        agent=agent_id,
        number=number_id,
        status=status,
        outcome=outcome,
        caller=caller,
        began_from=started_from,
        began_before=started_before,
    )


def filtered() -> Any:
    """For a list's signature: which calls it is of."""
    return Depends(_filter)


@router.get("")
async def calls_list(
    caller: Annotated[Caller, needs(Scope.CALLS_READ)],
    which: Annotated[CallFilter, filtered()],
    page: Annotated[Paging, pages("-started_at", "started_at")],
    words: Annotated[
        str | None,
        Query(
            max_length=search.WORDS_LENGTH_MAX,
            description="On which all these words were said; from three letters on a word is found in longer ones that"
            " begin with it. Newest first only. A page may be short, and have another one behind it all the same.",
        ),
    ] = None,
) -> Page[ListedCall]:
    """Lists calls, the newest first unless sorted otherwise."""
    if words is not None and words.strip():
        if not page.is_descending:
            raise WordsNewestFirst
        after = None if page.moment_and_id is None else Place(*page.moment_and_id)
        async with caller.transaction() as db:
            found = await search.search(db, caller.user, which, words=words, limit=page.limit, after=after)
        last = None if found.older is None else (found.older.started_at, found.older.id)
        return page.to([ListedCall.of(call) for call in found.calls], last)
    async with caller.transaction() as db:
        rows = await listed(db, caller.user, which, page)
    return page.of(rows, key=key_of, show=ListedCall.of)


@router.get("/{call_id}", response_model=Call)
async def calls_read(caller: Annotated[Caller, needs(Scope.CALLS_READ)], call_id: uuid.UUID) -> Response:
    """Gives a call with all that was said, and its receipt."""
    async with caller.transaction(snapshot=True) as db:
        found = await opened(db, caller.user, call_id)
    return shown(found)


@router.get("/{call_id}/receipt.pdf", response_class=PdfResponse)
async def calls_receipt_pdf(caller: Annotated[Caller, needs(Scope.CALLS_READ)], call_id: uuid.UUID) -> Response:
    """Gives the receipt of a call that is settled as a page to print."""
    async with drawing.a_place(caller.user):
        async with caller.transaction(snapshot=True) as db:
            record = await history.one(db, caller.user, call_id)
            found = await receipts.receipt(db, caller.user, call_id)
        business = record.call.agent.business if record.call.agent else ""
        document = receipts.document_of(found, business=business, zone=caller.zone)
        return pdf(await asyncio.to_thread(render_receipt_pdf, document, caller.locale), f"receipt-{call_id}.pdf")


@router.post("/{call_id}/claim", status_code=201, response_model=Claim)
async def calls_claim(
    caller: Annotated[Caller, needs(Scope.CALLS_WRITE)],
    call_id: uuid.UUID,
    body: NewClaim,
    once: Annotated[Once, only_once()],
) -> Response:
    """Says that a call was not a real one. What it cost is given back at once where it was short and this is rare;
    otherwise a person looks at it. Said again it changes nothing."""
    if body.reason not in _CLAIMABLE:
        raise NoSuchReason

    async def claim(db: Session) -> Claim:
        await history.one(db, caller.user, call_id)  # somebody else's is as good as none
        await money.claim(db, caller.user, call_id, body.reason)
        made = await receipts.claim_of(db, caller.user, call_id)
        assert made is not None, call_id
        return _claim(made)

    return await once.do(claim)


async def listed(db: Session, user: uuid.UUID, which: CallFilter, page: Paging) -> list[Row]:
    """A page of somebody's calls, and one more."""
    after = None if page.moment_and_id is None else Place(*page.moment_and_id)
    return await history.page(db, user, which, limit=page.limit + 1, after=after, oldest_first=not page.is_descending)


async def opened(db: Session, user: uuid.UUID, call_id: uuid.UUID) -> Call:
    """A call with everything. Raises NotFound, also for somebody else's."""
    record = await history.one(db, user, call_id)
    call, found = record.call, record.receipt
    if call.hold is not None:
        found = receipts.receipt_of(call, call.hold, call.lines, await receipts.claim_of(db, user, call_id))
    return Call(
        **ListedCall.of(_row(record)).model_dump(),
        carrier_seconds=call.carrier_seconds,
        turns=[Turn.of(turn) for turn in record.turns],
        receipt=None if found is None else Receipt.of(found),
        legs=[leg.id for leg in call.legs if leg.carrier_call_id],
    )


def _row(record: CallRecord) -> Row:
    call, hold = record.call, record.call.hold
    own = [each.name for each in fields(Row) if each.name not in ("agent_name", "held", "charged")]
    return Row(
        **{name: getattr(call, name) for name in own},
        agent_name=None if call.agent is None else call.agent.name,
        held=0 if hold is None else hold.held,
        charged=0 if hold is None else hold.charged + hold.corrected,
    )


def key_of(call: Row) -> Key:
    """Where a call stands in a list."""
    return call.started_at, call.id


def _claim(claim: ReceiptClaim | ChargeClaim) -> Claim:
    return Claim(**{name: getattr(claim, name) for name in Claim.model_fields})
