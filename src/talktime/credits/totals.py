"""What all customers together have, for whoever watches the installation. Nobody's figures by themselves."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Totals:
    """Credits, over all accounts."""

    balance: int
    """Bought and not spent; what others owe is not taken off it."""
    owed: int
    """Below zero: grace in use, and money that was taken back."""
    held: int
    """Set aside for calls that run."""
    spent_today: int
    """Since midnight where each of them lives, with what running calls hold."""
    open_calls: int


async def totals(db: AsyncSession) -> Totals:
    """Everybody's, so in a transaction that sees everyone."""
    found = (await db.execute(_TOTALS)).one()
    return Totals(*(int(figure) for figure in found))


_TOTALS = text(
    "SELECT coalesce(sum(greatest(balance, 0)), 0), coalesce(-sum(least(balance, 0)), 0), coalesce(sum(held), 0),"
    " coalesce(sum(CASE WHEN spent_until > now() THEN spent_today ELSE held END), 0), coalesce(sum(open_calls), 0)"
    " FROM credit_accounts"
)
