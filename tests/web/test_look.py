"""The look: one place for colours and sizes, and one page that shows every component."""

import gzip
import re
from importlib.resources import files

import pytest

from talktime.db.session import Database
from talktime.web import assets
from talktime.web.design import _COLOURS
from tests.people import Person
from tests.web.conftest import Browser, OpenBrowser, signed_in

LOOK = files("talktime.web").joinpath("static", "look")
PARTS = sorted(file.name.removesuffix(".css") for file in LOOK.iterdir())
COMPONENTS = (
    "btn go", "btn danger", "tag live", 'class="field wrong"', "stats", 'class="list"', "empty", "tabs", "popover",
    "timeline", "plot", "toast", "progress", "facts", "pager", "crumbs", "notice", "filters",
)  # fmt: skip
ALLOWED = {"settings": ["#fff"]}
"""A code for a camera is black on white in the dark, too."""


def part(name: str) -> str:
    return LOOK.joinpath(f"{name}.css").read_text()


def test_every_part_of_the_look_is_served() -> None:
    assert sorted(assets._LOOK) == PARTS


@pytest.mark.parametrize("name", [name for name in PARTS if name != "tokens"])
def test_colours_and_times_stand_among_the_tokens_alone(name: str) -> None:
    text = re.sub(r"/\*.*?\*/", "", part(name), flags=re.DOTALL)
    assert re.findall(r"#[0-9a-f]{3,8}\b|rgb\([^)]*\)|hsl\([^)]*\)", text) == ALLOWED.get(name, [])


def test_every_token_that_is_used_is_there_and_the_other_way_round() -> None:
    defined = set(re.findall(r"(--[a-z0-9-]+):", part("tokens")))
    used = {name for each in PARTS for name in re.findall(r"var\((--[a-z0-9-]+)", part(each))}
    assert used - defined == set()
    scales = {name for name in defined if re.match(r"--(space|size|quick|calm|shade)", name)}
    assert defined - used - scales == set()


def test_dark_names_every_colour_that_light_does() -> None:
    light, dark = part("tokens").split("@media (prefers-color-scheme: dark)")
    of_colours = set(re.findall(r"(--[a-z0-9-]+): #", light))
    assert of_colours - set(re.findall(r"(--[a-z0-9-]+): #", dark)) == set()


async def test_static_files_are_packed_for_who_takes_it(browser: Browser) -> None:
    address = assets.address_of("look.css")
    packed = await browser.get(address, headers={"accept-encoding": "gzip"})
    plain = await browser.get(address, headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert packed.text == plain.text and packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert len(gzip.compress(plain.content)) < len(plain.content) / 3


async def test_a_page_is_never_packed_because_it_holds_secrets(browser: Browser) -> None:
    page = await browser.get("/sign-in", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in page.headers


async def test_operators_see_every_component_and_nobody_else_does(
    open_browser: OpenBrowser, database: Database, ada: Person, as_bob: Browser, browser: Browser
) -> None:
    page = await (await signed_in(open_browser(), database, ada)).get("/design")
    assert page.status_code == 200
    for component in COMPONENTS:
        assert component in page.text, component
    assert all(f"c-{colour}" in page.text for colour in _COLOURS)
    assert (await as_bob.get("/design")).status_code == 404
    assert (await browser.get("/design")).headers["location"] == "/sign-in?next=%2Fdesign"
