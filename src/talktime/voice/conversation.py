"""A conversation on the phone: the greeting, turns, interruptions, silence, and the goodbye.

The rule here: `run` always returns. Whatever happens (the socket closes, a provider fails, we are wrong), the caller
hears something as long as there is a line, every task is awaited, and no fault is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Literal

from talktime.carriers.contract import Audio, Digit, MediaEvent, Played, Present, Started, Stopped, Typed
from talktime.errors import ProviderError
from talktime.speech.contract import Brief, Message, Moment
from talktime.voice.brain import Brain, Progress, ThinkersFailed
from talktime.voice.ears import Ears, Stretch
from talktime.voice.engine import Engine, Providers
from talktime.voice.keys import Keys
from talktime.voice.line import Line
from talktime.voice.minutes import Minutes, Said, latency
from talktime.voice.mouth import Mouth, Uttered
from talktime.voice.phrases import people_phrases, phrases
from talktime.voice.sentences import Sentence
from talktime.voice.tasks import Tasks
from talktime.voice.tools import Tools
from talktime.voice.turns import Ended, Journal, TurnSettings
from talktime.voice.words import asks_dictation, is_nod, stops_agent

__all__ = ["Conversation", "Engine", "Providers"]

By = Literal["CALLER", "AGENT", "SYSTEM"]
Way = Callable[[], Awaitable[str | None]]
"""Another way for the caller to go on than with us. Gives what is said when it could not be taken; None when it was."""

_COMMIT_SECONDS: Final = 1.0
"""So long into an answer it was heard, and the words that it answers are final."""
_CALL_OVER_SECONDS: Final = 8.0
"""For the goodbye of a call that has lasted as long as it may."""
_FAULT_SECONDS: Final = 6.0
"""For the goodbye of a call that a fault of ours has ended."""
_GOODBYE_MARGIN_SECONDS: Final = 0.5
_LAST_WORDS_SECONDS: Final = 1.0
_CLOSE_SECONDS: Final = 2.0
_FAILURES_MAX: Final = 2
"""So many answers that nobody could think of, or words that nobody could understand, end the call."""


_SPOKEN_BETWEEN: Final = "error: the caller spoke in between, so it was not done; use it again if they still want it"
_NOT_TAKEN: Final = "error: it could not be done, and the caller was told so"


@dataclass(frozen=True, slots=True)
class _Leaving:
    reason: str
    by: By
    way: Way | None = None
    """What is tried first, and what ends the call only when it succeeds."""
    key: str = ""
    """Of the tool's use that wished for it."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """What the agent was saying when it was stopped, in case that was a cough."""

    sentences: tuple[Sentence, ...]
    leaving: _Leaving | None


class Conversation:
    """One call's conversation. The socket's owner feeds `receive`, awaits `run`, then hangs up."""

    def __init__(
        self,
        line: Line,
        providers: Providers,
        brief: Brief,
        moment: Callable[[], Moment],
        *,
        call_key: str,
        engine: Engine,
        settings: TurnSettings,
        tools: Tools,
        journal: Journal,
        recalled: Sequence[Message] = (),
        is_relieved: bool = False,
    ) -> None:
        """`call_key` is unique for the call; idempotency keys of tools begin with it. `recalled` is what the same two
        have said before, on a call that this one goes on with. `is_relieved`: somebody else takes the call over where
        this cannot go on (`ai_down`), so nobody says goodbye then."""
        self._line = line
        self._now = line.clock
        self._settings = settings
        self._phrases = phrases(brief.language)
        self._people_phrases = people_phrases(brief.language)
        if is_relieved:
            self._phrases = replace(self._phrases, ai_down=self._people_phrases.in_trouble)
        self._greeting = brief.greeting
        self._tasks = Tasks(self._fault)
        self._understanding: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._leaving: _Leaving | None = None
        """Ends the call when what is being said was played."""
        self._ended: _Leaving | None = None
        self._ended_at = 0.0
        self._error: Exception | None = None
        self._is_closing = False
        """The last goodbye is under way, or another way is tried: nothing interrupts it."""
        self._postponed: tuple[str, float, str] | None = None
        """A goodbye that is due while another way is tried."""
        self._is_on_way = False
        self._minutes = Minutes(journal, self._now())
        self._ears = Ears(
            providers.transcribers, brief, detector=engine.detector, settings=settings, listener=self, clock=self._now
        )
        self._mouth = Mouth(
            line,
            providers.speakers,
            brief,
            pacer=engine.pacer,
            cache=engine.greetings,
            spawn=self._tasks.spawn,
            on_fault=self.ears_failed,
        )
        self._brain = Brain(
            providers.thinkers,
            brief,
            moment,
            tools,
            call_key=call_key,
            spawn=self._tasks.spawn,
            now=self._now,
            recalled=recalled,
        )
        self._on_heard: Callable[[str], None] = _ignored
        line.on_blocked = self._blocked
        self._mouth.on_audible = self._audible
        self._speaking: asyncio.Task[None] | None = None
        """Thinks of an answer or plays something out: the agent's turn."""
        self._said: Said | None = None
        """Words of the caller that were not answered audibly yet."""
        self._answering: tuple[Said, Progress] | None = None
        self._audible_at = 0.0
        self._cut: _Cut | None = None
        self._failures = 0
        self._still_there = 0
        self._keys = Keys(
            self._keys_pressed, wait_seconds=settings.keys_seconds, later=self._tasks.later, now=self._now
        )
        self._silence: asyncio.TimerHandle | None = None
        self._longest: asyncio.TimerHandle | None = None
        self._caller_is_quiet = asyncio.Event()
        self._caller_is_quiet.set()

    # What the owner does.

    async def run(self) -> Ended:
        """Talk until it is over. The owner then asks the carrier to hang up, and closes the line."""
        try:
            try:
                self._start()
            except Exception as error:  # noqa: BLE001 - reported in what we return, like every fault
                self._fault(error)
            await self._over.wait()
            # What fails while we clean up is reported, and does not change how the call ended.
            failed = self._error is not None
        finally:
            await self._clean_up()
        assert self._ended is not None
        reason = "error" if failed else self._ended.reason
        return Ended(reason, self._ended.by, self._ended_at, self._error)

    def receive(self, event: MediaEvent) -> None:
        """Take what the carrier sent. Never blocks, never raises."""
        if self._over.is_set():
            return
        try:
            if isinstance(event, Audio):
                self._ears.hear(event.ulaw)
            elif isinstance(event, Played):
                self._line.played(event.name)
                self._mouth.played_mark()
            elif isinstance(event, Digit):
                self._press(event.digit)
            elif isinstance(event, Typed):
                self._typed(event.text)
            elif isinstance(event, Present):
                if event.is_typing:
                    self._wait_longer()
            elif isinstance(event, Stopped):
                self.end("caller_hung_up", "CALLER")
            else:
                assert isinstance(event, Started), event
        except Exception as error:  # noqa: BLE001 - the socket's loop is not where our fault belongs
            self._fault(error)

    def say_goodbye(self, reason: str, *, seconds_max: float, text: str = "") -> None:
        """Say goodbye (neutrally, unless given a text), and be through with it in so many seconds, whatever happens."""
        if self._is_on_way:
            self._postponed = reason, self._now() + seconds_max, text
        if self._over.is_set() or self._is_closing:
            return
        self._is_closing = True
        self._stop_timers()
        self._tasks.spawn(self._close_with(reason, text or self._phrases.goodbye, self._now() + seconds_max))

    @property
    def agents_turn(self) -> object:
        """What the agent says or is about to say, to be told apart from what it says later; None in between."""
        return self._speaking

    def leave_by(self, way: Way, *, reason: str, key: str, turn: object) -> bool:
        """When what the agent is about to say was played, let the caller go another way, and end the call once they do.

        A caller who speaks before that changes it: then it is not done, and the model is told so. A tool asks for it,
        with its key and the turn that it was begun in; False when that turn is over.
        """
        if turn is None or turn is not self._speaking or self._is_closing or self._over.is_set():
            return False
        self._drop(self._leaving)
        self._leaving = _Leaving(reason, "AGENT", way, key)
        self._brain.may_be_silent = True
        return True

    def tell_words(self, *, heard: Callable[[str], None], saying: Callable[[str], None]) -> None:
        """From now on, tell the caller's words as soon as they are understood, and each sentence of the agent's when
        its first sound goes out. What became of either, the journal says later."""
        self._on_heard = heard
        self._mouth.on_sentence = saying

    def leave(self, reason: str, by: By = "AGENT") -> None:
        """End the call when what the agent is saying now, or is about to say, was played; a tool may ask for it."""
        self._leaving = _Leaving(reason, by)
        if self._speaking is None and not self._is_closing:
            self.end(reason, by)

    def end(self, reason: str, by: By = "SYSTEM") -> None:
        """End at once. The first reason counts."""
        if self._ended is None:
            self._ended, self._ended_at = _Leaving(reason, by), self._now()
            self._over.set()

    # What the ears tell.

    def caller_began(self) -> None:
        self._caller_is_quiet.clear()
        self._stop_silence()

    def caller_speaks(self, speech_ms: float) -> None:
        if self._speaking is None or self._is_closing:
            return
        ears = self._ears
        if not self._mouth.is_audible:  # nothing was heard yet: the caller simply goes on
            stops = speech_ms >= self._settings.interrupt_ms
        else:
            stops = stops_agent(speech_ms, ears.text, self._settings, gives_guesses=ears.gives_guesses)
        if stops:
            self._interrupt()

    def caller_finished(self, stretch: Stretch) -> None:
        self._caller_is_quiet.set()
        task = self._tasks.spawn(self._understand(stretch, self._now()))
        self._understanding.add(task)
        task.add_done_callback(self._understanding.discard)

    def ears_failed(self, error: Exception) -> None:
        self._fault(error)

    async def _understand(self, stretch: Stretch, decided_at: float) -> None:
        try:
            text = await self._ears.flush()
        except ProviderError:
            self._misheard()
            return
        self._understood(text, stretch.began_at, stretch.ended_at, decided_at)

    def _understood(self, text: str, began_at: float, ended_at: float, decided_at: float) -> None:
        """The caller said this, or made a noise ("")."""
        if not text:
            self._nothing_said()
            return
        if is_nod(text) and not self._is_closing:
            if self._mouth.is_audible:
                return  # "mm-hm" over the agent: go on
            if self._cut is not None:
                self._resume()
                return
        self._take(Said(text, began_at, ended_at, decided_at))

    def _take(self, said: Said) -> None:
        """These are words of the caller's that want an answer, or change the one that is being given."""
        if self._is_closing or self._over.is_set():
            self._said = self._said.joined(said) if self._said else said  # for the minutes only
            return
        if self._speaking is not None:
            self._interrupt()
        self._forget_cut()
        self._still_there = 0
        self._said = self._said.joined(said) if self._said else said
        self._on_heard(self._said.text)
        self._brain.hear(said.text)
        self._answer()

    def _nothing_said(self) -> None:
        """It was a noise. Go on where it stopped us."""
        if self._is_closing or self._over.is_set() or self._speaking is not None:
            return
        if self._cut is not None:
            self._resume()
        elif self._said is not None:
            self._answer()
        else:
            self._start_silence()

    def _misheard(self) -> None:
        """The ears failed; others are open by now, or none."""
        if self._is_closing or self._over.is_set():
            return
        self._failures += 1
        if self._failures >= _FAILURES_MAX:
            self.say_goodbye("ai_down", seconds_max=_CALL_OVER_SECONDS, text=self._phrases.ai_down)
        elif self._speaking is None:
            self._forget_cut()
            self._say(self._brain.sentence(self._phrases.not_understood))

    # The agent's turn.

    def _start(self) -> None:
        self._tasks.spawn(self._open_ears())
        self._longest = self._tasks.later(self._settings.call_seconds_max, self._call_is_long)
        self._say(self._brain.sentence(self._greeting))

    async def _open_ears(self) -> None:
        try:
            await self._ears.open()
        except ProviderError:
            self.say_goodbye("ai_down", seconds_max=_CALL_OVER_SECONDS, text=self._phrases.ai_down)

    def _say(self, *sentences: Sentence) -> None:
        """Say sentences that no model thought of."""
        self._stop_silence()
        self._answering = None
        for sentence in sentences:
            self._mouth.say(sentence)
        self._mouth.finish()
        self._speaking = self._tasks.spawn(self._play_out())

    def _answer(self) -> None:
        assert self._said is not None
        self._stop_silence()
        self._speaking = self._tasks.spawn(self._think_and_say(self._said))

    async def _think_and_say(self, said: Said) -> None:
        progress = Progress(self._mouth.say, self._tasks.guarded(self._mouth.fill_in), self._now)
        self._answering = said, progress
        try:
            await self._brain.reply(progress)
        except ThinkersFailed:
            self._failures += 1
            self._drop(self._leaving)
            self._leaving = None
            text = self._phrases.not_understood
            if self._failures >= _FAILURES_MAX:
                text, self._leaving = self._phrases.ai_down, _Leaving("ai_down", "SYSTEM")
            self._mouth.say(self._brain.sentence(text))
        if self._brain.wants_hang_up:
            self._leaving = _Leaving("agent_hung_up", "AGENT")
            if not progress.spoken:
                self._mouth.say(self._brain.sentence(self._phrases.goodbye))
        elif self._leaving is not None and self._leaving.way is not None and not progress.spoken:
            self._mouth.say(self._brain.sentence(self._people_phrases.putting_through))
        self._mouth.finish()
        await self._play_out()

    async def _play_out(self) -> None:
        """Wait until the agent's turn was heard; then it is the caller's, or the end."""
        try:
            await self._mouth.played()
        except ProviderError:
            self._no_voice()
            return
        self._record(self._mouth.take())
        self._speaking = None
        leaving = self._leaving
        if leaving is None:
            self._start_silence()
        elif leaving.way is None:
            self.end(leaving.reason, leaving.by)
        else:
            self._leaving = None
            await self._take_way(leaving, leaving.way)

    async def _take_way(self, leaving: _Leaving, way: Way) -> None:
        """Try another way for the caller; until that is known nobody answers them, and nobody says goodbye."""
        self._is_closing = self._is_on_way = True
        self._stop_silence()
        try:
            regret = await way()
        finally:
            self._is_closing = self._is_on_way = False
        if self._over.is_set():
            return
        if regret is None:
            self.end(leaving.reason, leaving.by)
            return
        self._brain.revoke(leaving.key, _NOT_TAKEN)
        postponed, self._postponed = self._postponed, None
        if postponed is not None:
            reason, deadline, text = postponed
            self.say_goodbye(reason, seconds_max=max(0.0, deadline - self._now()), text=text)
        else:
            self._say(self._brain.sentence(regret))

    def _drop(self, leaving: _Leaving | None) -> None:
        """What was to be done after a sentence is not done, because the caller spoke."""
        if leaving is not None and leaving.way is not None:
            self._brain.revoke(leaving.key, _SPOKEN_BETWEEN)

    def _forget_cut(self) -> None:
        if self._cut is not None:
            self._drop(self._cut.leaving)
        self._cut = None

    def _audible(self) -> None:
        self._audible_at = self._now()
        self._tasks.later(_COMMIT_SECONDS, self._commit)

    def _commit(self) -> None:
        """The caller's words were answered: they are final, and written down."""
        if self._said is not None and (self._mouth.is_audible or self._over.is_set()):
            self._minutes.caller(self._said)
            self._said = None

    def _interrupt(self) -> None:
        """The caller speaks, or presses a key: the agent falls silent at once."""
        self._stop_speaking()
        was_unanswered = self._said is not None
        uttered = self._mouth.stop()
        self._record(uttered, interrupted=True)
        if uttered.heard or not was_unanswered:
            self._cut = _Cut(uttered.unheard, self._leaving) if uttered.unheard else None
        if self._cut is None or self._cut.leaving is not self._leaving:
            self._drop(self._leaving)
        self._leaving = None

    def _resume(self) -> None:
        """That was no interruption: say the rest."""
        assert self._cut is not None
        cut, self._cut = self._cut, None
        self._leaving = cut.leaving
        self._say(*(self._brain.sentence(sentence.text, sentence.sources) for sentence in cut.sentences))

    def _record(self, uttered: Uttered, *, interrupted: bool = False) -> None:
        """Remember and write down what was heard of the agent's turn, and before it what it answers."""
        self._brain.settle(uttered)
        if not uttered.heard:
            return
        if self._said is not None:
            self._minutes.caller(self._said)
            self._said = None
        answering, self._answering = self._answering, None
        self._minutes.agent(
            uttered.text,
            began_at=self._audible_at,
            ended_at=self._now(),
            latency=latency(*answering, self._audible_at) if answering else None,
            interrupted=interrupted and bool(uttered.unheard),
            tools=self._brain.toolbox.take_uses(),
            sources=self._brain.take_sources(uttered),
        )
        self._ears.dictation_expected = asks_dictation(uttered.text)

    def _no_voice(self) -> None:
        """Nobody could speak: say so, if that is ready to be played, and end."""
        self._speaking = None
        self._record(self._mouth.take(), interrupted=True)
        if self._mouth.is_ready(self._phrases.ai_down) and not self._is_closing:
            self.say_goodbye("ai_down", seconds_max=_CALL_OVER_SECONDS, text=self._phrases.ai_down)
        else:
            self.end("ai_down")

    async def _close_with(self, reason: str, text: str, deadline: float) -> None:
        """Finish the sentence in the air if there is time, say goodbye, and end before the deadline."""
        until = deadline - self._mouth.ready_seconds(text) - _GOODBYE_MARGIN_SECONDS
        self._stop_speaking()
        if self._mouth.is_busy:
            self._mouth.trim()
            await self._heard_by(until)
            self._record(self._mouth.stop(), interrupted=True)
        with suppress(TimeoutError):
            async with asyncio.timeout(max(until - self._now(), 0)):
                await self._caller_is_quiet.wait()
        self._answering = None
        self._mouth.say(self._brain.sentence(text))
        self._mouth.finish()
        await self._heard_by(deadline)
        self._record(self._mouth.stop(), interrupted=True)
        self.end(reason)

    async def _heard_by(self, deadline: float) -> None:
        """Wait for the mouth until then. When a voice fails now, there is no better goodbye to give."""
        with suppress(TimeoutError, ProviderError):
            async with asyncio.timeout(max(deadline - self._now(), 0)):
                await self._mouth.played()

    # Silence, keys, and the longest call.

    def _start_silence(self) -> None:
        self._stop_silence()
        if not self._ears.is_turn and not self._is_closing:
            self._silence = self._tasks.later(self._settings.silence_seconds, self._quiet)

    def _stop_silence(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _quiet(self) -> None:
        """Nobody has spoken for a while."""
        if self._speaking is not None or self._ears.is_turn or self._is_closing:
            return
        if self._still_there < self._settings.still_there_times:
            self._still_there += 1
            self._say(self._brain.sentence(self._phrases.still_there))
        else:
            self._leaving = _Leaving("silence", "AGENT")
            self._say(self._brain.sentence(self._phrases.goodbye))

    def _press(self, key: str) -> None:
        if self._is_closing:
            return
        self._stop_silence()
        if self._speaking is not None:
            self._interrupt()
        self._keys.press(key)

    def _keys_pressed(self, text: str, began_at: float, ended_at: float) -> None:
        self._understood(text, began_at, ended_at, self._now())

    def _typed(self, text: str) -> None:
        """A line was typed: a turn of the caller's like one that was heard, and never a mere nod."""
        now = self._now()
        self._stop_silence()
        self._take(Said(text, now, now, now))

    def _wait_longer(self) -> None:
        """Somebody is typing: that is no silence."""
        if self._silence is not None:
            self._start_silence()

    def _call_is_long(self) -> None:
        self.say_goodbye("longest", seconds_max=_CALL_OVER_SECONDS)

    # Tasks, timers, faults, and the end.

    def _fault(self, error: Exception) -> None:
        """We are wrong. The caller still gets a goodbye, the owner the error; a second fault ends it at once."""
        is_first, self._error = self._error is None, self._error or error
        if is_first and self._line.is_open and not self._is_closing:
            self.say_goodbye("error", seconds_max=_FAULT_SECONDS, text=self._phrases.ai_down)
        else:
            self.end("error")

    def _blocked(self) -> None:
        self.end("line_blocked")

    def _stop_speaking(self) -> None:
        if self._speaking is not None:
            self._speaking.cancel()
            self._speaking = None

    def _stop_timers(self) -> None:
        self._stop_silence()
        self._keys.stop()
        if self._longest is not None:
            self._longest.cancel()

    async def _clean_up(self) -> None:
        """Let go of everything; write down what is still in the air."""
        self.end("cancelled")  # counts only if the owner has cancelled us
        assert self._ended is not None
        self._stop_timers()
        self._stop_speaking()
        uttered = self._mouth.stop()
        if self._ended.by == "CALLER":
            await self._last_words()
        await self._tasks.end()
        try:
            self._write_down_rest(uttered)
        except Exception as error:  # noqa: BLE001 - reported in what `run` returns
            self._fault(error)
        try:
            with suppress(TimeoutError, ProviderError):  # ears that cannot even be closed have nothing more to tell
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await self._ears.close()
        except Exception as error:  # noqa: BLE001 - the same
            self._fault(error)

    def _write_down_rest(self, uttered: Uttered) -> None:
        self._record(uttered, interrupted=True)
        self._commit()
        if tools := self._brain.toolbox.take_uses():
            self._minutes.agent("", began_at=self._now(), ended_at=self._now(), interrupted=True, tools=tools)

    async def _last_words(self) -> None:
        """The caller has hung up: understand what they just said, and let tools that run finish. Both are limited."""
        self._ears.finish()
        if self._understanding:
            await asyncio.wait(self._understanding, timeout=_LAST_WORDS_SECONDS)
        await self._brain.toolbox.wait()


def _ignored(_text: str) -> None:
    pass
