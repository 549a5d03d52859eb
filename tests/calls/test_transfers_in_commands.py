"""Legs in the operator's commands: the ledger says which call was put through, and a receipt names its other part."""

from talktime.db.session import Database
from tests.calls.putting_through import customer, transferred
from tests.calls.test_ledger_commands import Type, _commands, type_in

__all__ = ["_commands", "type_in"]


async def test_the_ledger_and_the_receipts_show_both_parts(type_in: Type, empty_database: Database) -> None:
    tara = await customer(empty_database)
    call, leg = await transferred(empty_database, tara)
    shown = await type_in("ledger", "show", tara.id)
    assert f"{leg}, put through from {call}" in shown.out
    lines = (await type_in("ledger", "show", tara.id, "--json")).document["lines"]
    assert [(line["amount"], line["put_through_from"]) for line in lines[1:]] == [(-15, None), (-95, str(call))]
    agents = await type_in("ledger", "receipt", call)
    assert f"the caller was put through: call {leg}" in agents.out
    legs = await type_in("ledger", "receipt", leg)
    assert f"put through from call {call}" in legs.out
    assert "charged: 95 credits" in legs.out
    document = (await type_in("ledger", "receipt", leg, "--json")).document
    assert (document["parent_id"], document["legs"]) == (str(call), [])
    assert (await type_in("ledger", "verify", "--full")).code == 0
