"""English and German, complete: every sentence of every page and error, and nothing translated that nobody says."""

import re
from typing import Any

import jinja2
import pytest
from markupsafe import escape
from starlette.requests import Request

from talktime.settings import Settings
from talktime.web import local, render
from talktime.web.language import NAMES, catalogs, catalogue, gettext
from talktime.web.visit import LANGUAGES, visiting
from tests.web import sentences
from tests.web.conftest import Browser, OpenBrowser
from tests.web.stage import SECRET

TRANSLATED = [language for language in LANGUAGES if language != "en"]
LOOKED_UP = {
    "str(error)",  # an error's own sentence: `in_errors` has them
    "_TITLES.get(status, 'Something went wrong')",
    "wrong.sentence or wrong.message",  # of an agent's field: `in_checks` has them
    "wrong.sentence",
    "message",  # what is passed on, by a function that is called with the sentence itself
}
"""What pages have translated without saying it themselves; whatever is new here needs its sentences found, too."""


class Nothing(jinja2.ChainableUndefined):
    """What a template names and nobody gave: whatever is done with it, nothing comes of it."""

    def _itself(self, *_: Any, **__: Any) -> Any:
        return self

    def _never(self, *_: Any, **__: Any) -> Any:
        return False

    __call__ = __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __truediv__ = __mod__ = _itself
    __lt__ = __le__ = __gt__ = __ge__ = _never

    def __int__(self, *_: Any, **__: Any) -> Any:
        return 0


def said() -> dict[str, str]:
    """Every sentence, and where it stands."""
    titles = dict.fromkeys((*render._TITLES.values(), "Something went wrong"), "render.py")
    return sentences.in_templates() | sentences.in_pages()[0] | sentences.in_errors() | titles


def pairs(language: str) -> list[tuple[str, str]]:
    return list(catalogue(language).items())


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_translated(language: str) -> None:
    known = catalogue(language)
    assert {sentence: where for sentence, where in said().items() if sentence not in known} == {}


def test_whatever_is_looked_up_is_known_to_these_tests() -> None:
    assert set(sentences.in_pages()[1]) <= LOOKED_UP


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_translated_that_nobody_says(language: str) -> None:
    in_use = said().keys()
    assert [sentence for sentence in catalogue(language) if sentence not in in_use] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_nothing_is_translated_in_two_ways(language: str) -> None:
    found: dict[str, set[str]] = {}
    for catalog in catalogs(language).values():
        for message in catalog:
            if message.id:
                assert message.string and not message.fuzzy, message.id
                found.setdefault(str(message.id), set()).add(str(message.string))
    assert {sentence: ways for sentence, ways in found.items() if len(ways) > 1} == {}


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_put_into_a_sentence_is_put_into_its_translation(language: str) -> None:
    for english, other in pairs(language):
        assert sentences.placeholders(english) == sentences.placeholders(other), english


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_ends_as_its_sentence_does_and_is_set_with_care(language: str) -> None:
    for english, other in pairs(language):
        assert other == other.strip() and "  " not in other, other
        assert english[-1:] not in ".?!:" or other[-1] == english[-1], other
        assert '"' not in re.sub(r"<[^>]+>", "", other) and "'" not in other and "..." not in other, other


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("template", render._ENVIRONMENT.list_templates())
def test_every_template_is_rendered_in_every_language(template: str, language: str) -> None:
    # With nothing to show, so that what is left is its own sentences.
    environment = render._ENVIRONMENT.overlay(undefined=Nothing)
    environment.globals = {**render._ENVIRONMENT.globals, "csrf_field": str}
    scope = {"type": "http", "path": "/", "query_string": b"", "headers": [(b"accept-language", language.encode())]}
    with visiting(Request({**scope, "server": ("talktime.example", 443)}), Settings(secret_key=SECRET)):
        page = environment.get_template(template).render(errors={}, values={})
    assert "<html" not in page or f'<html lang="{language}">' in page
    if language != "en":
        plain = {sentence for sentence in catalogue(language) if not sentences.placeholders(sentence)}
        english = [sentence for sentence in plain if len(sentence) > 20 and str(escape(sentence)) in page]
        assert english == []


def test_what_has_no_translation_is_shown_in_english() -> None:
    assert gettext("Nobody ever says this.", "de") == "Nobody ever says this."
    assert gettext("", "de") == ""
    assert gettext("Sign in", "en") == "Sign in" and gettext("Sign in", "de") == "Anmelden"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"), ("de", "de"), ("de-AT,de;q=0.9,en;q=0.8", "de"), ("fr,de;q=0.5,en;q=0.4", "de"), ("fr", "en"),
        ("en;q=0.1,de;q=0.2", "de"), ("de;q=0", "en"), ("de;q=much,en", "en"), ("DE", "de"), ("dex", "en"),
        ("*", "en"), (",;q=,de", "de"), ("x" * 10_000 + ",de", "en"), ("de;q=nan", "en"), ("de;q=inf,en", "de"),
    ],
    ids=range(15),
)  # fmt: skip
async def test_a_page_speaks_the_first_of_our_languages_that_the_browser_asks_for(
    browser: Browser, header: str, language: str
) -> None:
    page = await browser.get("/sign-in", headers={"accept-language": header})
    assert page.status_code == 200 and f'<html lang="{language}">' in page.text


async def test_a_language_that_was_chosen_is_kept_and_leads_back(browser: Browser) -> None:
    page = (await browser.get("/sign-in?next=/credits%3Fsaved=card")).text
    [link] = re.findall(r'<a href="(/language/de\?next=[^"]+)" lang="de"', page)
    chosen = await browser.get(link)
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/sign-in?next=/credits%3Fsaved=card")
    name, *flags = chosen.headers["set-cookie"].split("; ")
    assert name == "talktime_language=de" and {"HttpOnly", "Path=/", "SameSite=lax", "Secure"} <= set(flags)
    page = (await browser.get(chosen.headers["location"], headers={"accept-language": "en"})).text
    assert '<html lang="de">' in page and 'name="next" value="/credits?saved=card"' in page
    assert '<b lang="de" aria-current="true">Deutsch</b>' in page


@pytest.mark.parametrize("code", ["fr", "DE", "de%0d%0aset-cookie:x", "%00", "..%2Fde", "x" * 5000])
async def test_there_are_no_other_languages(browser: Browser, code: str) -> None:
    answer = await browser.get(f"/language/{code}")
    assert answer.status_code == 404 and "set-cookie" not in answer.headers


async def test_a_cookie_with_another_language_says_nothing(browser: Browser) -> None:
    browser.cookies.set("talktime_language", "<script>")
    assert '<html lang="en">' in (await browser.get("/sign-in")).text


async def test_who_is_signed_in_reads_the_language_of_their_settings(as_alice: Browser) -> None:
    await as_alice.get("/language/de")
    assert '<html lang="en">' in (await as_alice.get("/settings")).text
    assert "/language/" not in (await as_alice.get("/settings")).text


async def test_the_switch_stands_under_every_page_of_the_door(open_browser: OpenBrowser) -> None:
    for address in ("/", "/sign-in", "/sign-up", "/reset", "/sign-in/x", "/reset/x", "/welcome/x", "/nowhere"):
        page = (await open_browser().get(address)).text
        assert page.count('class="foot') == 1 and 'href="/language/de?next=' in page, address


def test_every_language_has_a_name_and_zones_in_its_own_words() -> None:
    assert tuple(NAMES) == LANGUAGES
    assert local.zones("Europe/Berlin")
