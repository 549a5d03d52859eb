"""Passwords: which ones are taken, and how they are kept and checked.

The rules: a password is only ever checked beside the event loop and outside of any transaction, by two threads that do
nothing else, so that a flood of sign-ins waits there and nowhere else; who has no account costs the same check. Nothing
that somebody typed reaches a log or an error.
"""

import asyncio
import base64
import secrets
import threading
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from talktime.errors import BadInput, TalktimeError

LENGTH_MIN = 10
LENGTH_MAX = 256
BYTES_MAX = 1024
_SCORE_MIN = 3
_GUESSED_LENGTH_MAX = 72
"""zxcvbn's time grows with the square of it."""
_SYMBOLS_MAX = 3
_WAITING_MAX = 60

# argon2id, RFC 9106's second choice (t=3, 64 MiB) with half of the memory and one lane, because two checks run at once
# anyway: 105 to 120 ms of one core, measured on the machine that this was made on; between 50 and 250 is what we want,
# and `talktime doctor` measures it.
HASHER = PasswordHasher(time_cost=3, memory_cost=32 * 1024, parallelism=1)
_CHECKS = ThreadPoolExecutor(2, thread_name_prefix="argon2")
# One thread, because what zxcvbn is told about a person stands in a variable of its module while it guesses.
_GUESSES = ThreadPoolExecutor(1, thread_name_prefix="zxcvbn")
_PLACES = {_CHECKS: threading.BoundedSemaphore(_WAITING_MAX), _GUESSES: threading.BoundedSemaphore(_WAITING_MAX)}
_Result = TypeVar("_Result")


class BadPassword(BadInput):
    """Choose another password."""


class TooShort(BadPassword):
    """Choose a password of at least 10 characters."""


class TooLong(BadPassword):
    """Choose a password of at most 256 characters."""


class Leaked(BadPassword):
    """This password stands on lists of stolen ones, which are tried first. Choose another one."""


class AboutYou(BadPassword):
    """This password is made of your name, your address or ours. Choose another one."""


class Keyboard(BadPassword):
    """Neighbouring keys are guessed soon. Choose another password, for example four words that have nothing in
    common."""


class Repeats(BadPassword):
    """What is repeated is guessed soon. Choose another password, for example four words that have nothing in common."""


class Sequences(BadPassword):
    """Sequences like abc or 6543 are guessed soon. Choose another password, for example four words that have nothing in
    common."""


class Dates(BadPassword):
    """Dates and years are guessed soon. Choose another password, for example four words that have nothing in common."""


class CommonWords(BadPassword):
    """A common word, name or password is guessed soon, also with something added or exchanged. Choose for example four
    words that have nothing in common."""


class Guessed(BadPassword):
    """This password would be guessed soon. Make it longer, for example four words that have nothing in common."""


class Busy(TalktimeError):
    """Too many people are signing in at this moment. Try again in a few seconds."""

    status = 503
    retry_after = 5


REASONS: Sequence[type[BadPassword]] = (
    TooShort,
    TooLong,
    Leaked,
    AboutYou,
    Keyboard,
    Repeats,
    Sequences,
    Dates,
    CommonWords,
    Guessed,
)
"""Every sentence with which a password is refused."""


async def judge(password: str, *, about: Sequence[str]) -> None:
    """Raise BadPassword for a password that is too short, was leaked or is guessed soon. `about` is what an attacker
    knows about the person: name, address."""
    password = unicodedata.normalize("NFC", password)
    if len(password) < LENGTH_MIN:
        raise TooShort
    if _is_too_long(password):
        raise TooLong
    reason = await _beside(_GUESSES, lambda: _reason(password, about))
    if reason is not None:
        raise reason


async def hash_of(password: str) -> str:
    """What is kept of a password, with a salt of its own and the parameters in it. Raises Busy."""
    plain = _bytes(password)
    assert plain is not None, "a password is judged before it is kept"
    return await _beside(_CHECKS, lambda: HASHER.hash(plain))


async def check(password: str, kept: str | None) -> bool:
    """Whether this is the password. Without one, or for a password that cannot be one, it is not, and finding that out
    takes as long. Raises Busy."""
    plain = _bytes(password)
    against = kept if kept is not None and plain is not None else _nobodys()
    is_right = await _beside(_CHECKS, lambda: _verify(against, plain or b""))
    return is_right and against is kept


def is_outdated(kept: str) -> bool:
    """Whether it was hashed with other parameters than today's."""
    return HASHER.check_needs_rehash(kept)


async def _beside(threads: ThreadPoolExecutor, work: Callable[[], _Result]) -> _Result:
    """Do slow work in these threads, unless a long queue waits for them already."""
    places = _PLACES[threads]
    if not places.acquire(blocking=False):
        raise Busy
    future = threads.submit(work)
    future.add_done_callback(lambda _: places.release())
    return await asyncio.wrap_future(future)


def _verify(kept: str, plain: bytes) -> bool:
    try:
        return HASHER.verify(kept, plain)
    except (VerificationError, InvalidHashError):
        return False


def _nobodys() -> str:
    """A hash that nobody knows a password for, with today's parameters; nothing was hashed to make it."""
    salt, tag = (base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (16, 32))
    return f"$argon2id$v=19$m={HASHER.memory_cost},t={HASHER.time_cost},p={HASHER.parallelism}${salt}${tag}"


def _bytes(password: str) -> bytes | None:
    """What is hashed; None for what was never taken as a password."""
    password = unicodedata.normalize("NFC", password[: LENGTH_MAX * 4])
    return None if _is_too_long(password) else password.encode()


def _is_too_long(password: str) -> bool:
    try:
        return len(password) > LENGTH_MAX or len(password.encode()) > BYTES_MAX
    except UnicodeEncodeError:  # half a character, which no keyboard sends
        return True


def _reason(password: str, about: Sequence[str]) -> type[BadPassword] | None:
    from zxcvbn import zxcvbn  # its lists take a tenth of a second and 10 MB to read
    from zxcvbn.matching import RANKED_DICTIONARIES

    if password.lower() in RANKED_DICTIONARIES["passwords"]:
        return Leaked
    said = zxcvbn(_guessable(password[:_GUESSED_LENGTH_MAX]), user_inputs=_known(about))
    if said["score"] >= _SCORE_MIN:
        return None
    matches = said["sequence"]
    longest = max(matches, key=lambda match: len(match["token"]), default={"pattern": "bruteforce"})
    if longest["pattern"] == "dictionary":
        return AboutYou if longest["dictionary_name"] == "user_inputs" else CommonWords
    by_pattern: dict[str, type[BadPassword]] = {
        "spatial": Keyboard,
        "repeat": Repeats,
        "sequence": Sequences,
        "regex": Dates,
        "date": Dates,
    }
    return by_pattern.get(longest["pattern"], Guessed)


def _guessable(password: str) -> str:
    """The password as zxcvbn gets it, in bounded time.

    It tries every way to read symbols as letters, and a password of nothing else keeps it busy for seconds. Whoever
    uses more than three different ones does not write a word with them; the others become signs that stand for none.
    """
    symbols = dict.fromkeys(char for char in password if char in "@({[<!|$+%")
    others = {char: chr(0xE000 + place) for place, char in enumerate(list(symbols)[_SYMBOLS_MAX:])}
    return "".join(others.get(char, char) for char in password)


def _known(about: Sequence[str]) -> list[str]:
    """Words that an attacker tries first: what is known as a whole, and its parts."""
    words = {"talktime"}
    for said in about:
        whole = said[:100].lower()
        parts = "".join(char if char.isalnum() else " " for char in whole).split()
        words |= {whole, whole.partition("@")[0], "".join(parts), *(part for part in parts if len(part) > 2)}
    return sorted(words - {""})
