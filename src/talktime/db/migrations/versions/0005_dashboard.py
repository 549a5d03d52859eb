"""Dashboard."""

from talktime.db.migrations import run_frozen

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_frozen(__file__)
