"""OpenAI and every endpoint that speaks its language (OpenRouter, Ollama, vLLM): a head, ears and a mouth.

The one rule: an answer that broke off is a failure. A stream that ends without saying why it ended is told as a
ProviderError, so that the agent's next provider takes over instead of the caller hearing half a sentence.
"""

import asyncio
import importlib
import importlib.util
import io
import json
import wave
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import openai

from talktime.errors import ProviderError
from talktime.speech.contract import (
    BYTES_PER_MS,
    SAMPLE_RATE,
    Brief,
    CallTool,
    Heard,
    Message,
    Moment,
    Say,
    Tool,
)
from talktime.speech.openai_usage import Bill, Offers
from talktime.speech.resample import Resampler
from talktime.speech.usage import Paid, Usage
from talktime.speech.vendor import failed, refused

if TYPE_CHECKING:
    from openai.types.chat import ChatCompletionChunk

_SPEECH_RATE = 24000  # of `response_format=pcm`: 16 bit, little-endian, mono
_TURN_MS_MIN, _TURN_MS_MAX = 120, 120_000
_VOICE = "alloy"
# The SDK's HTTP library is httpx, from its version 3 on httpx2; what fails in the middle of a stream is its error.
_HTTP: list[Any] = [importlib.import_module(name) for name in ("httpx", "httpx2") if importlib.util.find_spec(name)]
_TIMEOUTS: tuple[type[Exception], ...] = (openai.APITimeoutError, *(http.TimeoutException for http in _HTTP))
_LOST: tuple[type[Exception], ...] = (openai.OpenAIError, *(http.HTTPError for http in _HTTP))


def client(key: str, base_url: str | None = None, *, seconds_max: float = 10.0) -> openai.AsyncOpenAI:
    """A client for any of the three. It never tries again by itself: a caller waits, and the next provider is near."""
    return openai.AsyncOpenAI(
        api_key=key, base_url=base_url, max_retries=0, timeout=openai.Timeout(seconds_max, connect=3.0)
    )


class OpenAIThinker(Paid):
    """A chat model behind the Chat Completions API, streamed."""

    name = "OpenAI"

    def __init__(self, client: openai.AsyncOpenAI, model: str) -> None:
        super().__init__()
        self._client = client
        self._model = model
        self._offers = Offers()

    async def prepare(self, brief: Brief) -> None:
        """Nothing of an agent needs preparing; importing the SDK (the slow part) was done with this module."""

    async def reply(
        self, brief: Brief, moment: Moment, messages: Sequence[Message], tools: Sequence[Tool]
    ) -> AsyncIterator[Say | CallTool]:
        request: dict[str, Any] = {"model": self._model, "messages": chat(brief, moment, messages), "stream": True}
        if tools:
            request["tools"] = [_function(tool) for tool in tools]
        calls = _Calls()
        reason = None
        with Bill(self._usage, f"openai/{self._model}", request) as bill:
            async with _failures(), await self._ask(request, bill) as stream:
                async for chunk in stream:
                    bill.saw(chunk)
                    for choice in _choices(chunk):
                        if choice.delta is not None and choice.delta.content:
                            bill.said(choice.delta.content)
                            yield Say(choice.delta.content)
                        bill.said(calls.add(choice.delta))
                        reason = choice.finish_reason or reason
        if reason is None:
            raise failed(self.name, "the answer broke off")
        if reason in ("length", "content_filter"):
            raise failed(self.name, f"the answer was cut short ({reason})")
        for call in calls.complete():
            yield call

    async def _ask(self, request: dict[str, Any], bill: Bill) -> Any:
        """Begin an answer. A request that is refused, or that does not arrive, is not paid for."""
        try:
            while True:
                asked = self._offers.with_usage(request)
                try:
                    return await self._client.chat.completions.create(**asked)
                except openai.APIStatusError as error:
                    if not self._offers.understood(asked, error):
                        raise
        except openai.OpenAIError:
            bill.nothing()
            raise

    async def close(self) -> None:
        await self._client.close()


class OpenAITranscriber(Paid):
    """Transcribes one turn at a time, after it is over."""

    name = "OpenAI transcription"

    def __init__(self, client: openai.AsyncOpenAI, model: str = "gpt-4o-mini-transcribe") -> None:
        super().__init__()
        self._client = client
        self._model = model

    async def prepare(self, brief: Brief) -> None:
        """Nothing needs preparing."""

    async def open(self, brief: Brief, on_heard: Callable[[Heard], None]) -> "OpenAIHearing":
        del on_heard  # words are known only when a turn is over, and then `flush` gives them
        return OpenAIHearing(self._client, self._model, brief, self._usage)

    async def close(self) -> None:
        await self._client.close()


class OpenAIHearing:
    """The ears of one call: audio is gathered until the caller stops."""

    wants_silence = False

    def __init__(self, client: openai.AsyncOpenAI, model: str, brief: Brief, usage: Usage) -> None:
        self._client = client
        self._model = model
        self._brief = brief
        self._usage = usage
        self._audio = bytearray()
        self._is_closed = False

    def hear(self, pcm: bytes) -> None:
        if not self._is_closed:
            self._audio += pcm
            if len(self._audio) > _TURN_MS_MAX * BYTES_PER_MS:
                del self._audio[: len(self._audio) - _TURN_MS_MAX * BYTES_PER_MS]

    async def flush(self) -> str:
        audio, self._audio = bytes(self._audio), bytearray()
        if self._is_closed or len(audio) < _TURN_MS_MIN * BYTES_PER_MS:
            return ""
        async with _failures():
            heard = await self._transcribe(audio)
        text = getattr(heard, "text", None)
        if not isinstance(text, str):
            raise failed("OpenAI transcription", "the answer has no text")
        return text.strip()

    async def _transcribe(self, audio: bytes) -> Any:
        provider = f"openai/{self._model}"
        try:
            heard = await self._client.audio.transcriptions.create(
                model=self._model,
                file=("turn.wav", _wav(audio), "audio/wav"),
                language=self._brief.language.partition("-")[0],
                prompt=self._brief.business,
                response_format="json",
            )
        except asyncio.CancelledError:
            # Nobody waits for it any more; the vendor works it out all the same, perhaps.
            self._usage.audio(provider, len(audio), estimated=True)
            raise
        self._usage.audio(provider, len(audio))
        return heard

    async def close(self) -> None:
        self._is_closed = True
        self._audio.clear()


class OpenAISpeaker(Paid):
    """Speech streamed as PCM."""

    name = "OpenAI speech"

    def __init__(self, client: openai.AsyncOpenAI, model: str = "gpt-4o-mini-tts") -> None:
        super().__init__()
        self._client = client
        self._model = model

    async def prepare(self, brief: Brief) -> None:
        """Nothing needs preparing."""

    async def speak(self, brief: Brief, text: str) -> AsyncIterator[bytes]:
        resampler = Resampler(_SPEECH_RATE, SAMPLE_RATE)
        is_silent = True
        async with (
            _failures(),
            self._client.audio.speech.with_streaming_response.create(
                model=self._model, voice=brief.voice or _VOICE, input=text, response_format="pcm"
            ) as response,
        ):
            if response.headers.get("content-type", "").startswith(("application/json", "text/")):
                raise failed(self.name, "the answer is not audio")
            # From here on the whole text is paid for, however much of it anybody hears.
            self._usage.characters(f"openai/{self._model}", len(text))
            async for chunk in response.iter_bytes():
                if piece := resampler.feed(chunk):
                    is_silent = False
                    yield piece
        if rest := resampler.finish():
            yield rest
        if is_silent:
            raise failed(self.name, "the answer has no audio")

    async def close(self) -> None:
        await self._client.close()


def chat(brief: Brief, moment: Moment, messages: Sequence[Message]) -> list[dict[str, Any]]:
    """The conversation in the vendor's form."""
    lines: list[dict[str, Any]] = [{"role": "system", "content": system_prompt(brief, moment)}]
    for message in messages:
        if message.role == "tool":
            lines.append({"role": "tool", "tool_call_id": message.tool_call_id, "content": message.text})
        elif message.role == "agent" and message.tool_call_id:
            function = {"name": message.tool_name, "arguments": message.tool_arguments or "{}"}
            call = {"id": message.tool_call_id, "type": "function", "function": function}
            lines.append({"role": "assistant", "content": message.text or None, "tool_calls": [call]})
        else:
            lines.append({"role": "user" if message.role == "caller" else "assistant", "content": message.text})
    return lines


def system_prompt(brief: Brief, moment: Moment) -> str:
    """What the model is told before the conversation: what was built of the agent (`agents/prompt.py`), and the present
    last, for caches."""
    return "\n\n".join(part for part in (brief.prompt, moment.prompt) if part)


class _Calls:
    """Tool calls come in pieces, several at a time, told apart by an index."""

    def __init__(self) -> None:
        self._calls: dict[int, dict[str, str]] = {}

    def add(self, delta: Any) -> str:
        """Take the next pieces; gives their text, which the model was paid to write."""
        written = ""
        for piece in getattr(delta, "tool_calls", None) or ():
            call = self._calls.setdefault(piece.index, {"id": "", "name": "", "arguments": ""})
            call["id"] = piece.id or call["id"]
            if piece.function is not None:
                name, arguments = piece.function.name or "", piece.function.arguments or ""
                call["name"] += name
                call["arguments"] += arguments
                written += name + arguments
        return written

    def complete(self) -> list[CallTool]:
        calls = [self._calls[index] for index in sorted(self._calls)]
        if not all(call["id"] and call["name"] for call in calls):
            raise failed("OpenAI", "a tool was called without a name or an id")
        return [CallTool(call["id"], call["name"], call["arguments"] or "{}") for call in calls]


def _choices(chunk: "ChatCompletionChunk") -> Sequence[Any]:
    # The SDK does not check what it is sent, so what is not of the vendor's form comes through as it is.
    choices = getattr(chunk, "choices", None)
    return [choice for choice in choices if hasattr(choice, "delta")] if isinstance(choices, list) else []


def _function(tool: Tool) -> dict[str, Any]:
    parameters = dict(tool.parameters) or {"type": "object", "properties": {}}
    function = {"name": tool.name, "description": tool.description, "parameters": parameters}
    return {"type": "function", "function": function}


def _wav(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(pcm)
    return buffer.getvalue()


@asynccontextmanager
async def _failures() -> AsyncIterator[None]:
    """Every failure of the vendor as a ProviderError."""
    try:
        yield
    except ProviderError:
        raise
    except openai.APIStatusError as error:
        if error.code == "insufficient_quota":  # a 429 that waiting does not mend
            raise failed("OpenAI", "the quota is used up", permanent=True) from error
        raise refused("OpenAI", error.status_code, error.code or "") from error
    except _TIMEOUTS as error:
        raise failed("OpenAI", "took too long") from error
    except _LOST as error:
        raise failed("OpenAI", f"the connection failed ({type(error).__name__})") from error
    except (json.JSONDecodeError, UnicodeDecodeError, TypeError, AttributeError) as error:
        raise failed("OpenAI", "sent something that is not of its form") from error
