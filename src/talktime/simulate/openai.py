"""A server that speaks OpenAI's wire format on loopback: chat completions streamed, transcriptions, speech.

The one rule: it checks what the real one checks (the key, the form of the conversation), so that a request which the
real one would refuse does not pass here.
"""

import json
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from talktime.simulate.vendor import STATUSES, Answered, Asked, Fault, Lost, VendorServer, lost_after, pieces


@dataclass(frozen=True, slots=True)
class ToolWish:
    """The model calls a tool."""

    id: str
    name: str
    arguments: str


Reply = str | ToolWish


@dataclass(slots=True)
class SimulatedOpenAI:
    """Answers what it is given to answer, in order; after that it repeats what the user said."""

    key: str = "sk-simulated"
    replies: deque[Sequence[Reply]] = field(default_factory=deque)
    transcript: str = "what are your opening hours"
    speech: bytes = b"\x00\x10" * 2400
    """PCM, 24,000 samples a second."""
    cached_tokens: int = 0
    """Of each prompt, as long as it is; a word is a token here."""
    knows_stream_options: bool = True
    """Some endpoints that speak this language refuse the question for the tokens."""
    server: VendorServer = field(init=False)

    def __post_init__(self) -> None:
        self.server = VendorServer(self._answer)

    @property
    def url(self) -> str:
        return f"{self.server.url}/v1"

    def _answer(self, asked: Asked) -> Answered:
        fault = self.server.fault
        if asked.headers.get("authorization") != f"Bearer {self.key}":
            return _error(401, "invalid_api_key")
        if fault in STATUSES:
            return _error(STATUSES[fault], fault.value)
        if fault == Fault.GARBAGE:
            return Answered(200, "text/event-stream", pieces(b"data: {not json}\n\n"))
        match asked.path:
            case "/v1/chat/completions":
                return self._chat(json.loads(asked.body))
            case "/v1/audio/transcriptions":
                return self._transcription(asked)
            case "/v1/audio/speech":
                return self._speech(json.loads(asked.body))
        return _error(404, "not_found")

    def _chat(self, request: dict[str, Any]) -> Answered:
        wrong = _wrong_conversation(request["messages"])
        if wrong:
            return _error(400, wrong)
        if "stream_options" in request and not self.knows_stream_options:
            return _forbidden("stream_options")
        said = [line["content"] for line in request["messages"] if line["role"] == "user"]
        reply = self.replies.popleft() if self.replies else (f"You said: {said[-1] if said else 'nothing'}.",)
        usage = None
        if request.get("stream_options", {}).get("include_usage"):
            usage = _usage(request["messages"], reply, self.cached_tokens)
        return Answered(200, "text/event-stream", self._chunks(reply, usage))

    async def _chunks(self, reply: Sequence[Reply], usage: dict[str, Any] | None) -> AsyncIterator[bytes]:
        if self.server.fault == Fault.EMPTY:
            return
        yield _chunk({"role": "assistant", "content": ""})
        reason = "stop"
        for index, part in enumerate(reply):
            if isinstance(part, ToolWish):
                reason = "tool_calls"
                for delta in _tool_deltas(index, part):
                    yield _chunk(delta)
                continue
            for word in part.split(" "):
                yield _chunk({"content": f"{word} "})
                if self.server.fault == Fault.CLOSES:
                    raise Lost
                if self.server.fault == Fault.BROKEN_MIDWAY:
                    yield b'data: {"error": {"message": "The server had an error", "type": "server_error"}}\n\n'
                    return
        yield _chunk({}, reason)
        if usage is not None:
            yield _event({"choices": [], "usage": usage})
        yield b"data: [DONE]\n\n"

    def _transcription(self, asked: Asked) -> Answered:
        if not asked.headers["content-type"].startswith("multipart/form-data") or b"RIFF" not in asked.body:
            return _error(400, "invalid_file")
        if self.server.fault in (Fault.CLOSES, Fault.BROKEN_MIDWAY):
            return Answered(200, "application/json", lost_after(b'{"te'))
        body = b"{}" if self.server.fault == Fault.EMPTY else json.dumps({"text": self.transcript}).encode()
        return Answered(200, "application/json", pieces(body))

    def _speech(self, request: dict[str, Any]) -> Answered:
        if request.get("response_format") != "pcm" or not request.get("input"):
            return _error(400, "invalid_request")
        if self.server.fault == Fault.EMPTY:
            return Answered(200, "audio/pcm", pieces())
        # An odd number of bytes at a time: samples are cut in two on their way.
        parts = [self.speech[start : start + 1001] for start in range(0, len(self.speech), 1001)]
        if self.server.fault in (Fault.CLOSES, Fault.BROKEN_MIDWAY):
            return Answered(200, "audio/pcm", lost_after(parts[0]))
        return Answered(200, "audio/pcm", pieces(*parts))


def _wrong_conversation(messages: Sequence[dict[str, Any]]) -> str:
    """Every tool call must be answered by a tool line right after it, and none may come from nowhere."""
    open_calls: list[str] = []
    for line in messages:
        if line["role"] == "tool":
            if line["tool_call_id"] not in open_calls:
                return "tool_without_call"
            open_calls.remove(line["tool_call_id"])
        elif open_calls:
            return "call_without_tool"
        open_calls += [call["id"] for call in line.get("tool_calls") or ()]
    return "call_without_tool" if open_calls else ""


def _tool_deltas(index: int, wish: ToolWish) -> list[dict[str, Any]]:
    """A tool call as it is streamed: its name first, its arguments in pieces."""
    function = {"name": wish.name, "arguments": ""}
    middle = len(wish.arguments) // 2
    first = {"tool_calls": [{"index": index, "id": wish.id, "type": "function", "function": function}]}
    rest = [
        {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}
        for piece in (wish.arguments[:middle], wish.arguments[middle:])
    ]
    return [first, *rest]


def _chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
    return _event({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}], "usage": None})


def _event(chunk: dict[str, Any]) -> bytes:
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "simulated"}
    return b"data: " + json.dumps({**head, **chunk}).encode() + b"\n\n"


def _usage(messages: Sequence[dict[str, Any]], reply: Sequence[Reply], cached: int) -> dict[str, Any]:
    """What the last chunk says of tokens: a word is one."""
    prompt = sum(len((line.get("content") or "").split()) for line in messages)
    completion = sum(len((part if isinstance(part, str) else part.arguments).split()) for part in reply)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": min(cached, prompt)},
    }


def _forbidden(parameter: str) -> Answered:
    """A parameter that this endpoint does not know, refused as Mistral's API does it."""
    wrong = {"type": "extra_forbidden", "loc": ["body", parameter], "msg": "Extra inputs are not permitted"}
    body = {"object": "error", "message": {"detail": [wrong]}, "type": "invalid_request_error", "code": None}
    return Answered(422, "application/json", pieces(json.dumps(body).encode()))


def _error(status: int, code: str) -> Answered:
    body = {"error": {"message": code, "type": "error", "param": None, "code": code}}
    return Answered(status, "application/json", pieces(json.dumps(body).encode()))
