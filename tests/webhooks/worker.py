"""A worker as a process of its own, which tests may kill: it sends what is due to this machine until it is stopped."""

import asyncio
import sys

from talktime.db.session import connect
from talktime.webhooks.post import Poster
from talktime.webhooks.sending import Sender
from tests.webhooks.conftest import KEY


async def main(url: str) -> None:
    database = connect(url, connections_max=4)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    try:
        await Sender(database, KEY, {}, Poster(to_private=True)).run()
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
