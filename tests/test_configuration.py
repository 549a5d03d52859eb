"""The check at the start: whatever is wrong is named, all at once, in words that say what to do; what is unsafe is
refused; and no secret is ever repeated.
"""

import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from talktime import configuration
from talktime.configuration import Wrong, WrongSettings
from talktime.configuration.values import weak
from talktime.settings import Settings

PAGE = Path(__file__).parent.parent / "docs" / "configuration.md"
KEY = "T3/vR9wqLm0zXe8bYc5uKd7iHn2oPj4sQa6fGt1=rWh"
PUBLIC = {"TALKTIME_SECRET_KEY": KEY, "PUBLIC_URL": "https://phone.example.org", "TALKTIME_HOST": "0.0.0.0"}
"""What an installation for others has at least."""
PYDANTIC = re.compile(
    r"pydantic|validation|input|string|integer|literal|type=|parsing|valid \w+,|should|Value error|enum", re.IGNORECASE
)
"""What a person should not have to read."""
MENDS = re.compile(r"(set|write|make|take|name|say|use|did you mean|listen|see)\b")


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def wrong(
    environment: Mapping[str, str] = MappingProxyType({}), *, demo: bool | None = None, **more: str
) -> dict[str, Wrong]:
    """What is wrong with an environment, by name; with `demo` also what is unsafe."""
    environment = {**environment, **more}
    try:
        if demo is None:
            configuration.read(environment)
        else:
            configuration.read_to_serve(demo=demo, environment=environment)
    except WrongSettings as error:
        return {each.name: each for each in error.wrong}
    return {}


def test_nothing_at_all_is_a_demo() -> None:
    assert wrong(demo=True) == {}
    assert configuration.read({}).model_dump() == Settings().model_dump()


def test_what_a_real_installation_needs_at_least_is_enough() -> None:
    assert wrong(PUBLIC, demo=False) == {}
    assert wrong(demo=False, TALKTIME_SECRET_KEY=KEY) == {}, "on this machine alone"


def test_what_is_read_is_what_was_given_and_not_what_this_process_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TALKTIME_PORT", "not a port")
    assert configuration.read({"TALKTIME_HOST": "::1"}).host == "::1"
    monkeypatch.setenv("TALKTIME_PORT", "7000")
    assert (configuration.read({}).port, configuration.read().port) == (8000, 7000)
    assert configuration.read({"PORT": "7001", "talktime_host": "::1", "TALKTIME_PORT": ""}).port == 7001


EVERYTHING = {
    "TALKTIME_PORT": "eight",
    "TALKTIME_CARRIER_PORT": "70000",
    "TALKTIME_DATABASE_CONNECTIONS": "1",
    "TALKTIME_SECRET_KEY": "hunter2",
    "TALKTIME_LOG_LEVEL": "LOUD",
    "TALKTIME_HOST": "http://here",
    "TALKTIME_TRUSTED_PROXIES": "10.0.0.1/8",
    "TALKTIME_SIGN_UP": "closed",
    "TALKTIME_VAT_PERCENT": "nineteen",
    "TALKTIME_INVOICE_SERIES": "no. ",
    "TALKTIME_ADJUSTMENT_LIMIT": "-1",
    "TALKTIME_METRICS_TOKEN": "hunter2",
    "TALKTIME_SMTP_URL": "smtp//:hunter2@host",
    "TALKTIME_ALERTS_TO": "ada@example.org, nobody",
    "TALKTIME_SUPPORT_EMAIL": "nobody",
    "PUBLIC_URL": "https://me:hunter2@example.org",
    "DATABASE_URL": "mysql://me:hunter2@db/talktime",
    "DATABASE_OWNER_URL": "postgresql://me:hunter2@db:port/talktime",
    "TWILIO_AUTH_TOKEN": "hunter2",
    "STRIPE_API_KEY": "sk_live_hunter2",
    "OPENAI_BASE_URL": "http://models.example.org/v1",
    "DEEPGRAM_URL": "https://api.deepgram.com",
    "TALKTIME_SMPT_URL": "hunter2",
}
"""One environment in which hardly anything is right."""


def test_everything_that_is_wrong_is_named_at_once_in_plain_words_and_without_a_secret() -> None:
    with pytest.raises(WrongSettings) as refused:
        configuration.read_to_serve(demo=False, environment=EVERYTHING)
    named = [each.name for each in refused.value.wrong]
    follows = {"TALKTIME_MAIL_FROM", "TWILIO_ACCOUNT_SID", "STRIPE_WEBHOOK_SECRET"}
    seller = {"TALKTIME_SELLER_NAME", "TALKTIME_SELLER_ADDRESS", "TALKTIME_SELLER_COUNTRY"}
    assert set(named) == (EVERYTHING.keys() - {"TWILIO_AUTH_TOKEN", "STRIPE_API_KEY"}) | follows | seller
    assert len(named) == len(set(named)), "each is named once"
    message = str(refused.value)
    assert len(message.splitlines()) == len(named) + 1
    assert "hunter2" not in message
    for each in refused.value.wrong:
        assert not PYDANTIC.search(str(each)), each
        assert MENDS.search(each.mend), each


def test_one_thing_that_is_wrong_is_one_line() -> None:
    with pytest.raises(WrongSettings) as refused:
        configuration.read({"TALKTIME_PORT": "eight"})
    assert str(refused.value) == (
        "The settings cannot be used: TALKTIME_PORT is 'eight':"
        " write a whole number from 1 to 65535, such as TALKTIME_PORT=8000."
    )


@pytest.mark.parametrize("field", Settings.model_fields)
def test_no_setting_says_more_of_nonsense_than_a_person_wants_to_read(field: str) -> None:
    name = configuration.names_of(field)[0]
    for nonsense in ("hunter2 \x1b[31m\n" * 3, "-1", "\u0665", "99999999999999999999"):
        for each in wrong({name: nonsense}).values():
            assert not PYDANTIC.search(str(each)) and MENDS.search(each.mend), each
            assert "\x1b" not in str(each) and "\n" not in str(each)
            if "SecretStr" in str(Settings.model_fields[field].annotation):
                assert "hunter2" not in str(each)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("TALKTIME_SMPT_URL", "TALKTIME_SMTP_URL"),
        ("TALKTIME_SECRETKEY", "TALKTIME_SECRET_KEY"),
        ("TALKTIME_SIGNUP", "TALKTIME_SIGN_UP"),
        ("TALKTIME_PROT", "TALKTIME_PORT"),
        ("talktime_hots", "TALKTIME_HOST"),
    ],
)
def test_a_slip_in_a_name_is_asked_back(typed: str, meant: str) -> None:
    assert wrong({typed: "x"})[typed].mend == f"did you mean {meant}?"


def test_a_name_that_is_none_of_ours_is_refused_and_one_of_others_is_not() -> None:
    assert "docs/configuration.md" in wrong(TALKTIME_COFFEE="black")["TALKTIME_COFFEE"].mend
    assert wrong(TALKTIME_TEST_POSTGRES="/usr/bin", COFFEE="black", HOME="/nowhere", HOST="x") == {}


# Keys.


@pytest.mark.parametrize(
    "key",
    [
        "k" * 40, "ab" * 20, "12345678" * 5, "0123456789abcdefghijklmnopqrstuvwxyz",
        "zyxwvutsrqponmlkjihgfedcba9876543210", "change-me-change-me-please-change-me",
        "your-secret-key-goes-here-and-is-long", "TalktimeTalktimeIsTheBestOfThemAll1",
        "correct horse battery staple is known", "this-is-my-password-for-the-server-1",
        "example-key-0f8e7d6c5b4a39281706f5", "  placeholder placeholder 1234567  ",
    ],
)  # fmt: skip
@pytest.mark.parametrize("demo", [True, False])
def test_a_key_that_could_be_guessed_is_refused_everywhere(key: str, demo: bool) -> None:
    found = wrong(demo=demo, TALKTIME_SECRET_KEY=key)
    assert list(found) == ["TALKTIME_SECRET_KEY"]
    assert key.strip() not in str(found["TALKTIME_SECRET_KEY"])
    assert "openssl rand" in found["TALKTIME_SECRET_KEY"].mend


def test_a_key_that_was_made_at_random_is_taken_whatever_made_it() -> None:
    for _ in range(2000):
        for key in (secrets.token_hex(16), secrets.token_urlsafe(24), secrets.token_hex(32), secrets.token_urlsafe(48)):
            assert weak(key) is None, key
    assert weak("".join(secrets.choice("0123456789") for _ in range(60))) is None


@pytest.mark.parametrize("key", ["", " ", "short", "x" * 31])
def test_without_a_key_only_the_demo_starts(key: str) -> None:
    assert "TALKTIME_SECRET_KEY" in wrong(demo=False, TALKTIME_SECRET_KEY=key)
    assert wrong(demo=True, TALKTIME_SECRET_KEY="") == {}


# Who can reach us, and how.


@pytest.mark.parametrize(
    ("host", "url", "name"),
    [
        ("0.0.0.0", "", "PUBLIC_URL"),
        ("::", "", "PUBLIC_URL"),
        ("192.0.2.7", "", "PUBLIC_URL"),
        ("127.0.0.1", "http://phone.example.org", "PUBLIC_URL"),
        ("127.0.0.1", "http://192.0.2.7:8000", "PUBLIC_URL"),
        ("127.0.0.1", "http://127.0.0.1.example.org", "PUBLIC_URL"),
        ("0.0.0.0", "http://localhost:8000", "TALKTIME_HOST"),
    ],
)
def test_plain_http_on_an_address_of_others_is_refused(host: str, url: str, name: str) -> None:
    found = wrong({**PUBLIC, "TALKTIME_HOST": host, "PUBLIC_URL": url}, demo=False)
    assert list(found) == [name]


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", ""),
        ("::1", ""),
        ("localhost", "http://localhost:8000"),
        ("127.0.0.1", "http://[::1]:8000/"),
        ("127.0.0.1", "https://phone.example.org"),
        ("0.0.0.0", "https://phone.example.org:8443"),
        ("0.0.0.0", "https://münchen.example"),
    ],
)
def test_this_machine_alone_or_https_is_fine(host: str, url: str) -> None:
    assert wrong({**PUBLIC, "TALKTIME_HOST": host, "PUBLIC_URL": url}, demo=False) == {}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "phone.example.org"])
def test_the_demo_listens_on_this_machine_only(host: str) -> None:
    assert list(wrong(demo=True, TALKTIME_HOST=host)) == ["TALKTIME_HOST"]


@pytest.mark.parametrize("url", ["https://phone.example.org", "http://192.0.2.7", "http://localhost.example.org"])
def test_the_demo_is_nobody_elses_behind_a_proxy_either(url: str) -> None:
    assert list(wrong(demo=True, PUBLIC_URL=url)) == ["PUBLIC_URL"]
    assert wrong(demo=True, PUBLIC_URL="http://localhost:8000") == {}


def test_the_demo_takes_no_real_money() -> None:
    selling = {
        "STRIPE_API_KEY": "sk_live_1", "STRIPE_WEBHOOK_SECRET": "whsec_1", "TALKTIME_SELLER_NAME": "Ringing GmbH",
        "TALKTIME_SELLER_ADDRESS": "Long Road 1", "TALKTIME_SELLER_COUNTRY": "DE", "TALKTIME_VAT_PERCENT": "19",
    }  # fmt: skip
    assert list(wrong(selling, demo=True)) == ["STRIPE_API_KEY"]
    assert wrong({**selling, "STRIPE_API_KEY": "sk_test_1"}, demo=True) == {}
    assert wrong({**PUBLIC, **selling}, demo=False) == {}


def test_customers_webhooks_lead_into_our_own_network_only_where_nobody_else_has_an_account() -> None:
    name = "TALKTIME_WEBHOOKS_TO_PRIVATE"
    for environment in (PUBLIC, {**PUBLIC, "TALKTIME_HOST": "0.0.0.0"}):
        assert list(wrong({**environment, name: "true"}, demo=False)) == [name]
        assert wrong({**environment, name: "false"}, demo=False) == {}
    assert wrong({"TALKTIME_SECRET_KEY": KEY, name: "true"}, demo=False) == {}
    assert wrong({name: "true"}, demo=True) == {}
    assert list(wrong({name: "perhaps"})) == [name]


@pytest.mark.parametrize("name", ["STRIPE_API_BASE", "TWILIO_API_BASE"])
def test_a_simulated_company_serves_nobody_from_outside(name: str) -> None:
    for base in ("http://127.0.0.1:8002", "http://localhost:8002", "http://[::1]:8002"):
        assert list(wrong({**PUBLIC, name: base}, demo=False)) == [name]
        assert wrong({"TALKTIME_SECRET_KEY": KEY, name: base}, demo=False) == {}


@pytest.mark.parametrize(
    "url",
    [
        "phone.example.org", "ftp://example.org", "https://", "https://example.org/talk", "https://example.org?a=b",
        "https://example.org#x", "https://example.org?", "https://me@example.org", "https://exa mple.org",
        "https://example.org\\evil", "https://example.org:port", "https://[::1", "https://-x-.org", "//example.org",
    ],
)  # fmt: skip
def test_a_public_address_is_a_scheme_and_a_host(url: str) -> None:
    assert list(wrong(PUBLIC_URL=url)) == ["PUBLIC_URL"]


@pytest.mark.parametrize("networks", ["0.0.0.0/0", "::/0", "10.0.0.0/8, 0.0.0.0/0"])
def test_not_everybody_is_a_proxy(networks: str) -> None:
    assert list(wrong(TALKTIME_TRUSTED_PROXIES=networks)) == ["TALKTIME_TRUSTED_PROXIES"]
    assert len(configuration.read({"TALKTIME_TRUSTED_PROXIES": "10.0.0.5, 10.1.0.0/16,2001:db8::/32,"}).proxies) == 3


# What belongs together, and where things are.


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ({"TWILIO_ACCOUNT_SID": "AC1"}, "TWILIO_AUTH_TOKEN"),
        ({"TWILIO_AUTH_TOKEN": "secret"}, "TWILIO_ACCOUNT_SID"),
        ({"TALKTIME_SMTP_URL": "smtps://mail.example.org"}, "TALKTIME_MAIL_FROM"),
        ({"STRIPE_API_KEY": "sk_test_1"}, "STRIPE_WEBHOOK_SECRET"),
    ],
)
def test_half_of_something_names_the_other_half(there: dict[str, str], missing: str) -> None:
    assert list(wrong(there)) == [missing]


@pytest.mark.parametrize(
    "url",
    [
        "talktime",
        "mysql://db/talktime",
        "postgresql://",
        "postgresql://db",
        "postgresql://db:port/t",
        "postgresql:///t?x=y",
    ],
)
def test_an_address_that_leads_to_no_database_is_refused(url: str) -> None:
    assert list(wrong(DATABASE_URL=url)) == ["DATABASE_URL"]


def test_a_home_that_is_none_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for home in ("file", "file/below"):
        assert list(wrong(demo=True, TALKTIME_HOME=str(tmp_path / home))) == ["TALKTIME_HOME"]
    assert wrong(demo=True, TALKTIME_HOME=str(tmp_path / "new" / "deep")) == {}
    assert not (tmp_path / "new").exists(), "looking makes nothing"


def test_each_of_the_demos_companies_has_a_port_of_its_own() -> None:
    assert list(wrong(demo=True, TALKTIME_PORT="8000", TALKTIME_GATEWAY_PORT="8000")) == ["TALKTIME_GATEWAY_PORT"]
    assert list(wrong(demo=True, TALKTIME_PORT="65534")) == ["TALKTIME_GATEWAY_PORT"]
    assert wrong(demo=False, TALKTIME_SECRET_KEY=KEY, TALKTIME_PORT="65535") == {}


# The page that lists them.


def rows() -> dict[str, str]:
    """The defaults that the page tells, by all the names in the first column."""
    found = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \| (.+?) \| (.+) \|$", PAGE.read_text(), re.MULTILINE)
    assert all(meaning.strip() for _, _, meaning in found)
    return {names: default for names, default, _ in found}


def test_the_page_lists_every_setting_by_its_names_with_its_default() -> None:
    computed = {"simulated_carrier_port": "one above ours", "simulated_gateway_port": "two above ours"}
    expected = {}
    for field, info in Settings.model_fields.items():
        names = ", ".join(f"`{name}`" for name in configuration.names_of(field))
        told = f"`{info.default}`" if info.default not in (None, "") else "not set"
        expected[names] = computed.get(field, told)
    assert rows() == expected


def test_a_secret_may_stand_in_a_file_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    settings = configuration.read({"TALKTIME_SECRET_KEY_FILE": str(file)})
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == KEY
    assert wrong({**PUBLIC, "TALKTIME_SECRET_KEY": "", "TALKTIME_SECRET_KEY_FILE": str(file)}, demo=False) == {}
    file.write_text("\n")
    for given in (
        {"TALKTIME_SECRET_KEY_FILE": str(file)},
        {"TALKTIME_SECRET_KEY_FILE": str(tmp_path / "nowhere")},
        {"TALKTIME_SECRET_KEY_FILE": str(file), "TALKTIME_SECRET_KEY": KEY},
    ):
        found = wrong(given)
        assert set(found) == {"TALKTIME_SECRET_KEY_FILE"}
        assert KEY not in str(found)
        assert MENDS.match(found["TALKTIME_SECRET_KEY_FILE"].mend)
    # What is no secret has no file; nor has what is none of ours.
    assert set(wrong(TALKTIME_PORT_FILE=str(file))) == {"TALKTIME_PORT_FILE"}


def test_the_page_lists_every_secret_that_may_stand_in_a_file() -> None:
    [paragraph] = re.findall(r"These are (.+?)\.\n", PAGE.read_text(), re.DOTALL)
    assert set(re.findall(r"`([A-Z_]+)`", paragraph)) == set(configuration._in_files())


@pytest.mark.parametrize("kind", ["TURNS", "SUMMARIES", "CALLERS"])
def test_for_ever_is_said_as_such(kind: str) -> None:
    name = f"TALKTIME_KEEP_{kind}_DAYS"
    assert getattr(configuration.read({name: "forever"}), f"keep_{kind.lower()}_days") is None
    assert getattr(configuration.read({name: "30"}), f"keep_{kind.lower()}_days") == 30
    for nonsense in ("0", "-1", "a year", "1.5", "99999999"):
        assert set(wrong({name: nonsense})) == {name}


def test_traces_need_an_address_that_is_one() -> None:
    assert wrong(OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.example.org:4318") == {}
    assert set(wrong(OTEL_EXPORTER_OTLP_ENDPOINT="collector:4317")) == {"OTEL_EXPORTER_OTLP_ENDPOINT"}
