"""One check of the settings: everything that is wrong or missing is named at once, in words that say what to do.

The rules: a combination that is unsafe is refused, not warned of; nobody has to know what validates here to understand
what is said; and no secret, nor an address that may hold one, is ever repeated.
"""

import difflib
import importlib.util
import ipaddress
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import get_args
from urllib.parse import SplitResult, urlsplit

import pydantic
from pydantic import AliasChoices, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from talktime.errors import BadInput
from talktime.security import is_loopback
from talktime.settings import Settings

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_OF_OTHERS = ("TALKTIME_TEST_",)
"""Begin as ours do, and are read by the tests."""
_NEW_KEY = "make one with `openssl rand -base64 48`"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One setting that cannot stay as it is."""

    name: str
    """As it stands in the environment: `TALKTIME_PORT`."""
    problem: str
    """What is wrong, in words that go on after the name: `is not set`."""
    mend: str
    """What to do, as a sentence."""

    def __str__(self) -> str:
        return f"{self.name} {self.problem}: {self.mend}"


class WrongSettings(BadInput):
    """The settings cannot be used."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        self.wrong = tuple(wrong)
        beginning = "The settings cannot be used"
        if len(wrong) == 1:
            super().__init__(f"{beginning}: {wrong[0]}")
        else:
            super().__init__(f"{beginning}, {len(wrong)} are wrong:" + "".join(f"\n  - {each}" for each in wrong))


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. Raises WrongSettings, naming every one that cannot be right."""
    settings, wrong = look(environment)
    if wrong:
        raise WrongSettings(wrong)
    return settings


def read_to_serve(*, demo: bool, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings to serve with. Raises WrongSettings, which also names what is unsafe."""
    settings, wrong = look(environment)
    if every := once_each([*wrong, *unsafe(settings, demo=demo)]):
        raise WrongSettings(every)
    return settings


def look(environment: Mapping[str, str] | None = None) -> tuple[Settings, list[Wrong]]:
    """The settings as far as they can be read, defaults in place of the others, and everything that is wrong."""
    environment = os.environ if environment is None else environment
    given, unreadable = _from_files(environment)
    settings, wrong = _read(given)
    return settings, once_each([*unreadable, *wrong, *_unknown(environment), *_alone(settings), *_together(settings)])


def once_each(wrong: Sequence[Wrong]) -> list[Wrong]:
    """The first thing that is wrong with each setting; the next may only follow from it."""
    found: dict[str, Wrong] = {}
    for each in wrong:
        found.setdefault(each.name, each)
    return list(found.values())


def unsafe(settings: Settings, *, demo: bool) -> list[Wrong]:
    """Why these settings may not be served with: what would be open to others, or could not work at all."""
    return [*(_demo(settings) if demo else _production(settings)), *_places(settings, demo=demo)]


def require_safe(settings: Settings, *, demo: bool) -> None:
    """Raise WrongSettings if these settings may not be served with."""
    if wrong := unsafe(settings, demo=demo):
        raise WrongSettings(wrong)


def names_of(field: str) -> list[str]:
    """The names of a setting in the environment, the one that counts first."""
    alias = Settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices), field
    return [str(name) for name in alias.choices]


# What each setting may be.

_FORMS = {
    "home": ("a folder", "/var/lib/talktime"),
    "database_connections_max": ("a whole number of 2 or more", "16"),
    "port": ("a whole number from 1 to 65535", "8000"),
    "simulated_carrier_port": ("a whole number from 1 to 65535", "8001"),
    "simulated_gateway_port": ("a whole number from 1 to 65535", "8002"),
    "sign_up": ("`open` or `invited`", "invited"),
    "trusted_proxies": ("addresses or networks with commas between them", "10.0.0.5,192.168.1.0/24"),
    "vat_percent": ("a number from 0 to 100 with at most two decimals", "19"),
    "invoice_series": ("1 to 20 capitals, digits and dashes", "TT"),
    "adjustment_limit": ("a whole number of 0 or more", "10000"),
    "number_rent": ("a whole number from 0 to 1000000000", "300"),
    "webhooks_to_private": ("`true` or `false`", "true"),
    "agents_max": ("a whole number from 1 to 1000", "20"),
    "api_requests_per_minute": ("a whole number from 1 to 1000000", "600"),
    "api_requests_burst": ("a whole number from 1 to 1000000", "100"),
    "keep_turns_days": ("a whole number of days, 1 or more, or `forever`", "365"),
    "keep_summaries_days": ("a whole number of days, 1 or more, or `forever`", "730"),
    "keep_callers_days": ("a whole number of days, 2 or more, or `forever`", "730"),
    "keep_events_days": ("a whole number of days, 8 or more", "30"),
    "keep_deliveries_days": ("a whole number of days, 1 or more", "30"),
}
"""What the settings that are not mere text may be, and an example."""


def _from_files(environment: Mapping[str, str]) -> tuple[Mapping[str, str], list[Wrong]]:
    """The environment with those secrets that it only names the file of (`TALKTIME_SECRET_KEY_FILE`)."""
    given, wrong = dict(environment), []
    for name in _in_files():
        path = environment.get(f"{name}_FILE")
        if not path:
            continue
        if environment.get(name):
            wrong.append(Wrong(f"{name}_FILE", f"is set, and so is {name}", "take one of the two away."))
            continue
        try:
            given[name] = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            wrong.append(Wrong(f"{name}_FILE", "names a file that cannot be read", "name one that this user may read."))
        else:
            if not given[name]:
                wrong.append(Wrong(f"{name}_FILE", "names an empty file", "write the secret into it."))
    return given, wrong


def _in_files() -> list[str]:
    """The names of the settings that may stand in a file of their own: those that are secrets."""
    return [
        name
        for field, info in Settings.model_fields.items()
        if SecretStr in (info.annotation, *get_args(info.annotation))
        for name in names_of(field)
    ]


def _read(environment: Mapping[str, str]) -> tuple[Settings, list[Wrong]]:
    """What each setting by itself says; one that says nonsense is named, and counts as not set."""
    given = {name.upper(): value for name, value in environment.items() if value}
    values: dict[str, str] = {}
    for field in Settings.model_fields:
        name = next((name for name in names_of(field) if name in given), None)
        if name is not None:
            values[field] = given[name]
    wrong: list[Wrong] = []
    while True:
        try:
            return _Given(**values), wrong  # type: ignore[arg-type]  # text, which pydantic makes the fields of
        except pydantic.ValidationError as error:
            bad = {_field_of(str(item["loc"][0])) for item in error.errors()} & values.keys()
            assert bad, "without any setting the defaults hold"
            wrong += [_malformed(field, given, values.pop(field)) for field in values.copy() if field in bad]


class _Given(Settings):
    """Settings that are not looked for anywhere but in what is given: a wrong one would be found again."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def _field_of(location: str) -> str:
    return next((field for field in Settings.model_fields if location in (field, *names_of(field))), location)


def _malformed(field: str, given: Mapping[str, str], value: str) -> Wrong:
    name = next(name for name in names_of(field) if name in given)
    if field == "secret_key":
        return Wrong(name, f"is too short ({len(value)} characters, 32 are the least)", f"{_NEW_KEY}.")
    if field not in _FORMS:
        return Wrong(name, "is not of its form", "docs/configuration.md says what it may be.")
    form, example = _FORMS[field]
    return Wrong(name, f"is {_shown(value)}", f"write {form}, such as {name}={example}.")


def _unknown(environment: Mapping[str, str]) -> Iterator[Wrong]:
    """What begins as our settings do and is none is a slip, and what it was meant for is not set."""
    known = [name for field in Settings.model_fields for name in names_of(field)]
    known += [f"{name}_FILE" for name in _in_files()]
    for name in sorted(environment):
        if name.upper().startswith("TALKTIME_") and name.upper() not in known and not name.startswith(_OF_OTHERS):
            meant = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.8)
            mend = (
                f"did you mean {meant[0]}?" if meant else "take it away; docs/configuration.md lists those there are."
            )
            yield Wrong(_shown(name, quoted=False), "is no setting", mend)


def _alone(settings: Settings) -> Iterator[Wrong]:
    """What can be told of a setting from itself."""
    if settings.log_level.upper() not in LOG_LEVELS:
        yield Wrong("TALKTIME_LOG_LEVEL", f"is {_shown(settings.log_level)}", f"write one of {', '.join(LOG_LEVELS)}.")
    if not _is_host(settings.host):
        yield Wrong(
            "TALKTIME_HOST",
            f"is {_shown(settings.host)}",
            "write an address of this machine without a port, such as 127.0.0.1, or 0.0.0.0 for all of them.",
        )
    if settings.secret_key is not None and (why := weak(settings.secret_key.get_secret_value())):
        yield Wrong("TALKTIME_SECRET_KEY", why, f"whoever guesses it signs in as anybody; {_NEW_KEY}.")
    if settings.metrics_token is not None and len(settings.metrics_token.get_secret_value()) < 16:
        yield Wrong(
            "TALKTIME_METRICS_TOKEN", "is too short to keep anybody out", "make it 16 random characters or more."
        )
    if any(network.prefixlen == 0 for network in settings.proxies):
        yield Wrong(
            "TALKTIME_TRUSTED_PROXIES",
            "trusts every address there is",
            "name your own proxies alone: whoever is trusted says where a request comes from.",
        )
    yield from _mail(settings)
    yield from _urls(settings)


def _mail(settings: Settings) -> Iterator[Wrong]:
    if settings.smtp_url is None and not (settings.mail_from or settings.alerts_to or settings.support_email):
        return
    from talktime.mail.message import Sender, is_mailbox

    if settings.smtp_url is not None:
        from talktime.mail.send import SmtpServer

        try:
            SmtpServer.at(settings.smtp_url.get_secret_value())
        except BadInput as error:
            said = str(error).removeprefix("TALKTIME_SMTP_URL ").partition(": ")
            yield Wrong("TALKTIME_SMTP_URL", said[0], said[2])
    if settings.mail_from is not None:
        try:
            Sender.of(settings.mail_from)
        except BadInput:
            yield Wrong("TALKTIME_MAIL_FROM", "is no address", "write it as `Talktime <hello@example.org>`.")
    for name, addresses in (
        ("TALKTIME_ALERTS_TO", [address.strip() for address in settings.alerts_to.split(",")]),
        ("TALKTIME_SUPPORT_EMAIL", [settings.support_email]),
    ):
        if not all(is_mailbox(address) for address in addresses if address):
            yield Wrong(name, "is no address that mail can be sent to", "write it like desk@example.org.")


def _urls(settings: Settings) -> Iterator[Wrong]:
    if settings.public_url is not None and (why := _no_base(settings.public_url)):
        yield Wrong(
            "PUBLIC_URL", why, "write the scheme and the host alone, such as PUBLIC_URL=https://phone.example.org."
        )
    for name, url in (("DATABASE_URL", settings.database_url), ("DATABASE_OWNER_URL", settings.database_owner_url)):
        if url is not None and not _is_database(url.get_secret_value()):
            yield Wrong(
                name,
                "is no address of a PostgreSQL database",
                f"write {name}=postgresql://user:password@host:5432/name.",
            )
    if settings.otlp_endpoint is not None:
        # Spans carry ids and times and no word of anybody, so they may travel in clear.
        otlp = _split(settings.otlp_endpoint)
        if otlp is None or otlp.scheme not in ("http", "https"):
            yield Wrong(
                "OTEL_EXPORTER_OTLP_ENDPOINT", "is no address of a server", "write it like http://127.0.0.1:4318."
            )
        elif not _is_installed("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http"):
            yield Wrong(
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "is set, and what sends traces is not installed",
                "take it away, or install the extra `telemetry`.",
            )
    for name, said, schemes in (
        ("TWILIO_API_BASE", settings.twilio_api_base, ("https", "http")),
        ("STRIPE_API_BASE", settings.stripe_api_base, ("https", "http")),
        ("OPENAI_BASE_URL", settings.openai_base_url, ("https", "http")),
        ("ELEVENLABS_URL", settings.elevenlabs_url, ("https", "http")),
        ("DEEPGRAM_URL", settings.deepgram_url, ("wss", "ws")),
    ):
        parts = _split(said) if said is not None else None
        if said is None:
            continue
        if parts is None or parts.scheme not in schemes:
            yield Wrong(name, "is no address of a server", f"write it like {schemes[0]}://api.example.org.")
        elif parts.scheme != schemes[0] and not is_loopback(parts.hostname or ""):
            yield Wrong(
                name, "would send a key and what callers say in clear", f"write {schemes[0]}://, not {schemes[1]}://."
            )


def _together(settings: Settings) -> Iterator[Wrong]:
    """What one setting needs of another."""
    if (settings.twilio_account_sid is None) != (settings.twilio_auth_token is None):
        there, missing = "TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN"
        if settings.twilio_account_sid is None:
            there, missing = missing, there
        yield Wrong(
            missing, f"is not set, and {there} is", f"set {missing} too: Twilio's console shows them side by side."
        )
    if settings.smtp_url is not None and settings.mail_from is None:
        yield Wrong(
            "TALKTIME_MAIL_FROM",
            "is not set, and TALKTIME_SMTP_URL is",
            "say who the mails are from, such as TALKTIME_MAIL_FROM='Talktime <hello@example.org>'.",
        )
    if settings.stripe_api_key is not None and not any(
        secret.strip() for secret in _plain(settings.stripe_webhook_secret).split(",")
    ):
        yield Wrong(
            "STRIPE_WEBHOOK_SECRET",
            "is not set, and STRIPE_API_KEY is",
            "set STRIPE_WEBHOOK_SECRET with STRIPE_API_KEY, or no payment that is made is believed.",
        )
    if _is_live(settings):
        yield from _seller(settings)


def _seller(settings: Settings) -> Iterator[Wrong]:
    """No invoice is issued by nobody, or says 0 % because nobody thought of it."""
    said = {
        "TALKTIME_SELLER_NAME": settings.seller_name.strip(),
        "TALKTIME_SELLER_ADDRESS": settings.seller_address.strip(" ;\t\r\n"),
        "TALKTIME_SELLER_COUNTRY": settings.seller_country.strip(),
        "TALKTIME_VAT_PERCENT": "" if settings.vat_percent is None else "said",
    }
    for name in (name for name, value in said.items() if not value):
        typed = " (0 where there is none)" if name == "TALKTIME_VAT_PERCENT" else ""
        yield Wrong(name, "is not set", f"set {name}{typed}, the invoices of a live STRIPE_API_KEY say it for good.")


# What may be served with.


def _production(settings: Settings) -> Iterator[Wrong]:
    if settings.secret_key is None:
        yield Wrong(
            "TALKTIME_SECRET_KEY",
            "is not set",
            f"{_NEW_KEY} and keep it; only the demo (`talktime serve --demo`) makes one for itself.",
        )
    is_outside = not is_loopback(settings.host)
    if settings.public_url is None:
        if is_outside:
            yield Wrong(
                "PUBLIC_URL",
                f"is not set, and TALKTIME_HOST is {_shown(settings.host)}",
                "say how the outside reaches us, such as PUBLIC_URL=https://phone.example.org, or listen on 127.0.0.1.",
            )
    elif (parts := _split(settings.public_url)) is not None and parts.scheme == "http":
        if not is_loopback(parts.hostname or ""):
            yield Wrong(
                "PUBLIC_URL",
                "is http:// on an address that is not this machine, so passwords and cookies would travel in clear",
                "write https://, with a proxy in front of us that has a certificate.",
            )
        elif is_outside:
            yield Wrong(
                "TALKTIME_HOST",
                f"is {_shown(settings.host)}, which others reach, and PUBLIC_URL is http://",
                "listen on 127.0.0.1, or set PUBLIC_URL to the https:// address of your proxy.",
            )
    if settings.webhooks_to_private and (is_outside or not is_loopback(_host_of(settings.base_url))):
        yield Wrong(
            "TALKTIME_WEBHOOKS_TO_PRIVATE",
            "is set where others make accounts, and each of them could have us look around in your network",
            "take it away; it is for this machine alone.",
        )
    if not is_loopback(_host_of(settings.base_url)):
        for name, base, what in (
            ("STRIPE_API_BASE", settings.stripe_api_base, "a payment company on this machine would sell to everybody"),
            (
                "TWILIO_API_BASE",
                settings.twilio_api_base,
                "a phone company on this machine would answer for a real one",
            ),
        ):
            if is_loopback(_host_of(base)):
                yield Wrong(name, f"leads to this machine, and PUBLIC_URL does not: {what}", f"take {name} away.")


def _demo(settings: Settings) -> Iterator[Wrong]:
    """The demo sells credits for nothing and prints links that sign anybody in: nobody else may reach it."""
    if not is_loopback(settings.host):
        yield Wrong(
            "TALKTIME_HOST",
            f"is {_shown(settings.host)}, and the demo with its simulated companies is for this machine alone",
            "take TALKTIME_HOST away, or serve without --demo.",
        )
    if settings.public_url is not None and not is_loopback(_host_of(settings.public_url)):
        yield Wrong(
            "PUBLIC_URL",
            "is not this machine, and the demo with its simulated companies is for this machine alone",
            "take PUBLIC_URL away, or serve without --demo.",
        )
    if _is_live(settings):
        yield Wrong(
            "STRIPE_API_KEY", "is a live key, with which the demo would take real money", "use a test key, or none."
        )


def _places(settings: Settings, *, demo: bool) -> Iterator[Wrong]:
    if why := _no_home(settings.home):
        yield Wrong("TALKTIME_HOME", why, "name a folder that this user may write to.")
    ports = {"TALKTIME_PORT": settings.port}
    if demo:
        for name, port in (
            ("TALKTIME_CARRIER_PORT", settings.carrier_port),
            ("TALKTIME_GATEWAY_PORT", settings.gateway_port),
        ):
            same = next((other for other, taken in ports.items() if taken == port), None)
            if same is not None:
                yield Wrong(name, f"is the same port as {same}", f"set {name} to another.")
            elif port > 65535:
                yield Wrong(name, f"would be {port}, which no machine has", f"set {name}, or a lower TALKTIME_PORT.")
            ports[name] = port


# Values in, values out.

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


def _is_live(settings: Settings) -> bool:
    return _plain(settings.stripe_api_key).startswith(("sk_live_", "rk_live_"))


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""


def _no_base(url: str) -> str | None:
    """Why this is not the bare address of a server; None when it is."""
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https"):
        return "is no address of the web"
    if "@" in parts.netloc:
        return "holds a user or a password, which everybody would read"
    if parts.path not in ("", "/") or parts.query or parts.fragment or "?" in url or "#" in url:
        return "has more than a scheme and a host"
    return None


def _split(url: str) -> SplitResult | None:
    """The parts of an address with a host that can be one; None for anything else."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    is_one = _is_host(parts.hostname or "") and not re.search(r"[\s\\\x00-\x1f]", url)
    return parts if is_one else None


def _host_of(url: str) -> str:
    parts = _split(url)
    return (parts.hostname or "") if parts is not None else ""


def _is_installed(*modules: str) -> bool:
    try:
        return all(importlib.util.find_spec(name) is not None for name in modules)
    except ModuleNotFoundError:
        return False


def _is_host(host: str) -> bool:
    """An address, or a name as resolvers take it."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return (
            re.fullmatch(r"(?=.{1,253}$)[^\W_]([\w-]{0,61}[^\W_])?(\.[^\W_]([\w-]{0,61}[^\W_])?)*\.?", host) is not None
        )
    return True


def _is_database(url: str) -> bool:
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


def _no_home(home: Path) -> str | None:
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


def _shown(value: str, *, quoted: bool = True) -> str:
    """What somebody wrote, as far as it fits into a line."""
    short = value if len(value) <= 40 else value[:39] + "…"
    printable = "".join(sign if sign.isprintable() else "?" for sign in short)
    return f"'{printable}'" if quoted else printable
