"""Our answers to a ring in Twilio's markup (TwiML).

The one rule: what follows `<Connect>` is `<Hangup/>`, never a pause, so that a socket that closes ends the call and no
silent minute is paid for. The same answer gives the same bytes, because a repeated ring gets the stored ones.
"""

from xml.sax.saxutils import escape, quoteattr  # this makes markup and parses none

from talktime.carriers.contract import Announce, Answer, Forward, Reply, Talk, TurnAway

TEXT_MAX = 4096
"""Characters of one `<Say>`."""
PARAMETER_MAX = 500
"""Characters of a stream parameter's name and value together."""

# `<Say>` wants a region; these are the ones Twilio's basic voices speak.
_REGIONS = {
    "da": "da-DK", "de": "de-DE", "en": "en-US", "es": "es-ES", "fi": "fi-FI", "fr": "fr-FR", "it": "it-IT",
    "ja": "ja-JP", "ko": "ko-KR", "nb": "nb-NO", "nl": "nl-NL", "pl": "pl-PL", "pt": "pt-PT", "ru": "ru-RU",
    "sv": "sv-SE", "zh": "zh-CN",
}  # fmt: skip


def markup(answer: Answer) -> Reply:
    """The reply to a ring."""
    match answer:
        case Talk():
            verbs = f"<Connect>{_stream(answer)}</Connect><Hangup/>"
        case Announce():
            verbs = f"{_say(answer.text, answer.language)}<Hangup/>"
        case Forward():
            verbs = f"{_say(answer.text, answer.language)}{_dial(answer)}<Hangup/>"
        case TurnAway():
            verbs = '<Reject reason="busy"/>'
    body = f'<?xml version="1.0" encoding="UTF-8"?><Response>{verbs}</Response>'
    return Reply(body=body.encode(), content_type="text/xml")


def _stream(answer: Talk) -> str:
    assert "?" not in answer.stream_url, "Twilio drops a stream address's query; what is in it belongs in parameters"
    parameters = []
    for name, value in sorted(answer.parameters.items()):
        assert len(name) + len(value) <= PARAMETER_MAX, f"the stream parameter {name} is too long for Twilio"
        parameters.append(f"<Parameter name={_attribute(name)} value={_attribute(value)}/>")
    return f"<Stream url={_attribute(answer.stream_url)}>{''.join(parameters)}</Stream>"


def _dial(answer: Forward) -> str:
    attributes = f'timeLimit="{max(1, answer.seconds_max)}"'
    if answer.ring_seconds_max is not None:
        attributes += f' timeout="{max(1, answer.ring_seconds_max)}"'
    if answer.after_url:
        attributes += f' action={_attribute(answer.after_url)} method="POST"'
    number = _text(answer.number)
    if answer.reports_url:
        # Of a leg that rings nothing is to be known; so whatever is reported before its end says that it is answered.
        events = 'statusCallbackEvent="answered completed" statusCallbackMethod="POST"'
        number = f"<Number statusCallback={_attribute(answer.reports_url)} {events}>{number}</Number>"
    return f"<Dial {attributes}>{number}</Dial>"


def _say(text: str, language: str) -> str:
    if not text.strip():
        return ""
    region = _REGIONS.get(language.lower(), language)
    return f"<Say language={_attribute(region)}>{_text(text[:TEXT_MAX])}</Say>"


def _text(value: str) -> str:
    return escape(_printable(value))


def _attribute(value: str) -> str:
    return quoteattr(_printable(value))


def _printable(value: str) -> str:
    """Without the characters that XML 1.0 cannot hold even when escaped."""
    return "".join(
        character
        for character in value
        if character in "\t\n\r"
        or " " <= character <= "\ud7ff"
        or "\ue000" <= character <= "\ufffd"
        or character > "\uffff"
    )
