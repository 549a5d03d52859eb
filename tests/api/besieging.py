"""What schemathesis is told besides the description: a module of hooks, which it imports by itself.

The rule: whoever asks never shuts themselves out, or nothing else would be asked of what is behind the door.
"""

import os
import uuid
from typing import Any

import schemathesis

THEIR_OWN = "TALKTIME_TEST_THEIR_OWN"
"""Ids of the keys that it asks with, and of their owners, with commas."""


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: schemathesis.Case[Any], _kwargs: dict[str, Any]) -> None:
    """Let nobody revoke the key that they ask with, or suspend themselves: somebody who is not there is, instead."""
    own = os.environ[THEIR_OWN].split(",")
    for name in ("key_id", "user_id"):
        if case.method.upper() != "GET" and str((case.path_parameters or {}).get(name)) in own:
            case.path_parameters[name] = str(uuid.UUID(int=0))
