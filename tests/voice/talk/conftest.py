"""A stage for calls, on a loop that does not wait; a task that outlives its call fails the test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import pytest_asyncio

from tests.voice.talk.loop import ImpatientLoop
from tests.voice.talk.stage import Stage


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"impatient": ImpatientLoop}


@pytest_asyncio.fixture(loop_scope="module")
async def stage() -> AsyncIterator[Stage]:
    before = asyncio.all_tasks()
    stage = Stage()
    yield stage
    await stage.close()
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, left
