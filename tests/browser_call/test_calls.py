"""Whole calls from the browser, over a real socket to the real application: what is said, charged and told."""

import asyncio

from sqlalchemy import text

from talktime.agents import drafts
from talktime.calls.models import CallStatus, Party
from talktime.credits.pricing import Rate
from talktime.credits.verify import verify
from talktime.hooks.browser_live import BrowserCall
from tests.browser_call.page import Page, sign_in
from tests.house import WHY, House
from tests.people import Person, account_of, charges, new_person


async def test_a_whole_call_by_typing_is_talked_charged_and_told(house: House, page: Page, alice: Person) -> None:
    async with page.calling() as line:
        await line.until("saying", text="Alice's shop, hello.")
        assert (await line.until("meter"))["credits"] == 15
        await line.until("turn", speaker="AGENT", text="Alice's shop, hello.")
        await line.type("Are you open on Monday")
        assert (await line.until("heard"))["text"] == "Are you open on Monday"
        await line.until("turn", speaker="CALLER", text="Are you open on Monday")
        await line.until("turn", speaker="AGENT", text="You said: Are you open on Monday.")
        assert line.sound > 8000  # the agent is heard, although nobody speaks
        ended = await line.hang_up()
        assert await line.closed() == 1000
    record = await page.record(line.call)
    call = record.call
    assert (call.carrier, call.caller, call.dialled, call.number_id) == ("browser", None, None, None)
    assert (call.status, call.end_reason, call.agent_version) == (CallStatus.COMPLETED, "caller_hung_up", 1)
    assert [turn.speaker for turn in record.turns] == [Party.AGENT, Party.CALLER, Party.AGENT]
    assert record.receipt is not None and record.receipt.charged == 15
    assert ended == {"event": "ended", "reason": "caller_hung_up", "seconds": call.seconds, "credits": 15}
    assert await charges(house.database, alice) == [-15]
    account = await account_of(house.database, alice)
    assert (account.held, account.open_calls) == (0, 0)


async def test_a_call_is_spoken_and_heard(house: House, page: Page) -> None:
    house.ears.words[:] = ["what does it cost"]
    async with page.calling() as line:
        await line.until("turn", speaker="AGENT")
        await line.speak()
        await line.until("turn", speaker="AGENT", text="You said: what does it cost.")
        await line.hang_up()
    record = await page.record(line.call)
    assert [turn.text for turn in record.turns][1:] == ["what does it cost", "You said: what does it cost."]
    assert record.turns[2].latency is not None


async def test_the_agent_falls_silent_when_a_line_is_typed_over_it(page: Page) -> None:
    async with page.calling() as line:
        await line.until("turn", speaker="AGENT")
        await line.type("tell me a very long story about everything that you have ever heard of")
        await line.until(
            "saying", text="You said: tell me a very long story about everything that you have ever heard of."
        )
        await asyncio.sleep(0.3)
        await line.type("yes")  # typed it is an answer, and never a mere nod
        await line.until("clear")
        await line.until("turn", speaker="AGENT", text="You said: yes.")
        cut = line.of("turn", speaker="AGENT", interrupted=True)
        assert len(cut) == 1 and len(cut[0]["text"]) < 60
        await line.hang_up()


async def test_the_agent_falls_silent_when_somebody_speaks_over_it(house: House, page: Page) -> None:
    house.ears.words[:] = ["wait a moment"]
    async with page.calling() as line:
        await line.until("turn", speaker="AGENT")
        await line.type("tell me a very long story about everything that you have ever heard of")
        await line.until("saying", count=2)
        await asyncio.sleep(0.3)
        await line.speak()
        await line.until("clear")
        await line.until("turn", speaker="AGENT", text="You said: wait a moment.")
        await line.hang_up()


async def test_an_agent_that_hangs_up_is_heard_out_and_says_why(page: Page) -> None:
    async with page.calling() as line:
        await line.until("turn", speaker="AGENT")
        await line.type("goodbye")
        ended = await line.until("ended")
        assert await line.closed() == 1000
    assert ended["reason"] == "agent_hung_up"
    assert line.of("turn", speaker="AGENT")[-1]["text"] == "You said: goodbye."


async def test_a_tab_that_closes_ends_the_call_at_once(house: House, page: Page, alice: Person) -> None:
    async with page.calling() as line:
        await line.until("saying")
        await line.socket.close()
    record = await page.record(line.call, seconds_max=3)
    assert (record.call.status, record.call.end_reason) == (CallStatus.COMPLETED, "caller_hung_up")
    assert await charges(house.database, alice) == [-15]


async def test_a_tab_that_is_torn_away_ends_the_call_too(page: Page) -> None:
    async with page.calling() as line:
        await line.until("saying")
        line.socket.transport.abort()
    assert (await page.record(line.call, seconds_max=3)).call.end_reason == "caller_hung_up"


async def test_a_call_costs_what_its_price_says_and_the_meter_counts_it_up(house: House) -> None:
    rate = Rate(credits_per_minute=60, connection_fee=5, initial_seconds=1, increment_seconds=1)
    carol = await new_person(house.database, "Carol", credits=500, rate=rate)
    page = await sign_in(house, carol)
    async with page.calling() as line:
        await line.until("meter", count=3)
        told = [(each["seconds"], each["credits"]) for each in line.of("meter")]
        ended = await line.hang_up()
    assert told == [(seconds, rate.cost(seconds)) for seconds, _ in told]
    assert ended["credits"] == rate.cost(ended["seconds"])
    assert await charges(house.database, carol) == [-ended["credits"]]


async def test_the_draft_is_called_when_that_is_asked_for_and_else_what_is_published(
    house: House, page: Page, alice: Person
) -> None:
    async with house.database.transaction(user=alice.id) as db:
        await drafts.save(db, alice.id, alice.agent, {"greeting": "Hello from the draft."}, revision=None)
    async with page.calling(draft=True) as line:
        await line.until("saying", text="Hello from the draft.")
        await line.hang_up()
    record = await page.record(line.call)
    assert (record.call.agent_id, record.call.agent_version) == (alice.agent, None)
    assert record.receipt is not None and record.receipt.charged == 15
    async with page.calling() as line:
        await line.until("saying", text="Alice's shop, hello.")
        await line.hang_up()


async def test_an_agent_that_was_never_published_is_called_as_its_draft_is(
    house: House, page: Page, alice: Person
) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE agents SET published_version = NULL WHERE id = :agent"), {"agent": alice.agent})
    refused = await page.ask()
    assert refused.status_code == 409 and "Publish it" in refused.json()["problem"]
    assert "no greeting" in (await page.ask(draft=True)).json()["problem"]
    async with house.database.transaction(user=alice.id) as db:
        await drafts.save(
            db, alice.id, alice.agent, {"business": "The shop", "greeting": "Not open yet, hello."}, revision=None
        )
    async with page.calling(draft=True) as line:
        await line.until("saying", text="Not open yet, hello.")
        await line.hang_up()


async def test_an_agent_that_is_switched_off_or_closed_for_the_day_can_be_tried(
    house: House, page: Page, alice: Person
) -> None:
    async with house.database.transaction(everyone=WHY) as db:
        await db.execute(text("UPDATE agents SET active = false WHERE id = :agent"), {"agent": alice.agent})
    async with page.calling() as line:
        await line.until("saying", text="Alice's shop, hello.")
        await line.hang_up()


async def test_who_types_is_not_asked_whether_they_are_still_there(house: House, page: Page, alice: Person) -> None:
    async with house.database.transaction(user=alice.id) as db:
        settings = {"silence_seconds": 1.0, "still_there_times": 0}
        await drafts.save(db, alice.id, alice.agent, {"turn_settings": settings}, revision=None)
    async with page.calling(draft=True) as line:
        await line.until("turn", speaker="AGENT")
        for _ in range(5):
            await asyncio.sleep(0.5)
            await line.tell(event="here", typing=True)
        await line.type("here I am")
        await line.until("turn", speaker="AGENT", text="You said: here I am.")
        assert len(line.of("turn", speaker="AGENT")) == 2
        ended = await line.until("ended")  # and now nobody types
    assert ended["reason"] == "silence"


async def test_asking_for_a_person_says_who_would_be_rung_and_rings_nobody(
    house: House, page: Page, alice: Person
) -> None:
    async with house.database.transaction(user=alice.id) as db:
        people = [{"name": "Hanna", "number": "+493023125000"}]
        await drafts.save(db, alice.id, alice.agent, {"people": people}, revision=None)
    async with page.calling(draft=True) as line:
        await line.until("saying")
        [live] = [each for each in house.context.live if isinstance(each, BrowserCall)]
        said = await live._say_who_would_be_rung({"person": "Hanna"}, "key")
        assert "nobody is rung" in said and "Hanna" in said
        assert live._through.tool is None
        await line.hang_up()


async def test_the_books_are_right_after_all_this(house: House) -> None:
    assert (await verify(house.database, full=True)).violations == ()
