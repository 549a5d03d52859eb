"""`talktime doctor`: what is in order is said to be, what is not has a line that says what to do, and whatever hangs or
lies hides nothing else.
"""

import asyncio
import contextlib
import json
import os
import ssl
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import trustme
from pydantic import SecretStr
from sqlalchemy import text

from talktime.accounts import links, operators
from talktime.accounts.models import LinkPurpose
from talktime.cli import running
from talktime.cli.checkup import companies, outside
from talktime.cli.checkup import database as database_check
from talktime.cli.checkup.finding import Finding, State, bounded
from talktime.cli.demo import EMAIL, OPERATOR_EMAIL, ensure_demo
from talktime.cli.doctor import examine
from talktime.cli.first_start import first_link
from talktime.cli.serve import demo_links
from talktime.db import embedded
from talktime.db.deploy import deploy
from talktime.db.session import Database
from talktime.http.health import proof_of
from talktime.settings import Settings
from talktime.simulate.gateway import SimulatedGateway
from tests.house import House, free_ports, open_house
from tests.mail.post_office import post_office
from tests.people import WHY, new_person

KEY = "T3/vR9wqLm0zXe8bYc5uKd7iHn2oPj4sQa6fGt1=rWh"


def by_name(found: "list[Finding] | Any") -> dict[str, Finding]:
    """The findings, the worst of each name."""
    order = [State.OK, State.WARN, State.FAIL]
    named: dict[str, Finding] = {}
    for each in found:
        if each.name not in named or order.index(each.state) > order.index(named[each.name].state):
            named[each.name] = each
    return named


def environment_of(settings: Settings, **more: str) -> dict[str, str]:
    return {
        "TALKTIME_HOME": str(settings.home),
        "TALKTIME_PORT": str(settings.port),
        "TALKTIME_CARRIER_PORT": str(settings.carrier_port),
        "TALKTIME_GATEWAY_PORT": str(settings.gateway_port),
        **more,
    }


@pytest.fixture(scope="module")
async def house(
    new_database_url: Callable[[], str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[tuple[House, str]]:
    """A demo that runs, and the address of its database."""
    home, url = Path(tmp_path_factory.mktemp("home")), new_database_url()
    async with open_house(url, home, simulated_gateway_port=free_ports(1)[0]) as house:
        running.announce(home, running.Instance(os.getpid(), house.settings.base_url, demo=True))
        async with SimulatedGateway.of(house.settings):
            await new_person(house.database, "Ada", credits=0, admin=True)
            yield house, url


async def test_a_demo_that_runs_is_in_order(house: tuple[House, str]) -> None:
    began = time.monotonic()
    found = await examine(environment=environment_of(house[0].settings, DATABASE_URL=house[1]))
    assert time.monotonic() - began < 20
    named = by_name(found)
    assert [each for each in found if each.state is State.FAIL] == []
    for name in (
        "settings", "disk", "secret", "database", "clocks", "migrations", "tenancy", "rights", "jobs", "inbox",
        "books", "operators", "mail", "carrier simulated", "payments simulated", "public address",
    ):  # fmt: skip
        assert named[name].state is State.OK, named[name]
    assert named["passwords"].state is not State.FAIL


async def test_with_nothing_right_there_is_still_a_line_for_everything_in_time(tmp_path: Path) -> None:
    async def silence(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)
        writer.close()

    server = await asyncio.start_server(silence, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    broken = {
        "TALKTIME_HOME": str(tmp_path),
        "TALKTIME_PORT": "eight",
        "DATABASE_URL": f"postgresql://me:hunter2@127.0.0.1:{port}/talktime",
        "TALKTIME_SMTP_URL": f"smtp://127.0.0.1:{port}",
        "TALKTIME_MAIL_FROM": "hello@example.org",
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "hunter2",
        "TWILIO_API_BASE": f"http://127.0.0.1:{port}",
        "STRIPE_API_KEY": "sk_test_hunter2",
        "STRIPE_WEBHOOK_SECRET": "whsec_hunter2",
        "STRIPE_API_BASE": f"http://127.0.0.1:{port}",
        "PUBLIC_URL": f"https://localhost:{port}",
    }
    began = time.monotonic()
    found = await examine(environment=broken)
    assert time.monotonic() - began < 20
    server.close()
    named = by_name(found)
    for name in ("settings", "database", "mail", "carrier twilio", "payments stripe"):
        assert named[name].state is State.FAIL, named[name]
    assert named["certificate"].state is State.WARN
    assert all(each.mend for each in found if each.state is State.FAIL)
    assert "hunter2" not in str(found)


async def test_a_check_that_is_broken_breaks_no_other() -> None:
    async def broken() -> list[Finding]:
        raise KeyError("hunter2")

    [finding] = await bounded("moon", broken())
    assert (finding.state, "hunter2" in str(finding)) == (State.WARN, False)
    [late] = await bounded("moon", asyncio.sleep(5, []), seconds_max=0.05)
    assert late.state is State.FAIL and "0.05 s" in late.says


# The database.


@pytest.fixture
def own(new_database_url: Callable[[], str], tmp_path: Path) -> Settings:
    """Settings for a database that a test may spoil."""
    return Settings(home=tmp_path, database_url=SecretStr(new_database_url()))


def url_of(settings: Settings) -> str:
    assert settings.database_url is not None
    return settings.database_url.get_secret_value()


def spoil(settings: Settings, *statements: str) -> None:
    with psycopg.connect(url_of(settings), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


async def looked_at(settings: Settings, *, demo: bool = False) -> dict[str, Finding]:
    return by_name(await database_check.database(settings, demo=demo))


@pytest.mark.parametrize(
    ("statements", "name", "state", "says"),
    [
        (["ALTER TABLE calls DISABLE ROW LEVEL SECURITY"], "tenancy", State.FAIL, "calls"),
        (["GRANT SELECT (user_id) ON sessions TO talktime"], "tenancy", State.FAIL, "sessions"),
        (["GRANT TRUNCATE ON invoices TO talktime_everyone"], "rights", State.FAIL, "invoices"),
        (["ALTER TABLE calls OWNER TO talktime_everyone"], "rights", State.FAIL, "calls"),
        (["GRANT CREATE ON SCHEMA public TO talktime"], "rights", State.FAIL, "talktime may alter"),
        (["UPDATE alembic_version SET version_num = '0001'"], "migrations", State.FAIL, "not up to date"),
        (["DROP TABLE alembic_version"], "migrations", State.FAIL, "not up to date"),
        (
            ["INSERT INTO procrastinate_jobs (task_name, queue_name, status) VALUES ('x', 'default', 'failed')",
             "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now())"],
            "jobs", State.WARN, "workers: 1; jobs late: 0, stalled: 0, given up: 1",
        ),
        (
            ["INSERT INTO procrastinate_jobs (task_name, queue_name, status) VALUES ('x', 'default', 'doing')"],
            "jobs", State.FAIL, "workers: 0; jobs late: 0, stalled: 1",
        ),
        (
            [("INSERT INTO procrastinate_jobs (task_name, queue_name, status, scheduled_at)"
             " VALUES ('x', 'default', 'todo', now() - interval '10 min')")],
            "jobs", State.FAIL, "jobs late: 1",
        ),
        ([], "jobs", State.WARN, "workers: 0; jobs late: 0, stalled: 0, given up: 0"),
        (
            [("INSERT INTO provider_events (id, provider, account, event_id, kind, body, gave_up_at)"
             " VALUES (gen_random_uuid(), 'a', 'b', 'c', 'd', '', now())")],
            "inbox", State.WARN, "given up: 1",
        ),
        (
            [("INSERT INTO provider_events (id, provider, account, event_id, kind, body, received_at)"
             " VALUES (gen_random_uuid(), 'a', 'b', 'c', 'd', '', now() - interval '1 hour')")],
            "inbox", State.WARN, "events that wait: 1, the oldest for 360",
        ),
        (
            [("INSERT INTO provider_events (id, provider, account, event_id, kind, body, received_at, waits_for)"
             " VALUES (gen_random_uuid(), 'a', 'b', 'c', 'd', '', now() - interval '1 hour', 'a call')")],
            "inbox", State.OK, "events that wait: 1, the oldest for 0 s",
        ),
        (
            ["INSERT INTO alerts (id, kind, detail) VALUES (gen_random_uuid(), 'ledger_wrong', '{}')"],
            "books", State.FAIL, "1 alerts",
        ),
        ([], "operators", State.WARN, "none"),
        ([], "roles", State.WARN, "is a superuser"),
        ([], "database", State.OK, "PostgreSQL 1"),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_the_database_is_found(
    own: Settings, statements: list[str], name: str, state: State, says: str
) -> None:
    spoil(own, *statements)
    found = (await looked_at(own))[name]
    assert found.state is state and says in found.says, found
    assert found.mend or state is State.OK


async def test_lines_that_nobody_proved_for_an_hour_are_told(own: Settings) -> None:
    database = database_of(own)
    await new_person(database, "Alice", credits=100)
    assert (await looked_at(own))["books"].state is State.OK
    await database.close()
    spoil(
        own,
        "ALTER TABLE credit_transactions DISABLE TRIGGER USER",
        "UPDATE credit_transactions SET created_at = created_at - interval '2 hours'",
    )
    found = (await looked_at(own))["books"]
    assert found.state is State.WARN and found.says.startswith("1 accounts"), found


async def test_an_operator_without_a_second_factor_is_told_of_outside_the_demo(own: Settings) -> None:
    database = database_of(own)
    await new_person(database, "Ada", credits=0, admin=True)
    await database.close()
    assert (await looked_at(own))["operators"].says == "1 of 1 have no second factor"
    assert (await looked_at(own, demo=True))["operators"].state is State.OK
    spoil(own, "UPDATE users SET totp_secret = 'x', totp_since = now()")
    assert (await looked_at(own))["operators"] == Finding("operators", State.OK, "there is one, with a second factor")


async def test_the_login_of_the_application_is_another_than_the_owners(tmp_path: Path) -> None:
    with embedded.temporary(logins=("app",)) as server:
        for statement in ("CREATE ROLE app LOGIN", "CREATE DATABASE shop"):
            with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
                connection.execute(statement.encode())
        settings = Settings(home=tmp_path, database_url=SecretStr(server.url("shop", "app")))
        before = await looked_at(settings)
        assert (before["roles"].state, before["roles"].mend) == (State.FAIL, "run `talktime db deploy`.")
        deploy(url_of(settings), server.url("shop"))
        assert (await looked_at(settings))["roles"].state is State.OK
        spoil(Settings(database_url=SecretStr(server.url("shop"))), "GRANT talktime_owner TO app")
        assert "may become talktime_owner" in (await looked_at(settings))["roles"].says


async def test_a_database_that_is_away_or_not_there_yet_is_one_line(tmp_path: Path) -> None:
    away = Settings(home=tmp_path, database_url=SecretStr(f"postgresql://u:hunter2@127.0.0.1:{free_ports(1)[0]}/t"))
    found = await database_check.database(away, demo=False)
    assert [each.state for each in found] == [State.FAIL] and "hunter2" not in str(found)
    none = await database_check.database(Settings(home=tmp_path / "new"), demo=True)
    assert [each.state for each in none] == [State.WARN]
    assert not (tmp_path / "new").exists(), "looking makes nothing"


def database_of(settings: Settings) -> Database:
    from talktime.db.session import connect

    return connect(url_of(settings), connections_max=2)


# The companies.


def mailing(url: str) -> Settings:
    return Settings(smtp_url=SecretStr(url), mail_from="Talktime <hello@talktime.example>")


async def test_a_mail_server_is_greeted_and_gets_no_mail() -> None:
    async with post_office() as office:
        [found] = await companies.mail(mailing(f"smtp://127.0.0.1:{office.port}"), demo=False, tls=None)
        assert (found.state, found.says) == (State.OK, f"127.0.0.1:{office.port} takes our mails, without TLS")
        assert office.letters == []


async def test_a_mail_server_shows_its_certificate_and_takes_our_password() -> None:
    async with post_office(starttls=True, password="right") as office:
        where = f"127.0.0.1:{office.port}"
        good = mailing(f"smtp://me:right@{where}?starttls")
        [found] = await companies.mail(good, demo=False, tls=office.trust())
        assert (found.state, found.says) == (State.OK, f"{where} takes our mails, over TLS")
        wrong = mailing(f"smtp://me:hunter2@{where}?starttls")
        [found] = await companies.mail(wrong, demo=False, tls=office.trust())
        assert (found.state, "password" in found.says, "hunter2" in str(found)) == (State.FAIL, True, False)
        [found] = await companies.mail(good, demo=False, tls=None)
        assert found.state is State.FAIL, "nobody we know signed its certificate"


async def test_a_mail_server_may_begin_with_tls() -> None:
    async with post_office(tls=True) as office:
        settings = mailing(f"smtps://127.0.0.1:{office.port}")
        assert [each.state for each in await companies.mail(settings, demo=False, tls=office.trust())] == [State.OK]
        assert [each.state for each in await companies.mail(settings, demo=False, tls=None)] == [State.FAIL]


async def test_without_a_mail_server_only_the_demo_is_in_order() -> None:
    assert [each.state for each in await companies.mail(Settings(), demo=True, tls=None)] == [State.OK]
    assert [each.state for each in await companies.mail(Settings(), demo=False, tls=None)] == [State.WARN]


async def test_a_carrier_and_a_payment_company_that_refuse_our_keys_are_told(house: tuple[House, str]) -> None:
    wrong = Settings(
        twilio_account_sid="AC" + "1" * 32,
        twilio_auth_token=SecretStr("hunter2"),
        twilio_api_base=f"http://127.0.0.1:{house[0].settings.carrier_port}",
        stripe_api_key=SecretStr("sk_test_hunter2"),
        stripe_webhook_secret=SecretStr("whsec_1"),
        stripe_api_base=f"http://127.0.0.1:{house[0].settings.gateway_port}",
    )
    for check in (companies.carriers, companies.payments):
        [found] = await check(wrong, None, demo=False)
        assert found.state is State.FAIL and "hunter2" not in str(found), found


# The outside.


@contextlib.asynccontextmanager
async def front(
    answer: Callable[[str], Mapping[str, str]], *, days: float = 90
) -> AsyncIterator[tuple[str, ssl.SSLContext]]:
    """A proxy with a certificate in front of somebody who answers the challenge so: its address, and whom to trust."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", not_after=datetime.now(UTC) + timedelta(days=days)).configure_cert(context)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            body = json.dumps(answer(head.split("challenge=")[1].split(" ")[0])).encode()
            writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}", trust
    finally:
        server.close()


async def test_only_who_has_our_secret_proves_that_the_public_address_leads_here() -> None:
    ours, others = (Settings(secret_key=SecretStr(secret * 4)) for secret in ("our secret", "their word"))
    async with front(lambda challenge: {"proof": proof_of(ours, challenge)}) as (base, trust):
        found = await outside.answers_at(ours, base, tls=trust)
        # On loopback it can only be told as far as this: nobody else sees this name.
        assert (found.state, found.says.startswith("we answer at")) == (State.WARN, True)
        found = await outside.answers_at(others, base, tls=trust)
        assert (found.state, "somebody else answers" in found.says) == (State.FAIL, True)
        found = await outside.answers_at(ours, base, tls=None)
        assert (found.state, "was not reached" in found.says) == (State.FAIL, True), "an unknown certificate"
    async with front(lambda challenge: {"status": "ok"}) as (base, trust):
        assert (await outside.answers_at(ours, base, tls=trust)).state is State.FAIL
    found = await outside.answers_at(ours, f"https://localhost:{free_ports(1)[0]}", tls=trust)
    assert (found.state, "elsewhere" in found.mend) == (State.FAIL, True)


async def test_what_no_server_could_answer_is_not_claimed() -> None:
    [found] = await outside.reached(Settings(public_url="https://phone.example.org"), None, demo=False, tls=None)
    assert (found.state, "cannot be told" in found.says) == (State.WARN, True)
    [found] = await outside.reached(Settings(), None, demo=False, tls=None)
    assert (found.state, "PUBLIC_URL" in found.mend) == (State.WARN, True)


@pytest.mark.parametrize(("days", "state"), [(90, State.OK), (15, State.WARN), (2, State.FAIL)])
async def test_a_certificate_is_told_before_it_runs_out(days: int, state: State) -> None:
    async with front(lambda challenge: {}, days=days + 0.5) as (base, trust):
        [found] = await outside.certificate(Settings(public_url=base), tls=trust)
        assert (found.state, found.says) == (state, f"is good for {days} more days")
        [found] = await outside.certificate(Settings(public_url=base), tls=None)
        assert found.state is State.FAIL


async def test_the_server_answers_a_challenge_and_signs_nothing_else(house: tuple[House, str]) -> None:
    async with httpx.AsyncClient(base_url=house[0].settings.base_url, trust_env=False) as client:
        challenge = "c" * 43
        said = (await client.get("/healthz", params={"challenge": challenge})).json()
        assert said == {"status": "ok", "proof": proof_of(house[0].settings, challenge)}
        for hostile in ("", "short", "x" * 65, "a b" * 10, "é" * 30, "../" * 10):
            assert (await client.get("/healthz", params={"challenge": hostile})).json() == {"status": "ok"}


# The command, and the first start.


async def test_the_command_prints_lines_or_a_document_and_its_code_says_whether_all_is_well(tmp_path: Path) -> None:
    async def types(*words: str, **environment: str) -> tuple[int | None, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "talktime", "doctor", *words,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env={"PATH": os.environ["PATH"], "TALKTIME_HOME": str(tmp_path / "t"), **environment},
        )  # fmt: skip
        async with asyncio.timeout(90):
            out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    code, out, err = await types("--demo", "--json")
    document = json.loads(out)
    assert (code, err, document["ok"]) == (0, "", True)
    assert {"name", "state", "says", "mend"} == document["findings"][0].keys()
    code, out, err = await types(TALKTIME_PROT="1", TALKTIME_SECRET_KEY="hunter2")
    assert (code, err) == (1, "")
    assert "TALKTIME_PROT is no setting" in out and "did you mean TALKTIME_PORT?" in out
    assert "TALKTIME_SECRET_KEY is too short" in out and "hunter2" not in out
    assert out.rstrip().splitlines()[-1].startswith("2 to mend")


async def test_the_first_start_lets_one_reader_in_as_long_as_there_is_no_operator(empty_database: Database) -> None:
    first = await first_link(empty_database)
    second = await first_link(empty_database)
    assert first is not None and second is not None and first.startswith("/welcome/") and first != second
    async with empty_database.transaction(everyone=WHY) as db:
        assert await links.look(db, first.rsplit("/", 1)[1], LinkPurpose.INVITE) is None, "of an earlier start"
        link = await links.look(db, second.rsplit("/", 1)[1], LinkPurpose.INVITE)
        assert link is not None and link.role is not None and link.role.value == "ADMIN"
        stays = await links.issue(db, LinkPurpose.SIGN_UP, email="alice@example.org")
    await new_person(empty_database, "Ada", credits=0, admin=True)
    assert await first_link(empty_database) is None
    async with empty_database.transaction(everyone=WHY) as db:
        assert await operators.is_there_one(db)
        assert await links.look(db, second.rsplit("/", 1)[1], LinkPurpose.INVITE) is None
        assert await links.look(db, stays.token, LinkPurpose.SIGN_UP) is not None
        assert await db.scalar(text("SELECT count(*) FROM account_links")) == 1


async def test_starts_at_the_same_moment_leave_one_link(empty_database: Database) -> None:
    paths = await asyncio.gather(*(first_link(empty_database) for _ in range(6)))
    async with empty_database.transaction(everyone=WHY) as db:
        good = [path for path in paths if path and await links.look(db, path.rsplit("/", 1)[1], LinkPurpose.INVITE)]
    assert len(good) == 1


async def test_the_first_start_prints_a_link_that_opens_a_page_and_is_not_spent_by_looking(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "talktime", "serve", "--only", "web", "--drain-seconds", "0",
        stdout=asyncio.subprocess.PIPE,
        env={
            "PATH": os.environ["PATH"], "TALKTIME_HOME": str(tmp_path), "TALKTIME_PORT": str(port),
            "TALKTIME_SECRET_KEY": KEY,
        },
    )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(90):
            while not (line := (await process.stdout.readline()).decode().strip()).startswith("http"):
                assert "Stop with" not in line and (line or process.returncode is None)
        assert line.startswith(f"http://127.0.0.1:{port}/welcome/")
        async with httpx.AsyncClient(trust_env=False) as client:
            for _ in range(2):
                page = await client.get(line)
                assert (page.status_code, 'type="password"' in page.text) == (200, True)
    finally:
        process.terminate()
        async with asyncio.timeout(60):
            await process.communicate()
        await asyncio.to_thread(embedded.discard, tmp_path)


async def test_the_demo_prints_a_link_for_the_customer_and_one_for_the_operator(empty_database: Database) -> None:
    await ensure_demo(empty_database)
    found = dict(await demo_links(empty_database))
    assert found.keys() == {EMAIL, OPERATOR_EMAIL}
    async with empty_database.transaction(everyone=WHY) as db:
        for path in found.values():
            assert await links.look(db, path.rsplit("/", 1)[1], LinkPurpose.SIGN_IN) is not None
