"""Migrating a test's database, the way an operator does."""

from sqlalchemy import create_engine, text
from importlib.resources import files


def deploy(url: str) -> None:
    import talktime.accounts.models, talktime.agents.models, talktime.credits.models, talktime.payments.models, talktime.numbers.models, talktime.calls.models, talktime.inbox, talktime.alerts
    from talktime.db.base import Model

    e = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with e.connect().execution_options(isolation_level="AUTOCOMMIT") as c:
        for r, o in [("talktime_owner", ""), ("talktime", ""), ("talktime_everyone", ""), ("talktime_login", "NOINHERIT IN ROLE talktime, talktime_everyone")]:
            if not c.execute(text("select 1 from pg_roles where rolname=:r"), {"r": r}).first():
                c.execute(text(f"CREATE ROLE {r} NOLOGIN {o}"))
        c.execute(text("GRANT ALL ON SCHEMA public TO talktime_owner"))
    with e.begin() as c:
        c.execute(text("SET ROLE talktime_owner"))
        Model.metadata.create_all(c)
        cur = c.connection.driver_connection.cursor()
        for f in ["credits", "calls", "db"]:
            for p in sorted(files("talktime").joinpath(f, "sql").iterdir(), key=lambda p: p.name):
                cur.execute(p.read_text())
    e.dispose()
