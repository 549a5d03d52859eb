"""Read TwiML the way a phone company does: strictly, and only what we ever answer with, plus what may be redirected to.

The one rule: a verb or noun that is not understood fails the call, as it does at Twilio's, and is never skipped.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree


class BadMarkup(Exception):
    """The document is not TwiML; the text says in what."""


@dataclass(frozen=True, slots=True)
class Connect:
    url: str
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Speak:
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Dial:
    number: str
    seconds_max: int
    ring_seconds_max: int = 30
    action: str = ""
    """Where the carrier asks how to go on; "" goes on with the next verb."""
    status_callback: str = ""
    status_events: tuple[str, ...] = ()
    """Of which events of the leg `status_callback` is told."""


@dataclass(frozen=True, slots=True)
class Wait:
    seconds: int


@dataclass(frozen=True, slots=True)
class Redirect:
    url: str


@dataclass(frozen=True, slots=True)
class Reject:
    busy: bool


@dataclass(frozen=True, slots=True)
class End:
    """Hang up."""


Verb = Connect | Speak | Dial | Wait | Redirect | Reject | End


def read(document: bytes) -> list[Verb]:
    """The verbs, in order. Raises BadMarkup."""
    if b"<!DOCTYPE" in document or b"<!ENTITY" in document:
        raise BadMarkup("TwiML has no document type")
    try:
        root = ElementTree.fromstring(document)  # noqa: S314 - without a document type there is nothing to expand
    except ElementTree.ParseError as error:
        raise BadMarkup(f"the answer is not XML: {error}") from error
    if root.tag != "Response":
        raise BadMarkup(f"TwiML begins with <Response>, not <{root.tag}>")
    return [_verb(element) for element in root]


def _verb(element: ElementTree.Element) -> Verb:
    text = (element.text or "").strip()
    match element.tag:
        case "Connect":
            return _connect(element)
        case "Say":
            return Speak(text=text, language=element.get("language", "en-US"))
        case "Dial":
            return _dial(element, text)
        case "Pause":
            return Wait(_seconds(element, "length", 1))
        case "Redirect":
            return Redirect(text)
        case "Reject":
            return Reject(busy=element.get("reason", "rejected") == "busy")
        case "Hangup":
            return End()
    raise BadMarkup(f"<{element.tag}> is not understood")


def _dial(element: ElementTree.Element, text: str) -> Dial:
    number = element[0] if len(element) == 1 and element[0].tag == "Number" else None
    dialled = (number.text or "").strip() if number is not None else text
    if not dialled or len(element) > (number is not None):
        raise BadMarkup("<Dial> of anything but one number is not understood here")
    callback = number.get("statusCallback", "") if number is not None else ""
    events = tuple(number.get("statusCallbackEvent", "completed").split()) if number is not None and callback else ()
    if set(events) - {"initiated", "ringing", "answered", "completed"}:
        raise BadMarkup("statusCallbackEvent names an event that there is not")
    for url in (element.get("action", ""), callback):
        if url and not url.startswith(("http://", "https://")):
            raise BadMarkup("an address of <Dial> is not http or https")
    return Dial(
        number=dialled,
        seconds_max=_seconds(element, "timeLimit", 14400),
        ring_seconds_max=_seconds(element, "timeout", 30),
        action=element.get("action", ""),
        status_callback=callback,
        status_events=events,
    )


def _connect(element: ElementTree.Element) -> Connect:
    streams = list(element)
    if len(streams) != 1 or streams[0].tag != "Stream":
        raise BadMarkup("<Connect> must hold one <Stream>")
    url = streams[0].get("url", "")
    if not url.startswith(("wss://", "ws://")) or "?" in url:
        raise BadMarkup("<Stream> needs the address of a web socket, without a query")
    parameters = {}
    for parameter in streams[0]:
        name, value = parameter.get("name"), parameter.get("value")
        if parameter.tag != "Parameter" or name is None or value is None:
            raise BadMarkup("<Stream> holds <Parameter name= value=/> and nothing else")
        parameters[name] = value
    return Connect(url=url, parameters=parameters)


def _seconds(element: ElementTree.Element, name: str, default: int) -> int:
    text = element.get(name, str(default))
    if not text.isdecimal():
        raise BadMarkup(f"{name} of <{element.tag}> is not a number")
    return int(text)
