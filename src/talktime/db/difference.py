"""How two schemas differ: in words for people, and as SQL that turns one into the other.

The SQL is ordered so that it runs: what depends on something that goes is dropped before it and made again after it.
The rule: nothing that holds data is dropped without a line that says so.
"""

import difflib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from talktime.db.alter import Unwritable, altered
from talktime.db.catalog import CHECK, FOREIGN, OTHER, POLICY, TRIGGER, Item, Key, Snapshot

_PUBLIC_MAY = {"function": "EXECUTE", "procedure": "EXECUTE", "type": "USAGE"}
"""What PostgreSQL lets everybody do with a new thing."""


@dataclass(frozen=True)
class Difference:
    """One thing that is not the same on both sides."""

    found: Item | None
    wanted: Item | None

    @property
    def item(self) -> Item:
        item = self.wanted or self.found
        assert item is not None
        return item

    def words(self, found_in: str = "the migrations", wanted_in: str = "the models") -> str:
        """The difference, for a person: what it is, and what each side says."""
        name = f"{self.item.kind} {self.item.name}"
        if self.found is None:
            return f"{name}: in {wanted_in}, not in {found_in}"
        if self.wanted is None:
            return f"{name}: in {found_in}, not in {wanted_in}"
        both = [
            (label, self.found.parts.get(label, ""), value)
            for label, value in self.wanted.parts.items()
            if value != self.found.parts.get(label, "") and not (self.item.kind == "column" and label == "definition")
        ]
        return f"{name}: " + "; ".join(_compared(label, one, other, found_in, wanted_in) for label, one, other in both)


@dataclass
class Plan:
    """The statements that turn one schema into another."""

    first: list[str] = field(default_factory=list)
    """To be committed by themselves: a new value of an enum may be used only after that."""
    then: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.first or self.then)


def differences(found: Snapshot, wanted: Snapshot) -> list[Difference]:
    """Everything that differs; of a thing that is missing altogether, not each of its parts."""
    result = []
    for key in _ordered({**found, **wanted}):
        mine, theirs = found.get(key), wanted.get(key)
        if mine and theirs:
            if mine.parts != theirs.parts:
                result.append(Difference(mine, theirs))
            continue
        side, within = (found, mine.within) if mine else (wanted, theirs.within if theirs else None)
        other = wanted if mine else found
        if not (within and within in side and within not in other):
            result.append(Difference(mine, theirs))
    return result


def plan(found: Snapshot, wanted: Snapshot) -> Plan:
    """The SQL that makes `wanted` of `found`. Raises `Unwritable` for what a person must write."""
    result = Plan()
    alters: dict[Key, list[str]] = {}
    anew: set[Key] = set()
    for difference in differences(found, wanted):
        if difference.item.rank == OTHER:
            raise Unwritable(difference.words("the database"))
    for key in found.keys() & wanted.keys():
        if found[key].parts != wanted[key].parts:
            statements = altered(found[key], wanted[key])
            if statements is None:
                anew.add(key)
            else:
                alters[key] = statements
    gone = found.keys() - wanted.keys()
    anew |= _dragged_along(found, wanted, gone | anew, _retyped(found, wanted))
    made = (wanted.keys() - found.keys()) | anew

    early, late = _drops(found, gone, anew)
    result.then += early
    for key in _ordered(wanted):
        item = wanted[key]
        if key in alters and item.kind == "type":
            result.first += [line for line in alters[key] if " ADD VALUE " in line]
            result.then += [line for line in alters[key] if " ADD VALUE " not in line]
        elif key in alters:
            result.then += alters[key]
        elif key in made and not _comes_with_another(item, made):
            result.then += _creation(item, wanted)
    result.then += late
    return result


def _dragged_along(found: Snapshot, wanted: Snapshot, dropped: Iterable[Key], retyped: set[Key]) -> set[Key]:
    """What must be dropped and made again only because something it needs is, or changes its type."""
    users: dict[Key, list[Key]] = {}
    for key, item in found.items():
        for need in item.needs:
            users.setdefault(need, []).append(key)
    reached: set[Key] = set()
    for column in retyped:
        for user in users.get(column, []):
            in_the_way = user[0] in ("policy", "trigger", "function", "procedure") or found[user].parts.get("generated")
            if in_the_way and user in wanted:
                reached.add(user)
    queue = [*dropped, *reached]
    while queue:
        key = queue.pop()
        for user in users.get(key, []):
            if user in wanted and user not in reached and user[0] not in ("table", "column"):
                reached.add(user)
                queue.append(user)
        if key[0] == "grant" and (found[key].within or ("", ""))[0] == "table":
            # Taking a privilege on a table takes it on each of its columns too.
            table, role = (found[key].within or ("", ""))[1], found[key].parts["role"]
            for other in wanted.values():
                of_column = other.kind == "grant" and other.within and other.within[0] == "column"
                if of_column and other.key in found and other.parts["role"] == role and other.key not in reached:
                    assert other.within
                    if found[other.within].within == ("table", table):
                        reached.add(other.key)
    return reached


def _retyped(found: Snapshot, wanted: Snapshot) -> set[Key]:
    """Columns whose type changes: policies, triggers, functions and generated columns stand in the way."""
    return {
        key
        for key, item in found.items()
        if item.kind == "column"
        and key in wanted
        and any(item.parts[label] != wanted[key].parts[label] for label in ("type", "collation"))
    }


def _drops(found: Snapshot, gone: set[Key], anew: set[Key]) -> tuple[list[str], list[str]]:
    """Statements to run before anything is made, and those to run last because a column that stays uses the thing."""
    dropped = gone | anew
    used = {
        need
        for key, item in found.items()
        if item.kind in ("table", "column") and key not in gone
        for need in item.needs
    }
    early: list[str] = []
    late: list[str] = []
    for key in reversed(_ordered(found)):
        item = found[key]
        if key not in dropped or (_vanishes(found, item, dropped) and not _leans_out(found, item, dropped)):
            continue
        lines = [item.drop]
        if item.kind == "table":
            lines.insert(0, f"-- DESTROYS DATA: every row of table {item.name}.")
        elif item.kind == "column" and not item.parts["generated"]:
            lines.insert(0, f"-- DESTROYS DATA: what column {item.name} holds.")
        (late if key in gone and key in used and item.kind != "column" else early).extend(lines)
    return early, late


def _vanishes(found: Snapshot, item: Item, dropped: set[Key]) -> bool:
    """Whether what it belongs to is dropped."""
    home = found.get(item.within) if item.within else None
    return home is not None and (home.key in dropped or _vanishes(found, home, dropped))


def _leans_out(found: Snapshot, item: Item, dropped: set[Key]) -> bool:
    """Whether it ties its table to something else that is dropped, and so must go before either."""
    if item.rank not in (CHECK, FOREIGN, TRIGGER, POLICY):
        return False
    return any(need in dropped and need != item.within and found[need].within != item.within for need in item.needs)


def _comes_with_another(item: Item, made: set[Key]) -> bool:
    """Whether making something else makes this: a table its columns, a function what everybody may do with it."""
    if item.kind == "column":
        return item.within in made
    if item.kind == "grant" and item.within in made and item.parts["role"] == "PUBLIC":
        assert item.within
        return item.parts["privileges"] == _PUBLIC_MAY.get(item.within[0])
    return False


def _creation(item: Item, wanted: Snapshot) -> list[str]:
    lines = [item.create]
    if item.kind == "column":
        parts = item.parts
        if parts["null"] == "NOT NULL" and not (parts["default"] or parts["identity"] or parts["generated"]):
            lines.insert(0, f"-- Fails where the table has rows: {item.name} is NOT NULL and has no default.")
    if item.kind in _PUBLIC_MAY:
        usual = wanted.get(("grant", f"{item.kind} {item.name} to PUBLIC"))
        if not (usual and usual.parts["privileges"] == _PUBLIC_MAY[item.kind]):
            lines.append(f"REVOKE ALL ON {item.kind.upper()} {item.name} FROM PUBLIC;")
    return lines


def _ordered(items: Snapshot) -> list[Key]:
    """Each thing after all that it needs, and otherwise by rank; a ring of needs is broken at the lowest rank."""
    waiting = {key: {need for need in item.needs if need in items and need != key} for key, item in items.items()}
    users: dict[Key, list[Key]] = {}
    for key, needs in waiting.items():
        for need in needs:
            users.setdefault(need, []).append(key)
    place = {key: (item.rank, number, key) for number, (key, item) in enumerate(items.items())}
    ready = [place[key] for key, needs in waiting.items() if not needs]
    heapq.heapify(ready)
    order: list[Key] = []
    done: set[Key] = set()
    while len(order) < len(items):
        _, _, key = heapq.heappop(ready) if ready else min(place[key] for key in waiting if key not in done)
        if key in done:
            continue
        order.append(key)
        done.add(key)
        for user in users.get(key, []):
            waiting[user].discard(key)
            if not waiting[user]:
                heapq.heappush(ready, place[user])
    return order


def _compared(label: str, found: str, wanted: str, found_in: str, wanted_in: str) -> str:
    if "\n" in found or "\n" in wanted:
        changed = difflib.unified_diff(found.splitlines(), wanted.splitlines(), found_in, wanted_in, lineterm="", n=0)
        return f"{label} differs\n" + "\n".join(f"    {line}" for line in changed if not line.startswith("@@"))
    return f"{label} is {found or 'nothing'} in {found_in}, {wanted or 'nothing'} in {wanted_in}"
