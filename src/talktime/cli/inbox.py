"""`talktime inbox`: what providers told us, without the people in it, and having it handled once more."""

import dataclasses
import json
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli.books import AsJson, By, Most, find_operator, in_the_books, log_change, printable, show
from talktime.errors import BadInput

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.alerts.events import Filter

app = typer.Typer(help="What providers told us: carriers, payment companies.", no_args_is_help=True)

Provider = Annotated[str | None, typer.Option("--provider", help="Only from this one: twilio, stripe.")]
Kind = Annotated[str | None, typer.Option("--kind", help="Only of this kind: carrier.report, payment.told.")]
Since = Annotated[str | None, typer.Option("--since", help="Only those that came from then on: 2026-03-09T10:00, UTC.")]
Until = Annotated[str | None, typer.Option("--until", help="Only those that came before.")]
Again = Annotated[bool, typer.Option("--again", help="Also what was handled: it is handled once more.")]


@app.callback()
def _group() -> None:
    pass


@app.command("list")
def list_events(
    *,
    provider: Provider = None,
    kind: Kind = None,
    state: Annotated[str | None, typer.Option("--state", help="waiting, handled or given_up.")] = None,
    since: Since = None,
    until: Until = None,
    limit: Most = 50,
    as_json: AsJson = False,
) -> None:
    """Print events, newest first."""
    from talktime.alerts import events

    which = _which(provider, kind, state, since, until)

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        return [dataclasses.asdict(event) for event in await events.listed(db, which, limit=limit)]

    rows = in_the_books(work)
    show(rows, [_line(row) for row in rows] or ["There are no such events."], as_json=as_json)


@app.command("show")
def show_event(
    event: Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The event's id, as `list` prints it.")],
    reveal: Annotated[
        bool, typer.Option("--reveal", help="With the people in it; who asked is written into the audit log.")
    ] = False,
    by: Annotated[str | None, typer.Option("--by", metavar="EMAIL", help="Who asks: an operator.")] = None,
    as_json: AsJson = False,
) -> None:
    """Print one event with what it says; names, numbers and words of people are masked."""
    from talktime.alerts import events

    if reveal and by is None:
        raise BadInput("Say who wants to see the people in it: --by EMAIL.")

    async def work(db: "AsyncSession") -> dict[str, Any]:
        actor = await find_operator(db, by) if by is not None and reveal else None
        return dataclasses.asdict(await events.opened(db, event, reveal_to=actor))

    found = in_the_books(work)
    lines = [f"{name:<12}  {value}" for name, value in found["event"].items() if value is not None]
    lines += [f"{name:<12}  {json.dumps(value)}" for name, value in found["headers"].items()]
    lines += ["", *(printable(line) for line in found["body"].splitlines())]
    show(found, lines, as_json=as_json)


@app.command()
def replay(
    event: Annotated[
        uuid.UUID | None, typer.Argument(metavar="[ID]", help="One event; without it all that the options say.")
    ] = None,
    *,
    by: By,
    provider: Provider = None,
    kind: Kind = None,
    since: Since = None,
    until: Until = None,
    again: Again = False,
    as_json: AsJson = False,
) -> None:
    """Have an event handled once more, or a range: those that were given up, and with --again those that were handled.

    A running worker does it, within seconds. Handlers may be told anything twice: what was granted once is not granted
    again.
    """
    from talktime.alerts import events

    which = _which(provider, kind, None, since, until)
    if event is not None and (provider, kind, since, until) != (None, None, None, None):
        raise BadInput("Name one event, or say which range; not both.")

    async def work(db: "AsyncSession") -> tuple[uuid.UUID, int]:
        actor = await find_operator(db, by)
        if event is None:
            return actor, await events.replay_many(db, which, by=actor, again=again)
        await events.replay(db, event, by=actor, again=again)
        return actor, 1

    actor, count = in_the_books(work)
    log_change("events are to be handled again", actor, events=count)
    said = "1 event will" if count == 1 else f"{count:,} events will"
    show({"events": count}, [f"{said} be handled again."], as_json=as_json)


def _which(provider: str | None, kind: str | None, state: str | None, since: str | None, until: str | None) -> "Filter":
    from talktime.alerts.events import Filter, State

    if state is not None and state not in list(State):
        raise BadInput(f"There is no state {state!r}: say {', '.join(State)}.")
    return Filter(
        provider=provider,
        kind=kind,
        state=State(state) if state is not None else None,
        since=_moment(since, "--since"),
        until=_moment(until, "--until"),
    )


def _moment(said: str | None, option: str) -> datetime | None:
    if said is None:
        return None
    try:
        moment = datetime.fromisoformat(said)
    except ValueError:
        raise BadInput(f"{option} is no time: write it as 2026-03-09 or 2026-03-09T10:00.") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _line(row: dict[str, Any]) -> str:
    said = row["error"] or row["verdict"] or ""
    tries = f"  {row['tries']} tries" if row["tries"] else ""
    head = f"{row['id']}  {row['received_at']:%Y-%m-%d %H:%M:%S}  {row['state']:<8}  {row['provider']}  {row['kind']}"
    return head + tries + (f"\n  {printable(said)[:200]}" if said else "")
