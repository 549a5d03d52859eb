"""What Alembic runs. It gets a connection that is already the owner's (`deploy.upgrade` makes it): there is no other
way to migrate, so that everything has one owner and one migrator at a time.
"""

from collections.abc import Collection, Mapping
from typing import Any

from alembic import context
from alembic.runtime.migration import MigrationContext, MigrationInfo

attributes = context.config.attributes


def report(
    ctx: MigrationContext,  # noqa: ARG001  Alembic names its arguments
    step: MigrationInfo,
    heads: Collection[Any],  # noqa: ARG001
    run_args: Mapping[str, Any],  # noqa: ARG001
) -> None:
    """Say which revision was just applied."""
    attributes["say"](f"Revision {step.up_revision_id} is applied.")


context.configure(connection=attributes["connection"], transaction_per_migration=True, on_version_apply=report)
with context.begin_transaction():
    context.run_migrations()
