"""What others wrote is emptied of somebody, and of nothing else; what still has to be read is read the same way."""

import json
import secrets
from pathlib import Path

import pytest
from sqlalchemy import JSON, LargeBinary, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from talktime.carriers.contract import Request
from talktime.carriers.twilio import Twilio
from talktime.db.base import new_id
from talktime.db.session import Database
from talktime.mail.message import Mail, Sender, Words
from talktime.mail.send import Outbox
from talktime.privacy import bodies
from talktime.privacy.spellings import spelled
from tests.db.everything import TABLES
from tests.people import WHY

WHO = spelled("+493012345678")

EMPTIED = {
    "calls": {"caller", "dialled", "summary"},
    "call_turns": {"text", "tools", "sources"},
    "turn_corrections": {"text"},
    "provider_events": {"body", "headers", "error"},
    "alerts": {"detail", "note"},
    "approvals": {"reason"},
    "charge_claims": {"note"},
    "notices": {"detail"},
    "idempotency_keys": {"key"},
    "webhook_attempts": {"answer", "error"},
    "webhook_events": {"data", "body"},
}
"""Columns that a number is taken out of."""
OWNERS = {
    "agents": "what a customer says of themselves",
    "agent_versions": "a customer's own knowledge; it is said when the number stands there",
    "agent_drafts": "the same, not published yet; said",
    "billing_details": "a customer's own; said",
    "credit_transactions": "hashed, and never changed; said",
    "invoices": "a document of money stays as it was issued; said",
    "phone_numbers": "the operator's own numbers; said",
    "number_orders": "the operator's own numbers",
    "number_proofs": "a customer's own numbers; said",
    "webhook_endpoints": "a customer's own addresses, and sealed secrets",
    "users": "people who sign in",
    "sessions": "people who sign in",
    "account_links": "people who sign in",
    "api_keys": "people who sign in",
    "recovery_codes": "hashes",
    "throttles": "hashes",
    "audit_entries": "ids, states and sums",
    "audit_heads": "a hash",
    "ledger_checkpoints": "a hash",
    "credit_accounts": "a hash, and words of an operator about the customer",
    "credit_holds": "our own words",
    "credit_reversals": "a payment company's ids",
    "payment_reversals": "a payment company's ids and codes",
    "refund_requests": "ids",
    "purchases": "a payment company's ids",
    "purchase_directory": "ids",
    "call_directory": "ids",
    "call_costs": "names of vendors",
    "cost_rates": "names of vendors",
    "credit_packs": "what is sold",
    "invoice_numbers": "ids",
    "job_runs": "names of jobs, and places in our own code",
    "operating_quarters": "figures",
    "use_counts": "the name of a time zone",
    "marks": "when our own rounds were done, with figures",
    "invoice_series": "ids",
    "payment_rounds": "names of payment companies",
    "prices": "figures",
    "top_ups": "a payment company's ids",
    "ungranted_payments": "a payment company's ids",
    "ungranted_reversals": "a payment company's ids and codes",
}
"""Tables in which no caller ever stands, or from which nobody may take one out, and why."""


def test_of_every_column_that_may_hold_words_it_is_known_whether_a_caller_may_stand_in_it() -> None:
    known = {"carrier", "carrier_call_id", "route", "end_reason", "outcome", "status", "direction"}
    for name, table in TABLES.items():
        wordy = {column.name for column in table.columns if isinstance(column.type, Text | JSON | LargeBinary | ARRAY)}
        if name in EMPTIED:
            assert EMPTIED[name] <= wordy, name
            # Of these tables the rest is names and states of ours and of providers'.
            rest = wordy - EMPTIED[name] - known
            assert rest <= _STATES[name], (name, rest - _STATES[name])
        else:
            assert not wordy or name in OWNERS, f"{name}: may a caller's number stand in {sorted(wordy)}?"


_STATES = {
    "calls": set(),
    "call_turns": {"latency"},
    "turn_corrections": set(),
    "provider_events": {"provider", "account", "event_id", "kind", "verdict", "waits_for"},
    "alerts": {"kind"},
    "approvals": {"reference"},
    "charge_claims": {"reason"},
    "notices": {"kind", "subject", "dropped_reason"},
    "webhook_attempts": set(),
    "webhook_events": {"type"},
    # Sealed, and gone in a day.
    "idempotency_keys": {"digest", "answer"},
}


def test_json_is_emptied_wherever_it_stands_and_stays_json() -> None:
    before = {
        "phone": "+493012345678", "digits": 493012345678, "list": ["030 12345678", 7, None, True, 1.5],
        "in text": {"a": "call +49 30 12345678 today"}, "other": "+493012345679",
    }  # fmt: skip
    after = json.loads(bodies.redacted_body(json.dumps(before).encode(), WHO.redact))
    assert after == {
        "phone": "forgotten", "digits": None, "list": ["forgotten", 7, None, True, 1.5],
        "in text": {"a": "call forgotten today"}, "other": "+493012345679",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"From=%2B493012345678&To=%2B4930999", b"From=forgotten&To=%2B4930999"),
        (b"\x00\xff 030/12345678 \xfe", b"\x00\xff forgotten \xfe"),
        (b"", b""),
        (b"{broken: +493012345678", b"{broken: forgotten"),
    ],
)
def test_what_is_no_json_keeps_every_other_byte(before: bytes, after: bytes) -> None:
    assert bodies.redacted_body(before, WHO.redact) == after


def test_who_paid_is_taken_out_with_what_stands_beside_their_address() -> None:
    theirs = {"name": "Alice", "email": "Alice@Example.org", "phone": "1", "address": {"city": "B"}, "tax": 1}
    others = {"name": "Bob", "email": "bob@example.org"}
    after = bodies.without_person({"a": [theirs, others], "receipt_email": "alice@example.org"}, "alice@example.org")
    emptied = {"name": None, "email": None, "phone": None, "address": None, "tax": 1}
    assert after == {"a": [emptied, others], "receipt_email": None}
    assert bodies.without_payer(b"not json", "x@y") == b"not json"


async def test_a_report_without_people_says_the_same_to_who_handles_it(database: Database) -> None:
    sid = f"CA{secrets.token_hex(16)}"
    form = (
        f"AccountSid=AC1&Called=%2B4930999&CallerCity=BERLIN&CallSid={sid}&From=%2B493012345678&CallStatus=completed"
        "&CallDuration=12&Duration=1&SequenceNumber=3&Timestamp=Mon%2C+23&CallerName=Kim%20M&FromCity=&=x&To"
    )
    for body in (form.encode(), form.encode() + b"&Odd=\xff\x00\\", b"", b"\xff\\x", b'{"caller": "+493012345678"}'):
        async with database.transaction(everyone=WHY) as db:
            # As its owner: nobody else needs to call it.
            await db.execute(text("SET LOCAL ROLE talktime_owner"))
            kept = bytes(await db.scalar(text("SELECT report_without_people(:body)"), {"body": body}) or b"")
        if not body.startswith(b"Acc"):
            assert kept == b""
            continue
        assert b"3012345678" not in kept and b"Kim" not in kept and b"BERLIN" not in kept
        twilio = Twilio("AC1", "token")
        said = [twilio.read_report(Request("POST", "", _FORM, each)) for each in (form.encode(), kept)]
        assert said[0] == said[1]
        await twilio.close()


_FORM = {"content-type": "application/x-www-form-urlencoded"}


async def test_a_mail_that_lies_here_is_emptied_in_all_its_parts_and_stays_a_mail(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox", Sender.of("Talktime <desk@example.org>"))
    for to in ("alice@example.org", "bob@example.org"):
        said = Words("Call +49 30 12345678", (f"Ünder 030 12345678, {'and on ' * 60}.",))
        await outbox.send(Mail(new_id(), (to,), "en", said))
    (tmp_path / "outbox" / "odd.eml").write_bytes(b"\xff\x00 no mail at all")
    assert bodies.redact_outbox(tmp_path, WHO.redact, to="ALICE@example.org") == 1
    assert bodies.redact_outbox(tmp_path, WHO.redact) == 1
    assert bodies.redact_outbox(tmp_path, WHO.redact) == 0
    for path in (tmp_path / "outbox").glob("*.eml"):
        message = bodies._read(path)
        assert message is not None
        texts = [part.get_content() for part in message.walk() if part.get_content_maintype() == "text"]
        assert not WHO.is_in(" ".join((str(message["subject"]), *texts))), path
        assert path.stat().st_mode & 0o077 == 0 or path.name == "odd.eml"
        if message["to"]:
            assert len(texts) == 2 and all("forgotten" in each for each in texts)
    assert bodies.empty_outbox(tmp_path, "alice@example.org") == 1
    assert len(list((tmp_path / "outbox").iterdir())) == 2
