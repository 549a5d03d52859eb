"""What a database's schema is, read from its catalogs: every thing in schema `public`, each with a text that says all
that matters of it, and the SQL that makes and unmakes it.

Two databases have the same schema exactly when their snapshots say the same. The rule: one schema reads the same on
PostgreSQL 15 to 18, so what only a newer server knows (names of NOT NULL constraints, the privilege MAINTAIN) is left
out. So are the tables of other libraries: the job queue's and Alembic's own.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from talktime.db import catalog_queries as queries
from talktime.db.canonical import canonical

Key = tuple[str, str]
"""A kind and a name, as in `("column", "users.email")`."""

Address = tuple[str, int, int]
"""Where PostgreSQL keeps a thing: catalog, row, column number or 0."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a schema."""

    kind: str
    name: str
    parts: Mapping[str, str]
    """All there is to say of it, and so what is compared."""
    create: str
    drop: str
    rank: int
    """What has a lower rank is made first and dropped last."""
    within: Key | None = None
    """What it belongs to and vanishes with."""
    needs: frozenset[Key] = frozenset()
    """What must be there before it."""
    addresses: tuple[Address, ...] = ()

    @property
    def key(self) -> Key:
        return self.kind, self.name

    @property
    def text(self) -> str:
        """Its definition, comparable."""
        return "\n".join(f"{label}: {value}" for label, value in self.parts.items())


Snapshot = dict[Key, Item]

# The order in which things are made, as far as their needs do not say otherwise.
(TYPE, SEQUENCE, TABLE, COLUMN, OWNED_BY, FUNCTION, KEY, CHECK, INDEX, FOREIGN, TRIGGER, POLICY, GRANT, OTHER) = range(
    14
)


def snapshot(connection: psycopg.Connection[Any]) -> Snapshot:
    """Read the schema `public` of a database."""
    items: Snapshot = {}
    needs: dict[Key, set[Key]] = defaultdict(set)
    with connection.transaction(force_rollback=True), connection.cursor(row_factory=namedtuple_row) as cursor:
        cursor.execute("SET LOCAL search_path TO public")
        for query, make in _READERS:
            for row in cursor.execute(query).fetchall():
                for item in make(row):
                    assert item.key not in items, item.key
                    items[item.key] = item
        owners = {address: item.key for item in items.values() for address in item.addresses}
        for row in cursor.execute(queries.DEPENDENCIES).fetchall():
            mine, other = owners.get(tuple(row[:3])), owners.get(tuple(row[3:]))
            if mine and other and mine != other:
                needs[mine].add(other)
    return _complete(items, needs)


def _complete(items: Snapshot, needs: Mapping[Key, set[Key]]) -> Snapshot:
    """Say what each thing needs, and make a table with its columns."""
    columns: dict[Key, list[Item]] = defaultdict(list)
    for item in items.values():
        if item.kind == "column" and item.within:
            columns[item.within].append(item)
    done: Snapshot = {}
    for key, item in items.items():
        needed = set(item.needs) | needs.get(key, set()) | ({item.within} if item.within else set())
        create = item.create
        if item.kind == "table":
            own = columns[key]
            needed |= {need for column in own for need in needs.get(column.key, set()) if need != key}
            create = create.replace(_COLUMNS, ",\n".join(f"    {column.parts['definition']}" for column in own))
        done[key] = replace(item, create=create, needs=frozenset(needed))
    return done


def _enum(row: Any) -> Iterable[Item]:
    labels = ", ".join(row.labels)
    yield Item(
        kind="type",
        name=row.name,
        parts={"labels": labels, "owner": row.owner},
        create=f"CREATE TYPE {row.name} AS ENUM ({labels});",
        drop=f"DROP TYPE {row.name};",
        rank=TYPE,
        addresses=(("pg_type", row.oid, 0), ("pg_type", row.typarray, 0)),
    )


def _sequence(row: Any) -> Iterable[Item]:
    definition = (
        f"AS {row.type} START WITH {row.seqstart} INCREMENT BY {row.seqincrement} MINVALUE {row.seqmin} "
        f"MAXVALUE {row.seqmax} CACHE {row.seqcache} {'CYCLE' if row.seqcycle else 'NO CYCLE'}"
    )
    yield Item(
        kind="sequence",
        name=row.name,
        parts={"definition": definition, "persistence": row.persistence, "owner": row.owner},
        create=f"CREATE {_UNLOGGED[row.persistence]}SEQUENCE {row.name} {definition};",
        drop=f"DROP SEQUENCE IF EXISTS {row.name};",  # gone already if a column owned it
        rank=SEQUENCE,
        addresses=(("pg_class", row.oid, 0),),
    )
    if row.owner_table:
        yield Item(
            kind="owner of sequence",
            name=row.name,
            parts={"column": f"{row.owner_table}.{row.owner_column}"},
            create=f"ALTER SEQUENCE {row.name} OWNED BY {row.owner_table}.{row.owner_column};",
            drop=f"ALTER SEQUENCE {row.name} OWNED BY NONE;",
            rank=OWNED_BY,
            within=("sequence", row.name),
            needs=frozenset({("column", f"{row.owner_table}.{row.owner_column}")}),
        )


def _table(row: Any) -> Iterable[Item]:
    security = f"{'enabled' if row.guarded else 'disabled'}, {'forced' if row.forced else 'not forced'}"
    options = f" WITH ({row.options})" if row.options else ""
    create = [f"CREATE {_UNLOGGED[row.persistence]}TABLE {row.name} (\n{_COLUMNS}\n){options};"]
    create += [f"ALTER TABLE {row.name} ENABLE ROW LEVEL SECURITY;"] if row.guarded else []
    create += [f"ALTER TABLE {row.name} FORCE ROW LEVEL SECURITY;"] if row.forced else []
    yield Item(
        kind="table",
        name=row.name,
        parts={
            "persistence": row.persistence,
            "options": row.options,
            "row level security": security,
            "owner": row.owner,
        },
        create="\n".join(create),
        drop=f"DROP TABLE {row.name};",
        rank=TABLE,
        addresses=(("pg_class", row.oid, 0), ("pg_type", row.reltype, 0), ("pg_type", row.typarray, 0)),
    )


def _column(row: Any) -> Iterable[Item]:
    """A column's words in the order of CREATE TABLE."""
    kind = {"a": "ALWAYS", "d": "BY DEFAULT"}.get(row.identity, "")
    identity = f"GENERATED {kind} AS IDENTITY ({row.sequence})" if kind else ""
    stored = {"s": " STORED", "v": " VIRTUAL"}.get(row.generated, "")
    generated = f"GENERATED ALWAYS AS ({row.default_text}){stored}" if row.generated else ""
    parts = {
        "type": row.type,
        "collation": row.collation,
        "null": "NOT NULL" if row.required else "NULL",
        "default": "" if row.generated else canonical(row.default_text),
        "identity": identity,
        "generated": canonical(generated),
    }
    words = [row.name, row.type, f"COLLATE {row.collation}" if row.collation else "", identity, generated]
    words += [f"DEFAULT {parts['default']}" if parts["default"] else "", "NOT NULL" if row.required else ""]
    definition = " ".join(word for word in words if word)
    addresses = (("pg_class", row.oid, row.attnum),)
    yield Item(
        kind="column",
        name=f"{row.table}.{row.name}",
        parts={**parts, "definition": definition},
        create=f"ALTER TABLE {row.table} ADD COLUMN {definition};",
        drop=f"ALTER TABLE {row.table} DROP COLUMN {row.name};",
        rank=COLUMN,
        within=("table", row.table),
        addresses=addresses + ((("pg_attrdef", row.default_oid, 0),) if row.default_oid else ()),
    )


def _function(row: Any) -> Iterable[Item]:
    yield Item(
        kind=row.kind,
        name=row.name,
        parts={
            "signature": f"({row.arguments}) returns {row.result}",
            "definition": canonical(row.definition.strip()) if row.parsed else row.definition.strip(),
            "owner": row.owner,
        },
        create=f"{row.definition.strip()};",
        drop=f"DROP {row.kind.upper()} {row.name};",
        rank=FUNCTION,
        addresses=(("pg_proc", row.oid, 0),),
    )


def _constraint(row: Any) -> Iterable[Item]:
    create = f"ALTER TABLE {row.table} ADD CONSTRAINT {row.name} {row.definition};"
    if row.options:
        create += f"\nALTER INDEX {row.name} SET ({row.options});"
    yield Item(
        kind="constraint",
        name=f"{row.name} on {row.table}",
        parts={"definition": canonical(row.definition), "options": row.options},
        create=create,
        drop=f"ALTER TABLE {row.table} DROP CONSTRAINT {row.name};",
        rank={"c": CHECK, "f": FOREIGN}.get(row.type, KEY),
        within=("table", row.table),
        addresses=(("pg_constraint", row.oid, 0), ("pg_class", row.index_oid, 0)),
    )


def _index(row: Any) -> Iterable[Item]:
    yield Item(
        kind="index",
        name=row.name,
        parts={"definition": canonical(row.definition), "state": "valid" if row.valid else "not valid"},
        create=f"{row.definition};",
        drop=f"DROP INDEX {row.name};",
        rank=INDEX,
        within=("table", row.table),
        addresses=(("pg_class", row.oid, 0),),
    )


def _trigger(row: Any) -> Iterable[Item]:
    state = {"O": "", "D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}[row.enabled]
    create = f"{row.definition};"
    if state:
        create += f"\nALTER TABLE {row.table} {state} TRIGGER {row.name};"
    yield Item(
        kind="trigger",
        name=f"{row.name} on {row.table}",
        parts={"definition": canonical(row.definition), "state": state},
        create=create,
        drop=f"DROP TRIGGER {row.name} ON {row.table};",
        rank=TRIGGER,
        within=("table", row.table),
        addresses=(("pg_trigger", row.oid, 0),),
    )


def _policy(row: Any) -> Iterable[Item]:
    definition = f"AS {row.type} FOR {row.command} TO {row.roles}"
    definition += f" USING ({row.qualification})" if row.qualification else ""
    definition += f" WITH CHECK ({row.check})" if row.check else ""
    yield Item(
        kind="policy",
        name=f"{row.name} on {row.table}",
        parts={"definition": canonical(definition)},
        create=f"CREATE POLICY {row.name} ON {row.table} {definition};",
        drop=f"DROP POLICY {row.name} ON {row.table};",
        rank=POLICY,
        within=("table", row.table),
        addresses=(("pg_policy", row.oid, 0),),
    )


def _grant(row: Any) -> Iterable[Item]:
    """What a role was given; and, as `kept from`, what a thing's owner was denied."""
    listed = ", ".join(row.privileges)
    if row.column:
        words = ", ".join(f"{privilege} ({row.column})" for privilege in row.privileges)
        target, within = f"TABLE {row.name}", ("column", f"{row.name}.{row.column}")
    else:
        words = listed
        target, within = f"{row.kind.upper()} {row.name}", (row.kind, row.name)
    option = " WITH GRANT OPTION" if row.grantable else ""
    give, take = f"GRANT {words} ON {target} TO {row.role}{option};", f"REVOKE {words} ON {target} FROM {row.role};"
    name = f"{within[0]} {within[1]} {'kept from' if row.kept else 'to'} {row.role}{option.lower()}"
    yield Item(
        kind="grant",
        name=name,
        parts={"privileges": listed, "role": row.role},
        create=take if row.kept else give,
        drop=give if row.kept else take,
        rank=GRANT,
        within=within if row.kind != "schema" else None,
    )


def _other(row: Any) -> Iterable[Item]:
    yield Item(kind=row.kind, name=row.name, parts={"definition": row.definition or ""}, create="", drop="", rank=OTHER)


_COLUMNS = "{columns}"
_UNLOGGED = {"p": "", "u": "UNLOGGED "}

_READERS: tuple[tuple[str, Callable[[Any], Iterable[Item]]], ...] = (
    (queries.ENUMS, _enum),
    (queries.SEQUENCES, _sequence),
    (queries.TABLES, _table),
    (queries.COLUMNS, _column),
    (queries.FUNCTIONS, _function),
    (queries.CONSTRAINTS, _constraint),
    (queries.INDEXES, _index),
    (queries.TRIGGERS, _trigger),
    (queries.POLICIES, _policy),
    (queries.GRANTS, _grant),
    (queries.OTHERS, _other),
)
