"""Place calls with a simulated phone company that runs somewhere else on this machine.

The one rule: leaving the iteration hangs up; nothing keeps ringing behind the back of whoever asked for it.
"""

from collections.abc import AsyncGenerator
from typing import Any

import httpx
import orjson

from talktime.errors import BadInput, ProviderError
from talktime.simulate.orders import Order


async def place_call(control_url: str, secret: str, order: Order) -> AsyncGenerator[dict[str, Any], None]:
    """The events of one call, as they happen. Raises BadInput for an order that cannot be carried out, ProviderError
    when the phone company is not there, does not know the secret, or dies before the call is over.

    Close the iterator (`contextlib.aclosing`) when leaving it early: that hangs up at once.
    """
    # Between two events may lie as much silence as the order allows.
    timeout = httpx.Timeout(5.0, read=order.seconds_max + 90.0)
    async with httpx.AsyncClient(timeout=timeout, trust_env=False) as client:
        request = client.build_request(
            "POST",
            f"{control_url.rstrip('/')}/simulate/calls",
            content=order.model_dump_json(by_alias=True),
            headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
        )
        try:
            response = await client.send(request, stream=True)
            try:
                if response.status_code != 200:
                    await _raise_refusal(response)
                async for line in response.aiter_lines():
                    yield orjson.loads(line)
            finally:
                await response.aclose()
        except httpx.HTTPError as error:
            raise ProviderError(f"the simulated carrier is gone: {type(error).__name__}") from error


async def healthy(control_url: str, secret: str) -> bool:
    """Whether the phone company answers."""
    async with httpx.AsyncClient(timeout=2.0, trust_env=False) as client:
        try:
            response = await client.get(
                f"{control_url.rstrip('/')}/simulate/health", headers={"Authorization": f"Bearer {secret}"}
            )
        except httpx.HTTPError:
            return False
    return response.status_code == 200


async def _raise_refusal(response: httpx.Response) -> None:
    body = await response.aread()
    if response.status_code in (413, 422):
        raise BadInput(str(orjson.loads(body).get("detail", "The order cannot be carried out.")))
    raise ProviderError(f"the simulated carrier refuses: HTTP {response.status_code}", permanent=True)
