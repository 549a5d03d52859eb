"""Which provider serves, by the settings; and what is said when a part is missing."""

import importlib.util
from importlib.machinery import ModuleSpec
from typing import Any

import pytest

from talktime.errors import ProviderError
from talktime.settings import Settings
from talktime.simulate import voice
from talktime.speech.choose import choose, voices
from talktime.speech.offline import espeak_library


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "DEEPGRAM_API_KEY", "ELEVENLABS_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ({}, ("offline (pocketsphinx)", "offline (rule book)", "offline (espeak-ng)")),
        ({"openai_api_key": "k"}, ("OpenAI transcription", "OpenAI", "OpenAI speech")),
        (
            {"openai_base_url": "http://127.0.0.1:11434/v1"},
            ("offline (pocketsphinx)", "OpenAI", "offline (espeak-ng)"),
        ),
        (
            {"openai_api_key": "k", "openai_base_url": "http://127.0.0.1:1/v1"},
            ("offline (pocketsphinx)", "OpenAI", "offline (espeak-ng)"),
        ),
        ({"deepgram_api_key": "k", "elevenlabs_api_key": "k"}, ("Deepgram", "offline (rule book)", "ElevenLabs")),
        (
            {"openai_api_key": "k", "deepgram_api_key": "k", "elevenlabs_api_key": "k"},
            ("Deepgram", "OpenAI", "ElevenLabs"),
        ),
    ],
)
async def test_keys_choose_the_vendor_and_none_the_offline_trio(values: dict[str, Any], names: tuple[str, ...]) -> None:
    pytest.importorskip("pocketsphinx", reason="needs the extra `offline`")
    trio = choose(Settings(**values))
    assert (trio.transcriber.name, trio.thinker.name, trio.speaker.name) == names
    await trio.close()
    await trio.close()


@pytest.mark.parametrize("missing", ["pocketsphinx", "espeakng_loader"])
async def test_a_missing_wheel_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    find_spec = importlib.util.find_spec

    def without(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name == missing else find_spec(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(ProviderError) as raised:
        choose(Settings())
    assert "talktime[offline]" in str(raised.value)
    assert raised.value.permanent


async def test_a_caller_without_any_voice_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(voice, "has_flite", lambda: False)
    monkeypatch.setattr(espeak_library, "is_installed", lambda: False)
    with pytest.raises(ProviderError) as raised:
        await voice.speak("Hello.")
    assert "flite" in str(raised.value)
    assert await voice.speak("  ") == b""


async def test_a_caller_speaks_with_whatever_voice_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(await voice.speak("Hello, what are your opening hours?")) > 16000
    pytest.importorskip("espeakng_loader", reason="needs the extra `offline`")
    monkeypatch.setattr(voice, "has_flite", lambda: False)
    assert len(await voice.speak("Hello, what are your opening hours?")) > 16000
    with pytest.raises(ProviderError):
        await voice.speak("word " * 1000)


@pytest.mark.parametrize("language", ["en", "en-GB", "de", "de-AT"])
def test_the_voices_that_are_offered_offline_are_there(language: str) -> None:
    offered = voices(Settings(), language)
    assert offered and all(espeak_library.espeak().has_voice(name) for name in offered)


def test_whose_voices_are_offered_depends_on_who_speaks() -> None:
    assert voices(Settings(), "fr") == ()
    assert "alloy" in voices(Settings(openai_api_key="k"), "de")  # type: ignore[arg-type]  # pydantic makes a secret
    assert voices(Settings(openai_api_key="k", elevenlabs_api_key="k"), "de") == ()  # type: ignore[arg-type]  # as above
    elsewhere = Settings(openai_api_key="k", openai_base_url="http://127.0.0.1:1/v1")  # type: ignore[arg-type]  # as above
    assert "alloy" not in voices(elsewhere, "de")
