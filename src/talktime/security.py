"""Sign short tokens, hash secrets, seal what must be read again, and tell what is on this machine.

A token that leaves us is either random, and then only its hash is stored, or an HMAC over what it stands for, and then
nothing is stored. Comparing is always in constant time. What is on this machine is told by its address alone: no name
is looked up, because whoever answers for the name decides where it leads.
"""

import base64
import hashlib
import hmac
import ipaddress
import secrets
from urllib.parse import urlsplit

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


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


class Unsealable(Exception):
    """What was sealed cannot be opened: with another secret, for something else, or it was changed."""


def seal(secret: bytes, about: str, plain: bytes) -> bytes:
    """Encrypt what has to be read again (AES-256-GCM, NIST SP 800-38D): a nonce, then the text with its tag.

    `about` says what it is and whose; it opens for the same words only, so that one cannot stand in for another.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(_sealing_key(secret)).encrypt(nonce, plain, about.encode())


def unseal(secret: bytes, about: str, sealed: bytes) -> bytes:
    """What `seal` made unreadable. Raises Unsealable."""
    try:
        return AESGCM(_sealing_key(secret)).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about.encode())
    except (InvalidTag, ValueError):
        raise Unsealable("the secret key is another one, or what is stored was changed") from None


def _sealing_key(secret: bytes) -> bytes:
    return hmac.new(secret, b"derive:seal", hashlib.sha256).digest()


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: `localhost`, or an address of loopback, also an IPv4 one written as IPv6."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def is_loopback_url(url: str) -> bool:
    """Whether an address of the web, over plain http, leads to this machine."""
    try:
        parts = urlsplit(url)
        return parts.scheme == "http" and is_loopback(parts.hostname or "")
    except ValueError:
        return False
