"""`talktime costs`: what calls cost the operator, and what is left of what they brought in."""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import typer

from talktime.cli import typed
from talktime.cli.books import By, find_operator

if TYPE_CHECKING:
    from talktime.calls.ladder import LadderDay
    from talktime.calls.margins import Margin
    from talktime.calls.models import CostRate

app = typer.Typer(help="What calls cost, and what they bring in.", no_args_is_help=True)
rates = typer.Typer(help="What providers take.", no_args_is_help=True)
app.add_typer(rates, name="rates")

_AMOUNT = re.compile(r"[0-9]{1,6}(\.[0-9]{1,6})?", re.ASCII)
_MICROS = 1_000_000
_AS_JSON = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]


@rates.command("list")
def list_rates(as_json: _AS_JSON = False) -> None:
    """The rates that are valid now, and those that will be."""
    from talktime.calls import costs
    from talktime.cli.running import open_database, read_settings, run

    async def work() -> list["CostRate"]:
        async with open_database(read_settings()) as database, database.transaction(everyone=costs.WHY) as db:
            return await costs.rates(db)

    found = run(work())
    if as_json:
        sys.stdout.write(json.dumps([_rate_row(rate) for rate in found]) + "\n")
        return
    for rate in found:
        row = _rate_row(rate)
        sys.stdout.write(
            f"{row['provider']:<32} {row['kind']:<18} {row['amount']} {row['currency']} per {row['units']}"
            f"  from {row['valid_from']}\n"
        )
    if not found:
        sys.stdout.write("There are no rates yet: set one with `talktime costs rates set`.\n")


@rates.command("set")
def set_rate(
    provider: Annotated[str, typer.Argument(help="Who is paid, as `costs margins` names it: deepgram/nova-3.")],
    kind: Annotated[str, typer.Argument(help="What for: audio_seconds, characters, prompt_tokens, …")],
    amount: Annotated[str, typer.Argument(help="How much money: 0.0043.")],
    currency: Annotated[str, typer.Argument(help="Of which currency: USD.")],
    *,
    per: Annotated[
        int, typer.Option(parser=typed.between(1, 1_000_000_000), metavar="NUMBER", help="For so many of them.")
    ] = 1,
    by: By,
    since: Annotated[
        datetime | None, typer.Option("--from", help="From this day on (UTC); now when not given.")
    ] = None,
) -> None:
    """Say what a provider takes from now on. Calls whose cost was unknown get one; other calls keep theirs."""
    from talktime.calls import costs
    from talktime.calls.models import CostKind
    from talktime.cli.running import open_database, read_settings, run
    from talktime.errors import BadInput

    try:
        wanted = CostKind(kind.upper())
    except ValueError:
        raise BadInput(f"The kind is one of {', '.join(each.value.lower() for each in CostKind)}.") from None
    if not re.fullmatch(r"[A-Z]{3}", currency):
        raise BadInput("The currency is three capitals: EUR.")
    if not 1 <= len(provider) <= 200:
        raise BadInput("The provider has between 1 and 200 characters.")
    terms: dict[str, Any] = {"amount_micros": _micros(amount), "units": per, "currency": currency}
    valid_from = since.replace(tzinfo=UTC) if since is not None else datetime.now(UTC)

    async def work() -> int:
        known = 0
        async with open_database(read_settings()) as database:
            async with database.transaction(everyone=costs.WHY) as db:
                actor = await find_operator(db, by)
                await costs.set_rate(db, provider, wanted, valid_from=valid_from, actor=actor, **terms)
            while True:
                async with database.transaction(everyone=costs.WHY) as db:
                    filled = await costs.fill_in(db, provider, wanted)
                if not filled:
                    return known
                known += filled

    known = run(work())
    sys.stdout.write(f"{provider} {wanted.value}: {_money(terms['amount_micros'])} {currency} per {per}.\n")
    if known:
        sys.stdout.write(f"{known} calls whose cost was unknown have one now.\n")


@app.command()
def margins(
    by: Annotated[str, typer.Option("--by", help="day, user or agent.")] = "day",
    since: Annotated[datetime | None, typer.Option(help="First day; 30 days ago when not given.")] = None,
    until: Annotated[datetime | None, typer.Option(help="The day after the last; tomorrow when not given.")] = None,
    zone: Annotated[str, typer.Option(help="Whose days: Europe/Berlin.")] = "UTC",
    as_json: _AS_JSON = False,
) -> None:
    """What calls brought in, what they cost, and what is left, in each currency by itself."""
    from talktime.calls import costs
    from talktime.calls import margins as books
    from talktime.cli.running import open_database, read_settings, run
    from talktime.errors import BadInput

    try:
        wanted, place = books.By(by), ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput("--by is day, user or agent, and --zone a name such as Europe/Berlin.") from None
    begin, end = _span(since, until, place)

    async def work() -> list["Margin"]:
        async with (
            open_database(read_settings()) as database,
            database.transaction(everyone=costs.WHY, snapshot=True) as db,
        ):
            return await books.margins(db, begin, end, wanted, zone=zone)

    found = run(work())
    if as_json:
        sys.stdout.write(json.dumps([_margin_row(each) for each in found]) + "\n")
        return
    for each in found:
        sys.stdout.write(f"{_margin_line(each)}\n")
    if not found:
        sys.stdout.write("There were no calls in this time.\n")


@app.command()
def ladder(
    since: Annotated[datetime | None, typer.Option(help="First day; 30 days ago when not given.")] = None,
    until: Annotated[datetime | None, typer.Option(help="The day after the last; tomorrow when not given.")] = None,
    zone: Annotated[str, typer.Option(help="Whose days: Europe/Berlin.")] = "UTC",
    as_json: _AS_JSON = False,
) -> None:
    """What the fallback ladder cost by day and customer, who pays nothing for it: calls that no agent answered."""
    from talktime.calls import costs
    from talktime.calls import ladder as books
    from talktime.cli.running import open_database, read_settings, run
    from talktime.errors import BadInput

    try:
        place = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadInput("--zone is a name such as Europe/Berlin.") from None
    begin, end = _span(since, until, place)

    async def work() -> list["LadderDay"]:
        async with (
            open_database(read_settings()) as database,
            database.transaction(everyone=costs.WHY, snapshot=True) as db,
        ):
            return await books.ladder(db, begin, end, zone=zone)

    found = run(work())
    if as_json:
        sys.stdout.write(json.dumps([_ladder_row(each) for each in found]) + "\n")
        return
    for each in found:
        rungs = _list([f"{count} {rung.replace('_', ' ')}" for rung, count in sorted(each.rungs.items())])
        unknown = f", {each.unknown} unknown" if each.unknown else ""
        counted = f"{each.calls} calls ({rungs}), {each.seconds} s"
        sys.stdout.write(f"{each.day} {each.email}: {counted}; cost {_sums(each.cost)}{unknown}\n")
    if not found:
        sys.stdout.write("Every call in this time was answered by an agent, or by nobody.\n")


def _span(since: datetime | None, until: datetime | None, place: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment, and the first one after the last: the last 30 days where nothing is said."""
    from talktime.errors import BadInput

    today = datetime.now(place).date()
    first = since.date() if since is not None else today - timedelta(days=30)
    after = until.date() if until is not None else today + timedelta(days=1)
    if first >= after:
        raise BadInput("--since must be before --until.")
    return _midnight(first, place), _midnight(after, place)


def _micros(amount: str) -> int:
    """`0.0043` as 4,300 millionths; money never becomes a float on its way."""
    from talktime.errors import BadInput

    if not _AMOUNT.fullmatch(amount):
        raise BadInput("The amount is a number with at most six decimals, and not below zero: 0.0043.")
    return int(Decimal(amount) * _MICROS)


def _money(micros: int) -> str:
    """Millionths as a decimal number: at least two decimals, and as many as it takes."""
    sign, rest = "-" if micros < 0 else "", abs(micros)
    decimals = f"{rest % _MICROS:06d}"
    return f"{sign}{rest // _MICROS}.{decimals[:2]}{decimals[2:].rstrip('0')}"


def _midnight(day: date, place: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, place)


def _rate_row(rate: "CostRate") -> dict[str, Any]:
    return {
        "provider": rate.provider,
        "kind": rate.kind.value.lower(),
        "amount": _money(rate.amount_micros),
        "amount_micros": rate.amount_micros,
        "units": rate.units,
        "currency": rate.currency,
        "valid_from": rate.valid_from.astimezone(UTC).isoformat(),
    }


def _ladder_row(line: "LadderDay") -> dict[str, Any]:
    return {
        "day": line.day.isoformat(),
        "user_id": str(line.user_id),
        "email": line.email,
        "calls": line.calls,
        "rungs": line.rungs,
        "seconds": line.seconds,
        "cost_micros": line.cost,
        "unknown": line.unknown,
    }


def _margin_row(margin: "Margin") -> dict[str, Any]:
    return {
        "key": margin.key,
        "calls": margin.calls,
        "seconds": margin.seconds,
        "credits": margin.credits,
        "revenue_micros": dict(margin.revenue),
        "cost_micros": dict(margin.cost),
        "margin_micros": dict(margin.margin) if margin.margin is not None else None,
        "unknown": list(margin.unknown),
        "estimated": margin.estimated,
    }


def _margin_line(margin: "Margin") -> str:
    left = f"unknown for {_list(margin.unknown)}" if margin.margin is None else _sums(margin.margin)
    guess = " (some of it estimated)" if margin.estimated else ""
    return (
        f"{margin.key or 'no agent'}: {margin.calls} calls, {margin.seconds} s, {margin.credits} credits;"
        f" revenue {_sums(margin.revenue)}; cost {_sums(margin.cost)}{guess}; margin {left}"
    )


def _sums(sums: Mapping[str, int]) -> str:
    return _list([f"{_money(micros)} {currency}" for currency, micros in sums.items()]) or "nothing"


def _list(parts: Sequence[str]) -> str:
    return ", ".join(parts)
