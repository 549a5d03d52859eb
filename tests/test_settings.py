"""The settings: read under their documented names only, refused by name when they cannot be, and the installation's own
secret, which is made once and which everybody of it agrees on.
"""

import asyncio
import os
import stat
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from talktime.cli.running import read_settings
from talktime.errors import BadInput
from talktime.payments.till import billing_of
from talktime.settings import Settings, SignUp

_PRINT_A_DERIVED_SECRET = "from talktime.settings import Settings; print(Settings().derive('agreeing'))"


def names_of(field: FieldInfo) -> list[str]:
    """The names under which the environment gives a setting, as documented."""
    assert isinstance(field.validation_alias, AliasChoices)
    return [str(name) for name in field.validation_alias.choices]


DOCUMENTED = {name for field in Settings.model_fields.values() for name in names_of(field)}
BARE = sorted({name.upper() for name in Settings.model_fields} - DOCUMENTED)


@pytest.fixture(autouse=True)
def _nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An environment without a setting, in an empty folder."""
    for name in DOCUMENTED:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def test_without_any_setting_the_defaults_hold() -> None:
    settings = Settings()
    assert (settings.home, settings.host, settings.port) == (Path(".talktime"), "127.0.0.1", 8000)
    assert (settings.base_url, settings.media_url) == ("http://127.0.0.1:8000", "ws://127.0.0.1:8000")
    assert settings.carrier_port == 8001
    assert settings.database_url is None


def test_the_words_that_belong_to_others_are_among_those_that_are_not_read() -> None:
    assert {"HOME", "HOST", "LOG_LEVEL", "SECRET_KEY"} <= set(BARE)


@pytest.mark.parametrize("name", BARE)
def test_a_setting_is_not_found_under_the_bare_name_of_its_field(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    plain = Settings()
    monkeypatch.setenv(name, "somebody else's")
    assert Settings() == plain
    monkeypatch.setenv(name.lower(), "somebody else's")
    assert Settings() == plain


@pytest.mark.parametrize(
    ("name", "value", "field", "read"),
    [
        ("TALKTIME_HOME", "/srv/talktime", "home", Path("/srv/talktime")),
        ("TALKTIME_HOST", "0.0.0.0", "host", "0.0.0.0"),
        ("TALKTIME_PORT", "9000", "port", 9000),
        ("PORT", "9001", "port", 9001),
        ("TALKTIME_CARRIER_PORT", "9100", "carrier_port", 9100),
        ("TALKTIME_LOG_LEVEL", "DEBUG", "log_level", "DEBUG"),
        ("TALKTIME_DATABASE_CONNECTIONS", "4", "database_connections_max", 4),
        ("PUBLIC_URL", "https://talk.example.org/", "base_url", "https://talk.example.org"),
        ("PUBLIC_URL", "https://talk.example.org", "media_url", "wss://talk.example.org"),
        ("TALKTIME_SECRET_KEY", "k" * 32, "secret", b"k" * 32),
        ("TWILIO_ACCOUNT_SID", "AC1", "twilio_account_sid", "AC1"),
    ],
)
def test_a_setting_is_read_under_its_documented_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, field: str, read: object
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(Settings(), field) == read


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg", "postgresql+asyncpg"])
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL"])
def test_a_database_is_found_whichever_driver_its_address_names(
    monkeypatch: pytest.MonkeyPatch, name: str, scheme: str
) -> None:
    monkeypatch.setenv(name, f"{scheme}://user:pass@db.example.org/talk?sslmode=require")
    read = getattr(Settings(), name.lower())
    assert read.get_secret_value() == "postgresql://user:pass@db.example.org/talk?sslmode=require"


def test_our_own_name_wins_over_the_hosts() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PORT", "9001")
        patch.setenv("TALKTIME_PORT", "9000")
        assert Settings().port == 9000


def test_a_program_names_the_fields(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=9000, simulated_carrier_port=9100, host="::1")
    assert (settings.home, settings.port, settings.carrier_port, settings.host) == (tmp_path, 9000, 9100, "::1")


@pytest.mark.parametrize("name", sorted(DOCUMENTED))
def test_an_empty_setting_is_none_at_all(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    plain = Settings()
    monkeypatch.setenv(name, "")
    assert Settings() == plain


def test_every_setting_that_cannot_be_right_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "TALKTIME_PORT": "not a port",
        "TALKTIME_CARRIER_PORT": "1.5",
        "TALKTIME_DATABASE_CONNECTIONS": "1",
        "TALKTIME_SECRET_KEY": "hunter2",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(BadInput) as refused:
        read_settings()
    message = str(refused.value)
    for name in wrong:
        assert f"- {name} is " in message
    # What a person typed for a secret belongs in no terminal and no log.
    assert "hunter2" not in message


SELLER = {
    "TALKTIME_SELLER_NAME": "Ringing GmbH",
    "TALKTIME_SELLER_ADDRESS": "Long Road 1; 10115 Berlin",
    "TALKTIME_SELLER_COUNTRY": "DE",
    "TALKTIME_VAT_PERCENT": "19",
}
LIVE = {"STRIPE_API_KEY": "sk_live_hunter2", "STRIPE_WEBHOOK_SECRET": "whsec_hunter2"}


def set_all(monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("secret", [None, "", " ", " , "])
def test_who_takes_money_must_be_told_of_it(monkeypatch: pytest.MonkeyPatch, secret: str | None) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_hunter2")
    if secret is not None:
        monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", secret)
    with pytest.raises(BadInput, match="set STRIPE_WEBHOOK_SECRET with STRIPE_API_KEY") as refused:
        read_settings()
    assert "hunter2" not in str(refused.value)
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_new, whsec_old")
    assert read_settings().stripe_webhook_secret is not None


@pytest.mark.parametrize("key", ["sk_live_hunter2", "rk_live_hunter2"])
def test_who_sells_says_who_they_are_and_every_name_that_is_missing_is_said_at_once(
    monkeypatch: pytest.MonkeyPatch, key: str
) -> None:
    set_all(monkeypatch, {**LIVE, "STRIPE_API_KEY": key})
    with pytest.raises(BadInput) as refused:
        read_settings()
    message = str(refused.value)
    assert [message.count(f"set {name}") for name in SELLER] == [1, 1, 1, 1]
    assert "hunter2" not in message
    set_all(monkeypatch, SELLER)
    assert (read_settings().seller_name, read_settings().vat_percent) == ("Ringing GmbH", Decimal(19))


@pytest.mark.parametrize(
    ("name", "nothing"),
    [*((name, "") for name in SELLER), ("TALKTIME_SELLER_NAME", " "), ("TALKTIME_SELLER_ADDRESS", " ; ")],
)
def test_one_thing_that_a_seller_leaves_out_is_asked_for_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, nothing: str
) -> None:
    set_all(monkeypatch, {**LIVE, **SELLER, name: nothing})
    with pytest.raises(BadInput) as refused:
        read_settings()
    assert [each for each in SELLER if f"set {each}" in str(refused.value)] == [name]


def test_a_seller_without_tax_types_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, {**LIVE, **SELLER, "TALKTIME_VAT_PERCENT": "0"})
    assert read_settings().vat_percent == Decimal(0)


@pytest.mark.parametrize("key", [None, "sk_test_1", "rk_test_1"])
def test_where_no_money_moves_nobody_has_to_say_who_they_are(monkeypatch: pytest.MonkeyPatch, key: str | None) -> None:
    if key is not None:
        set_all(monkeypatch, {"STRIPE_API_KEY": key, "STRIPE_WEBHOOK_SECRET": "whsec_1"})
    assert (read_settings().seller_name, read_settings().vat_percent) == ("", None)
    billing = billing_of(read_settings())
    assert (billing.seller.name, billing.vat_basis_points) == ("Talktime", 0)


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8000; rm"])
@pytest.mark.parametrize("name", ["TALKTIME_PORT", "PORT", "TALKTIME_CARRIER_PORT", "TALKTIME_GATEWAY_PORT"])
def test_a_port_that_no_machine_has_is_refused_under_the_name_it_was_set_by(
    monkeypatch: pytest.MonkeyPatch, name: str, port: str
) -> None:
    monkeypatch.setenv(name, port)
    with pytest.raises(BadInput, match=rf" {name} is '{port}': write a whole number from 1 to 65535"):
        read_settings()


def test_proxies_are_read_as_networks_and_who_may_sign_up_as_a_choice() -> None:
    settings = Settings(trusted_proxies="10.0.0.5, 2001:db8::/32", sign_up=SignUp.INVITED)
    assert [str(network) for network in settings.proxies] == ["10.0.0.5/32", "2001:db8::/32"]
    assert (Settings().proxies, Settings().sign_up, Settings().support_email) == ((), SignUp.OPEN, "")


def test_a_secret_shows_in_no_description_of_the_settings() -> None:
    settings = Settings.model_validate({"secret_key": "k" * 32, "database_url": "postgresql://u:hunter2@db/t"})
    assert "kkkk" not in repr(settings)
    assert "hunter2" not in repr(settings)


def test_the_secret_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    before = os.umask(0)
    try:
        secret = Settings(home=home).secret
    finally:
        os.umask(before)
    assert len(secret) == 64
    assert Settings(home=home).secret == secret
    assert stat.S_IMODE((home / "secret").stat().st_mode) == 0o600
    assert [path.name for path in home.iterdir()] == ["secret"]


def test_two_installations_have_two_secrets(tmp_path: Path) -> None:
    assert Settings(home=tmp_path / "one").secret != Settings(home=tmp_path / "two").secret


def test_a_secret_that_is_set_makes_no_file(tmp_path: Path) -> None:
    settings = Settings.model_validate({"home": tmp_path / "home", "secret_key": "k" * 32})
    assert settings.secret == b"k" * 32
    assert not (tmp_path / "home").exists()


async def test_processes_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": "/nowhere", "TALKTIME_HOME": str(tmp_path / "home")}

    async def one() -> str:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", _PRINT_A_DERIVED_SECRET, env=environment, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
        assert process.returncode == 0
        return out.decode().strip()

    told = await asyncio.gather(*(one() for _ in range(4)))
    assert set(told) == {Settings(home=tmp_path / "home").derive("agreeing")}
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["secret"]


def test_threads_that_start_at_once_agree_on_the_secret(tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(16) as threads:
        secrets = set(threads.map(lambda _: Settings(home=tmp_path / "home").secret, range(64)))
    assert len(secrets) == 1


def test_a_secret_of_its_own_for_each_purpose(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    purposes = ("simulated-carrier", "simulated-carrier-control", "simulated-carrier-account", "")
    derived = [settings.derive(purpose) for purpose in purposes]
    assert len(set(derived)) == len(purposes)
    assert settings.secret.decode() not in derived
    assert derived == [Settings(home=tmp_path).derive(purpose) for purpose in purposes]
    assert all(len(secret) == 64 and set(secret) <= set("0123456789abcdef") for secret in derived)
    other = Settings.model_validate({"secret_key": "k" * 32})
    assert not set(derived) & {other.derive(purpose) for purpose in purposes}


@pytest.mark.parametrize("words", ["", "\n", "short"])
def test_a_secret_file_that_holds_no_secret_is_refused(tmp_path: Path, words: str) -> None:
    (tmp_path / "secret").write_text(words)
    with pytest.raises(BadInput, match="too short"):
        _ = Settings(home=tmp_path).secret
