"""Finding calls: by whose agent's they were, which number, what came of them, when, and by words that were said.

The rule: what is looked for is looked for in what is kept. Words are found through the index of the turns themselves
(`sql/75_words.sql`), so what was said and is not kept any longer cannot be found either. A search that leads far back
is broken off before it takes long; the page then says from where one may go on.
"""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.calls import history
from talktime.calls.history import CallFilter, ListedCall, Place
from talktime.calls.models import Party
from talktime.credits.functions import typed_errors
from talktime.errors import BadInput

WORDS_LENGTH_MAX = 200
_AROUND = 60
"""So many characters stand before and after what was found."""
LOOKED_THROUGH = 60
"""So many calls that pass the other filters are looked through one by one before the index of words is asked."""
_WITHOUT_WORDS = CallFilter()


class NothingToLookFor(BadInput):
    """Type at least one word, with at most 200 characters in all."""

    field = "words"


class CameTo(StrEnum):
    """What a call came to, as coarse as somebody who looks for one remembers it."""

    ANSWERED = "answered"
    """The agent and the caller talked, and one of them hung up. Messages are among them."""
    MESSAGE = "message"
    PUT_THROUGH = "put_through"
    NOT_REACHED = "not_reached"
    """Of a leg: the person was not there."""
    GAVE_UP = "gave_up"
    AFTER_HOURS = "after_hours"
    NO_CREDIT = "no_credit"
    TURNED_AWAY = "turned_away"
    """The agent did not answer, for another reason than the hour or the credit."""
    ENDED_EARLY = "ended_early"
    FAILED = "failed"


_ENDED: Mapping[CameTo, tuple[str, ...]] = {
    CameTo.ANSWERED: ("caller_hung_up", "agent_hung_up"),
    CameTo.PUT_THROUGH: ("transferred", "leg_ended"),
    CameTo.NOT_REACHED: ("nobody_answered", "never_dialled", "carrier_refused"),
    CameTo.GAVE_UP: ("caller_gave_up", "never_answered"),
    CameTo.AFTER_HOURS: ("after_hours",),
    CameTo.NO_CREDIT: ("no_credit", "debt", "credit_ended"),
    CameTo.TURNED_AWAY: (
        "suspended", "no_agent", "draining", "too_many_calls", "blocked", "no_price", "day_limit", "call_limit",
        "caller_limit",
    ),
    CameTo.ENDED_EARLY: ("silence", "longest", "shutdown", "lost"),
    CameTo.FAILED: ("line_dead", "line_blocked", "ai_down", "error"),
}  # fmt: skip
"""By the reason for which a call ended; a ring that got a rung of the ladder ended for that."""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Where a word was said: a piece of a turn."""

    turn_no: int
    speaker: Party
    before: str
    hit: str
    """"" where the word stands in another form in it; then all of the piece is `before`."""
    after: str


@dataclass(frozen=True, slots=True)
class Found:
    """A page of calls, newest first."""

    calls: Sequence[ListedCall]
    excerpts: Mapping[uuid.UUID, Excerpt]
    """By call; none where no words were looked for."""
    older: Place | None
    """Behind what the next page begins; None when nothing is left. A page may be short, or empty, and have one."""


def filter_of(
    *,
    agent: uuid.UUID | None = None,
    number: uuid.UUID | None = None,
    came_to: CameTo | None = None,
    caller: str | None = None,
    began_from: datetime | None = None,
    began_before: datetime | None = None,
) -> CallFilter:
    """Which calls a list is of, as it is chosen on a page."""
    which = CallFilter(agent=agent, number=number, caller=caller, began_from=began_from, began_before=began_before)
    if came_to is None:
        return which
    if came_to is CameTo.MESSAGE:
        return replace(which, outcome="message")
    return replace(which, end_reasons=_ENDED[came_to])


async def search(
    db: AsyncSession,
    user: uuid.UUID,
    which: CallFilter | None = None,
    *,
    words: str = "",
    limit: int = 50,
    after: Place | None = None,
) -> Found:
    """A page of a user's calls, `after` where the one before ended. Of words, each must have been said on the call,
    by whomever; one of three letters or more is found in longer ones that begin with it, too.

    Raises NothingToLookFor for words that are none, or too long.
    """
    which = which or _WITHOUT_WORDS
    words = words.replace("\0", " ").strip()
    if not words:
        calls = await history.page(db, user, which, limit=limit + 1, after=after)
        return Found(calls[:limit], {}, calls[limit - 1].place if len(calls) > limit else None)
    if len(words) > WORDS_LENGTH_MAX:
        raise NothingToLookFor
    hits = await _looked_through(db, user, which, words, limit=limit, after=after) if _leaves_few(which) else None
    hits = hits or await by_words(db, user, which, words, limit=limit, below=after.id if after else None)
    shown = await history.these(db, user, hits.calls[:limit])
    older = shown[-1].place if len(hits.calls) > limit else None
    if older is None and hits.reached is not None:
        older = await history.place_of(db, user, hits.reached)
    return Found(shown, await _excerpts(db, user, hits, words, limit), older)


@dataclass(frozen=True, slots=True)
class Hits:
    """Calls on which all words were said, each with a turn that has one."""

    calls: Sequence[uuid.UUID]
    turns: Sequence[int]
    reached: uuid.UUID | None
    """Where the search was broken off."""


def _leaves_few(which: CallFilter) -> bool:
    """Perhaps only few calls pass, and these may be far apart."""
    chosen = (which.agent, which.number, which.status, which.outcome, which.caller, which.end_reasons)
    return any(each is not None for each in chosen)


async def _looked_through(
    db: AsyncSession, user: uuid.UUID, which: CallFilter, words: str, *, limit: int, after: Place | None
) -> Hits | None:
    """The words in the first calls that pass the filter; None where that does not answer the question."""
    most = max(LOOKED_THROUGH, limit + 1)
    calls = await history.page(db, user, which, limit=most, after=after)
    hits = await said_on(db, user, [call.id for call in calls], words)
    return hits if len(calls) < most or len(hits.calls) > limit else None


async def said_on(db: AsyncSession, user: uuid.UUID, calls: Sequence[uuid.UUID], words: str) -> Hits:
    """Those of these calls on which all words were said, in their order. Raises NothingToLookFor."""
    query = text("SELECT calls, turns FROM said_on_v1(:user, CAST(:calls AS uuid[]), :words)")
    async with typed_errors():
        row = (await db.execute(query, {"user": user, "calls": list(calls), "words": words})).one()
    if row.calls is None:
        raise NothingToLookFor
    return Hits(row.calls, row.turns, None)


async def by_words(
    db: AsyncSession, user: uuid.UUID, which: CallFilter, words: str, *, limit: int, below: uuid.UUID | None = None
) -> Hits:
    """The calls below an id on which all words were said, by the index of words, newest first; one more than `limit`
    tells that there are more. Raises NothingToLookFor."""
    async with typed_errors():
        row = (
            await db.execute(
                _FIND,
                {
                    "user": user,
                    "words": words,
                    "below": below,
                    "most": limit + 1,
                    "agent": which.agent,
                    "number": which.number,
                    "status": which.status.value if which.status else None,
                    "outcome": which.outcome,
                    "end_reasons": list(which.end_reasons) if which.end_reasons is not None else None,
                    "caller": which.caller,
                    "began_from": which.began_from,
                    "began_before": which.began_before,
                },
            )
        ).one()
    if row.calls is None:
        raise NothingToLookFor
    return Hits(row.calls, row.turns, row.reached)


async def _excerpts(
    db: AsyncSession, user: uuid.UUID, hits: Hits, words: str, limit: int
) -> Mapping[uuid.UUID, Excerpt]:
    rows = await db.execute(
        _TURNS, {"user": user, "calls": list(hits.calls[:limit]), "turns": list(hits.turns[:limit])}
    )
    # Longest first, because of two that begin alike the longer one is meant.
    parts = sorted(set(re.findall(r"\w+", words)), key=len, reverse=True)
    pattern = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, parts))})\w*", re.IGNORECASE) if parts else None
    return {row.call_id: excerpt(row.turn_no, Party(row.speaker), row.text, pattern) for row in rows}


def excerpt(turn_no: int, speaker: Party, said: str, pattern: re.Pattern[str] | None) -> Excerpt:
    """The piece of a turn around the first place that fits; its beginning where none does."""
    hit = pattern.search(said) if pattern else None
    if hit is None:
        return Excerpt(turn_no, speaker, _beginning(said, 2 * _AROUND), "", "")
    before, after = said[: hit.start()], said[hit.end() :]
    if len(before) > _AROUND:
        before = "…" + before[-_AROUND:].partition(" ")[2]
    return Excerpt(turn_no, speaker, before, hit.group(), _beginning(after, _AROUND))


def _beginning(said: str, length: int) -> str:
    return said if len(said) <= length else said[:length].rpartition(" ")[0] + "…"


_FIND = text(
    "SELECT calls, turns, reached FROM find_words_v1(:user, :words, CAST(:below AS uuid), :most, CAST(:agent AS uuid),"
    " CAST(:number AS uuid), CAST(:status AS call_status), :outcome, CAST(:end_reasons AS text[]), :caller,"
    " CAST(:began_from AS timestamptz), CAST(:began_before AS timestamptz))"
)
_TURNS = text(
    "SELECT t.call_id, t.turn_no, t.speaker, t.text"
    " FROM unnest(CAST(:calls AS uuid[]), CAST(:turns AS integer[])) AS p (call_id, turn_no)"
    " JOIN call_turns t ON t.user_id = :user AND t.call_id = p.call_id AND t.turn_no = p.turn_no"
)
