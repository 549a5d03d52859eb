"""One check of the settings: everything that is wrong or missing is named at once, in words that say what to do.

The rules: a combination that is unsafe is refused, not warned of (`rules`); nobody has to know what validates here to
understand what is said; and no secret, nor an address that may hold one, is ever repeated.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import pydantic
from pydantic import AliasChoices, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource

from talktime.configuration import rules
from talktime.configuration.values import shown
from talktime.configuration.wrong import NEW_KEY, Wrong, WrongSettings
from talktime.settings import Settings

__all__ = ["Wrong", "WrongSettings", "look", "names_of", "once_each", "read", "read_to_serve", "require_safe", "unsafe"]

_OF_OTHERS = ("TALKTIME_TEST_",)
"""Begin as ours do, and are read by the tests."""


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
    return settings, once_each(
        [*unreadable, *wrong, *_unknown(environment), *rules.alone(settings), *rules.together(settings)]
    )


def once_each(wrong: Sequence[Wrong]) -> list[Wrong]:
    """The first thing that is wrong with each setting; the next may only follow from it."""
    found: dict[str, Wrong] = {}
    for each in wrong:
        found.setdefault(each.name, each)
    return list(found.values())


def unsafe(settings: Settings, *, demo: bool) -> list[Wrong]:
    """Why these settings may not be served with: what would be open to others, or could not work at all."""
    return [*(rules.in_a_demo(settings) if demo else rules.in_earnest(settings)), *rules.places(settings, demo=demo)]


def require_safe(settings: Settings, *, demo: bool) -> None:
    """Raise WrongSettings if these settings may not be served with."""
    if wrong := unsafe(settings, demo=demo):
        raise WrongSettings(wrong)


def names_of(field: str) -> list[str]:
    """The names of a setting in the environment, the one that counts first."""
    alias = Settings.model_fields[field].validation_alias
    assert isinstance(alias, AliasChoices), field
    return [str(name) for name in alias.choices]


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
        return Wrong(name, f"is too short ({len(value)} characters, 32 are the least)", f"{NEW_KEY}.")
    if field not in _FORMS:
        return Wrong(name, "is not of its form", "docs/configuration.md says what it may be.")
    form, example = _FORMS[field]
    return Wrong(name, f"is {shown(value)}", f"write {form}, such as {name}={example}.")


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
            yield Wrong(shown(name, quoted=False), "is no setting", mend)
