"""Which ears, head and mouth serve, by the settings: a vendor's where there is a key, the offline ones otherwise.

The one rule: the choice is made once, at the start, and nothing else in the program asks whether a key is set.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from talktime.settings import Settings
from talktime.speech.contract import Speaker, Thinker, Transcriber

LANGUAGES: Mapping[str, str] = MappingProxyType({"de": "German", "en": "English"})
"""What every voice here speaks, the offline one too, and the sentences that every agent says are written in."""
_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z]{4})?(-([A-Z]{2}|[0-9]{3}))?")


_OF_OPENAI = (
    "alloy", "ash", "ballad", "coral", "echo", "fable", "nova", "onyx", "sage", "shimmer", "verse", "marin", "cedar",
)  # fmt: skip
"""Those that are built in, as the `openai` package 2 lists them: `speech_create_params.voice`."""
_OFFLINE: Mapping[str, Sequence[str]] = {
    "en": ("en-us", "en-us+f2", "en-us+f3", "en-us+m3", "en-gb-scotland"),
    "de": ("de", "de+f2", "de+f3", "de+m3", "de+m7"),
}
"""espeak's own names; those with a `+` are another person's throat."""


@dataclass(frozen=True, slots=True)
class Trio:
    """What a conversation needs."""

    transcriber: Transcriber
    thinker: Thinker
    speaker: Speaker

    async def close(self) -> None:
        """Let go of connections and processes, at shutdown. Can be called twice."""
        for provider in (self.transcriber, self.thinker, self.speaker):
            close = getattr(provider, "close", None)
            if close is not None:
                await close()


def is_spoken(language: str) -> bool:
    """Whether there is a voice for a language (BCP 47: `de`, `de-AT`)."""
    return _TAG.fullmatch(language) is not None and language.partition("-")[0] in LANGUAGES


def choose(settings: Settings) -> Trio:
    """The trio for these settings. Raises ProviderError, naming what to install, when an offline part is missing."""
    return Trio(_transcriber(settings), _thinker(settings), _speaker(settings))


def _transcriber(settings: Settings) -> Transcriber:
    if settings.deepgram_api_key is not None:
        from talktime.speech.deepgram import DeepgramTranscriber

        return DeepgramTranscriber(settings.deepgram_api_key.get_secret_value(), settings.deepgram_url)
    if _openai_has_audio(settings):
        from talktime.speech import openai

        return openai.OpenAITranscriber(openai.client(_openai_key(settings)))
    from talktime.speech.offline.sphinx import SphinxTranscriber

    return SphinxTranscriber()


def _thinker(settings: Settings) -> Thinker:
    # A model on one's own machine (Ollama, vLLM) has an address and needs no key.
    if settings.openai_api_key is not None or settings.openai_base_url is not None:
        from talktime.speech import openai

        client = openai.client(_openai_key(settings), settings.openai_base_url)
        return openai.OpenAIThinker(client, settings.openai_model)
    from talktime.speech.offline.rulebook import RuleBook

    return RuleBook()


def _speaker(settings: Settings) -> Speaker:
    if settings.elevenlabs_api_key is not None:
        from talktime.speech.elevenlabs import ElevenLabsSpeaker

        key = settings.elevenlabs_api_key.get_secret_value()
        return ElevenLabsSpeaker(key, settings.elevenlabs_url, settings.elevenlabs_voice)
    if _openai_has_audio(settings):
        from talktime.speech import openai

        return openai.OpenAISpeaker(openai.client(_openai_key(settings)))
    from talktime.speech.offline.espeak import EspeakSpeaker

    return EspeakSpeaker()


def voices(settings: Settings, language: str) -> Sequence[str]:
    """Voices for a language that the chosen speaker is known to have, without asking anybody: some to choose from, and
    not all there are. None are known where they are those of one's own account (ElevenLabs)."""
    if settings.elevenlabs_api_key is not None:
        return ()
    return _OF_OPENAI if _openai_has_audio(settings) else _OFFLINE.get(language.partition("-")[0], ())


def _openai_has_audio(settings: Settings) -> bool:
    """Other endpoints that speak OpenAI's language rarely hear or talk."""
    return settings.openai_api_key is not None and settings.openai_base_url is None


def _openai_key(settings: Settings) -> str:
    return settings.openai_api_key.get_secret_value() if settings.openai_api_key is not None else "none"
