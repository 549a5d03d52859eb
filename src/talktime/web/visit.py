"""One request of a browser, as every page needs to know it: what its forms are tied to, and which language it reads.

The one rule: a form is taken only from a page that this very browser was shown. Its token is an HMAC over a secret that
the browser alone carries: the session's cookie or, before there is a session, a cookie for that purpose. So a token
that is stolen, older than the session or somebody else's opens nothing, and nothing of it is stored.
"""

import hmac
import ipaddress
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi import Request, Response
from markupsafe import Markup

from talktime.accounts.sessions import Identity
from talktime.errors import Refused, TalktimeError
from talktime.http.security import cookie_name, is_https, session_token
from talktime.security import new_token, sign
from talktime.settings import Settings

FIELD = "csrf"
HEADER = "x-csrf-token"
_SEED_LENGTH_MAX = 200
_HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+))(?::[0-9]{1,5})?")
"""A name or an address, and perhaps a port: nothing else that stands there is read as if it were one."""
LANGUAGES = ("en", "de")
LANGUAGE_COOKIE = "talktime_language"


class StaleForm(Refused):
    """This page was open for too long, or you signed in or out meanwhile. Go back, load it again, and send it anew."""


class WrongHost(TalktimeError):
    """This server is not reached at that address: set PUBLIC_URL to the one that people use."""

    status = 421


@dataclass(slots=True)
class Visit:
    """What a request says of the browser behind it."""

    settings: Settings
    seed: str | None
    """What the forms of this browser are tied to."""
    language: str
    path: str
    """The page with what stands behind its question mark: where to come back to."""
    new_seed: str | None = None
    """A seed that was made for this answer: the browser gets it with a cookie."""
    identity: Identity | None = None
    """Who is signed in, once that was asked."""

    def token(self) -> str:
        """What the forms of this answer carry."""
        if self.seed is None:
            self.seed = self.new_seed = new_token()
        return _token(self.settings, self.seed)

    def is_ours(self, token: str) -> bool:
        """Whether a form was shown to this very browser."""
        return self.seed is not None and hmac.compare_digest(token.encode(), _token(self.settings, self.seed).encode())


_VISIT: ContextVar[Visit] = ContextVar("_VISIT")


def current() -> Visit | None:
    """The request that is being answered; None outside of one."""
    return _VISIT.get(None)


@contextmanager
def visiting(request: Request, settings: Settings) -> Iterator[Visit]:
    """For as long as the block, templates know what request they answer."""
    cookies = (session_token(request, settings), request.cookies.get(_seed_cookie(settings)))
    visit = Visit(
        settings,
        # What is too long to be one of ours must not keep a browser from getting one.
        next((seed for seed in cookies if seed and len(seed) <= _SEED_LENGTH_MAX), None),
        _language(request),
        request.url.path + (f"?{request.url.query}" if request.url.query else ""),
    )
    token = _VISIT.set(visit)
    try:
        yield visit
    finally:
        _VISIT.reset(token)


def renew(token: str) -> None:
    """The browser gets another token with this answer: what the answer shows is tied to that one."""
    visit = current()
    assert visit is not None, "a token is renewed while a request is answered"
    visit.seed = token


def csrf_field() -> Markup:
    """What stands in every form that changes something."""
    visit = current()
    assert visit is not None, "a form is shown by a page, and a page answers a request"
    return Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, visit.token())


def give_seed(visit: Visit, response: Response) -> None:
    """Give the browser the cookie that the forms of this answer are tied to; a session's takes its place later."""
    if visit.new_seed is not None:
        response.set_cookie(
            _seed_cookie(visit.settings),
            visit.new_seed,
            path="/",
            secure=is_https(visit.settings),
            httponly=True,
            samesite="lax",
        )


def speak(response: Response, settings: Settings, language: str) -> None:
    """Remember the language that somebody chose who is not signed in."""
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=365 * 86400,
        path="/",
        secure=is_https(settings),
        httponly=True,
        samesite="lax",
    )


def refuse_other_hosts(request: Request, settings: Settings) -> None:
    """Raise WrongHost unless the browser is where we are: at PUBLIC_URL, or at an address that no name server made up.

    Somebody else's name that leads here (DNS rebinding) would make our pages theirs.
    """
    said = _HOST.fullmatch(request.headers.get("host", ""))
    if said is None:
        raise WrongHost
    host = said[1] or said[2]
    own = {(urlsplit(settings.base_url).hostname or "").lower(), "localhost"}
    if host.lower() in own or _is_address(host):
        return
    raise WrongHost


def safe_next(path: str) -> str:
    """Where to go on after signing in: a path of this site, else the first page. Never another site."""
    is_path = path.startswith("/") and not path.startswith(("//", "/\\"))
    is_plain = path.isprintable() and "\\" not in path and path.isascii() and len(path) <= 500
    return path if is_path and is_plain else "/"


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _token(settings: Settings, seed: str) -> str:
    return sign(settings.secret, "csrf", seed)


def _seed_cookie(settings: Settings) -> str:
    return f"{cookie_name(settings)}_form"


def _language(request: Request) -> str:
    """The language that was chosen, else the first of ours that the browser asks for, else English."""
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    if chosen in LANGUAGES:
        return chosen
    wanted = []
    for part in request.headers.get("accept-language", "")[:200].split(","):
        name, _, quality = part.partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            continue
        spoken = name.strip().lower().partition("-")[0]
        if spoken in LANGUAGES and weight > 0:
            wanted.append((weight, spoken))
    return max(wanted, key=lambda each: each[0])[1] if wanted else LANGUAGES[0]
