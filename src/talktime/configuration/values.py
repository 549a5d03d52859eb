"""What one value is: an address, a host, a folder, a key that nobody guesses; of whichever setting it is."""

import importlib.util
import ipaddress
import os
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

_PLACEHOLDERS = re.compile(
    r"change.?(me|this|it)|secret.?key|your.?(own|secret|key)|example|placeholder|password|insecure|default|replace"
    r"|talktime|0123456789|abcdefgh|qwerty|foobar|topsecret",
    re.IGNORECASE,
)


def weak(key: str) -> str | None:
    """Why somebody could guess this key, as words that go on after its name; None when nobody could."""
    # What is made at random has a dozen different characters in its first 32, whichever alphabet it is of.
    if len(set(key)) < 8 or any(key[step:] == key[:-step] for step in range(1, min(len(key) // 2, 16) + 1)):
        return "repeats itself"
    if len({ord(after) - ord(before) for before, after in pairwise(key)}) <= 2:
        return "counts up"
    if _PLACEHOLDERS.search(key) or re.fullmatch(r"([A-Z]?[a-z]+[ _-])+[A-Z]?[a-z]+", key):
        return "is made of words, as a placeholder is"
    return None


def plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def no_base(url: str) -> str | None:
    """Why this is not the bare address of a server; None when it is."""
    parts = split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return "is no address of the web"
    if "@" in parts.netloc:
        return "holds a user or a password, which everybody would read"
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in url or "#" in url:
        return "has more than a scheme and a host"
    return None


def split(url: str) -> SplitResult | None:
    """The parts of an address with a host that can be one; None for anything else."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    is_one = is_host(parts.hostname or "") and not re.search(r"[\s\\\x00-\x1f]", url)
    return parts if is_one else None


def host_of(url: str) -> str:
    parts = split(url)
    return (parts.hostname or "") if parts is not None else ""


def is_installed(*modules: str) -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in modules)
    except ModuleNotFoundError:
        return False


def is_host(host: str) -> bool:
    """An address, or a name as resolvers take it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return (
            re.fullmatch(r"(?=.{1,253}$)[^\W_]([\w-]{0,61}[^\W_])?(\.[^\W_]([\w-]{0,61}[^\W_])?)*\.?", host) is not None
        )
    return True


def is_database(url: str) -> bool:
    import psycopg
    from psycopg.conninfo import conninfo_to_dict
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return (
            url.startswith("postgresql://")
            and make_url(url).database is not None
            and bool(conninfo_to_dict(url).get("dbname"))
        )
    except (psycopg.Error, ArgumentError, ValueError):
        return False


def no_home(home: Path) -> str | None:
    """Why nothing can be kept there; None when it can."""
    place = home.absolute()
    try:
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            return "is not a folder" if place == home.absolute() else "lies below something that is not a folder"
    except OSError:
        return "cannot be looked at"
    return None if os.access(place, os.R_OK | os.W_OK | os.X_OK) else "is a folder that we may not write to"


def shown(value: str, *, quoted: bool = True) -> str:
    """What somebody wrote, as far as it fits into a line."""
    short = value if len(value) <= 40 else value[:39] + "…"
    printable = "".join(sign if sign.isprintable() else "?" for sign in short)
    return f"'{printable}'" if quoted else printable
