"""Sign short tokens and hash secrets.

A token that leaves us is either random, and then only its hash is stored, or an HMAC over what it stands for, and then
nothing is stored. Comparing is always in constant time.
"""

import base64
import hashlib
import hmac
import secrets


def new_token() -> str:
    """A random token of 256 bits, safe in a URL."""
    return secrets.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a random token: SHA-256, 32 bytes. (A slow hash is for what people choose themselves.)"""
    return hashlib.sha256(token.encode()).digest()


def sign(secret: bytes, purpose: str, *parts: str) -> str:
    """An HMAC-SHA256 over `parts`, each length-prefixed so that no two lists of parts read the same. URL-safe text."""
    message = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in (purpose, *parts))
    digest = hmac.new(secret, message, hashlib.sha256).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def is_signed(token: str, secret: bytes, purpose: str, *parts: str) -> bool:
    """Whether `token` is what `sign` makes of the same words."""
    return hmac.compare_digest(token.encode(), sign(secret, purpose, *parts).encode())
