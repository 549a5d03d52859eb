"""Money."""

from talktime.db.migrations import run_frozen

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_frozen(__file__)
