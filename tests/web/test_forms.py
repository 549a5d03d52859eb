"""Forms whose length lies, or is none: whoever sent one is told, and nothing is changed by it."""

import pytest

from talktime.db.session import Database
from tests.people import Person, account_of
from tests.web.conftest import Browser

BODY = b"day=1&call=&caller="


@pytest.mark.parametrize(
    "length", [b"abc", b"", b"-19", b"+19", b"19.0", b"18", b"20", b"0", b"9" * 20, b"9" * 5000, b"\xb2"], ids=str
)
async def test_a_form_whose_length_is_another_is_refused(
    as_alice: Browser, database: Database, alice: Person, length: bytes
) -> None:
    headers = [(b"content-length", length)]
    refused = await as_alice.post("/credits/guards", content=BODY, headers=headers)
    assert (refused.status_code, "form" in refused.text) == (422, True)
    assert (await account_of(database, alice)).day_limit is None


async def test_a_form_of_its_own_length_is_taken(as_alice: Browser, database: Database, alice: Person) -> None:
    body = BODY + b"&csrf=" + as_alice.token().encode()
    headers = [(b"content-length", b"%d" % len(body))]
    assert (await as_alice.post("/credits/guards", content=body, headers=headers)).status_code == 303
    assert (await account_of(database, alice)).day_limit == 1
