"""What a process does for a call, step by step with the verbs of the product, told so that it can break off anywhere.

The figures: a credit for each second; 40 and then 100 seconds are proven, 130 are counted by us and 141 by the carrier.
"""

import uuid

from talktime import inbox
from talktime.calls import legs, lifecycle, transfers
from talktime.carriers.contract import Forward, Ring
from talktime.credits import ledger
from talktime.db.base import new_id
from talktime.inbox import Incoming
from tests.crash.killing import Life
from tests.crash.restart import WHY, handlers_of, move_time, talk_goes_on
from tests.crash.switchboard import ACCOUNT, Switchboard, leg_of, report

OWNER = "a process that may die"
PROVEN_SECONDS = (40, 100)
OUR_SECONDS = 130
CARRIER_SECONDS = 141
LEG_SECONDS = 70
"""Longer than what is held for a leg at first."""


async def _rings(life: Life, sid: str, dialled: str) -> uuid.UUID:
    async with life.database.transaction(everyone=lifecycle.RING_WHY) as db:
        decision = await lifecycle.ring(db, "simulated", Ring(account=ACCOUNT, call_id=sid, caller="", dialled=dialled))
    assert decision.call_id is not None, decision
    return decision.call_id


async def _talks(life: Life, user: uuid.UUID, call: uuid.UUID) -> None:
    """From the answer to the last extension."""
    async with life.database.transaction(user=user) as db:
        assert await lifecycle.answer(db, user, call, OWNER) is not None
    await _lasts(life, call)
    for number, proven_seconds in enumerate(PROVEN_SECONDS, 1):
        async with life.database.transaction(everyone=WHY) as db:
            assert await ledger.heartbeat(db, OWNER, {(user, call): proven_seconds}) == {(user, call)}
        assert (await ledger.extend(life.database, user, call, OWNER, number)).extended


async def _lasts(life: Life, call: uuid.UUID) -> None:
    """Time passes, as it does while people talk."""
    with life.points.asleep():
        async with life.database.transaction(everyone=WHY) as db:
            await talk_goes_on(db, call, CARRIER_SECONDS)


async def _is_reported(life: Life, sid: str, port: int, *, seconds: int | None) -> None:
    """The carrier says that it is over, and the inbox is drained."""
    await inbox.accept(life.database, report(sid, "completed", sequence=3, seconds=seconds))
    await inbox.drain(life.database, handlers_of(Switchboard(port).carrier(), sid))


async def _hangs_up(life: Life, sid: str, port: int) -> None:
    carrier = Switchboard(port).carrier()
    await carrier.hang_up(sid)
    await carrier.close()


async def reported_first(life: Life, user: str, sid: str, dialled: str, port: int) -> None:
    """The carrier's report is there before we finish."""
    whose = uuid.UUID(user)
    call = await _rings(life, sid, dialled)
    await _talks(life, whose, call)
    await _hangs_up(life, sid, port)
    await _is_reported(life, sid, port, seconds=CARRIER_SECONDS)
    await lifecycle.finish(life.database, whose, call, seconds=OUR_SECONDS, reason="caller_hung_up")


async def finished_first(life: Life, user: str, sid: str, dialled: str, port: int) -> None:
    """We finish before the carrier's report comes, in a transaction with other work."""
    whose = uuid.UUID(user)
    call = await _rings(life, sid, dialled)
    await _talks(life, whose, call)
    await _hangs_up(life, sid, port)
    async with life.database.transaction(user=whose) as db:
        await lifecycle.finish(db, whose, call, seconds=OUR_SECONDS, reason="caller_hung_up")
        await lifecycle.note_outcome(db, whose, call, "message", "Somebody wants to be called back.")
    await _is_reported(life, sid, port, seconds=CARRIER_SECONDS)


async def cut_off(life: Life, user: str, sid: str, dialled: str, port: int) -> None:
    """The credit ends before the talk does."""
    whose = uuid.UUID(user)
    call = await _rings(life, sid, dialled)
    async with life.database.transaction(user=whose) as db:
        assert await lifecycle.answer(db, whose, call, OWNER) is not None
    await _lasts(life, call)
    assert (await ledger.extend(life.database, whose, call, OWNER, 1)).reason == "no_credit"
    async with life.database.transaction(everyone=WHY) as db:
        await ledger.heartbeat(db, OWNER, {(whose, call): PROVEN_SECONDS[0]})
        await move_time(db, call, "cut_at", -1)
    assert await ledger.cut(life.database, whose, call, OWNER)
    await _hangs_up(life, sid, port)
    await lifecycle.finish(life.database, whose, call, seconds=OUR_SECONDS, reason="credit_exhausted")
    await _is_reported(life, sid, port, seconds=CARRIER_SECONDS)


async def never_answered(life: Life, user: str, sid: str, dialled: str, port: int) -> None:
    """The caller gives up while it rings."""
    await _rings(life, sid, dialled)
    await _is_reported(life, sid, port, seconds=None)


async def put_through(life: Life, user: str, sid: str, dialled: str, port: int) -> None:
    """The caller is put through to a person, and talks to them."""
    await _goes_on_as_a_leg(life, uuid.UUID(user), sid, dialled, port, reports=leg_reports(sid, is_answered=True))


async def put_through_in_vain(life: Life, user: str, sid: str, dialled: str, port: int) -> None:
    """The person whom the caller is put through to does not answer."""
    await _goes_on_as_a_leg(life, uuid.UUID(user), sid, dialled, port, reports=leg_reports(sid, is_answered=False))


def leg_reports(sid: str, *, is_answered: bool) -> list[Incoming]:
    """What the carrier posts of a leg, without that it rings, which is not stored."""
    if not is_answered:
        return [report(leg_of(sid), "no-answer", sequence=2)]
    talks = report(leg_of(sid), "in-progress", sequence=1)
    return [talks, report(leg_of(sid), "completed", sequence=2, seconds=LEG_SECONDS)]


async def _goes_on_as_a_leg(
    life: Life, user: uuid.UUID, sid: str, dialled: str, port: int, *, reports: list[Incoming]
) -> None:
    call, leg = await _rings(life, sid, dialled), new_id()
    await _talks(life, user, call)
    carrier, forward = Switchboard(port).carrier(), Forward("+4930999888", reports_url="http://127.0.0.1:9/leg")
    assert (await transfers.begin(life.database, carrier, user, call, leg=leg, forward=forward)).is_dialled
    await _lasts(life, leg)
    for event in reports:
        # As the door of legs does it.
        async with life.database.transaction(everyone=transfers.REPORT_WHY) as db:
            assert await legs.name(db, "simulated", user, leg, leg_of(sid))
            await inbox.store(db, event)
        await inbox.drain(life.database, handlers_of(carrier, leg_of(sid)))
    await carrier.close()
