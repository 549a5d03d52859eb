"""Accounts."""

from talktime.db.migrations import run_frozen

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_frozen(__file__)
