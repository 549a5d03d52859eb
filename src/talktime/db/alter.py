"""Changing a thing of a schema in place, where PostgreSQL can.

The rule: what is changed in place keeps its rows and its grants. Where that cannot be, the answer is None (drop it and
make it again) or `Unwritable` (a person must decide).
"""

import re
from collections.abc import Callable

from talktime.db.catalog import Item
from talktime.errors import TalktimeError


class Unwritable(TalktimeError):
    """This change needs a person: the SQL for it does not follow from the two schemas."""

    status = 409

    def __init__(self, what: str) -> None:
        super().__init__(f"This change must be written by hand: {what}")


def altered(found: Item, wanted: Item) -> list[str] | None:
    """The statements that make `wanted` of `found`; None when it must be dropped and made again."""
    alter = _ALTER.get(wanted.kind)
    return alter(found, wanted) if alter else None


def _type(found: Item, wanted: Item) -> list[str]:
    """Values can be added anywhere in an enum; none can be taken away or moved."""
    old, new = _labels(found), _labels(wanted)
    if [label for label in new if label in old] != old:
        raise Unwritable(
            f"enum {wanted.name} loses or reorders values (from {', '.join(old)} to {', '.join(new)}), "
            "and PostgreSQL can only add some"
        )
    lines = []
    for position, label in enumerate(new):
        if label not in old:
            where = f" AFTER {new[position - 1]}" if position else f" BEFORE {old[0]}" if old else ""
            lines.append(f"ALTER TYPE {wanted.name} ADD VALUE IF NOT EXISTS {label}{where};")
    return lines + _owner(found, wanted)


def _sequence(found: Item, wanted: Item) -> list[str]:
    lines = []
    if found.parts["definition"] != wanted.parts["definition"]:
        lines.append(f"ALTER SEQUENCE {wanted.name} {wanted.parts['definition']};")
    if found.parts["persistence"] != wanted.parts["persistence"]:
        lines.append(f"ALTER SEQUENCE {wanted.name} {_LOGGED[wanted.parts['persistence']]};")
    return lines + _owner(found, wanted)


def _table(found: Item, wanted: Item) -> list[str]:
    begin = f"ALTER TABLE {wanted.name}"
    lines = []
    if found.parts["persistence"] != wanted.parts["persistence"]:
        lines.append(f"{begin} {_LOGGED[wanted.parts['persistence']]};")
    old, new = _options(found), _options(wanted)
    changed = [f"{name}={value}" for name, value in new.items() if old.get(name) != value]
    if changed:
        lines.append(f"{begin} SET ({', '.join(changed)});")
    if old.keys() - new.keys():
        lines.append(f"{begin} RESET ({', '.join(sorted(old.keys() - new.keys()))});")
    before, after = (item.parts["row level security"].split(", ") for item in (found, wanted))
    if before[0] != after[0]:
        lines.append(f"{begin} {'ENABLE' if after[0] == 'enabled' else 'DISABLE'} ROW LEVEL SECURITY;")
    if before[1] != after[1]:
        lines.append(f"{begin} {'FORCE' if after[1] == 'forced' else 'NO FORCE'} ROW LEVEL SECURITY;")
    return lines + _owner(found, wanted)


def _column(found: Item, wanted: Item) -> list[str] | None:
    """Type first, without a default that may not fit it; then default, identity, null."""
    old, new = found.parts, wanted.parts
    if old["generated"] != new["generated"]:
        return None
    assert wanted.within is not None, wanted
    table = wanted.within[1]
    name = wanted.name.removeprefix(f"{table}.")
    begin = f"ALTER TABLE {table} ALTER COLUMN {name}"
    lines = []
    retyped = old["type"] != new["type"] or old["collation"] != new["collation"]
    had_default = bool(old["default"])
    if retyped:
        if had_default:
            lines.append(f"{begin} DROP DEFAULT;")
            had_default = False
        collation = f" COLLATE {new['collation']}" if new["collation"] else ""
        lines.append("-- Rewrites the table under a lock unless the types are the same on disk.")
        lines.append(f"{begin} TYPE {new['type']}{collation} USING {name}::{new['type']};")
    if new["default"] and (retyped or old["default"] != new["default"]):
        lines.append(f"{begin} SET DEFAULT {new['default']};")
    elif had_default and not new["default"]:
        lines.append(f"{begin} DROP DEFAULT;")
    if old["null"] != new["null"]:
        lines.append(f"{begin} {'SET' if new['null'] == 'NOT NULL' else 'DROP'} NOT NULL;")
    return lines + _identity(begin, old["identity"], new["identity"])


def _identity(begin: str, old: str, new: str) -> list[str]:
    if old == new:
        return []
    if not new:
        return [f"{begin} DROP IDENTITY;"]
    if not old:
        return [f"{begin} ADD {new};"]
    kind, sequence = re.fullmatch(r"(GENERATED .+) AS IDENTITY \((.*)\)", new, re.DOTALL).groups()  # type: ignore[union-attr]  # the catalog wrote it so
    sequence = re.sub(r"\b(START|INCREMENT|MINVALUE|MAXVALUE|CACHE|NO CYCLE|(?<!NO )CYCLE)\b", r"SET \1", sequence)
    return [f"{begin} SET {kind} {sequence};"]


def _function(found: Item, wanted: Item) -> list[str] | None:
    """Replaced in place it keeps its grants, but its names of arguments, defaults and result must stay."""
    if found.parts["signature"] != wanted.parts["signature"] or found.kind != wanted.kind:
        return None
    replaced = found.parts["definition"] != wanted.parts["definition"]
    return ([wanted.create] if replaced else []) + _owner(found, wanted)


def _owner(found: Item, wanted: Item) -> list[str]:
    if found.parts["owner"] == wanted.parts["owner"]:
        return []
    return [f"ALTER {wanted.kind.upper()} {wanted.name} OWNER TO {wanted.parts['owner']};"]


def _labels(item: Item) -> list[str]:
    """The values of an enum, quoted; a value may hold a comma or a doubled quote."""
    return re.findall(r"E?'(?:[^']|'')*'", item.parts["labels"])


def _options(item: Item) -> dict[str, str]:
    words = item.parts["options"].split(", ") if item.parts["options"] else []
    return {name: value for name, _, value in (word.partition("=") for word in words)}


_LOGGED = {"p": "SET LOGGED", "u": "SET UNLOGGED"}

_ALTER: dict[str, Callable[[Item, Item], list[str] | None]] = {
    "type": _type,
    "sequence": _sequence,
    "table": _table,
    "column": _column,
    "function": _function,
    "procedure": _function,
}
