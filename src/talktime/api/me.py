"""`/v1/me`: what a program can learn of the key it has. Any key opens it."""

import uuid
from typing import Annotated

from talktime.accounts.keys import Scope
from talktime.accounts.models import Role
from talktime.api.caller import Caller, any_key
from talktime.api.routing import api_router
from talktime.api.shapes import Resource, example

router = api_router("/me", "Me")


class Me(Resource):
    """Whose key this is, and what it may do."""

    model_config = example(
        user_id="0199c8f2-7a30-7c11-8a55-2f1d6d0c9a01",
        key_id="0199c8f4-11d2-7b02-9c0e-5b7a1c2d3e4f",
        role="USER",
        scopes=["calls:read", "credits:read"],
        zone="Europe/Berlin",
        locale="de",
    )

    user_id: uuid.UUID
    key_id: uuid.UUID
    role: Role
    scopes: list[Scope]
    zone: str
    locale: str


@router.get("")
async def me_read(caller: Annotated[Caller, any_key()]) -> Me:
    """Says whose key this is and what it may do: a good first request, and a check that a key still works."""
    known = [scope for scope in Scope if scope in caller.scopes]
    return Me(
        user_id=caller.user,
        key_id=caller.key_id,
        role=caller.role,
        scopes=known,
        zone=caller.zone,
        locale=caller.locale,
    )
