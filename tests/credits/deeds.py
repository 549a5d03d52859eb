"""What happens to prices, and to callers who are put through to a person, in a random history."""

import uuid
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from talktime.credits.models import PriceKind
from talktime.db.base import new_id
from tests.credits import books as stage
from tests.credits.dice import WHICH, WHO, deed
from tests.credits.histories import OWNERS, RATES, Stage
from tests.credits.verbs import set_price

KINDS = (PriceKind.CALL, PriceKind.CALL, PriceKind.TRANSFER)
NUMBERS = ("+4930999888", "+4930999888", "+4930999777")


class PricesAndLegs(Stage):
    """Prices change under running calls, which keep theirs; and calls go on as legs."""

    # Prices.

    @deed(2, who=WHO, kind=KINDS, rate=RATES)
    def set_price(self, who: int, kind: PriceKind, rate: object) -> None:
        books = self.books[who]
        got = self.do(who, "set_price", kind=kind, rate=rate, actor=self.operator)
        if kind is PriceKind.CALL:
            books.prices[got.price_id] = got.rate

    @deed(2, who=WHO, kind=KINDS)
    def follow_list(self, who: int, kind: PriceKind) -> None:
        self.do(who, "follow_list", kind=kind, actor=self.operator)

    @deed(2, kind=KINDS, rate=range(len(RATES)))
    def set_everybodys_price(self, kind: PriceKind, rate: int) -> None:
        async def change(db: AsyncSession) -> object:
            return (await set_price(db, None, kind=kind, rate=RATES[rate], actor=self.operator)).rate

        got = self.runner.run(self._attempt(0, change, operator=True))
        assert got == RATES[rate]
        for books in self.books:
            books.everybodys[kind] = RATES[rate]
        self.last = None
        self.look({"set_everybodys_price"})

    # Legs.

    @deed(4, who=WHO, which=WHICH, number=NUMBERS, owner=OWNERS)
    def begin_leg(self, who: int, which: int, number: str, owner: str) -> None:
        """A caller is put through: mostly one who is talked to, and is not put through yet."""
        books = self.books[who]
        begun = {leg.parent for leg in books.legs.values()}
        talking = [
            call
            for call, hold in books.holds.items()
            if hold.owner and hold.state in {"ACTIVE", "FINAL"} and call not in books.legs and call not in begun
        ]
        if which == 0 and not talking:
            call = self.new_call(who, None)
            self.do(who, "authorise", call=call)
            self.do(who, "answer", call=call, owner=owner)
            talking = [call]
        call = talking[-1] if which <= 1 and talking else self.call(who, which, "ACTIVE", "FINAL")
        leg = new_id()
        self.do(who, "begin_leg", call=call, leg=leg, number=number)
        if leg in books.holds:
            self.calls[who].append(leg)

    @deed(1, who=WHO, which=WHICH, call=range(3), number=NUMBERS)
    def begin_leg_again(self, who: int, which: int, call: int, number: str) -> None:
        """The same leg, now and then for another call or to somebody else."""
        legs = self.books[who].legs
        if legs:
            leg = self.leg(who, which)
            parent = legs[leg].parent if call and leg in legs else self.call(who, which)
            self.do(who, "begin_leg", call=parent, leg=leg, number=number)

    @deed(3, who=WHO, which=WHICH, letter="AAABt")
    def name_leg(self, who: int, which: int, letter: str) -> None:
        """By its name, by another one, and by one that another leg may have."""
        leg = self.leg(who, which)
        names = {"t": f"CA{self.leg(who, which + 1).hex}"}
        self.do(who, "name_leg", call=leg, called=names.get(letter, f"C{letter}{leg.hex}"))

    @deed(
        5,
        who=WHO,
        which=WHICH,
        seconds=(0, 1, 10, 30, 61, 125, 600),
        reason=(None, None, "carrier_refused"),
    )
    def end_leg(self, who: int, which: int, seconds: int, reason: str | None) -> None:
        books, user = self.books[who], self.books[who].user
        if which == 0 and all(books.holds[leg].settled_seconds is not None for leg in books.legs):
            # Few histories would have one otherwise.
            words: dict[str, Any] = {
                "reference": f"for leg {len(books.lines)}",
                "amount": 500,
                "reason": "to be put through",
            }
            self.do(who, "adjust", actor=self.operator, **words)
            self.begin_leg(who, 0, NUMBERS[0], OWNERS[0])
        leg = self.leg(who, which)
        self.do(who, "end_leg", before=lambda db: _is_old(db, user, leg), call=leg, seconds=seconds, reason=reason)

    def leg(self, who: int, which: int) -> uuid.UUID:
        """One of a customer's legs, those that are open first; when there is none, or rarely, a call that is none."""
        books = self.books[who]
        legs = sorted(books.legs, key=lambda leg: books.holds[leg].settled_seconds is None, reverse=True)
        return legs[which % len(legs)] if legs and which != max(WHICH) else self.calls[who][0]


async def _is_old(db: AsyncSession, user: uuid.UUID, leg: uuid.UUID) -> None:
    """A leg was dialled an hour ago, so that the carrier's seconds can have passed."""
    async with stage.as_owner(db):
        await db.execute(
            text(
                "UPDATE calls SET started_at = least(started_at, clock_timestamp() - interval '1 hour')"
                " WHERE user_id = :user AND id = :leg AND parent_id IS NOT NULL"
            ),
            {"user": user, "leg": leg},
        )
