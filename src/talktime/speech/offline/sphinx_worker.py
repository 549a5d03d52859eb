"""The process in which the offline ears decode.

It is a process of its own because the recogniser holds Python's lock while it works (up to 200 ms at the end of a long
sentence), in which time no other call of a shared process would get its audio. It reads requests from standard input
and writes answers to standard output, and ends when its input does.

The one rule: an answer to every request, in order, whatever is wrong with it.
"""

import gzip
import json
import signal
import struct
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from talktime.speech.contract import BYTES_PER_MS, SAMPLE_RATE, Brief, Entry
from talktime.speech.offline import language_model, pronunciation
from talktime.speech.offline.sentences import sentences
from talktime.speech.resample import Resampler

if TYPE_CHECKING:
    from pocketsphinx import Decoder

HEADER = struct.Struct("<cII")
"""Kind, number of the request (of audio: of the call), length of what follows. The body of a request about a call
begins with the call's number, four bytes."""
PREPARE, FORGET, OPEN, AUDIO, FLUSH, CLOSE = b"P", b"X", b"O", b"A", b"F", b"C"
DONE, FAILED = b"D", b"E"

_MODEL_RATE = 16000
_UTTERANCE_MS_MAX = 30_000
"""A decoder keeps all of an utterance in memory, so a longer one is decoded in pieces."""
_UTTERANCE_MS_MIN = 120
_CEPSTRAL_MEANS = "38.13,29.59,-25.89,48.95,-11.93,-0.35,20.13,-25.37,12.13,-6.70,0.03,15.47,-6.80"
"""Learnt on two synthetic voices over 8 kHz µ-law. A decoder without them takes the first sentence of every call for
noise, because it has yet to learn how the line sounds."""


@dataclass(slots=True)
class _Model:
    folder: tempfile.TemporaryDirectory[str]
    spare: "Decoder | None" = None

    def decoder(self) -> "Decoder":
        """A decoder that has heard nothing yet: the one in store if there is one (making one takes 30 ms)."""
        decoder, self.spare = self.spare or self.make(), None
        return decoder

    def make(self) -> "Decoder":
        from pocketsphinx import Decoder, get_model_path

        decoder = Decoder(
            hmm=get_model_path("en-us/en-us"),
            lm=f"{self.folder.name}/model.lm",
            dict=f"{self.folder.name}/words.dict",
            loglevel="FATAL",
            # Wider than its defaults: an eighth fewer words wrong for a tenth more work, the vocabulary being small.
            beam=1e-60,
            pbeam=1e-60,
            wbeam=1e-40,
        )
        decoder.set_cmn(_CEPSTRAL_MEANS)
        return decoder


@dataclass(slots=True)
class _Call:
    decoder: "Decoder"
    resampler: Resampler = field(default_factory=lambda: Resampler(SAMPLE_RATE, _MODEL_RATE))
    heard_ms: int = 0
    """Of the utterance that is open; 0 when none is."""
    texts: list[str] = field(default_factory=list)

    def hear(self, pcm: bytes) -> None:
        if not self.heard_ms:
            self.resampler = Resampler(SAMPLE_RATE, _MODEL_RATE)
            self.decoder.start_utt()
        self.heard_ms += max(1, len(pcm) // BYTES_PER_MS)
        self._decode(self.resampler.feed(pcm))
        if self.heard_ms >= _UTTERANCE_MS_MAX:
            self._end()

    def flush(self) -> str:
        self._end()
        text = " ".join(self.texts)
        self.texts.clear()
        return text

    def _end(self) -> None:
        if self.heard_ms:
            self._decode(self.resampler.finish())
            self.decoder.end_utt()
            found = self.decoder.hyp()
            if found is not None and found.hypstr and self.heard_ms >= _UTTERANCE_MS_MIN:
                self.texts.append(found.hypstr)
            self.heard_ms = 0

    def _decode(self, pcm: bytes) -> None:
        if pcm:
            self.decoder.process_raw(pcm, no_search=False, full_utt=False)


class Worker:
    """Models by the key of their brief, and the calls that are on."""

    def __init__(self) -> None:
        self._models: dict[str, _Model] = {}
        self._calls: dict[int, _Call] = {}

    def handle(self, kind: bytes, number: int, body: bytes) -> bytes | None:
        """The answer to one request; None for audio, which has none."""
        if kind == PREPARE:
            brief = read_brief(body)
            if brief.key not in self._models:
                self._build(brief)
            return b""
        if kind == AUDIO:
            if number in self._calls:
                self._calls[number].hear(body)
            return None
        call, body = int.from_bytes(body[:4], "little"), body[4:]
        if kind == FORGET:
            self._models.pop(body.decode(), None)  # calls that are on keep their decoders
            return b""
        if kind == OPEN:
            self._calls[call] = _Call(self._models[body.decode()].decoder())
            return b""
        if kind == FLUSH:
            return self._calls[call].flush().encode() if call in self._calls else b""
        assert kind == CLOSE, kind
        self._calls.pop(call, None)
        return b""

    def restock(self) -> None:
        """Keep one decoder in store for each model, so that a call does not wait for it."""
        for model in self._models.values():
            if model.spare is None:
                model.spare = model.make()

    def _build(self, brief: Brief) -> None:
        from pocketsphinx import get_model_path

        said = sentences(brief)
        vocabulary = {word for sentence in said for word in sentence}
        dictionary = Path(get_model_path("en-us/cmudict-en-us.dict"))
        pronounced = pronunciation.pronunciations(vocabulary, brief.language, dictionary)
        sayable = {sentence: count for sentence, count in said.items() if all(word in pronounced for word in sentence)}
        model = _Model(tempfile.TemporaryDirectory(prefix="talktime-ears-"))
        Path(model.folder.name, "model.lm").write_text(language_model.arpa(sayable), encoding="utf-8")
        Path(model.folder.name, "words.dict").write_text(pronunciation.written(pronounced), encoding="utf-8")
        model.spare = model.make()
        self._models[brief.key] = model


def write_brief(brief: Brief) -> bytes:
    """A brief as it travels to the worker, which hears: what a language model is told stays behind."""
    entries = [[entry.key, entry.questions, entry.answer] for entry in brief.entries]
    parts = [brief.key, brief.business, brief.language, brief.voice, brief.greeting]
    return gzip.compress(json.dumps([parts, entries, dict(brief.hours), brief.phrases]).encode(), 1)


def read_brief(body: bytes) -> Brief:
    parts, entries, hours, phrases = json.loads(gzip.decompress(body))
    known = tuple(Entry(key, tuple(questions), answer) for key, questions, answer in entries)
    key, business, language, voice, greeting = parts
    return Brief(key, business, language, voice, greeting, entries=known, hours=hours, phrases=tuple(phrases))


def run(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the requests end."""
    worker = Worker()
    while len(head := requests.read(HEADER.size)) == HEADER.size:
        kind, number, length = HEADER.unpack(head)
        body = requests.read(length)
        try:
            answer = worker.handle(kind, number, body)
            result = DONE
        except Exception as error:  # noqa: BLE001 - it is answered, and raised where the request came from
            answer, result = f"{type(error).__name__}: {error}".encode(), FAILED
        if answer is not None:
            answers.write(HEADER.pack(result, number, len(answer)) + answer)
            answers.flush()
        if kind == OPEN:
            worker.restock()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets calls end first
    run(sys.stdin.buffer, sys.stdout.buffer)
