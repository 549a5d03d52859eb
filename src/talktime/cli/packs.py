"""`talktime ledger packs`: what can be bought."""

import uuid
from typing import TYPE_CHECKING, Annotated, Any

import typer

from talktime.cli import typed
from talktime.cli.books import AsJson, By, find_operator, in_the_books, log_change, money_of, show

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncSession

    from talktime.credits.models import CreditPack

    _Done = tuple[CreditPack, uuid.UUID]

app = typer.Typer(help="What can be bought.", no_args_is_help=True)

_Price = typer.Option("--price", help="What it costs, tax included: 10.50")
_Which = Annotated[uuid.UUID, typer.Argument(metavar="ID", help="The pack's id, as `list` prints it.")]


@app.command("list")
def list_packs(as_json: AsJson = False) -> None:
    """Print every pack, those on sale first, in order."""
    from talktime.credits import packs

    async def work(db: "AsyncSession") -> list[dict[str, Any]]:
        return [_row(pack) for pack in await packs.all_packs(db)]

    rows = in_the_books(work)
    show(rows, [_line(row) for row in rows] or ["There are no packs: add one with `packs add`."], as_json=as_json)


@app.command("add")
def add_pack(
    name: Annotated[str, typer.Argument(help="As buyers read it.")],
    *,
    credits: Annotated[int, typer.Option("--credits", parser=typed.digits, help="How many credits.")],
    price: Annotated[str, _Price],
    by: By,
    currency: Annotated[str, typer.Option("--currency", help="ISO 4217: EUR")] = "EUR",
    position: Annotated[int, typer.Option("--position", parser=typed.digits, help="Lower ones come first.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Put a pack on sale."""
    from talktime.credits import packs

    async def work(db: "AsyncSession") -> "_Done":
        actor, code = await find_operator(db, by), currency.upper()
        pack = await packs.create(
            db,
            name=name,
            credits=credits,
            price_minor=typed.minor(price, code),
            currency=code,
            position=position,
            actor=actor,
        )
        return pack, actor

    _finish("pack added", in_the_books(work), as_json=as_json)


@app.command("change")
def change_pack(
    pack: _Which,
    *,
    by: By,
    name: Annotated[str | None, typer.Option("--name")] = None,
    credits: Annotated[int | None, typer.Option("--credits", parser=typed.digits)] = None,
    price: Annotated[str | None, _Price] = None,
    position: Annotated[int | None, typer.Option("--position", parser=typed.digits)] = None,
    active: Annotated[bool | None, typer.Option("--active/--inactive", help="On sale, or not.")] = None,
    as_json: AsJson = False,
) -> None:
    """Change a pack. What was bought of it stays as it was; top-ups that agreed to the old price stop."""
    from talktime.credits import packs

    async def work(db: "AsyncSession") -> "_Done":
        actor = await find_operator(db, by)
        given = {"name": name, "credits": credits, "position": position, "active": active}
        changes: dict[str, Any] = {field: value for field, value in given.items() if value is not None}
        if price is not None:
            changes["price_minor"] = typed.minor(price, (await packs.find(db, pack)).currency)
        return await packs.change(db, pack, actor=actor, **changes), actor

    _finish("pack changed", in_the_books(work), as_json=as_json)


@app.command("deactivate")
def deactivate_pack(pack: _Which, by: By, as_json: AsJson = False) -> None:
    """Take a pack off sale."""
    from talktime.credits import packs

    async def work(db: "AsyncSession") -> "_Done":
        actor = await find_operator(db, by)
        return await packs.deactivate(db, pack, actor=actor), actor

    _finish("pack taken off sale", in_the_books(work), as_json=as_json)


def _finish(event: str, done: "_Done", *, as_json: bool) -> None:
    """Log what was done, and print the pack; for programs a list, as all the others."""
    pack, actor = done
    row = _row(pack)
    figures = {name: value for name, value in row.items() if name not in ("id", "name")}
    log_change(event, actor, pack_id=pack.id, **figures)
    show([row], [_line(row)], as_json=as_json)


def _row(pack: "CreditPack") -> dict[str, Any]:
    return {
        "id": pack.id,
        "name": pack.name,
        "credits": pack.credits,
        "amount_minor": pack.price_minor,
        "currency": pack.currency,
        "position": pack.position,
        "active": pack.active,
    }


def _line(row: dict[str, Any]) -> str:
    off = "" if row["active"] else "  (not on sale)"
    return f"{row['id']}  {row['position']:>3}  {row['name']}: {row['credits']:,} credits for {money_of(row)}{off}"
