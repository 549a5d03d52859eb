"""First schema."""

from talktime.db.migrations import run_frozen

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_frozen(__file__)
