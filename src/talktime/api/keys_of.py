"""`/v1/keys`: the keys that programs come in with.

The rules: a key is shown once, when it is made; none gives another one what it may not do itself.
"""

import uuid
from datetime import timedelta
from typing import Annotated

from fastapi import Response
from pydantic import Field

from talktime.accounts import keys
from talktime.accounts.keys import NAME_LENGTH_MAX, Scope
from talktime.accounts.models import ApiKey
from talktime.api.caller import Caller, needs
from talktime.api.paging import Page, whole
from talktime.api.routing import api_router
from talktime.api.shapes import Fields, Moment, Resource, example, first_example
from talktime.api.writing import Once, only_once
from talktime.db.session import Session

WHY = "keys stand in the directory, which no customer's transaction reads"
_DAY_SECONDS = 24 * 60 * 60

router = api_router("/keys", "API keys")


class Key(Resource):
    """A key, as its owner knows it again."""

    model_config = example(
        id="0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f",
        name="CRM",
        prefix="tt_live_aB3x",
        scopes=["calls:read"],
        created_at="2026-10-01T08:20:00Z",
        last_used_at="2026-11-20T09:31:00Z",
        revoked_at=None,
        expires_at=None,
    )

    id: uuid.UUID
    name: str
    prefix: str
    scopes: list[Scope]
    created_at: Moment
    last_used_at: Moment | None
    """To the minute."""
    revoked_at: Moment | None
    expires_at: Moment | None
    """When it ends because another one has taken its place."""

    @classmethod
    def of(cls, key: ApiKey) -> "Key":
        # A scope that there is no more opens nothing.
        scopes = [scope for scope in Scope if scope in key.scopes]
        names = set(cls.model_fields) - {"scopes"}
        return cls(**{name: getattr(key, name) for name in names}, scopes=scopes)


class MadeKey(Resource):
    """A new key, with the only sight of its secret there will ever be."""

    model_config = example(
        key=first_example(Key),
        secret="tt_live_aB3x…",  # noqa: S106  an example
    )

    key: Key
    secret: str
    """Send it as `Authorization: Bearer …`. Only its hash is kept."""


class NewKey(Fields):
    """A key to be made."""

    model_config = example(name="CRM", scopes=["calls:read", "credits:read"])

    name: str = Field(min_length=1, max_length=NAME_LENGTH_MAX)
    scopes: list[Scope] = Field(min_length=1, max_length=len(Scope))
    """What it may do: of what the key may that makes it."""


class Rotation(Fields):
    """How long the old key works beside the new one."""

    model_config = example(old_works_seconds=3600)

    old_works_seconds: int = Field(default=0, ge=0, le=_DAY_SECONDS)


@router.get("")
async def keys_list(caller: Annotated[Caller, needs(Scope.KEYS_READ)]) -> Page[Key]:
    """Lists the keys that work, the newest first, all of them at once: there are never many."""
    async with caller.everyone(WHY) as db:
        return whole([Key.of(key) for key in await keys.of_user(db, caller.user)])


@router.get("/{key_id}")
async def keys_read(caller: Annotated[Caller, needs(Scope.KEYS_READ)], key_id: uuid.UUID) -> Key:
    """Gives one key, also one that was revoked."""
    async with caller.everyone(WHY) as db:
        return Key.of(await keys.one(db, caller.user, key_id))


@router.post("", status_code=201, response_model=MadeKey)
async def keys_make(
    caller: Annotated[Caller, needs(Scope.KEYS_WRITE)], body: NewKey, once: Annotated[Once, only_once()]
) -> Response:
    """Makes a key. Its secret stands in this answer, and nowhere ever after."""

    async def make(db: Session) -> MadeKey:
        made, secret = await keys.make(db, caller.user, body.name, body.scopes, within=caller.scopes)
        return MadeKey(key=Key.of(made), secret=secret)

    return await once.do(make, headers=_location, everyone=lambda: caller.everyone(WHY))


@router.post("/{key_id}/rotate", status_code=201, response_model=MadeKey)
async def keys_rotate(
    caller: Annotated[Caller, needs(Scope.KEYS_WRITE)],
    key_id: uuid.UUID,
    body: Rotation,
    once: Annotated[Once, only_once()],
) -> Response:
    """Makes a key in the place of another, with its name and scopes; the old one works on for as long as you say."""

    async def rotate(db: Session) -> MadeKey:
        old_works = timedelta(seconds=body.old_works_seconds)
        made, secret = await keys.rotate(db, caller.user, key_id, old_works=old_works, within=caller.scopes)
        return MadeKey(key=Key.of(made), secret=secret)

    return await once.do(rotate, headers=_location, everyone=lambda: caller.everyone(WHY))


@router.delete("/{key_id}", status_code=204)
async def keys_revoke(caller: Annotated[Caller, needs(Scope.KEYS_WRITE)], key_id: uuid.UUID) -> None:
    """Revokes a key for good, from now on; also the one that asks. Revoked again, it stays as it is."""
    async with caller.everyone(WHY) as db:
        if not await keys.revoke(db, caller.user, key_id):
            raise keys.NoSuchKey


def _location(made: MadeKey) -> dict[str, str]:
    return {"location": f"/v1/keys/{made.key.id}"}
