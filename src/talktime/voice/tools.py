"""The tools of one call: what the agent can do besides talking, and what it has done.

The rule here: a tool that was started runs to its end, whatever the caller does meanwhile, and the same wish is not
carried out twice while its outcome has not been told. What a tool answers is data; nothing in it is obeyed.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from talktime.errors import ProviderError, TalktimeError
from talktime.speech.contract import Brief, CallTool, Entry, Tool
from talktime.voice.turns import ToolUse
from talktime.voice.words import words

Arguments = Mapping[str, Any]
ToolFunction = Callable[[Arguments, str], Awaitable[str]]
"""Called with the arguments and an idempotency key; the result is told to the model. A TalktimeError or ProviderError
is told to it too; anything else is our own fault and ends the call."""

_SECONDS_MAX: Final = 5.0
_ENTRIES_MAX: Final = 3


@dataclass(frozen=True, slots=True)
class Tools:
    """What an agent may do, given from outside: descriptions for the model, and one function for each."""

    specs: tuple[Tool, ...] = ()
    functions: Mapping[str, ToolFunction] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert {spec.name for spec in self.specs} == set(self.functions), (self.specs, self.functions)

    def with_(self, spec: Tool, function: ToolFunction) -> "Tools":
        """The same and one more; an own tool of that name takes precedence over the one given here."""
        if spec.name in self.functions:
            return self
        return Tools((*self.specs, spec), {**self.functions, spec.name: function})


@dataclass(slots=True, eq=False)
class Outcome:
    """What becomes of one use of a tool, finished or not."""

    key: str
    began: float
    result: str = ""
    succeeded: bool = False
    task: "asyncio.Task[None] | None" = None

    @property
    def is_over(self) -> bool:
        return self.task is None or self.task.done()


@dataclass(frozen=True, slots=True)
class Use:
    """The model's wish for a tool; wishes that are the same share an outcome."""

    call: CallTool
    outcome: Outcome


class Toolbox:
    """Runs the tools of one call."""

    def __init__(
        self,
        tools: Tools,
        *,
        call_key: str,
        spawn: Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"],
        clock: Callable[[], float] = time.monotonic,
        seconds_max: float = _SECONDS_MAX,
    ) -> None:
        """`call_key` begins every idempotency key: unique for the call."""
        self.specs = tools.specs
        self._functions = tools.functions
        self._parameters = {spec.name: spec.parameters for spec in tools.specs}
        self._call_key = call_key
        self._spawn = spawn
        self._clock = clock
        self._seconds_max = seconds_max
        self._count = 0
        self._outcomes: dict[tuple[str, str], Outcome] = {}
        """By wish: what is under way, or done and not yet told to the caller."""
        self._uses: list[ToolUse] = []

    def use(self, call: CallTool) -> Use:
        """Start a tool, or find it running or done if the very same was wished and its outcome not told yet."""
        wish = (call.name, _canonical(call.arguments))
        outcome = self._outcomes.get(wish)
        if outcome is None:
            self._count += 1
            outcome = self._outcomes[wish] = Outcome(f"{self._call_key}:{self._count}", self._clock())
            arguments = self._check(call, outcome)
            if arguments is None:
                self._note(call, outcome)
            else:
                outcome.task = self._spawn(self._run(call, outcome, arguments))
        return Use(call, outcome)

    async def wait(self, seconds: float | None = None) -> bool:
        """Wait until no tool is running, or so long. Each is limited, so this is too. False: one still runs."""
        running = [outcome.task for outcome in self._outcomes.values() if outcome.task and not outcome.is_over]
        if not running:
            return True
        _, pending = await asyncio.wait(running, timeout=seconds)
        return not pending

    def told(self) -> None:
        """The caller has heard an answer: the same wish is from now on a new one."""
        self._outcomes = {wish: outcome for wish, outcome in self._outcomes.items() if not outcome.is_over}

    def forget(self, key: str) -> None:
        """The same wish is from now on a new one, whether or not its outcome was told."""
        self._outcomes = {wish: outcome for wish, outcome in self._outcomes.items() if outcome.key != key}

    def take_uses(self) -> tuple[ToolUse, ...]:
        """What was done since the last time, for the journal."""
        uses, self._uses = tuple(self._uses), []
        return uses

    def _check(self, call: CallTool, outcome: Outcome) -> Arguments | None:
        """The arguments; None, with the reason for the model, when they cannot be right."""
        name = call.name
        if name not in self._functions:
            outcome.result = f"error: there is no tool named {name!r}"
            return None
        try:
            arguments = orjson.loads(call.arguments or "{}")
        except orjson.JSONDecodeError as error:
            outcome.result = f"error: the arguments are not valid JSON: {error}"
            return None
        if not isinstance(arguments, dict):
            outcome.result = "error: the arguments must be a JSON object"
            return None
        required = self._parameters[name].get("required", ())
        missing = [key for key in required if key not in arguments] if isinstance(required, Sequence) else []
        if missing:
            outcome.result = f"error: missing: {', '.join(missing)}"
            return None
        return arguments

    async def _run(self, call: CallTool, outcome: Outcome, arguments: Arguments) -> None:
        try:
            async with asyncio.timeout(self._seconds_max):
                outcome.result = await self._functions[call.name](arguments, outcome.key)
            outcome.succeeded = True
        except TimeoutError:
            outcome.result = f"error: no answer in {self._seconds_max:g} seconds; it is not known whether it was done"
        except TalktimeError as error:
            outcome.result = f"error: {error}"
        except ProviderError:
            outcome.result = "error: this is not available at the moment"
        finally:
            self._note(call, outcome)

    def _note(self, call: CallTool, outcome: Outcome) -> None:
        duration_ms = round((self._clock() - outcome.began) * 1000)
        result = outcome.result or "error: it was broken off"
        self._uses.append(ToolUse(call.name, call.arguments, result, outcome.succeeded, duration_ms, outcome.key))


HANG_UP: Final = Tool(
    "hang_up",
    "End the call, after your last sentence was played. Use it when the caller has said goodbye or wants nothing more.",
    {"type": "object", "properties": {}},
)
LOOK_UP: Final = Tool(
    "look_up",
    "Look up what the business knows about a question of the caller.",
    {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]},
)


def look_up(brief: Brief, question: str) -> tuple[Entry, ...]:
    """The entries that share the most telling words with a question, best first."""
    asked = _stems(question)
    frequency: dict[str, int] = {}
    entries = [
        (entry, _stems(" ".join((entry.key, *entry.questions))), _stems(entry.answer)) for entry in brief.entries
    ]
    for _, title, answer in entries:
        for stem in title | answer:
            frequency[stem] = frequency.get(stem, 0) + 1
    scores = []
    for order, (entry, title, answer) in enumerate(entries):
        # A word that every entry has tells nothing; one in the question that people ask tells more than in the answer.
        score = sum((2.0 if stem in title else 1.0) / frequency[stem] for stem in asked & (title | answer))
        if score > 0:
            scores.append((-score, order, entry))
    return tuple(entry for _, _, entry in sorted(scores, key=lambda scored: scored[:2])[:_ENTRIES_MAX])


def _stems(text: str) -> set[str]:
    found: list[str] = re.findall(r"\w+", text.lower())
    return {word[:6].rstrip("s") for word in found if len(word) > 2 and word not in _TELL_NOTHING}


_TELL_NOTHING: Final = words(
    "the and are you your can could does did how what when where who why which this that there have has had for from",
    "with please tell about would like want any our his her its not but was were will",
    "der die das und ist sind ein eine wie was wann wo wer warum welche für mit von haben hat kann können bitte",
    "ich sie",
)


def _canonical(arguments: str) -> str:
    try:
        return orjson.dumps(orjson.loads(arguments or "{}"), option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONDecodeError:
        return arguments
