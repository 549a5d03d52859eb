"""Platform."""

from talktime.db.migrations import run_frozen

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    run_frozen(__file__)
