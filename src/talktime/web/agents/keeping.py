"""Saving a part of a draft, also when somebody else saved meanwhile.

The rules: what was typed is never lost, and what somebody else wrote is never written over unseen. A form says of each
field what stood there when it was shown; what was not touched is not sent, so only two people at the same field meet.
"""

import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from talktime.accounts.sessions import Identity
from talktime.agents import checking, drafts
from talktime.agents.content import Content
from talktime.agents.drafts import CurrentDraft, DraftChanged
from talktime.db.session import Session
from talktime.errors import Conflict
from talktime.web.forms import Form

_DIGITS_MAX = 9


class Contested(Conflict):
    """Somebody else changed this meanwhile: choose which of the two stays."""

    def __init__(self, current: CurrentDraft, mine: Mapping[str, Any], fields: Iterable[str]) -> None:
        super().__init__()
        self.current = current
        self.mine = mine
        self.fields = tuple(fields)
        """Those that both changed, and differently."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a form knew of the draft when it was shown."""

    revision: int | None
    digests: Mapping[str, str]

    def is_untouched(self, field: str, value: Any) -> bool:
        """Whether a field still says what it said when the form was shown."""
        return self.digests.get(field) == digest(value)


def seen_values(draft: CurrentDraft, fields: Iterable[str]) -> dict[str, str]:
    """What a form carries of the draft that it shows."""
    stored = draft.content.to_json()
    return {"revision": str(draft.revision)} | {f"seen-{name}": digest(stored[name]) for name in fields}


def seen(form: Form, fields: Iterable[str]) -> Seen:
    """What a form says it was shown with."""
    return Seen(revision_of(form), {name: form.text(f"seen-{name}") for name in fields})


def revision_of(form: Form) -> int | None:
    """The draft that somebody looked at; None for a form that does not say."""
    written = form.text("revision")
    return int(written) if written.isascii() and written.isdecimal() and len(written) <= _DIGITS_MAX else None


def theirs_stay(form: Form, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What is sent without the fields of which somebody chose the other's."""
    return {name: value for name, value in sent.items() if form.text(f"keep-{name}") != "theirs"}


async def keep(
    db: Session, identity: Identity, agent_id: uuid.UUID, sent: Mapping[str, Any], looked_at: Seen
) -> CurrentDraft:
    """Save what was touched. Raises Contested, UnfitAgent, ArchivedAgent, NoSuchAgent."""
    now = await drafts.read(db, identity.user_id, agent_id)
    mine = _as_stored(now.content, sent)
    touched = {name: value for name, value in sent.items() if not looked_at.is_untouched(name, mine[name])}
    if not touched:
        return now

    async def save(revision: int | None) -> CurrentDraft:
        return await drafts.save(db, identity.user_id, agent_id, touched, revision=revision, actor=identity.acts_as)

    try:
        return await save(looked_at.revision)
    except DraftChanged as error:
        stands = error.current.content.to_json()
        changed = stands if error.changed is None else error.changed
        contested = [name for name in touched if name in changed and mine[name] != stands[name]]
        # What stood there when the form was shown, and stands there still, nobody else has touched.
        contested = [name for name in contested if not looked_at.is_untouched(name, stands[name])]
        if contested:
            raise Contested(error.current, mine, contested) from None
        # The draft is held since it was refused, so its revision is the newest one.
        return await save(error.current.revision)


def digest(value: Any) -> str:
    """A short name of a value: the same for the same value."""
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:16]


def _as_stored(now: Content, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What would be stored. Raises UnfitAgent, with everything that is wrong."""
    return checking.revised(now, sent).to_json()
