"""What the adapters of cloud vendors share: how a failure is told.

The one rule: whatever goes wrong with a vendor comes out as a ProviderError that says which vendor and what, never as
silence and never with a key in it.
"""

from talktime.errors import ProviderError

_TEMPORARY = frozenset({408, 409, 425, 429})


def failed(vendor: str, what: str, *, permanent: bool = False) -> ProviderError:
    return ProviderError(f"{vendor}: {what}", permanent=permanent)


def refused(vendor: str, status: int, detail: str = "") -> ProviderError:
    """The vendor answered with an HTTP status that is not success. A wrong key or request stays wrong; load passes."""
    permanent = 400 <= status < 500 and status not in _TEMPORARY
    return failed(vendor, f"answered {status}{f' ({detail[:200]})' if detail else ''}", permanent=permanent)
