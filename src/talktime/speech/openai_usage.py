"""What an answer of a chat model cost in tokens: as the vendor says at its end, or estimated when it never came there.

The rule here: counting never costs an answer. An endpoint that does not know the question for the tokens is asked
without it, and a count that makes no sense is not believed.
"""

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import openai

from talktime.speech.usage import Usage, estimated_tokens

_TOKENS_MAX = 100_000_000
"""No answer has so many."""


class Offers:
    """Whether an endpoint tells the tokens of a stream when it is asked to. Shared by all calls of a process."""

    def __init__(self) -> None:
        self._tells = True

    def with_usage(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The request, with the question for the tokens if the endpoint knows it."""
        return {**request, "stream_options": {"include_usage": True}} if self._tells else dict(request)

    def understood(self, asked: Mapping[str, Any], error: openai.APIStatusError) -> bool:
        """Whether a request was refused for that question alone, so that it is worth asking again without it.

        Mistral's API, for one, answers 422 to it, and tells the tokens unasked.
        """
        if (
            "stream_options" not in asked
            or error.status_code not in (400, 422)
            or "stream_options" not in str(error.body)
        ):
            return False
        self._tells = False
        return True


class Bill:
    """The tokens of one answer, counted when it is over, however it ends."""

    def __init__(self, usage: Usage, provider: str, request: Mapping[str, Any]) -> None:
        self._usage = usage
        self._provider = provider
        self._request = request
        self._is_free = False
        self._told: tuple[int, int, int] | None = None
        self._written_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_free:
            return
        if self._told is not None:
            prompt, cached, completion = self._told
            self._usage.tokens(self._provider, prompt=prompt - cached, cached=cached, completion=completion)
            return
        # The caller spoke, or it broke off: what went up is known, and what came down so far.
        asked = {"messages": self._request["messages"], "tools": self._request.get("tools", [])}
        self._usage.tokens(
            self._provider,
            prompt=estimated_tokens(len(json.dumps(asked, ensure_ascii=False).encode())),
            cached=0,
            completion=estimated_tokens(self._written_bytes),
            estimated=True,
        )

    def nothing(self) -> None:
        """The vendor refused, so it is not paid."""
        self._is_free = True

    def said(self, text: str) -> None:
        """The model wrote this."""
        self._written_bytes += len(text.encode("utf-8", "replace"))

    def saw(self, chunk: object) -> None:
        """Look for the tokens in what came; vendors that tell them more than once tell the sum so far."""
        told = getattr(chunk, "usage", None)
        if told is None:
            return
        details = getattr(told, "prompt_tokens_details", None)
        prompt, cached, completion = (
            _count(getattr(told, "prompt_tokens", None)),
            _count(getattr(details, "cached_tokens", None) or 0),
            _count(getattr(told, "completion_tokens", None)),
        )
        if prompt is not None and cached is not None and completion is not None and cached <= prompt:
            self._told = prompt, cached, completion


def _count(told: object) -> int | None:
    """The SDK does not check what it is sent: only what can be a number of tokens is one."""
    return told if isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= _TOKENS_MAX else None
