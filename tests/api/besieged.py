"""An installation that is asked for everything, over and over: the real application on a real port, with a phone
company, a payment company and a database of its own, and nobody who works off jobs.

The rule: nothing of it leads out of this machine, and whoever asks is never told to wait.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from talktime.accounts import passwords
from talktime.app import create_app
from talktime.cli.serving import web_server
from talktime.db.session import connect
from talktime.settings import Settings
from talktime.simulate.carrier import SimulatedCarrier
from talktime.simulate.server import listen
from talktime.speech.choose import Trio
from tests.api.keyring import Keyring, keyring
from tests.house import Parrot, Scripted, Tones, free_ports
from tests.payments.counter import open_counter
from tests.web.matrix_people import OFTEN, PASSWORD, World
from tests.web.stage import SECRET


@dataclass(frozen=True, slots=True)
class Besieged:
    """Where it is, and who may come in."""

    url: str
    world: World
    ring: Keyring


@contextlib.asynccontextmanager
async def open_besieged(database_url: str, home: Path) -> AsyncIterator[Besieged]:
    """Serve it for as long as the block."""
    listener = listen(0)
    port = listener.getsockname()[1]
    settings = Settings(
        home=home,
        port=port,
        simulated_carrier_port=free_ports(1)[0],
        secret_key=SECRET,
        **OFTEN,
    )
    trio = Trio(Scripted(), Parrot(), Tones())
    app = create_app(settings, database_url, parts=("web", "voice"), demo=True, trio=trio)
    database = connect(database_url)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(listener.close)
        stack.push_async_callback(database.close)
        await stack.enter_async_context(SimulatedCarrier.of(settings))
        counter = await stack.enter_async_context(open_counter(database, home))
        await stack.enter_async_context(web_server(app, listener, 0.5, impatient=asyncio.Event()))
        app.state.context = replace(app.state.context, till=counter.till)
        world = World(app, database, counter, await counter.pack(), await passwords.hash_of(PASSWORD))
        yield Besieged(f"http://127.0.0.1:{port}", world, await keyring(world))
