"""Migrating a test's database, the way an operator does."""

from talktime.db.deploy import deploy as deploy_schema


def deploy(url: str) -> None:
    """All migrations, the roles and the job queue."""
    deploy_schema(url, url)
